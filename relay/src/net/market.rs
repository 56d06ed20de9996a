//! Runs the market: it reads the streams that derived topics need and publishes what it makes of them.
//!
//! The market listens to channels as a shard does, by a bell and flags of its own, and reads their logs with cursors;
//! so a venue's message is decoded once, and only while somebody wants what is made of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::MissedTickBehavior;

use super::ingest::{Ingest, Link};
use super::shared::{Mail, Shared};
use crate::fanout::channel::Channel;
use crate::fanout::kind::Kind;
use crate::fanout::log::{Cursor, Log, Seq};
use crate::fanout::topics::{Demand, Wanted};
use crate::limits::QUESTIONS_MAX;
use crate::market::catalog::Catalog;
use crate::market::product::{Answer, Question};
use crate::market::topic::Topic;
use crate::market::{Kept, Market, Refusal, SourceChange};
use crate::wire::dialect::Dialect;
use crate::wire::notice::StreamState;
use crate::wire::stream::name::{Name, Profile};

/// Where the market takes questions, and what it knows without being asked.
pub struct Desk {
    pub catalog: Arc<Catalog>,
    sender: UnboundedSender<Told>,
}

/// Between two attempts at sources that have no data.
const ASK_AGAIN_SECONDS: u32 = 10;

/// How long questions are answered at a stretch.
const QUESTIONS_NS: u64 = 2_000_000;

/// What the market is told.
pub enum Told {
    Demand(Demand),
    Ask { question: Question, from: Asker },
}

/// Who asked: a client on a shard, or an HTTP request.
pub enum Asker {
    Client { shard: usize, key: u64, token: u32, hold: Option<u32> },
    Request(tokio::sync::oneshot::Sender<Option<Answer>>),
}

/// The answer to a client's question.
pub struct Answered {
    pub key: u64,
    /// As the client's dialect numbered it.
    pub token: u32,
    /// The channel that the shard holds until this comes.
    pub hold: Option<u32>,
    /// None: there is no data yet.
    pub answer: Option<Answer>,
    /// For history: where in the channel that goes on with it, if somebody holds that.
    pub after: Option<Seq>,
    /// What was asked.
    pub about: Question,
}

impl Desk {
    pub fn new(catalog: Arc<Catalog>, sender: UnboundedSender<Told>) -> Desk {
        Desk { catalog, sender }
    }

    pub fn ask(&self, question: Question, from: Asker) {
        // The market ends with the process.
        let _ = self.sender.send(Told::Ask { question, from });
    }
}

/// Until the relay ends.
pub async fn run(shared: Arc<Shared>, market: Market, ingest: Ingest, mut told: UnboundedReceiver<Told>) {
    let mut desk = Runner {
        ear: shared.market_ear(),
        market,
        ingest,
        sources: Vec::new(),
        names: HashMap::default(),
        ids: HashMap::default(),
        questions: HashMap::default(),
        missing: Vec::new(),
        seconds: 0,
        backlog: VecDeque::new(),
        next_question: 0,
        begun: Vec::new(),
        has_warned: false,
        shared: shared.clone(),
    };
    desk.ingest.connection(0, Link::Up);
    let bell = &shared.bells[desk.ear];
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let due_ms = desk.market.due_ms();
        let wait = Duration::from_millis(due_ms.saturating_sub(shared.clock.calendar_ms()).min(60_000));
        tokio::select! {
            // Questions that are left come after what the streams say meanwhile.
            () = std::future::ready(()), if !desk.backlog.is_empty() => tokio::task::yield_now().await,
            () = bell.notify.notified() => {}
            next = told.recv() => {
                let Some(next) = next else { return };
                desk.take(next);
                while let Ok(next) = told.try_recv() {
                    desk.take(next);
                }
            }
            () = tokio::time::sleep(wait), if due_ms != u64::MAX => {}
            _ = second.tick() => {
                desk.ingest.tick();
                desk.ask_again();
                desk.count();
            }
        }
        desk.round();
    }
}

