//! What must hold after a turn, and at any moment.

use super::clients::Told;
use super::world::{Place, World};
use crate::fanout::kind::Kind;

impl World {
    /// Whether some of what it is owed can no longer be read.
    pub fn has_lost(&self, id: usize) -> bool {
        self.clients.list[id].subs.iter().any(|sub| {
            let channel = &self.clients.channels[sub.channel];
            match channel.kind {
                Kind::State | Kind::Keyed | Kind::Rows => false,
                Kind::Kline => channel.log.closed_since(sub.next, &mut |_, _| {}).is_err(),
                Kind::Event => sub.next < channel.log.oldest(),
            }
        })
    }

    /// Who has everything keeps up again. When nothing is left to do, everybody who can take it has everything.
    pub fn after_turn(&mut self, id: usize, shard: usize, more: bool) {
        if !matches!(self.places[id], Place::At { shard: at, .. } if at == shard) || self.clients.list[id].full {
            return;
        }
        let channels = &self.clients.channels;
        let client = &mut self.clients.list[id];
        let behind = client.subs.iter().find(|sub| sub.next < channels[sub.channel].log.head());
        if behind.is_none() && !client.is_owed() {
            client.behind = false;
            client.floor.clear();
        }
        // Whoever was just told that it is too slow has its CLOSE before it.
        if !more && !client.dead && client.told.back() != Some(&Told::Close) {
            assert!(behind.is_none(), "client {id} waits for nothing: {behind:?}");
            assert!(client.told.is_empty(), "client {id} was not told {:?}", client.told);
            assert!(client.ended || client.pong_told == client.pong_got, "client {id} waits for a PONG");
        }
    }

    /// Everything published within a subscription is delivered, skipped, abandoned, or waits.
    pub fn check_sums(&self) {
        let mut published = self.ended;
        for client in &self.clients.list {
            published += client.subs.iter().map(|sub| self.head(sub.channel) - sub.start).sum::<u64>();
        }
        let mut waiting = 0;
        for local in self.fanouts.iter().flat_map(|fanout| fanout.locals.iter().flatten()) {
            let head = local.channel.log.head();
            waiting += local.subscribers.iter().map(|subscriber| head - subscriber.position).sum::<u64>();
        }
        for place in &self.places {
            if let Place::Moving(portable) = place {
                waiting += portable.held.iter().map(|held| held.channel.log.head() - held.position).sum::<u64>();
            }
        }
        let sum = |count: fn(&crate::fanout::stats::Stats) -> u64| -> u64 {
            self.fanouts.iter().map(|fanout| count(&fanout.stats)).sum()
        };
        let (delivered, skipped) = (sum(|stats| stats.delivered), sum(|stats| stats.skipped));
        let abandoned = sum(|stats| stats.abandoned);
        assert_eq!(published, delivered + skipped + abandoned + waiting, "{delivered} {skipped} {abandoned} {waiting}");
        // What the clients saw is the same, but for frames that are not complete yet.
        let got: u64 = self.clients.list.iter().map(|client| client.delivered).sum();
        let missed: u64 = self.clients.list.iter().map(|client| client.skipped).sum();
        let begun = self.clients.list.iter().filter(|client| !client.partial.is_empty()).count() as u64;
        let open = self.cut_off.max(begun);
        assert!((got..=got + self.cut_off + begun).contains(&delivered), "{got} got, {delivered} delivered");
        assert!(missed == skipped || missed < skipped && open > 0, "{missed} missed, {skipped} skipped");
    }
}
