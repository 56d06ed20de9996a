//! Joins the drivers of an upstream to the channels they fill: one for each leg.

mod links;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use self::links::{End, Links};
use super::feed::{self, DropReason, FeedEvent, Sink};
use super::ingest::{Ingest, Link};
use super::poll::{self, Beside};
use super::refusals::Refusals;
use crate::config::Upstream;
use crate::fanout::topics::Demand;
use crate::record::writer::{CLOSED_BY_US, Recorder};
use crate::venue::adapter::kind::Kind;
use crate::venue::legs::{Legs, Word};
use crate::venue::manager::{Conn, Loss};
use crate::venue::merge::Source as Origin;
use crate::venue::sequence::Numbers;

/// Whether its numbers of trades have holes.
pub fn numbers(upstream: &Upstream) -> Numbers {
    let host = upstream.source.server().map_or("", |server| server.url.host());
    numbers_of(upstream.kind(), host)
}

/// The same of what is known by its kind's name and its host.
pub fn numbers_of(kind: &str, host: &str) -> Numbers {
    match Kind::ALL.into_iter().find(|known| known.name() == kind) {
        // OKX's messages tell the last number of several trades.
        Some(Kind::BinanceUsdm | Kind::Okx) => Numbers::Sparse,
        Some(Kind::Stream) if matches!(host, "fstream.binance.com" | "dstream.binance.com") => Numbers::Sparse,
        _ => Numbers::Dense,
    }
}

/// What a WebSocket venue needs.
pub struct Settings {
    /// Each brings all streams.
    pub legs: Vec<feed::Settings>,
    /// Where books are fetched whole (`btcusdt@snapshot`), if not from the feeds.
    pub snapshots: Option<poll::Settings>,
}

/// How often a leg is asked again for what it gave up.
const ASK_AGAIN_SECONDS: u64 = 60;

/// What the names of such books end in.
pub const SNAPSHOT: &str = "@snapshot";

/// Runs until the relay ends. All legs are asked for the same, and fill the same channels.
pub async fn run(
    settings: Settings,
    recorder: Option<Recorder>,
    ingest: Ingest,
    mut demand: UnboundedReceiver<Demand>,
) {
    let Settings { legs, snapshots } = settings;
    let ingest = Rc::new(RefCell::new(ingest));
    let together = Rc::new(RefCell::new(Legs::new(legs.len())));
    let nudge = Rc::new(Notify::new());
    let mut drivers = JoinSet::new();
    let mut wants = Vec::new();
    for (number, settings) in legs.into_iter().enumerate() {
        let (sender, mailbox) = unbounded_channel();
        wants.push(sender);
        let leg = u8::try_from(number).expect("LEGS_MAX is small");
        let (ingest, together, nudge) = (ingest.clone(), together.clone(), nudge.clone());
        let recorder = recorder.as_ref().map(|recorder| recorder.of_leg(leg));
        let shelf = Shelf {
            ingest,
            together,
            nudge,
            leg,
            links: Links::default(),
            refusals: Refusals::default(),
            denials: Refusals::default(),
            recorder,
        };
        drivers.spawn_local(feed::run(settings, mailbox, shelf, std::future::pending()));
    }
    let fetch = snapshots.map(|settings| {
        let (fetch, mailbox) = unbounded_channel();
        drivers.spawn_local(poll::drive(settings, Beside::new(ingest.clone(), false), mailbox));
        fetch
    });
    let mut fetched = HashSet::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut seconds: u64 = 0;
    loop {
        let due_ns = ingest.borrow().due_ns();
        let wait = Duration::from_nanos(due_ns.map_or(0, |due| due.saturating_sub(ingest.borrow().now_ns())));
        // All of these are cancel-safe: none has taken anything when it loses.
        tokio::select! {
            asked = demand.recv() => {
                let Some(asked) = asked else { return };
                // What was let go meanwhile is told as well: the manager may have been told to want it again.
                let unwanted = if let Demand::Unwant { id } = asked { Some(id) } else { None };
                let wanted = ingest.borrow_mut().demand(asked).filter(|(_, _, wanted)| *wanted);
                let told = match (wanted, unwanted) {
                    (Some((id, channel, _)), _) if channel.name.ends_with(SNAPSHOT) && fetch.is_some() => {
                        fetched.insert(id);
                        tell(&fetch, feed::Demand::Want { id, name: Arc::from(&*channel.name) });
                        continue;
                    }
                    (None, Some(id)) if fetched.remove(&id) => {
                        tell(&fetch, feed::Demand::Unwant { id });
                        continue;
                    }
                    (Some((id, channel, _)), _) => {
                        together.borrow_mut().want(id);
                        feed::Demand::Want { id, name: Arc::from(&*channel.name) }
                    }
                    (None, Some(id)) => {
                        together.borrow_mut().unwant(id);
                        feed::Demand::Unwant { id }
                    }
                    (None, None) => continue,
                };
                if wants.iter().any(|leg| leg.send(told.clone()).is_err()) {
                    return;
                }
            }
            _ = second.tick() => {
                ingest.borrow_mut().tick();
                seconds += 1;
                if seconds.is_multiple_of(ASK_AGAIN_SECONDS) {
                    ask_again(&mut together.borrow_mut(), &ingest.borrow(), &wants);
                }
            }
            // There is another deadline.
            () = nudge.notified() => {}
            () = tokio::time::sleep(wait), if due_ns.is_some() => ingest.borrow_mut().release_due(),
            Some(ended) = drivers.join_next() => rethrow(ended),
        }
    }
}

