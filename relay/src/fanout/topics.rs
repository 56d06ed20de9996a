//! Which channels exist, which upstream carries each, and who may have more.
//!
//! A control table: shards ask it when their first client wants a name and when their last one left it, never for a
//! frame. Names are proven by data. An unproven one holds an upstream's slot on credit, and credit is limited for
//! each client and for each upstream, so that invented names cannot fill an upstream.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use foldhash::fast::RandomState;

use super::channel::Channel;
use super::kind::Kind;
use super::log::{Appender, Budget, Seq, log};
use super::stamps::Stamps;
use crate::sync::Arc;
use crate::wire::dialect::Dialect;
use crate::wire::http::ip::IpKey;

/// What an upstream can carry.
#[derive(Clone, Debug)]
pub struct Capacity {
    pub slots: usize,
    pub unproven: usize,
}

/// Decides which upstream carries a name, if any.
pub type Route = Box<dyn Fn(&str) -> Routed + Send + Sync>;

/// Where a name goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routed {
    To(usize),
    /// The name is accepted and stays silent (an unknown symbol of a known list).
    Nowhere,
    /// No upstream is for names like this.
    Refused,
}

/// What the shards tell an upstream.
pub enum Demand {
    /// Somebody wants it; the appender comes along the first time.
    Want { channel: Arc<Channel>, appender: Option<Appender> },
    /// Nobody does any more.
    Unwant { id: u32 },
}

/// Why a name cannot be had now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("No upstream carries this stream")]
    NoUpstream,
    #[error("Too many streams: the upstream is full, try again later")]
    UpstreamFull,
    #[error("Too many streams without data yet, try again later")]
    TooManyUnproven,
    #[error("Too many streams: the relay's limit is reached, try again later")]
    TooManyTopics,
    #[error("This API key is not allowed to subscribe to it")]
    NotAllowed,
}

impl Refused {
    pub fn name(self) -> &'static str {
        match self {
            Refused::NoUpstream => "no_upstream",
            Refused::UpstreamFull => "upstream_full",
            Refused::TooManyUnproven => "too_many_unproven",
            Refused::TooManyTopics => "too_many_topics",
            Refused::NotAllowed => "not_allowed",
        }
    }
}

/// A name somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub dialect: Dialect,
    /// Accepted and silent for ever, as the dialect demands of it.
    pub dead: bool,
    /// Who pays for an unproven name; `None` pays for nothing.
    pub client: Option<IpKey>,
}

/// Bounds of the table.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub shards: usize,
    pub topics_max: usize,
    pub unproven_per_client: usize,
}

pub struct Topics {
    bounds: Bounds,
    route: Route,
    budget: Arc<Budget>,
    stamps: Arc<Stamps>,
    tell: Box<dyn Fn(usize, Demand) + Send + Sync>,
    inner: Mutex<Inner>,
}

struct Inner {
    names: HashMap<Box<str>, u32, RandomState>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    upstreams: Vec<Carried>,
    unproven_by_client: HashMap<IpKey, usize, RandomState>,
    /// Names that had data once keep their good name.
    proven: HashSet<Box<str>, RandomState>,
}

struct Entry {
    channel: Arc<Channel>,
    upstream: Option<usize>,
    /// Shards with subscribers.
    shards: u64,
    /// On whose credit it is held, while it is unproven.
    credit: Option<Option<IpKey>>,
    /// The upstream holds (or is to hold) it.
    carried: bool,
    /// It is kept without a client.
    always: bool,
}

struct Carried {
    capacity: Capacity,
    held: usize,
    unproven: usize,
}

/// What the table knows of one topic.
pub struct Row {
    pub channel: Arc<Channel>,
    pub upstream: Option<usize>,
    /// A bit for each shard with subscribers, and for those who read beside them.
    pub readers: u64,
    /// It had data, now or once.
    pub proven: bool,
}

/// How the table stands, for the metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Census {
    pub topics: usize,
    pub unproven: usize,
    pub watched: usize,
}

impl Topics {
    pub fn new(
        bounds: Bounds,
        budget: Arc<Budget>,
        capacities: Vec<Capacity>,
        route: Route,
        tell: Box<dyn Fn(usize, Demand) + Send + Sync>,
    ) -> Topics {
        let stamps = Arc::new(Stamps::new(capacities.len()));
        let upstreams: Vec<Carried> =
            capacities.into_iter().map(|capacity| Carried { capacity, held: 0, unproven: 0 }).collect();
        let inner = Inner {
            names: HashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            upstreams,
            unproven_by_client: HashMap::default(),
            proven: HashSet::default(),
        };
        Topics { bounds, route, budget, stamps, tell, inner: Mutex::new(inner) }
    }

