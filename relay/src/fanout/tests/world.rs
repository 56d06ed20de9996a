//! Two shards, the feeds and the clients; every operation on them, and the sums that must hold after each.

use super::clients::{Client, Clients, Published, Sub, Told};
use super::parse;
use crate::fanout::channel::Channel;
use crate::fanout::core::{Fanout, Portable};
use crate::fanout::kind::Kind;
use crate::fanout::log::{Appender, Budget, Seq, log};
use crate::fanout::slab::Slot;
use crate::sync::Arc;
use crate::wire::dialect::Dialect;
use crate::wire::notice::StreamState;

const SHARDS: usize = 2;
pub(super) const UNLIMITED: usize = usize::MAX;

pub(super) enum Place {
    At { shard: usize, slot: Slot },
    Moving(Box<Portable<usize>>),
    Out,
}

pub(super) struct Feed {
    pub channel: Arc<Channel>,
    pub appender: Appender,
    /// What each shard with subscribers last heard about the data.
    heard: [Option<StreamState>; SHARDS],
}

pub(super) struct World {
    pub fanouts: [Fanout<usize>; SHARDS],
    pub feeds: Vec<Feed>,
    pub clients: Clients,
    pub places: Vec<Place>,
    now_ms: u64,
    next_id: u64,
    /// What was published within subscriptions that have ended.
    pub ended: u64,
    /// Frames that were begun and never finished, because their client was removed.
    pub cut_off: u64,
}

impl World {
    pub fn new(kinds: &[Kind]) -> World {
        let budget = Arc::new(Budget::new(1 << 30));
        let mut clients = Clients::default();
        let feeds = kinds.iter().enumerate().map(|(id, &kind)| {
            let name = format!("c{id}@{kind:?}");
            let (appender, log) = log(kind, budget.clone());
            let channel = Arc::new(Channel::new(id as u32, &name, kind, Dialect::Stream, log.clone(), SHARDS));
            clients.channels.push(Published { name, kind, log, frames: Vec::new(), closed: Vec::new() });
            Feed { channel, appender, heard: [None; SHARDS] }
        });
        World {
            feeds: feeds.collect(),
            fanouts: std::array::from_fn(Fanout::new),
            clients,
            places: Vec::new(),
            now_ms: 0,
            next_id: 0,
            ended: 0,
            cut_off: 0,
        }
    }

    /// A shard with some channels of a kind and some clients of a capacity, each subscribed to all of them.
    pub fn with(kinds: &[Kind], clients: usize, room: usize) -> World {
        let mut world = World::new(kinds);
        for id in 0..clients {
            world.open(0, room, false, false);
            (0..kinds.len()).for_each(|channel| world.subscribe(id, channel));
        }
        world.settle();
        world
    }