fn tell(fetch: &Option<UnboundedSender<feed::Demand>>, demand: feed::Demand) {
    if let Some(fetch) = fetch {
        // The poller lives as long as the feeds do.
        let _ = fetch.send(demand);
    }
}

/// Asks the legs again that gave up what others bring.
fn ask_again(together: &mut Legs, ingest: &Ingest, wants: &[UnboundedSender<feed::Demand>]) {
    for (id, legs) in together.ask_again() {
        let name: Arc<str> = Arc::from(ingest.channel_name(id));
        for (_, leg) in wants.iter().enumerate().filter(|(leg, _)| legs & 1 << leg != 0) {
            // The feeds live as long as this.
            let _ = leg.send(feed::Demand::Want { id, name: name.clone() });
        }
    }
}

/// A task that panicked takes the process with it: never half a relay.
fn rethrow(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// The ingest as one leg's feed sees it.
struct Shelf {
    ingest: Rc<RefCell<Ingest>>,
    together: Rc<RefCell<Legs>>,
    /// Rung when a frame is held: there is a new deadline.
    nudge: Rc<Notify>,
    leg: u8,
    links: Links,
    refusals: Refusals,
    /// Errors that the venue answered since it was connected to last.
    denials: Refusals,
    recorder: Option<Recorder>,
}

impl Shelf {
    fn origin(&self, conn: usize) -> Origin {
        Origin { leg: self.leg, conn: u16::try_from(conn).unwrap_or(u16::MAX) }
    }
}

impl Sink for Shelf {
    fn frame(&mut self, conn: Conn, stream: &str, data: &[u8], read_ns: u64) -> Option<u32> {
        let mut ingest = self.ingest.borrow_mut();
        let id = ingest.frame(self.origin(conn.index), stream, data, read_ns);
        if ingest.is_newly_held() {
            self.nudge.notify_one();
        }
        id
    }

    fn flush(&mut self) {
        self.ingest.borrow_mut().flush();
    }

    fn event(&mut self, event: FeedEvent) {
        let recorder = self.recorder.as_ref();
        match &event {
            FeedEvent::Connected { conn, lane } => {
                self.links.connected(*conn, *lane);
                self.denials = Refusals::default();
                recorder.inspect(|recorder| recorder.connected(*conn, *lane));
            }
            FeedEvent::Rotating { conn, .. } => self.links.rotating(*conn),
            FeedEvent::Lost { conn, why } if self.links.ended(*conn) == End::Replaced => {
                // Nobody loses it, now or when this is played.
                recorder.inspect(|recorder| recorder.lost(*conn, CLOSED_BY_US));
                return self.ingest.borrow_mut().replaced(self.origin(*conn), why);
            }
            FeedEvent::Lost { conn, why } => drop(recorder.inspect(|recorder| recorder.lost(*conn, &why.to_string()))),
            // A try that is given up does not end an outage.
            FeedEvent::Closed { conn } if self.links.ended(*conn) == End::Never => return,
            FeedEvent::Closed { conn } => drop(recorder.inspect(|recorder| recorder.lost(*conn, CLOSED_BY_US))),
            _ => {}
        }
        match &event {
            FeedEvent::Refused { id, msg } => {
                let ingest = self.ingest.borrow();
                let (upstream, leg, stream) = (ingest.name(), self.leg, ingest.channel_name(*id));
                if self.refusals.is_news(stream) {
                    tracing::warn!(upstream, leg, stream, msg, "the venue refuses a stream");
                } else {
                    tracing::debug!(upstream, leg, stream, msg, "the venue still refuses a stream");
                }
            }
            FeedEvent::Denied { conn, code, msg } => {
                let (upstream, leg) = (self.ingest.borrow().name(), self.leg);
                if self.denials.is_news(&format!("{code} {msg}")) {
                    tracing::warn!(upstream, leg, conn, code, msg, "the venue refused a request");
                } else {
                    tracing::debug!(upstream, leg, conn, code, msg, "the venue refused a request again");
                }
                return;
            }
            FeedEvent::TopicLive(id) => self.refusals.over(self.ingest.borrow().channel_name(*id)),
            _ => {}
        }
        let (id, word) = match event {
            FeedEvent::TopicLive(id) => (id, Word::Live),
            FeedEvent::TopicLost(id) => (id, Word::Lost),
            FeedEvent::TopicStale(id) => (id, Word::Stale),
            FeedEvent::Released(id) => (id, Word::Released),
            FeedEvent::GaveUp(id) => (id, Word::GaveUp),
            FeedEvent::Refused { id, .. } => (id, Word::Refused),
            other => return self.ingest.borrow_mut().event(self.leg, other),
        };
        let word = self.together.borrow_mut().say(self.leg, id, word);
        if let Some(word) = word {
            self.ingest.borrow_mut().word(id, word);
        }
    }

    fn received(&mut self, conn: usize, text: &[u8], read_ns: u64) {
        if let Some(recorder) = &self.recorder {
            recorder.frame(conn, text, read_ns);
        }
    }

    fn asked(&mut self, conn: usize, id: u64, names: &[&str]) {
        if let Some(recorder) = &self.recorder {
            recorder.asked(conn, id, names.iter().copied());
        }
    }

    fn ended(&mut self, conn: usize, id: u64, names: &[&str]) {
        if let Some(recorder) = &self.recorder {
            recorder.ended(conn, id, names.iter().copied());
        }
    }

    fn now_ns(&self) -> u64 {
        self.ingest.borrow().now_ns()
    }

    fn calendar_ms(&self) -> u64 {
        self.ingest.borrow().calendar_ms()
    }
}

impl Ingest {
    /// What happened to a stream, all legs taken together.
    fn word(&mut self, id: u32, word: Word) {
        match word {
            Word::Live => {}
            Word::Lost => self.lost(id),
            Word::Stale => self.quiet(id),
            Word::Released => {
                self.released(id);
            }
            Word::GaveUp => {
                self.counters().gave_up.one();
                self.gave_up(id);
            }
            Word::Refused => {
                self.counters().refused.one();
                self.gave_up(id);
            }
        }
    }

    /// The venue ended a connection that was being left: it is not dialled again.
    fn replaced(&mut self, origin: Origin, why: &Loss) {
        let Origin { leg, conn } = origin;
        tracing::info!(upstream = self.name(), leg, conn, %why, "the venue closed a connection that another one replaces");
        self.counters().rotations.one();
        self.source(origin, Link::Closed);
    }

    /// What happened on one leg.
    fn event(&mut self, leg: u8, event: FeedEvent) {
        let name = self.name();
        let origin = |conn| Origin { leg, conn: u16::try_from(conn).unwrap_or(u16::MAX) };
        match event {
            FeedEvent::Connected { conn, .. } => {
                tracing::info!(upstream = name, leg, conn, "connected");
                self.counters().connected.one();
                self.source(origin(conn), Link::Up);
            }
            FeedEvent::Closed { conn } => {
                tracing::info!(upstream = name, leg, conn, "connection closed, nothing needs it");
                self.source(origin(conn), Link::Closed);
            }
            FeedEvent::Lost { conn, why } => {
                self.counters().lost.one();
                // An outage is one change of state, however often it takes to come back; the counter has each attempt.
                if self.source(origin(conn), Link::Down) {
                    tracing::warn!(upstream = name, leg, conn, %why, "connection lost, trying again");
                } else {
                    tracing::debug!(upstream = name, leg, conn, %why, "no connection yet");
                }
            }
            FeedEvent::Backoff { conn, ms } => {
                tracing::debug!(upstream = name, leg, conn, ms, "waiting to connect again");
            }
            FeedEvent::Governed { .. } => self.counters().governed.one(),
            FeedEvent::Learned { conn, streams } => {
                tracing::warn!(
                    upstream = name,
                    leg,
                    conn,
                    streams,
                    "the venue takes fewer streams per connection than configured"
                );
            }
            FeedEvent::Dropped { reason } => self.dropped(reason),
            FeedEvent::Blocked { ms } => {
                self.counters().blocks.one();
                self.counters().blocked.set(1);
                tracing::warn!(
                    upstream = name,
                    seconds = ms / 1_000,
                    "the venue refuses us, nothing is tried for a while"
                );
            }
            FeedEvent::Unblocked => {
                self.counters().blocked.set(0);
                tracing::info!(upstream = name, "the venue takes us again");
            }
            FeedEvent::Rotating { conn, why } => {
                tracing::info!(upstream = name, conn, ?why, "another connection takes over");
            }
            FeedEvent::Rotated { .. } => self.counters().rotations.one(),
            FeedEvent::Renewed(id) => {
                self.counters().renewed.one();
                tracing::debug!(upstream = name, stream = self.channel_name(id), "a stream is asked for again");
            }
            FeedEvent::TopicLive(_)
            | FeedEvent::TopicLost(_)
            | FeedEvent::TopicStale(_)
            | FeedEvent::Released(_)
            | FeedEvent::GaveUp(_)
            | FeedEvent::Refused { .. }
            | FeedEvent::Denied { .. } => unreachable!("the shelf has taken it"),
            FeedEvent::NoRoom(id) => {
                tracing::warn!(
                    upstream = name,
                    stream = self.channel_name(id),
                    "no room at the venue, the stream waits"
                );
            }
        }
    }

    fn dropped(&mut self, reason: DropReason) {
        let counters = self.counters();
        let counter = match reason {
            DropReason::NotUtf8 => &counters.not_utf8,
            DropReason::NotJson => &counters.not_json,
            DropReason::TooBig => &counters.too_big,
            DropReason::Binary => &counters.binary,
            // The ingest counted it when it did not find the name.
            DropReason::UnknownTopic => return,
            DropReason::NoStreamName => &counters.unnamed,
            DropReason::Malformed => &counters.malformed,
        };
        counter.one();
        // Once for each reason, not for each message: the counter has the rest.
        if counter.get() == 1 {
            tracing::warn!(upstream = self.name(), ?reason, "dropping messages");
        }
    }
}