    /// The channel of a name for a shard's first subscriber, made if need be.
    pub fn subscribe(&self, wanted: Wanted<'_>, shard: usize) -> Result<Arc<Channel>, Refused> {
        self.join(wanted, Some(shard)).map(|(channel, _)| channel)
    }

    /// The same, and where its log stood before the upstream was told: who begins there misses nothing of what it was
    /// told to bring.
    pub fn subscribe_from(&self, wanted: Wanted<'_>, shard: usize) -> Result<(Arc<Channel>, Seq), Refused> {
        self.join(wanted, Some(shard))
    }

    /// Keeps a name upstream whether or not anybody subscribes.
    pub fn keep(&self, name: &str, kind: Kind) -> Result<(), Refused> {
        // The configuration vouches for it.
        self.lock().proven.insert(name.into());
        let wanted = Wanted { name, kind, dialect: Dialect::Stream, dead: false, client: None };
        self.join(wanted, None).map(drop)
    }

    fn join(&self, wanted: Wanted<'_>, shard: Option<usize>) -> Result<(Arc<Channel>, Seq), Refused> {
        let Wanted { name, kind, dialect, dead, client } = wanted;
        let mut inner = self.lock();
        if let Some(&id) = inner.names.get(name) {
            let channel = inner.entries[id as usize].as_ref().expect("a named entry exists").channel.clone();
            let head = channel.log.head();
            if let Some(shard) = shard {
                self.rejoin(&mut inner, id, client, shard)?;
            }
            return Ok((channel, head));
        }
        let upstream = match (self.route)(name) {
            _ if dead => None,
            Routed::To(upstream) => Some(upstream),
            Routed::Nowhere => None,
            Routed::Refused => return Err(Refused::NoUpstream),
        };
        if inner.names.len() >= self.bounds.topics_max {
            return Err(Refused::TooManyTopics);
        }
        let credit = inner.take_slot(name, upstream, client, self.bounds.unproven_per_client)?;
        let id = inner.free.pop().unwrap_or(inner.entries.len() as u32);
        let (appender, log) = log(kind, self.budget.clone());
        let mut channel = Channel::new(id, name, kind, dialect, log, self.bounds.shards);
        channel.born = self.stamps.told();
        let channel = Arc::new(channel);
        let entry = Entry {
            channel: channel.clone(),
            upstream,
            shards: shard.map_or(0, |shard| 1 << shard),
            credit,
            carried: upstream.is_some(),
            always: shard.is_none(),
        };
        if id as usize == inner.entries.len() {
            inner.entries.push(Some(entry))
        } else {
            inner.entries[id as usize] = Some(entry)
        }
        inner.names.insert(name.into(), id);
        if let Some(upstream) = upstream {
            (self.tell)(upstream, Demand::Want { channel: channel.clone(), appender: Some(appender) });
        }
        Ok((channel, 0))
    }

    fn rejoin(&self, inner: &mut Inner, id: u32, client: Option<IpKey>, shard: usize) -> Result<(), Refused> {
        let entry = inner.entries[id as usize].as_ref().expect("a named entry exists");
        let (channel, upstream, carried, idle) =
            (entry.channel.clone(), entry.upstream, entry.carried, entry.shards == 0);
        let mut credit = None;
        if upstream.is_some() && !carried {
            credit = inner.take_slot(&channel.name, upstream, client, self.bounds.unproven_per_client)?;
        }
        let entry = inner.entries[id as usize].as_mut().expect("a named entry exists");
        entry.shards |= 1 << shard;
        if let Some(upstream) = upstream
            && (!carried || idle)
        {
            entry.carried = true;
            if !carried {
                entry.credit = credit;
            }
            (self.tell)(upstream, Demand::Want { channel: channel.clone(), appender: None });
        }
        Ok(())
    }

    /// A shard's last subscriber left.
    pub fn release(&self, id: u32, shard: usize) {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(id as usize).and_then(Option::as_mut) else { return };
        entry.shards &= !(1 << shard);
        if entry.shards != 0 || entry.always {
            return;
        }
        match entry.upstream {
            // Also what was given up: the number is free once the upstream says that it holds nothing by it.
            Some(upstream) => (self.tell)(upstream, Demand::Unwant { id }),
            None => inner.forget(id),
        }
    }