struct Runner {
    shared: Arc<Shared>,
    ear: usize,
    market: Market,
    ingest: Ingest,
    /// By the source channel's number.
    sources: Vec<Option<Source>>,
    names: HashMap<Box<str>, u32, RandomState>,
    /// The derived channels that are wanted.
    ids: HashMap<Topic, u32, RandomState>,
    questions: HashMap<u64, (Question, Asker), RandomState>,
    /// Sources that could not be had.
    missing: Vec<Box<str>>,
    seconds: u32,
    /// Not put yet.
    backlog: VecDeque<(Question, Asker)>,
    next_question: u64,
    /// Topics wanted since the last round, whose data may be anything but live.
    begun: Vec<Topic>,
    /// That there is no room for a topic has been logged.
    has_warned: bool,
}

/// A stream that the market reads.
struct Source {
    channel: Arc<Channel>,
    cursor: Cursor,
    condition: StreamState,
}

impl Runner {
    fn take(&mut self, told: Told) {
        let now_ms = self.shared.clock.calendar_ms();
        match told {
            Told::Demand(demand) => match self.ingest.demand(demand) {
                Some((id, channel, true)) => {
                    let Some(topic) = Topic::parse(&channel.name) else { return self.ingest.gave_up(id) };
                    if self.ids.insert(topic.clone(), id).is_some() {
                        return;
                    }
                    match self.market.want(&topic, now_ms) {
                        Ok(()) => self.begun.push(topic),
                        Err(why) => self.refuse(&topic, id, &why),
                    }
                }
                Some((id, channel, false)) => {
                    // Where somebody came back before this was read, all goes on as if nobody had left.
                    if self.ingest.released(id)
                        && let Some(topic) = Topic::parse(&channel.name)
                    {
                        // What was refused is not held.
                        if self.ids.remove(&topic).is_some() {
                            self.market.unwant(&topic);
                        }
                    }
                }
                None => {}
            },
            Told::Ask { question, from } if self.backlog.len() >= QUESTIONS_MAX => {
                self.ingest.counters().refused.one();
                self.deliver(question, from, None);
            }
            Told::Ask { question, from } => self.backlog.push_back((question, from)),
        }
    }

