//! Runs a REST source: its requests go out, its answers are published.
//!
//! [`run`] is an upstream of its own; [`drive`] runs beside another one's feed and writes through the same ingest, as
//! the snapshots of books do.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hyper::header::{ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, RETRY_AFTER};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;

use super::clock::Clock;
use super::feed::client::{Answered, Client};
use super::feed::{Demand, DialError, Target};
use super::ingest::{Ingest, Link};
use super::refusals::Refusals;
use crate::fanout::topics;
use crate::venue::merge::Source;
use crate::venue::poll::format::binance::Market;
use crate::venue::poll::{self, Answer, Change, Effect, Now, Outcome, Poller};

#[cfg(test)]
mod tests;

const USED_WEIGHT: &str = "x-mbx-used-weight-1m";

/// One source.
#[derive(Clone)]
pub struct Settings {
    /// Where it is. Its path is the poller's business.
    pub target: Target,
    /// Needed for `https`; read once at the start.
    pub tls: Option<Arc<ClientConfig>>,
    /// With every request: keys.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub poller: poll::Settings,
}

impl Settings {
    /// A source whose API is below the target's path.
    pub fn new(
        target: Target,
        tls: Option<Arc<ClientConfig>>,
        headers: Vec<(HeaderName, HeaderValue)>,
        poller: poll::Settings,
    ) -> Settings {
        let path = target.path().split('?').next().unwrap_or("");
        let poller = poll::Settings { path: path.into(), ..poller };
        Settings { target, tls, headers, poller }
    }

    /// The books of `btcusdt@snapshot`, for [`drive`] beside the feed of a Binance upstream; the target is its
    /// `rest_url`.
    pub fn snapshots(target: Target, tls: Option<Arc<ClientConfig>>, market: Market) -> Settings {
        Settings::new(target, tls, Vec::new(), poll::Settings::snapshots(market))
    }
}

/// Where the answers go.
pub trait Shelf {
    fn publish(&mut self, stream: &str, payload: &[u8], read_ns: u64);
    fn flush(&mut self);
    fn event(&mut self, event: Event);
    /// Monotonic.
    fn now_ns(&self) -> u64;
}

/// What happened besides data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// No data for longer than is usual.
    Stale(u32),
    /// Nothing holds it any more; the id is free.
    Released(u32),
    /// The source does not have it; the id is free unless it is wanted again.
    Refused {
        id: u32,
        msg: String,
    },
    /// Parts of an answer were left out.
    Skipped(u64),
    /// A request came to nothing.
    Failed,
    Changed(Change),
}

/// Until the relay ends.
pub async fn run(settings: Settings, ingest: Ingest, mut demand: UnboundedReceiver<topics::Demand>) {
    let ingest = Rc::new(RefCell::new(ingest));
    let (wants, mailbox) = unbounded_channel();
    let pump = async {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                asked = demand.recv() => {
                    let Some(asked) = asked else { return };
                    let Some(wish) = wish(&mut ingest.borrow_mut(), asked) else { continue };
                    if wants.send(wish).is_err() {
                        return;
                    }
                }
                _ = second.tick() => ingest.borrow_mut().tick(),
            }
        }
    };
    tokio::join!(drive(settings, Beside::new(ingest.clone(), true), mailbox), pump);
}

/// What the shards want, as the driver is told. What was let go meanwhile is told as well.
fn wish(ingest: &mut Ingest, asked: topics::Demand) -> Option<Demand> {
    let unwanted = if let topics::Demand::Unwant { id } = asked { Some(id) } else { None };
    match (ingest.demand(asked).filter(|(_, _, is_wanted)| *is_wanted), unwanted) {
        (Some((id, channel, _)), _) => Some(Demand::Want { id, name: Arc::from(&*channel.name) }),
        (None, id) => id.map(|id| Demand::Unwant { id }),
    }
}