    /// Data came: the name is real.
    pub fn prove(&self, id: u32) {
        let mut inner = self.lock();
        inner.settle_credit(id);
        let Some(entry) = inner.entries.get(id as usize).and_then(Option::as_ref) else { return };
        let name = entry.channel.name.clone();
        // Good names are remembered up to the bound of the table itself.
        if inner.proven.len() < self.bounds.topics_max {
            inner.proven.insert(name);
        }
    }

    /// The upstream let the stream go after its linger. True if nobody wants it meanwhile and the channel is
    /// forgotten; the caller drops its appender then. Otherwise a new want is on its way, and the slot stays taken.
    pub fn let_go(&self, id: u32) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get(id as usize).and_then(Option::as_ref) else { return true };
        if entry.shards != 0 || entry.always {
            return false;
        }
        inner.forget(id);
        true
    }

    /// The upstream gave a wanted stream up (it never had data, or was refused): its slot is free, its subscribers
    /// stay and are silent. The next one to come asks for it anew.
    pub fn gave_up(&self, id: u32) {
        self.lock().free_slot(id);
    }

    pub fn census(&self) -> Census {
        let inner = self.lock();
        let watched = inner.entries.iter().flatten().filter(|entry| entry.shards != 0).count();
        let unproven = inner.upstreams.iter().map(|upstream| upstream.unproven).sum();
        Census { topics: inner.names.len(), unproven, watched }
    }

    /// Copies what is known of the topics numbered from `from` on, of at most `most` numbers, so that nobody waits long
    /// for the table. The second value is where to go on, if there is more.
    pub fn rows(&self, from: u32, most: usize) -> (Vec<Row>, Option<u32>) {
        let inner = self.lock();
        let end = inner.entries.len().min(from as usize + most);
        let row = |entry: &Entry| Row {
            channel: entry.channel.clone(),
            upstream: entry.upstream,
            readers: entry.shards,
            proven: inner.proven.contains(&entry.channel.name) || entry.channel.log.head() > 0,
        };
        let rows = inner.entries.get(from as usize..end).unwrap_or_default().iter().flatten().map(row).collect();
        (rows, (end < inner.entries.len()).then_some(end as u32))
    }

    /// Whether an upstream is for it; if none is, it stays silent.
    pub fn has_upstream(&self, id: u32) -> bool {
        let inner = self.lock();
        inner.entries.get(id as usize).and_then(Option::as_ref).is_some_and(|entry| entry.upstream.is_some())
    }

    /// How those who publish number their frames, by the upstream's index.
    pub fn stamps(&self) -> &Arc<Stamps> {
        &self.stamps
    }

    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("a panic ends the process")
    }
}

impl Inner {
    /// Takes a slot of the upstream; says on whose credit, if the name is unproven.
    fn take_slot(
        &mut self,
        name: &str,
        upstream: Option<usize>,
        client: Option<IpKey>,
        per_client: usize,
    ) -> Result<Option<Option<IpKey>>, Refused> {
        let Some(upstream) = upstream else { return Ok(None) };
        let carried = &mut self.upstreams[upstream];
        if carried.held >= carried.capacity.slots {
            return Err(Refused::UpstreamFull);
        }
        if self.proven.contains(name) {
            carried.held += 1;
            return Ok(None);
        }
        if carried.unproven >= carried.capacity.unproven {
            return Err(Refused::UpstreamFull);
        }
        if let Some(client) = client {
            let count = self.unproven_by_client.entry(client).or_default();
            if *count >= per_client {
                return Err(Refused::TooManyUnproven);
            }
            *count += 1;
        }
        carried.held += 1;
        carried.unproven += 1;
        Ok(Some(client))
    }

    fn free_slot(&mut self, id: u32) {
        self.settle_credit(id);
        let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::as_mut) else { return };
        if std::mem::take(&mut entry.carried)
            && let Some(upstream) = entry.upstream
        {
            self.upstreams[upstream].held -= 1;
        }
    }

    fn settle_credit(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(id as usize).and_then(Option::as_mut) else { return };
        let Some(client) = entry.credit.take() else { return };
        if let Some(upstream) = entry.upstream {
            self.upstreams[upstream].unproven -= 1;
        }
        if let Some(client) = client
            && let Some(count) = self.unproven_by_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.unproven_by_client.remove(&client);
            }
        }
    }

    fn forget(&mut self, id: u32) {
        self.free_slot(id);
        if let Some(entry) = self.entries[id as usize].take() {
            self.names.remove(&entry.channel.name);
            self.free.push(id);
        }
    }
}

#[cfg(test)]
mod tests;
