//! The thread that writes a recording, and what hands it the records.
//!
//! Whoever reads a venue only copies a message into a queue. When the queue is full the message is left out of the
//! recording, and counted: a slow disk delays nobody.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::dialect::Filter;
use super::files::Files;
use super::format::{Kind, Origin, Record, words};
use super::tape::{Bounds, Tape};
use crate::access::pattern::Pattern;
use crate::limits::{RECORD_BODY_BYTES_MAX, RECORD_QUEUE_BYTES_MAX, RECORD_QUEUE_MAX};
use crate::metrics::RecordCounters;
use crate::net::clock::Clock;

/// What a crash may cost.
const FLUSH_NS: u64 = 1_000_000_000;
/// The thread sleeps a little after what woke it: while nobody waits, handing something over wakes nobody.
const GATHER: Duration = Duration::from_millis(20);
/// How long the end of the relay waits for a slow disk.
const END_MAX: Duration = Duration::from_secs(5);

/// What is recorded, and where.
pub struct Settings {
    pub directory: PathBuf,
    /// The start of the files' names.
    pub name: String,
    pub bounds: Bounds,
    pub origins: Vec<Origin>,
    /// Only messages of these streams; none is all.
    pub streams: Vec<Pattern>,
}

/// A recording in progress.
pub struct Recording {
    inner: Arc<Inner>,
    thread: JoinHandle<()>,
    ended: Receiver<()>,
}

struct Inner {
    queue: Sender<Message>,
    queued_bytes: AtomicUsize,
    /// Left out because the queue was full, ever.
    slow: AtomicU64,
    /// Left out because of their size, ever.
    too_big: AtomicU64,
    clock: Clock,
}

enum Message {
    Record { read_ns: u64, upstream: u32, connection: u32, kind: Kind, body: Vec<u8> },
    End,
}

/// Why a connection is over that nothing needed any more, or that another took over.
pub const CLOSED_BY_US: &str = "closed by us";

/// Legs number their connections from zero each.
const LEG_BITS: u32 = 16;

/// The leg of a recorded connection.
pub fn leg_of(connection: u32) -> u8 {
    u8::try_from(connection >> LEG_BITS).unwrap_or(u8::MAX)
}

/// Hands over what one leg of an upstream brings.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
    upstream: u32,
    leg: u8,
}

impl Recorder {
    pub fn of_leg(&self, leg: u8) -> Recorder {
        Recorder { leg, ..self.clone() }
    }

    /// A complete message; `read_ns` is the relay's clock, as everywhere.
    pub fn frame(&self, connection: usize, text: &[u8], read_ns: u64) {
        self.put(connection, Kind::Frame, text, read_ns);
    }

    pub fn connected(&self, connection: usize, lane: usize) {
        self.put(connection, Kind::Connected, lane.to_string().as_bytes(), self.inner.clock.now_ns());
    }

    pub fn lost(&self, connection: usize, why: &str) {
        self.put(connection, Kind::Lost, why.as_bytes(), self.inner.clock.now_ns());
    }

    /// We asked for streams, in the request of this number.
    pub fn asked<'a>(&self, connection: usize, id: u64, names: impl Iterator<Item = &'a str>) {
        self.put(connection, Kind::Asked, &words(id, names), self.inner.clock.now_ns());
    }

    /// We ended streams.
    pub fn ended<'a>(&self, connection: usize, id: u64, names: impl Iterator<Item = &'a str>) {
        self.put(connection, Kind::Ended, &words(id, names), self.inner.clock.now_ns());
    }

    fn put(&self, connection: usize, kind: Kind, body: &[u8], read_ns: u64) {
        let inner = &*self.inner;
        if body.len() > RECORD_BODY_BYTES_MAX {
            inner.too_big.fetch_add(1, Relaxed);
            return;
        }
        // Several threads may each find room for the last message; the bound gives way by as many.
        if inner.queued_bytes.load(Relaxed) + body.len() > RECORD_QUEUE_BYTES_MAX {
            inner.slow.fetch_add(1, Relaxed);
            return;
        }
        inner.queued_bytes.fetch_add(body.len(), Relaxed);
        let connection = u32::from(self.leg) << LEG_BITS | u32::from(u16::try_from(connection).unwrap_or(u16::MAX));
        let message = Message::Record { read_ns, upstream: self.upstream, connection, kind, body: body.to_vec() };
        match inner.queue.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                inner.queued_bytes.fetch_sub(body.len(), Relaxed);
                inner.slow.fetch_add(1, Relaxed);
            }
            // It was ended; what comes now belongs to no recording.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Recording {
    /// Fails if the directory cannot be used; later the disk may do what it likes.
    pub fn start(settings: Settings, clock: Clock, counters: Arc<RecordCounters>) -> io::Result<Recording> {
        let (queue, messages) = bounded(RECORD_QUEUE_MAX);
        let files = Files::open(&settings.directory, &settings.name)?;
        let filter = Filter::new(settings.origins.clone(), settings.streams);
        let tape = Tape::new(settings.bounds, files, settings.origins)?;
        let (queued_bytes, slow, too_big) = Default::default();
        let inner = Arc::new(Inner { queue, queued_bytes, slow, too_big, clock });
        let (say_ended, ended) = bounded(1);
        let shared = inner.clone();
        let work = move || {
            // The filter's decoders stay on this thread.
            let filter = filter.start();
            let base_ns = calendar_base(&shared.clock);
            let (missed, block_ns, has_said_slow) = Default::default();
            Writer { shared, messages, tape, filter, counters, base_ns, missed, block_ns, has_said_slow }.run();
            let _ = say_ended.send(());
        };
        let thread = std::thread::Builder::new().name("record".into()).spawn(work)?;
        Ok(Recording { inner, thread, ended })
    }

    /// For the upstream at this place of the origins.
    pub fn recorder(&self, upstream: usize) -> Recorder {
        Recorder { inner: self.inner.clone(), upstream: upstream as u32, leg: 0 }
    }

    /// Writes what was handed over so far, and the index.
    pub fn finish(self) {
        let is_told = self.inner.queue.send_timeout(Message::End, END_MAX).is_ok();
        match is_told && self.ended.recv_timeout(END_MAX).is_ok() {
            true => drop(self.thread.join()),
            false => tracing::error!("the recording is not ended: the disk takes too long; its blocks are kept"),
        }
    }
}

