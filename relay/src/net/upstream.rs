//! Joins a `stream` upstream's driver to the channels it fills.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::feed::{self, Decoded, DropReason, FeedEvent, Sink, Target};
use super::ingest::{Ingest, Link};
use crate::config::{Config, Source, Upstream};
use crate::fanout::topics::Demand;
use crate::record::writer::Recorder;
use crate::venue::manager;
use crate::wire::stream::upstream as wire;

/// What a feed needs, read before anything starts: the certificates come from files.
pub fn settings(config: &Config, upstream: &Upstream) -> anyhow::Result<Option<feed::Settings>> {
    let Source::Stream { url, ca_file } = &upstream.source else { return Ok(None) };
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
    Ok(Some(feed::Settings { target, tls, manager, always: Vec::new(), seed }))
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// Runs until the relay ends.
pub async fn run(
    settings: feed::Settings,
    recorder: Option<Recorder>,
    ingest: Ingest,
    mut demand: UnboundedReceiver<Demand>,
) {
    let ingest = Rc::new(RefCell::new(ingest));
    let (wants, mailbox) = unbounded_channel();
    let driver = feed::run(settings, mailbox, Shelf::new(ingest.clone(), recorder), decode, std::future::pending());
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
    recorder: Option<Recorder>,
}

impl Shelf {
    fn new(ingest: Rc<RefCell<Ingest>>, recorder: Option<Recorder>) -> Shelf {
        Shelf { ingest, up: HashSet::new(), recorder }
    }
}

impl Sink for Shelf {
    fn frame(&mut self, stream: &str, data: &[u8], read_ns: u64) -> Option<u32> {
        self.ingest.borrow_mut().frame(stream, data, read_ns)
    }

    fn flush(&mut self) {
        self.ingest.borrow_mut().flush();
    }

    fn event(&mut self, event: FeedEvent) {
        let recorder = self.recorder.as_ref();
        match &event {
            FeedEvent::Connected { conn } => {
                self.up.insert(*conn);
                recorder.inspect(|recorder| recorder.connected(*conn, 0));
            }
            FeedEvent::Lost { conn, why } => {
                self.up.remove(conn);
                recorder.inspect(|recorder| recorder.lost(*conn, &why.to_string()));
            }
            // A try that is given up does not end an outage.
            FeedEvent::Closed { conn } if !self.up.remove(conn) => return,
            FeedEvent::Closed { conn } => drop(recorder.inspect(|recorder| recorder.lost(*conn, "closed by us"))),
            _ => {}
        }
        self.ingest.borrow_mut().event(event);
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
}

fn decode(message: &[u8]) -> Decoded<'_> {
    match wire::decode(message) {
        Ok(wire::Upstream::Data { stream, data }) => Decoded::Data { stream, data },
        Ok(wire::Upstream::Ack { id, .. }) => Decoded::Ack { id: id.and_then(|id| id.parse().ok()) },
        Ok(wire::Upstream::Error { id, code, msg }) => {
            Decoded::Error { id: id.and_then(|id| id.parse().ok()), code, msg }
        }
        Ok(wire::Upstream::Shutdown) => Decoded::Shutdown,
        Ok(wire::Upstream::Other) => Decoded::NoStreamName,
        Err(_) => Decoded::NotJson,
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
        };
        counter.one();
        // Once for each reason, not for each message: the counter has the rest.
        if counter.get() == 1 {
            tracing::warn!(upstream = self.name(), ?reason, "dropping messages");
        }
    }
}
