//! From a venue's message to its channel's log, and the news to the shards that want it.

mod order;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use self::order::Order;
use super::shared::Shared;
use crate::fanout::channel::Channel;
use crate::fanout::kind::Kind;
use crate::fanout::log::{Appender, Seq};
use crate::fanout::rows;
use crate::fanout::stamps::Publisher;
use crate::fanout::topics::Demand;
use crate::limits::SERVE_BYTES_MAX;
use crate::metrics::{Stages, UpstreamCounters};
use crate::venue::merge::{Frame, Merge, Source, Verdict};
use crate::venue::sequence::{Numbers, Rule};
use crate::wire::notice::StreamState;
use crate::wire::stream::upstream::is_closed_kline;

/// The channels of one upstream, and their only writer.
pub struct Ingest {
    shared: Arc<Shared>,
    upstream: usize,
    /// Leaked once: an upstream's name lives as long as the process.
    name: &'static str,
    links: HashMap<usize, Link, RandomState>,
    names: HashMap<Box<str>, u32, RandomState>,
    /// By the channel's number.
    entries: Vec<Option<Box<Entry>>>,
    held: usize,
    /// Shards with news since the last flush, a bit for each.
    told: u64,
    stamps: Publisher,
    /// Rows that are published with the next flush.
    rows: Vec<Pending>,
    stages: Stages,
    order: Order,
    numbers: Numbers,
}

/// How a connection to a venue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Up,
    /// Wanted, and not there.
    Down,
    /// Not wanted.
    Closed,
}

/// Rows of one channel.
struct Pending {
    id: u32,
    record: Vec<u8>,
    /// When the bytes of the first were read.
    read_ns: u64,
}

struct Entry {
    channel: Arc<Channel>,
    appender: Appender,
    /// It has had data.
    proven: bool,
    /// Nothing came since it was subscribed upstream.
    fresh: bool,
    /// When its connection was lost, if it is.
    lost_ns: Option<u64>,
    /// The outage in the list of gaps, while there is one.
    outage: Option<u64>,
    merge: Merge,
}

impl Ingest {
    pub fn new(shared: Arc<Shared>, upstream: usize) -> Ingest {
        Ingest {
            name: shared.metrics.upstreams[upstream].name.clone().leak(),
            links: HashMap::default(),
            stamps: shared.topics.stamps().publisher(upstream),
            shared,
            upstream,
            names: HashMap::default(),
            entries: Vec::new(),
            held: 0,
            told: 0,
            rows: Vec::new(),
            stages: Stages::default(),
            order: Order::default(),
            numbers: Numbers::default(),
        }
    }

    /// Whether the venue's numbers of trades have holes. To be said before anything is asked for.
    pub fn set_numbers(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    pub fn counters(&self) -> &UpstreamCounters {
        &self.shared.metrics.upstreams[self.upstream].counters
    }

    /// How the configuration calls the upstream.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn channel_name(&self, id: u32) -> &str {
        self.entries.get(id as usize).and_then(Option::as_ref).map_or("", |entry| &entry.channel.name)
    }

    /// Notes how a connection to the venue stands; true if that is a change.
    pub fn connection(&mut self, conn: usize, link: Link) -> bool {
        let before = self.links.insert(conn, link);
        let open = self.links.values().filter(|link| **link == Link::Up).count();
        self.counters().connections.set(open as u64);
        before != Some(link)
    }

    pub fn now_ns(&self) -> u64 {
        self.shared.clock.now_ns()
    }

    pub fn calendar_ms(&self) -> u64 {
        self.shared.clock.calendar_ms()
    }

    /// Takes what the shards want or do not want any more; says which name that is about.
    pub fn demand(&mut self, demand: Demand) -> Option<(u32, Arc<Channel>, bool)> {
        match demand {
            Demand::Want { channel, appender } => {
                let id = channel.id;
                if let Some(appender) = appender {
                    let entry = Entry {
                        channel: channel.clone(),
                        appender,
                        proven: false,
                        fresh: true,
                        lost_ns: None,
                        outage: None,
                        merge: Merge::new(Rule::of(&channel.name, self.numbers)),
                    };
                    let place = id as usize;
                    if self.entries.len() <= place {
                        self.entries.resize_with(place + 1, || None);
                    }
                    self.drop_entry(id);
                    self.entries[place] = Some(Box::new(entry));
                    self.held += 1;
                    self.names.insert(channel.name.clone(), id);
                }
                self.entry(id)?.appender.set_unwatched(false);
                self.counters().streams.set(self.held as u64);
                Some((id, channel, true))
            }
            Demand::Unwant { id } => {
                let entry = self.entry(id)?;
                entry.appender.set_unwatched(true);
                Some((id, entry.channel.clone(), false))
            }
        }
    }

    fn entry(&mut self, id: u32) -> Option<&mut Entry> {
        self.entries.get_mut(id as usize)?.as_deref_mut()
    }

