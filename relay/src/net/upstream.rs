//! Joins a `stream` upstream's driver to the channels it fills.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::feed::{self, DropReason, FeedEvent, Sink, Target};
use super::ingest::{Ingest, Link};
use crate::config::{Config, Server, Source, Upstream};
use crate::fanout::topics::Demand;
use crate::venue::adapter::stream::Stream;
use crate::venue::manager::{self, Conn};

/// What a feed needs, read before anything starts: the certificates come from files.
pub fn settings(config: &Config, upstream: &Upstream) -> anyhow::Result<Option<feed::Settings>> {
    let Source::Stream { server: Server { url, ca_file, .. } } = &upstream.source else { return Ok(None) };
    let tls = if url.tls() { Some(feed::tls::config(ca_file.as_deref())?) } else { None };
    let manager = manager::Settings {
        messages_per_second: upstream.messages_per_second as usize,
        streams_per_connection: upstream.streams_per_connection,
        connections: upstream.connections,
        linger_ms: ms(upstream.linger),
        unproven_ms: ms(config.limits.unproven_silence),
        silence_ms: ms(config.limits.unproven_silence),
        stale_ms: ms(config.stale_after),
        topic_quiet_ms: upstream.silence.map(ms),
        ..manager::Settings::default()
    };
    let target = Target::parse(&url.to_string())?;
    // The hasher's keys are the system's randomness: relays started together do not reconnect together.
    let seed = RandomState::new().build_hasher().finish();
    let adapter = Arc::new(Stream::new(target.path()));
    Ok(Some(feed::Settings { target, adapter, tls, manager, always: Vec::new(), seed }))
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// Runs until the relay ends.
pub async fn run(settings: feed::Settings, ingest: Ingest, mut demand: UnboundedReceiver<Demand>) {
    let ingest = Rc::new(RefCell::new(ingest));
    let (wants, mailbox) = unbounded_channel();
    let driver = feed::run(settings, mailbox, Shelf::new(ingest.clone()), std::future::pending());
    let pump = async {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                asked = demand.recv() => {
                    let Some(asked) = asked else { return };
                    // What was let go meanwhile is told as well: the manager may have been told to want it again.
                    let unwanted = if let Demand::Unwant { id } = asked { Some(id) } else { None };
                    let wanted = ingest.borrow_mut().demand(asked).filter(|(_, _, wanted)| *wanted);
                    let sent = match (wanted, unwanted) {
                        (Some((id, channel, _)), _) => wants.send(feed::Demand::Want { id, name: Arc::from(&*channel.name) }),
                        (None, Some(id)) => wants.send(feed::Demand::Unwant { id }),
                        (None, None) => Ok(()),
                    };
                    if sent.is_err() {
                        return;
                    }
                }
                _ = second.tick() => ingest.borrow_mut().tick(),
            }
        }
    };
    tokio::join!(driver, pump);
}

/// The ingest as the feed sees it.
struct Shelf {
    ingest: Rc<RefCell<Ingest>>,
    /// The connections that are up.
    up: HashSet<usize>,
}

impl Shelf {
    fn new(ingest: Rc<RefCell<Ingest>>) -> Shelf {
        Shelf { ingest, up: HashSet::new() }
    }
}

impl Sink for Shelf {
    fn frame(&mut self, _: Conn, stream: &str, data: &[u8], read_ns: u64) -> Option<u32> {
        self.ingest.borrow_mut().frame(stream, data, read_ns)
    }

    fn flush(&mut self) {
        self.ingest.borrow_mut().flush();
    }

    fn event(&mut self, event: FeedEvent) {
        match event {
            FeedEvent::Connected { conn } => {
                self.up.insert(conn);
            }
            FeedEvent::Lost { conn, .. } => {
                self.up.remove(&conn);
            }
            // A try that is given up does not end an outage.
            FeedEvent::Closed { conn } if !self.up.remove(&conn) => return,
            _ => {}
        }
        self.ingest.borrow_mut().event(event);
    }

    fn now_ns(&self) -> u64 {
        self.ingest.borrow().now_ns()
    }

    fn calendar_ms(&self) -> u64 {
        self.ingest.borrow().calendar_ms()
    }
}

impl Ingest {
    fn event(&mut self, event: FeedEvent) {
        let name = self.name();
        match event {
            FeedEvent::Connected { conn } => {
                tracing::info!(upstream = name, conn, "connected");
                self.counters().connected.one();
                self.connection(conn, Link::Up);
            }
            FeedEvent::Closed { conn } => {
                tracing::info!(upstream = name, conn, "connection closed, nothing needs it");
                self.connection(conn, Link::Closed);
            }
            FeedEvent::Lost { conn, why } => {
                self.counters().lost.one();
                // An outage is one change of state, however often it takes to come back; the counter has each attempt.
                if self.connection(conn, Link::Down) {
                    tracing::warn!(upstream = name, conn, %why, "connection lost, trying again");
                } else {
                    tracing::debug!(upstream = name, conn, %why, "no connection yet");
                }
            }
            FeedEvent::Backoff { conn, ms } => tracing::debug!(upstream = name, conn, ms, "waiting to connect again"),
            FeedEvent::Governed { .. } => self.counters().governed.one(),
            FeedEvent::Learned { conn, streams } => {
                tracing::warn!(
                    upstream = name,
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
            FeedEvent::TopicLive(_) => {}
            FeedEvent::TopicLost(id) => self.lost(id),
            FeedEvent::TopicStale(id) => self.quiet(id),
            FeedEvent::Released(id) => {
                self.released(id);
            }
            FeedEvent::GaveUp(id) => {
                self.counters().gave_up.one();
                self.gave_up(id);
            }
            FeedEvent::Refused { id, msg } => {
                tracing::warn!(upstream = name, stream = self.channel_name(id), msg, "the venue refuses a stream");
                self.counters().refused.one();
                self.gave_up(id);
            }
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