/// What the relay's clock has to be added to, for nanoseconds since 1970.
fn calendar_base(clock: &Clock) -> u64 {
    clock.calendar_ns().saturating_sub(clock.now_ns())
}

struct Writer {
    shared: Arc<Inner>,
    messages: Receiver<Message>,
    tape: Tape,
    filter: Option<super::dialect::Decoders>,
    counters: Arc<RecordCounters>,
    /// Taken anew for each file, so that a corrected calendar is followed, but never inside one.
    base_ns: u64,
    /// Of what was left out, as far as the tape was told.
    missed: u64,
    /// When the block that is being gathered was begun.
    block_ns: Option<u64>,
    has_said_slow: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let message = match self.wait() {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if message.is_some() {
                std::thread::sleep(GATHER);
            }
            // What came while it slept, and no more: the block may be due.
            let count = self.messages.len();
            let more: Vec<Message> = self.messages.try_iter().take(count).collect();
            let mut is_ended = false;
            for message in message.into_iter().chain(more) {
                is_ended |= self.take(message);
            }
            let now_ns = self.now_ns();
            if self.block_ns.is_some_and(|since| now_ns >= since.saturating_add(FLUSH_NS)) {
                self.tape.flush(now_ns);
                self.block_ns = None;
            }
            self.tape.end_if_over(now_ns);
            if is_ended {
                self.tape.end(now_ns);
            }
            self.count();
            if is_ended {
                return;
            }
        }
        self.tape.end(self.now_ns());
        self.count();
    }

    fn wait(&self) -> Result<Message, RecvTimeoutError> {
        let flush_ns = self.block_ns.map(|since| since.saturating_add(FLUSH_NS));
        let Some(due_ns) = flush_ns.into_iter().chain(self.tape.ends_ns()).min() else {
            return self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected);
        };
        self.messages.recv_timeout(Duration::from_nanos(due_ns.saturating_sub(self.now_ns())))
    }

    /// True if it is the end.
    fn take(&mut self, message: Message) -> bool {
        let Message::Record { read_ns, upstream, connection, kind, body } = message else { return true };
        self.shared.queued_bytes.fetch_sub(body.len(), Relaxed);
        if let Some(filter) = &mut self.filter
            && !filter.wants(upstream, connection, kind, &body)
        {
            return false;
        }
        let left_out = self.shared.slow.load(Relaxed) + self.shared.too_big.load(Relaxed);
        if left_out > self.missed {
            self.tape.missed(left_out - self.missed);
            self.missed = left_out;
        }
        let now_ns = self.now_ns();
        if self.tape.is_between_files(now_ns) {
            self.base_ns = calendar_base(&self.shared.clock);
        }
        let at_ns = self.base_ns + read_ns;
        self.tape.push(&Record { at_ns, upstream, connection, kind, body: &body }, now_ns);
        match self.tape.has_records() {
            true => self.block_ns = self.block_ns.or(Some(now_ns)),
            false => self.block_ns = None,
        }
        false
    }

    fn now_ns(&self) -> u64 {
        self.base_ns + self.shared.clock.now_ns()
    }

    fn count(&mut self) {
        let (counters, counts) = (&self.counters, self.tape.counts());
        for (counter, value) in [
            (&counters.records, counts.records),
            (&counters.record_bytes, counts.record_bytes),
            (&counters.written_bytes, counts.written_bytes),
            (&counters.slow, self.shared.slow.load(Relaxed)),
            (&counters.too_big, self.shared.too_big.load(Relaxed)),
            (&counters.lost, counts.lost),
            (&counters.errors, counts.errors),
            (&counters.files, counts.files),
            (&counters.deleted, counts.deleted),
            (&counters.disk_bytes, counts.disk_bytes),
        ] {
            counter.set(value);
        }
        // Once; the counter has the rest.
        if self.shared.slow.load(Relaxed) > 0 && !std::mem::replace(&mut self.has_said_slow, true) {
            tracing::warn!("the disk is too slow for the recording: messages are left out of it");
        }
    }
}