/// Runs until nobody can want anything any more.
pub async fn drive<S: Shelf>(settings: Settings, shelf: S, mut mailbox: UnboundedReceiver<Demand>) {
    let client = Rc::new(Client::new(settings.target, settings.tls, settings.headers));
    let mut driver = Driver {
        poller: Poller::new(settings.poller),
        shelf,
        clock: Clock::new(),
        names: HashMap::default(),
        ids: HashMap::default(),
        client,
        requests: JoinSet::new(),
    };
    loop {
        driver.work();
        let due_ms = driver.poller.next_due();
        let wait = Duration::from_millis(due_ms.saturating_sub(driver.now().ms).min(60_000));
        // All three may be dropped at any time: nothing is taken before it is ready.
        tokio::select! {
            wish = mailbox.recv() => {
                let Some(wish) = wish else { return };
                driver.take(wish);
                while let Ok(wish) = mailbox.try_recv() {
                    driver.take(wish);
                }
            }
            Some(done) = driver.requests.join_next() => {
                let (id, answered) = done.expect("a request does not panic, nor is it aborted before the end");
                driver.answered(id, answered);
            }
            () = tokio::time::sleep(wait), if due_ms != u64::MAX => {}
        }
    }
}

struct Driver<S> {
    poller: Poller,
    shelf: S,
    clock: Clock,
    /// Both ways between the caller's numbers and the streams' names.
    names: HashMap<u32, Arc<str>, RandomState>,
    ids: HashMap<Arc<str>, u32, RandomState>,
    client: Rc<Client>,
    requests: JoinSet<(u64, Result<Answered, DialError>)>,
}

impl<S: Shelf> Driver<S> {
    fn now(&self) -> Now {
        Now { ms: self.clock.now_ms(), calendar_ms: self.clock.calendar_ms() }
    }

    fn take(&mut self, wish: Demand) {
        let now = self.now();
        match wish {
            Demand::Want { id, name } => {
                self.names.insert(id, name.clone());
                self.ids.insert(name.clone(), id);
                if !self.poller.want(&name, now) {
                    self.forget(&name);
                    self.shelf.event(Event::Refused { id, msg: "the source has no such stream".to_owned() });
                }
            }
            Demand::Unwant { id } => match self.names.get(&id) {
                Some(name) => self.poller.unwant(name, now),
                // Refused before: there is nothing to wait for.
                None => self.shelf.event(Event::Released(id)),
            },
        }
    }

    fn answered(&mut self, id: u64, answered: Result<Answered, DialError>) {
        let now = self.now();
        let outcome = match &answered {
            Ok(answered) => self.poller.answer(id, answer(answered), now),
            Err(error) => {
                self.poller.fail(id, &error.to_string(), now);
                Outcome::Failed
            }
        };
        if matches!(outcome, Outcome::Failed | Outcome::Limited) {
            self.shelf.event(Event::Failed);
        }
        let skipped = self.poller.take_skipped();
        if skipped > 0 {
            self.shelf.event(Event::Skipped(skipped));
        }
    }

    /// Carries out what is due.
    fn work(&mut self) {
        self.poller.tick(self.now());
        let read_ns = self.shelf.now_ns();
        while let Some(effect) = self.poller.poll() {
            match effect {
                Effect::Fetch(request) => {
                    let client = self.client.clone();
                    self.requests.spawn_local(async move {
                        let answered = client.get(&request.path, &request.headers).await;
                        (request.id, answered)
                    });
                }
                Effect::Publish { stream, payload } => self.shelf.publish(&stream, &payload, read_ns),
                Effect::Refused { stream, msg } => self.tell(&stream, true, |id| Event::Refused { id, msg }),
                Effect::Stale { stream } => self.tell(&stream, false, Event::Stale),
                Effect::Released { stream } => self.tell(&stream, true, Event::Released),
                Effect::Changed(change) => self.shelf.event(Event::Changed(change)),
            }
        }
        self.shelf.flush();
    }