    /// One message of a venue. Returns the channel's number if we hold it.
    pub fn frame(&mut self, source: Source, name: &str, payload: &[u8], read_ns: u64) -> Option<u32> {
        let Some(id) = self.find(name) else {
            self.counters().unknown.one();
            return None;
        };
        let entry = self.entries.get_mut(id as usize)?.as_deref_mut()?;
        if !std::mem::replace(&mut entry.proven, true) {
            self.shared.topics.prove(id);
        }
        let order = &mut self.order;
        let disorder = order.tally.disorder;
        let frame = Frame { source, payload, read_ns };
        let verdict = entry.merge.offer(frame, &order.sources, &mut order.tally);
        let is_waiting = verdict == Verdict::Held || entry.merge.due_ns().is_some();
        let is_level = verdict == Verdict::Duplicate && !entry.merge.is_behind();
        // What is missing shows when the stream goes on, not before.
        let mut revived = None;
        match verdict {
            Verdict::Publish => {
                revived = self.revive(id, disorder);
                self.publish(id, payload, read_ns);
            }
            Verdict::Held => self.hold(id),
            Verdict::Duplicate if is_level => self.set_live(id),
            Verdict::Duplicate | Verdict::Late => {}
        }
        self.write_down(id, revived);
        if is_waiting {
            self.release(id);
        }
        Some(id)
    }

    /// The venue says what was published: the topic is there again, though nothing new has come.
    fn set_live(&mut self, id: u32) {
        let Some(entry) = self.entry(id) else { return };
        if entry.lost_ns.take().is_some() {
            entry.channel.set_condition(StreamState::Live);
            let channel = entry.channel.clone();
            self.post(&channel);
        }
    }