    pub fn advance(&mut self, ms: u64) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        self.fanouts.iter_mut().for_each(|fanout| fanout.set_now(now_ms, now_ms));
        self.feeds.iter_mut().for_each(|feed| feed.appender.trim(now_ms * 1_000_000));
    }

    pub fn publish(&mut self, channel: usize, count: usize, padding: usize) {
        self.publish_closing(channel, count, padding, false);
    }

    /// Publishes some frames, of which the first closes a candle if that is wanted, and tells the shards.
    pub fn publish_closing(&mut self, channel: usize, count: usize, padding: usize, closes: bool) {
        let stamp_ns = self.now_ms * 1_000_000;
        let published = &mut self.clients.channels[channel];
        let appender = &mut self.feeds[channel].appender;
        for at in 0..count {
            let closed = closes && at == 0 && published.kind == Kind::Kline;
            let payload = parse::payload(channel, published.frames.len() as u64, closed, padding);
            match closed {
                true => appender.append_closed(&payload, stamp_ns),
                false => appender.append(&payload, stamp_ns),
            };
            published.frames.push(payload);
            published.closed.push(closed);
        }
        self.post(channel);
    }

    /// Rings every shard that has subscribers. What the doorbell does is tested in `wake`.
    fn post(&mut self, channel: usize) {
        let feed = &mut self.feeds[channel];
        let mask = feed.channel.interest.mask();
        let state = feed.channel.condition();
        for shard in 0..SHARDS {
            assert_eq!(mask >> shard & 1 == 1, feed.heard[shard].is_some(), "the interest of shard {shard}");
            let Some(heard) = &mut feed.heard[shard] else { continue };
            if std::mem::replace(heard, state) != state {
                for (client, place) in self.clients.list.iter_mut().zip(&self.places) {
                    let holds = client.subs.iter().any(|sub| sub.channel == channel);
                    let Place::At { shard: at, slot } = *place else { continue };
                    let is_full = self.fanouts[at].session(slot).unwrap().lane_is_full();
                    if at == shard && holds && client.notices && !is_full && !client.dead {
                        let head = feed.channel.log.head();
                        client.told.push_back(Told::Condition { channel, state: state.name(), head });
                    }
                }
            }
            self.fanouts[shard].news(channel as u32);
        }
    }

    pub fn set_condition(&mut self, channel: usize, state: StreamState) {
        if self.feeds[channel].channel.set_condition(state) {
            self.post(channel);
        }
    }

    /// A log without subscribers keeps its newest frame only.
    pub fn unwatch(&mut self, channel: usize) {
        let feed = &mut self.feeds[channel];
        if feed.channel.interest.mask() == 0 {
            feed.appender.set_unwatched(true);
        }
    }

    pub fn open(&mut self, shard: usize, room: usize, combined: bool, notices: bool) -> usize {
        let id = self.clients.list.len();
        self.clients.list.push(Client { room, combined, notices, ..Client::default() });
        let slot = self.fanouts[shard].open(id, combined, notices);
        self.places.push(Place::At { shard, slot });
        id
    }

    /// Acknowledges and subscribes, in that order.
    pub fn subscribe(&mut self, id: usize, channel: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        if self.clients.list[id].ended {
            return;
        }
        self.tell(id);
        let of = self.feeds[channel].channel.clone();
        let fresh = self.fanouts[shard].subscribe(slot, &of);
        self.watch(shard, channel);
        let client = &mut self.clients.list[id];
        assert_eq!(fresh, client.subs.iter().all(|sub| sub.channel != channel), "client {id}: held or not");
        if fresh {
            let back = if of.kind == Kind::Event { 0 } else { 1 };
            let start = of.log.head().saturating_sub(back).max(of.log.epoch_start());
            self.next_id += 1;
            client.subs.push(Sub { id: self.next_id, channel, start, next: start });
        }
        self.check_list(id);
    }

    fn watch(&mut self, shard: usize, channel: usize) {
        let feed = &mut self.feeds[channel];
        feed.appender.set_unwatched(false);
        feed.heard[shard].get_or_insert(feed.channel.condition());
    }

    /// Unsubscribes and acknowledges, in that order.
    pub fn unsubscribe(&mut self, id: usize, channel: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        let client = &mut self.clients.list[id];
        let at = client.subs.iter().position(|sub| sub.channel == channel);
        let had = self.fanouts[shard].unsubscribe(slot, &self.clients.channels[channel].name);
        assert_eq!(had, at.is_some(), "client {id}: held or not");
        if let Some(at) = at {
            let sub = client.subs.remove(at);
            self.finished(&[sub]);
        }
        self.release(shard);
        self.tell(id);
        self.check_list(id);
    }

    fn finished(&mut self, subs: &[Sub]) {
        for sub in subs {
            self.ended += self.clients.channels[sub.channel].log.head() - sub.start;
        }
    }

    /// The names of a shard's released channels are those that lost their last subscriber, each once.
    fn release(&mut self, shard: usize) {
        for id in self.fanouts[shard].take_released() {
            let channel = id as usize;
            assert!(self.feeds[channel].heard[shard].take().is_some(), "released twice");
            let place = |id: usize| matches!(self.places[id], Place::At { shard: at, .. } if at == shard);
            let holds = |client: &Client| client.subs.iter().any(|sub| sub.channel == channel);
            assert!(!self.clients.list.iter().enumerate().any(|(id, client)| place(id) && holds(client)));
        }
    }

    fn check_list(&self, id: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        let name = |sub: &Sub| &*self.clients.channels[sub.channel].name;
        let expected: Vec<&str> = self.clients.list[id].subs.iter().map(name).collect();
        assert_eq!(self.fanouts[shard].list(slot), expected, "client {id}: in the order of subscription");
    }

    pub fn set_combined(&mut self, id: usize, combined: bool) {
        let Place::At { shard, slot } = self.places[id] else { return };
        self.fanouts[shard].set_combined(slot, combined);
        self.clients.list[id].combined = combined;
    }

    pub fn tell(&mut self, id: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        self.next_id += 1;
        self.fanouts[shard].tell(slot, &parse::reply(self.next_id));
        let client = &mut self.clients.list[id];
        if !client.ended {
            client.told.push_back(Told::Reply(self.next_id));
        }
    }

    pub fn tell_pong(&mut self, id: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        let client = &mut self.clients.list[id];
        if !client.ended {
            client.pong_told += 1;
            self.fanouts[shard].tell_pong(slot, &parse::pong(client.pong_told));
        } else {
            self.fanouts[shard].tell_pong(slot, &parse::pong(u64::MAX));
        }
    }

    pub fn end(&mut self, id: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        self.fanouts[shard].end(slot, parse::CLOSE);
        let client = &mut self.clients.list[id];
        if !client.ended {
            client.ended = true;
            client.told.push_back(Told::Close);
        }
        let subs = std::mem::take(&mut client.subs);
        self.finished(&subs);
        self.release(shard);
    }

    /// The connection is gone.
    pub fn close(&mut self, id: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        assert_eq!(self.fanouts[shard].close(slot), Some(id));
        self.places[id] = Place::Out;
        let client = &mut self.clients.list[id];
        self.cut_off += u64::from(!client.partial.is_empty());
        let subs = std::mem::take(&mut client.subs);
        self.finished(&subs);
        self.release(shard);
    }

    /// The client takes so many bytes more.
    pub fn drain(&mut self, id: usize, bytes: usize) {
        let client = &mut self.clients.list[id];
        client.room = client.room.saturating_add(bytes);
        if std::mem::take(&mut client.full)
            && let Place::At { shard, slot } = self.places[id]
        {
            self.fanouts[shard].writable(slot);
        }
    }

    pub fn depart(&mut self, id: usize) {
        let Place::At { shard, slot } = self.places[id] else { return };
        let portable = self.fanouts[shard].depart(slot).expect("it was there");
        self.places[id] = Place::Moving(Box::new(portable));
        self.release(shard);
    }

    pub fn arrive(&mut self, id: usize, shard: usize) {
        let place = std::mem::replace(&mut self.places[id], Place::Out);
        let Place::Moving(portable) = place else { return self.places[id] = place };
        // What its socket may have said meanwhile was said to nobody: it is tried again.
        self.clients.list[id].full = false;
        let slot = self.fanouts[shard].arrive(*portable);
        self.places[id] = Place::At { shard, slot };
        for at in 0..self.clients.list[id].subs.len() {
            self.watch(shard, self.clients.list[id].subs[at].channel);
        }
        self.check_list(id);
    }

    /// One turn of a shard, with what its owner does after it. True if there is more.
    pub fn turn(&mut self, shard: usize, budget: usize) -> bool {
        let before = self.clients.writes;
        let more = self.fanouts[shard].turn(&mut self.clients, budget);
        let writes = self.clients.writes - before;
        assert!(writes <= budget + 3, "{writes} writes with a budget of {budget}");
        for slot in self.fanouts[shard].take_gone() {
            let id = self.fanouts[shard].session(slot).expect("named once, before it is closed").conn;
            assert!(self.clients.list[id].dead, "client {id} is alive");
            self.close(id);
        }
        for slot in self.fanouts[shard].take_too_slow() {
            let id = self.fanouts[shard].session(slot).expect("it is there").conn;
            assert!(!self.clients.list[id].ended, "client {id} was named twice");
            assert!(self.has_lost(id), "client {id} lost nothing");
            self.end(id);
        }
        for id in 0..self.places.len() {
            self.after_turn(id, shard, more);
        }
        self.check_sums();
        more || self.fanouts[shard].queue.len() + self.fanouts[shard].active.len() > 0
    }

    /// Lets both shards do all there is to do.
    pub fn settle(&mut self) {
        for shard in 0..SHARDS {
            let mut turns = 0;
            while self.turn(shard, 1024) {
                turns += 1;
                assert!(turns < 10_000, "shard {shard} does not come to rest");
            }
        }
    }

    pub fn head(&self, channel: usize) -> Seq {
        self.clients.channels[channel].log.head()
    }

    pub fn client(&self, id: usize) -> &Client {
        &self.clients.list[id]
    }
}