    /// Nothing will come of this topic: its clients stay subscribed and are told so, if they want to be told.
    fn refuse(&mut self, topic: &Topic, id: u32, why: &Refusal) {
        self.ids.remove(topic);
        self.ingest.set_condition(id, StreamState::Stale);
        self.ingest.gave_up(id);
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(%topic, %why, "a topic stays silent; relay_market_refused_total has all of them");
        }
    }

    fn count(&self) {
        self.shared.metrics.market.set(&self.market.counters(), self.market.product_count());
    }

    /// Reads what is new, lets the market do what is due, and publishes.
    fn round(&mut self) {
        let shared = self.shared.clone();
        let bell = &shared.bells[self.ear];
        self.put_questions();
        // A source that begins has its newest frame at once, which may call for others.
        loop {
            bell.doorbell.answer();
            while let Some(id) = bell.doorbell.pop() {
                self.read(id);
            }
            // That a book is in order again is told before what it says, which `poll` does.
            self.follow_swayed();
            let now_ns = shared.clock.now_ns();
            let (ids, ingest) = (&self.ids, &mut self.ingest);
            self.market.poll(shared.clock.calendar_ms(), &mut |topic, key, message| {
                if let Some(&id) = ids.get(topic) {
                    ingest.derived(id, key, message, now_ns);
                }
            });
            let (changes, late) = (self.market.take_source_changes(), self.market.take_late_readers());
            if changes.is_empty() && late.is_empty() {
                break;
            }
            for change in changes {
                self.change(change);
            }
            for (reader, name) in late {
                self.catch_up(reader, &name);
            }
        }
        self.follow_swayed();
        for topic in std::mem::take(&mut self.begun) {
            self.follow(&topic);
        }
        self.answer();
        self.ingest.flush();
    }

    /// For a while: what the streams say comes first again then.
    fn put_questions(&mut self) {
        let begun_ns = self.shared.clock.now_ns();
        while self.shared.clock.now_ns().saturating_sub(begun_ns) < QUESTIONS_NS
            && let Some((question, from)) = self.backlog.pop_front()
        {
            let id = self.next_question;
            self.next_question += 1;
            if let Err(why) = self.market.ask(id, &question, self.shared.clock.calendar_ms()) {
                tracing::debug!(%why, "a question is not taken");
                self.deliver(question, from, None);
            } else {
                self.questions.insert(id, (question, from));
            }
        }
    }

    fn read(&mut self, id: u32) {
        let Some(source) = self.sources.get_mut(id as usize).and_then(Option::as_mut) else { return };
        // The flag is cleared before the head is read.
        source.channel.news(self.ear).take();
        let condition = source.channel.condition();
        let changed = std::mem::replace(&mut source.condition, condition) != condition;
        let name = source.channel.name.clone();
        // That it is live again comes before what it says, that it is not after what it said.
        if changed && condition == StreamState::Live {
            self.follow_all(&name);
        }
        let Some(source) = self.sources.get_mut(id as usize).and_then(Option::as_mut) else { return };
        let now_ms = self.shared.clock.calendar_ms();
        let (ids, ingest) = (&self.ids, &mut self.ingest);
        while let Some(record) = source.cursor.next() {
            self.market.source(&name, record.payload, now_ms, &mut |topic, key, message| {
                if let Some(&id) = ids.get(topic) {
                    ingest.derived(id, key, message, record.stamp_ns);
                }
            });
        }
        if changed && condition != StreamState::Live {
            match condition {
                StreamState::Stale => self.market.source_lost(&name),
                StreamState::Recovering | StreamState::Live => self.market.source_interrupted(&name),
            }
            self.follow_all(&name);
        }
    }

    /// Products that are sure again, or are not any more.
    fn follow_swayed(&mut self) {
        for topic in self.market.take_swayed() {
            self.follow(&topic);
        }
    }

    /// Tells the newest word of a source from before it was read: to one who began to read it, or to all who did.
    fn tell_kept(&mut self, id: u32, reader: Option<u32>) {
        let Some(source) = self.sources.get_mut(id as usize).and_then(Option::as_mut) else { return };
        let (channel, position) = (source.channel.clone(), source.cursor.position());
        let mut late = newest(&channel.log);
        let cursor = if reader.is_some() { &mut late } else { &mut source.cursor };
        let Some(record) = cursor.next() else { return };
        if reader.is_some() && record.seq >= position {
            // It came just now, and is read with the rest.
            return;
        }
        let (now_ms, now_ns) = (self.shared.clock.calendar_ms(), self.shared.clock.now_ns());
        let age_ms = now_ns.saturating_sub(record.stamp_ns) / 1_000_000;
        let kept = Kept { payload: record.payload, said_ms: now_ms.saturating_sub(age_ms) };
        let (ids, ingest) = (&self.ids, &mut self.ingest);
        self.market.kept(&channel.name, kept, reader, now_ms, &mut |topic, key, message| {
            if let Some(&id) = ids.get(topic) {
                ingest.derived(id, key, message, record.stamp_ns);
            }
        });
    }

    /// A product reads a source that others read before.
    fn catch_up(&mut self, reader: u32, name: &str) {
        let Some(&id) = self.names.get(name) else { return };
        let position = |runner: &Runner| Some(runner.sources.get(id as usize)?.as_ref()?.cursor.position());
        let before = position(self);
        self.read(id);
        // What is new has been told to all; of what is stale the log begins with its next word.
        if position(self) == before {
            self.tell_kept(id, Some(reader));
            self.read(id);
        }
    }

    fn follow_all(&mut self, source: &str) {
        for topic in self.market.topics_of(source) {
            self.follow(&topic);
        }
    }

    /// What is made of sources is live while all of them are, and stale once none is anything but stale. A source that has
    /// said nothing yet counts for nothing.
    fn follow(&mut self, topic: &Topic) {
        let Some(&id) = self.ids.get(topic) else { return };
        let source = |name: &str| self.sources[*self.names.get(name)? as usize].as_ref();
        let sources: Vec<&Source> = self.market.sources_of(topic).iter().filter_map(|name| source(name)).collect();
        let has_spoken = |source: &&&Source| source.channel.log.head() > 0;
        let is_begun = sources.iter().any(|source| has_spoken(&source));
        let heard = sources.iter().filter(|source| !is_begun || has_spoken(source));
        let mut conditions = heard.map(|source| source.condition).peekable();
        let Some(&first) = conditions.peek() else { return };
        let condition = match conditions.all(|other| other == first) {
            true if first == StreamState::Live && !self.market.is_sure(topic) => StreamState::Recovering,
            true => first,
            false => StreamState::Recovering,
        };
        self.ingest.set_condition(id, condition);
    }

    /// Every few seconds: sources that could not be had may be there now, and those that were given up because they never
    /// had data are asked for again.
    fn ask_again(&mut self) {
        self.seconds = (self.seconds + 1) % ASK_AGAIN_SECONDS;
        if self.seconds != 0 {
            return;
        }
        for name in std::mem::take(&mut self.missing) {
            self.begin(name, true);
        }
        for source in self.sources.iter().flatten().filter(|source| source.channel.log.head() == 0) {
            let Channel { name, kind, dialect, .. } = &*source.channel;
            let wanted = Wanted { name, kind: *kind, dialect: *dialect, dead: false, client: None };
            // Where it is held already this changes nothing.
            if let Err(why) = self.shared.topics.subscribe(wanted, self.ear) {
                tracing::debug!(stream = &**name, %why, "a source is still not to be had");
            }
        }
    }

    fn change(&mut self, change: SourceChange) {
        let SourceChange { name, wanted } = change;
        if !wanted {
            self.missing.retain(|missing| *missing != name);
            let Some(id) = self.names.remove(&name) else { return };
            if let Some(source) = self.sources[id as usize].take() {
                source.channel.interest.remove(self.ear as u32);
                self.shared.topics.release(id, self.ear);
            }
            return;
        }
        self.begin(name, false);
    }

    fn begin(&mut self, name: Box<str>, again: bool) {
        let kind = kind_of(&name);
        let asked = Wanted { name: &name, kind, dialect: Dialect::Stream, dead: false, client: None };
        let channel = match self.shared.topics.subscribe(asked, self.ear) {
            Ok(channel) => channel,
            Err(why) => {
                if !again {
                    tracing::warn!(stream = &*name, %why, "a stream that other dialects need cannot be had yet");
                    self.ingest.counters().refused.one();
                }
                self.missing.push(name);
                return;
            }
        };
        channel.interest.add(self.ear as u32);
        channel.news(self.ear).take();
        let cursor = newest(&channel.log);
        let id = channel.id;
        if self.sources.len() <= id as usize {
            self.sources.resize_with(id as usize + 1, || None);
        }
        let condition = channel.condition();
        self.sources[id as usize] = Some(Source { channel, cursor, condition });
        self.names.insert(name.clone(), id);
        self.follow_all(&name);
        self.tell_kept(id, None);
        self.read(id);
    }

    fn answer(&mut self) {
        for (id, answer) in self.market.take_answers() {
            if let Some((question, from)) = self.questions.remove(&id) {
                self.deliver(question, from, answer);
            }
        }
    }

    fn deliver(&self, about: Question, from: Asker, answer: Option<Answer>) {
        match from {
            // Who asked may have left.
            Asker::Request(sender) => drop(sender.send(answer)),
            Asker::Client { shard, key, token, hold } => {
                let after = continued_by(&about).and_then(|topic| self.ingest.head(*self.ids.get(&topic)?));
                let answered = Answered { key, token, hold, answer, after, about };
                self.shared.send(shard, Mail::Answer(Box::new(answered)));
            }
        }
    }
}