    /// Puts a message into its channel's log.
    fn publish(&mut self, id: u32, payload: &[u8], read_ns: u64) {
        let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::as_deref_mut) else { return };
        let counters = &self.shared.metrics.upstreams[self.upstream].counters;
        if std::mem::take(&mut entry.fresh) && entry.channel.kind != Kind::Event && entry.appender.newest_is(payload) {
            // Said once already.
            return counters.repeated.one();
        }
        let stamp_ns = self.stamps.begin(read_ns);
        if entry.channel.kind == Kind::Kline && is_closed_kline(payload) {
            entry.appender.append_closed(payload, stamp_ns);
        } else {
            entry.appender.append(payload, stamp_ns);
        }
        self.stamps.end();
        counters.published.one();
        counters.bytes.add(payload.len() as u64);
        let channel = entry.channel.clone();
        self.post(&channel);
        self.stages.published.saturating_record(self.shared.clock.now_ns().saturating_sub(read_ns));
    }

    /// A message of a derived topic. `key` says what it replaces, where frames have keys.
    pub fn derived(&mut self, id: u32, key: u32, payload: &[u8], read_ns: u64) {
        let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::as_deref_mut) else { return };
        if !std::mem::replace(&mut entry.proven, true) {
            self.shared.topics.prove(id);
        }
        if entry.channel.kind == Kind::Rows {
            return self.add_row(id, key, payload, read_ns);
        }
        let stamp_ns = self.stamps.begin(read_ns);
        match entry.channel.kind {
            kind if kind.is_keyed() => entry.appender.append_keyed(key, payload, stamp_ns),
            Kind::Kline if is_closed_kline(payload) => entry.appender.append_closed(payload, stamp_ns),
            _ => entry.appender.append(payload, stamp_ns),
        };
        self.stamps.end();
        let counters = &self.shared.metrics.upstreams[self.upstream].counters;
        counters.published.one();
        counters.bytes.add(payload.len() as u64);
        let channel = entry.channel.clone();
        self.post(&channel);
        self.stages.published.saturating_record(self.shared.clock.now_ns().saturating_sub(read_ns));
    }

    /// Rows of one flush are published as one, so that nobody is told half of a list.
    fn add_row(&mut self, id: u32, key: u32, row: &[u8], read_ns: u64) {
        let at = self.rows.iter().position(|rows| rows.id == id).unwrap_or_else(|| {
            self.rows.push(Pending { id, record: Vec::new(), read_ns });
            self.rows.len() - 1
        });
        rows::add(&mut self.rows[at].record, key, row);
        if self.rows[at].record.len() >= SERVE_BYTES_MAX {
            self.publish_rows();
        }
    }

    fn publish_rows(&mut self) {
        for Pending { id, record, read_ns } in std::mem::take(&mut self.rows) {
            let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::as_deref_mut) else { continue };
            let stamp_ns = self.stamps.begin(read_ns);
            entry.appender.append_rows(&record, stamp_ns);
            self.stamps.end();
            let counters = &self.shared.metrics.upstreams[self.upstream].counters;
            counters.published.one();
            counters.bytes.add(record.len() as u64);
            let channel = entry.channel.clone();
            self.post(&channel);
            self.stages.published.saturating_record(self.shared.clock.now_ns().saturating_sub(read_ns));
        }
    }

    /// How the data of a derived topic stands.
    pub fn set_condition(&mut self, id: u32, condition: StreamState) {
        self.publish_rows();
        let Some(entry) = self.entry(id) else { return };
        if entry.channel.set_condition(condition) {
            if condition == StreamState::Stale {
                entry.appender.end_epoch();
            }
            let channel = entry.channel.clone();
            self.post(&channel);
        }
    }

    /// The seq that the next frame of a channel gets.
    pub fn head(&self, id: u32) -> Option<Seq> {
        Some(self.entries.get(id as usize)?.as_ref()?.channel.log.head())
    }

    /// Wakes the shards that were told something, once each.
    pub fn flush(&mut self) {
        self.publish_rows();
        let mut told = std::mem::take(&mut self.told);
        while told != 0 {
            let bell = &self.shared.bells[told.trailing_zeros() as usize];
            told &= told - 1;
            if bell.doorbell.ring() {
                bell.notify.notify_one();
            }
        }
    }

    /// The connection that brought it is gone.
    pub fn lost(&mut self, id: u32) {
        let now_ns = self.now_ns();
        let Some(entry) = self.entry(id) else { return };
        entry.fresh = true;
        if !entry.proven {
            return;
        }
        let (is_new, is_known) = (entry.lost_ns.is_none(), entry.outage.is_some());
        // One that was quiet before is stale already, and maybe was not told everything since.
        let since_ns = *entry.lost_ns.get_or_insert(now_ns);
        if is_new {
            entry.channel.set_condition(StreamState::Recovering);
            let channel = entry.channel.clone();
            self.post(&channel);
        }
        if !is_known {
            self.counters().gaps.one();
            self.begin_outage(id, since_ns);
        }
    }

    /// It had data and then none for longer than is usual.
    pub fn quiet(&mut self, id: u32) {
        let now_ns = self.now_ns();
        let Some(entry) = self.entry(id) else { return };
        if entry.proven {
            // No gap yet: maybe there was nothing to say. If there was, the numbers will tell.
            entry.lost_ns.get_or_insert(now_ns);
            self.make_stale(id);
        }
    }

    fn make_stale(&mut self, id: u32) {
        let Some(entry) = self.entry(id) else { return };
        if entry.channel.set_condition(StreamState::Stale) {
            // Whoever subscribes now waits for a live frame.
            entry.appender.end_epoch();
            let channel = entry.channel.clone();
            self.post(&channel);
        }
    }

    /// The upstream let it go after its linger. False if somebody wants it again meanwhile; then that is told next.
    pub fn released(&mut self, id: u32) -> bool {
        // Without an entry it was let go before, and the number may be another's by now.
        if self.entry(id).is_none() {
            return true;
        }
        if !self.shared.topics.let_go(id) {
            return false;
        }
        self.drop_entry(id);
        self.counters().streams.set(self.held as u64);
        true
    }

    fn drop_entry(&mut self, id: u32) {
        if let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::take) {
            self.held -= 1;
            self.order.holding.retain(|other| *other != id);
            if let Some(number) = entry.outage {
                self.end_outage(number);
            }
            self.names.remove(&entry.channel.name);
        }
    }

    /// The upstream does not carry it (any more), though somebody wants it.
    pub fn gave_up(&mut self, id: u32) {
        if let Some(entry) = self.entry(id) {
            entry.fresh = true;
            self.shared.topics.gave_up(id);
        }
    }

    /// Once a second: what is lost for too long is stale, and idle logs let go of old frames.
    pub fn tick(&mut self) {
        let now_ns = self.now_ns();
        let stale_ns = self.shared.config.stale_after.as_nanos() as u64;
        let mut stale = Vec::new();
        let mut lost = 0;
        let mut states = [0; 3];
        let mut unproven = 0;
        for entry in self.entries.iter_mut().flatten() {
            entry.appender.trim(now_ns);
            match entry.proven {
                true => states[entry.channel.condition() as usize] += 1,
                false => unproven += 1,
            }
            let Some(since) = entry.lost_ns else { continue };
            lost += 1;
            if now_ns.saturating_sub(since) >= stale_ns {
                stale.push(entry.channel.id);
            }
        }
        for id in stale {
            self.make_stale(id);
        }
        self.flush();
        self.counters().stale.set(lost);
        let counters = self.counters();
        let states = states.into_iter().chain([unproven]);
        let shown =
            [&counters.topics_live, &counters.topics_recovering, &counters.topics_stale, &counters.topics_unproven];
        shown.into_iter().zip(states).for_each(|(counter, count)| counter.set(count));
        self.show_tally();
        self.shared.topics.budget().adjust();
        self.shared.metrics.upstreams[self.upstream].stages.take_over(&mut self.stages);
    }

    /// The number of a channel that is held. Venues spell names as they were asked for; some answer in another case.
    pub fn find(&self, name: &str) -> Option<u32> {
        if let Some(id) = self.names.get(name) {
            return Some(*id);
        }
        let (symbol, rest) = name.split_at(name.find('@')?);
        let canonical = symbol.to_lowercase() + rest;
        self.names.get(canonical.as_str()).copied()
    }

    fn post(&mut self, channel: &Channel) {
        let mut shards = channel.interest.mask();
        self.told |= shards;
        while shards != 0 {
            let shard = shards.trailing_zeros() as usize;
            shards &= shards - 1;
            self.shared.bells[shard].doorbell.post(channel.news(shard), channel.id);
        }
    }
}