    fn tell(&mut self, stream: &str, is_over: bool, event: impl FnOnce(u32) -> Event) {
        let Some(id) = self.ids.get(stream).copied() else { return };
        if is_over {
            self.forget(stream);
        }
        self.shelf.event(event(id));
    }

    fn forget(&mut self, stream: &str) {
        if let Some(id) = self.ids.remove(stream) {
            self.names.remove(&id);
        }
    }
}

fn answer(answered: &Answered) -> Answer<'_> {
    let header = |name| header(&answered.headers, name);
    Answer {
        status: answered.status.as_u16(),
        entity_tag: header(ETAG),
        last_modified: header(LAST_MODIFIED),
        retry_after: header(RETRY_AFTER),
        used_weight: header(HeaderName::from_static(USED_WEIGHT)),
        body: &answered.body,
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The ingest of an upstream, as the driver sees it.
pub struct Beside {
    ingest: Rc<RefCell<Ingest>>,
    /// Whether the source is the upstream, so that its state is the upstream's.
    is_alone: bool,
    refusals: Refusals,
}

impl Beside {
    pub fn new(ingest: Rc<RefCell<Ingest>>, is_alone: bool) -> Beside {
        Beside { ingest, is_alone, refusals: Refusals::default() }
    }
}

impl Shelf for Beside {
    fn publish(&mut self, stream: &str, payload: &[u8], read_ns: u64) {
        self.refusals.over(stream);
        self.ingest.borrow_mut().frame(Source::default(), stream, payload, read_ns);
    }

    fn flush(&mut self) {
        self.ingest.borrow_mut().flush();
    }

    fn event(&mut self, event: Event) {
        let mut ingest = self.ingest.borrow_mut();
        let upstream = ingest.name();
        match event {
            Event::Stale(id) => ingest.quiet(id),
            Event::Released(id) => {
                ingest.released(id);
            }
            Event::Refused { id, msg } => {
                let stream = ingest.channel_name(id);
                if self.refusals.is_news(stream) {
                    tracing::warn!(upstream, stream, msg, "the source refuses a stream");
                } else {
                    tracing::debug!(upstream, stream, msg, "the source still refuses a stream");
                }
                ingest.counters().refused.one();
                ingest.gave_up(id);
            }
            Event::Skipped(count) => {
                let counters = ingest.counters();
                if counters.unnamed.get() == 0 {
                    tracing::warn!(upstream, count, "parts of answers have no price, no symbol or no time");
                }
                counters.unnamed.add(count);
            }
            Event::Failed => ingest.counters().lost.one(),
            Event::Changed(change) => {
                self.log(upstream, &change);
                let link = match change {
                    Change::Up => Some(Link::Up),
                    Change::Failing { .. } | Change::Limited { .. } => Some(Link::Down),
                    Change::Weighted { .. } | Change::Stretched { .. } => None,
                };
                match change {
                    Change::Up => ingest.counters().connected.one(),
                    Change::Weighted { .. } => ingest.counters().governed.one(),
                    _ => {}
                }
                if let Some(link) = link.filter(|_| self.is_alone) {
                    ingest.connection(0, link);
                }
            }
        }
    }

    fn now_ns(&self) -> u64 {
        self.ingest.borrow().now_ns()
    }
}

impl Beside {
    fn log(&self, upstream: &str, change: &Change) {
        match change {
            Change::Up => tracing::info!(upstream, "the source answers"),
            Change::Failing { why } => tracing::warn!(upstream, why, "the source gives no answer of use, trying again"),
            Change::Limited { status, wait_ms } => {
                tracing::warn!(upstream, status, wait_ms, "the source wants fewer requests, waiting");
            }
            Change::Weighted { used, wait_ms } => {
                tracing::warn!(upstream, used, wait_ms, "the weight of this minute is used, waiting");
            }
            Change::Stretched { interval_ms } => {
                tracing::warn!(
                    upstream,
                    interval_ms,
                    "the month's requests do not suffice for the interval: stretched"
                );
            }
        }
    }
}