/// The topic whose messages follow on an answer.
fn continued_by(question: &Question) -> Option<Topic> {
    let Question::History(history) = question else { return None };
    let symbol = history.symbol.clone();
    Some(match history.granularity_s {
        None => Topic::Ticks { symbol, history: true },
        Some(granularity_s) => Topic::Candles { symbol, granularity_s },
    })
}

/// At the newest frame of this epoch, or at the head.
fn newest(log: &Log) -> Cursor {
    loop {
        let position = log.head().saturating_sub(1).max(log.epoch_start());
        // The writer may trim between the two; then there is a newer frame.
        if let Ok(cursor) = log.cursor(position) {
            return cursor;
        }
    }
}

/// How a source is kept: what no stream dialect has is the present state of something.
fn kind_of(name: &str) -> Kind {
    let named = || Name::parse(name, Profile::Bitzoom).map_or(Kind::State, |name| name.kind());
    internal_kind(name).unwrap_or_else(named)
}

/// The kind of a stream that no client can ask for, because the relay alone has a name for it. Books are told change
/// by change; of everything else the newest counts.
pub fn internal_kind(name: &str) -> Option<Kind> {
    if name.ends_with("@book") {
        return Some(Kind::Event);
    }
    let is_state = name.ends_with("@tick") || name.ends_with("@snapshot") || name.starts_with("coingecko@");
    is_state.then_some(Kind::State)
}
