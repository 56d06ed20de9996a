//! Plays recordings: what venues sent goes through the same decoders and the same ingest as it did then.
//!
//! Files are read on a thread of their own, a few blocks ahead; the task publishes what is due, in the order of the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, channel};

use super::ingest::{Ingest, Link};
use super::upstream;
use crate::config::{Begin, Source, Speed};
use crate::fanout::topics::Demand;
use crate::record::dialect::{Decoders, adapter};
use crate::record::format::{Header, Kind, Origin, Record};
use crate::record::moment;
use crate::record::names::holdings;
use crate::record::reader::{Block, Read, ReadError, Reader, Span, expand, header};
use crate::record::source::Condition;
use crate::record::writer::{CLOSED_BY_US, leg_of};
use crate::venue::adapter::{Invalid, Said};
use crate::venue::merge::Source as Line;
use crate::venue::sequence::Numbers;

#[cfg(test)]
mod tests;

/// Messages published at most before others have their turn.
const FRAMES_PER_TURN: usize = 256;
/// Blocks read ahead.
const BLOCKS_AHEAD: usize = 4;
/// The streams of one request are wanted one after the other: it begins when all have come.
const START_AFTER: Duration = Duration::from_millis(100);

const NS_PER_MS: u64 = 1_000_000;

/// What is played, and how. Its files were looked at: they are recordings of kinds we know.
pub struct Settings {
    paths: Vec<PathBuf>,
    span: Span,
    speed: Speed,
    begin: Begin,
    repeat: bool,
    numbers: Numbers,
}

/// Looks into the files: a wrong one is told before anything starts.
pub fn settings(source: &Source) -> anyhow::Result<Settings> {
    let Source::Replay { file, speed, from_ms, to_ms, begin, repeat } = source else {
        anyhow::bail!("it is no recording");
    };
    let paths = expand(file)?;
    let bound_ns = |ms: Option<u64>, otherwise| ms.map_or(otherwise, |ms| ms.saturating_mul(NS_PER_MS));
    let span = Span { from_ns: bound_ns(*from_ms, 0), to_ns: bound_ns(*to_ms, u64::MAX) };
    let mut numbers = Numbers::Dense;
    for path in &paths {
        let header = header(path)?;
        if let Some(origin) = header.upstreams.iter().find(|origin| adapter(origin).is_none()) {
            let Origin { name, kind, .. } = origin;
            anyhow::bail!("{}: nothing here reads messages of kind {kind:?} (upstream {name})", path.display());
        }
        if header
            .upstreams
            .iter()
            .any(|origin| upstream::numbers_of(&origin.kind, host(&origin.url)) == Numbers::Sparse)
        {
            numbers = Numbers::Sparse;
        }
    }
    Ok(Settings { paths, span, speed: *speed, begin: *begin, repeat: *repeat, numbers })
}

/// Whether those who were recorded brought a stream: what was derived then is derived again, also where another venue of
/// the recording could have had it. Looks into the files once.
pub fn has(file: &Path) -> anyhow::Result<impl Fn(&str) -> bool + Send + Sync + use<>> {
    let holdings = holdings(&expand(file)?)?;
    let known: Vec<_> = holdings.into_iter().filter_map(|held| Some((adapter(&held.origin)?, held))).collect();
    Ok(move |name: &str| known.iter().any(|(adapter, held)| held.may_have(name) && adapter.lane_of(name).is_some()))
}

/// Of a URL as headers have it.
fn host(url: &str) -> &str {
    let place = url.split_once("://").map_or(url, |(_, rest)| rest);
    place.split(['/', ':']).next().unwrap_or_default()
}

/// As the level says in the first round of a recording, and for debugging only in those after it.
macro_rules! tell {
    ($player:expr, $level:ident, $($line:tt)*) => {
        if $player.is_first_round { tracing::$level!($($line)*) } else { tracing::debug!($($line)*) }
    };
}

/// What the reading thread hands over.
enum Fed {
    Read(Read),
    /// From the beginning again.
    Again,
    Failed(ReadError),
}

/// Until the relay ends.
pub async fn run(settings: Settings, mut ingest: Ingest, mut demand: UnboundedReceiver<Demand>) {
    ingest.set_numbers(settings.numbers);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let (mut player, mut fed) = (Player::new(&settings, ingest), None);
    let mut start_at = (settings.begin == Begin::AtOnce).then(tokio::time::Instant::now);
    loop {
        let pause = match &fed {
            None => Pause::Start,
            Some(_) => player.play(),
        };
        let now_ns = player.ingest.now_ns();
        // What waits for what another leg may still bring.
        let due_ns = player.ingest.due_ns();
        if due_ns.is_some_and(|due_ns| due_ns <= now_ns) {
            player.ingest.release_due();
        }
        let due = Duration::from_nanos(due_ns.unwrap_or(now_ns).saturating_sub(now_ns));
        player.ingest.flush();
        let until = start_at.filter(|_| fed.is_none());
        tokio::select! {
            asked = demand.recv() => {
                let Some(asked) = asked else { return };
                player.take(asked);
                while let Ok(asked) = demand.try_recv() {
                    player.take(asked);
                }
                start_at = start_at.or_else(|| player.is_wanted.then(|| tokio::time::Instant::now() + START_AFTER));
            }
            () = sleep_until(until), if until.is_some() => {
                tracing::info!(upstream = player.ingest.name(), speed = %settings.speed, "the recording begins");
                fed = Some(feed(&settings, player.ingest.name()));
            }
            next = next_of(&mut fed), if pause == Pause::Block => player.fed(next),
            () = tokio::time::sleep(pause.wait(player.ingest.now_ns())), if matches!(pause, Pause::Until(_)) => {}
            () = tokio::time::sleep(due), if due_ns.is_some() => {}
            () = tokio::task::yield_now(), if pause == Pause::Turn => {}
            _ = second.tick() => player.ingest.tick(),
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

async fn next_of(fed: &mut Option<Receiver<Fed>>) -> Option<Fed> {
    fed.as_mut()?.recv().await
}

/// Starts the thread that reads. It ends when nobody takes what it read.
fn feed(settings: &Settings, name: &str) -> Receiver<Fed> {
    let (sender, receiver) = channel(BLOCKS_AHEAD);
    let Settings { paths, span, repeat, .. } = settings;
    let (paths, span, repeat) = (paths.clone(), *span, *repeat);
    let work = move || {
        while read_all(&paths, span, &sender) && repeat {
            if sender.blocking_send(Fed::Again).is_err() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("replay".into()).spawn(work) {
        // The channel is closed then, which is the end of the recording.
        tracing::error!(upstream = name, %error, "no thread to read the recording");
    }
    receiver
}

/// True if it may be read again: it has something, and somebody takes it.
fn read_all(paths: &[PathBuf], span: Span, sender: &Sender<Fed>) -> bool {
    let mut has_blocks = false;
    let mut reader = match Reader::new(paths, span) {
        Ok(reader) => reader,
        Err(error) => return fail(error, sender),
    };
    loop {
        let fed = match reader.read() {
            Ok(Some(read)) => Fed::Read(read),
            Ok(None) => return has_blocks,
            Err(error) => return fail(error, sender),
        };
        has_blocks |= matches!(fed, Fed::Read(Read::Block(_)));
        if sender.blocking_send(fed).is_err() {
            return false;
        }
    }
}

fn fail(error: ReadError, sender: &Sender<Fed>) -> bool {
    // Nobody takes it at the end of the relay.
    let _ = sender.blocking_send(Fed::Failed(error));
    false
}

/// What playing waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// Somebody who wants something.
    Start,
    /// The next block.
    Block,
    /// A time of the relay's clock.
    Until(u64),
    /// Others have their turn.
    Turn,
    Over,
}

impl Pause {
    fn wait(self, now_ns: u64) -> Duration {
        match self {
            Pause::Until(due_ns) => Duration::from_nanos(due_ns.saturating_sub(now_ns)),
            _ => Duration::ZERO,
        }
    }
}

struct Player {
    ingest: Ingest,
    span: Span,
    speed: Speed,
    block: Option<Block>,
    /// Of the file that is being played.
    header: Option<Arc<Header>>,
    decoders: Decoders,
    /// The recorded connections that stand, as our merge knows them.
    links: HashMap<(u32, u32), Line, RandomState>,
    links_count: u16,
    /// On which of them each channel was heard last.
    heard: HashMap<u32, Line, RandomState>,
    /// The recorded time that was played first, and when that was.
    begun: Option<(u64, u64)>,
    is_wanted: bool,
    is_over: bool,
    /// What is told once is not told of each round.
    is_first_round: bool,
    frames: u64,
}

impl Player {
    fn new(settings: &Settings, ingest: Ingest) -> Player {
        Player {
            ingest,
            span: settings.span,
            speed: settings.speed,
            block: None,
            header: None,
            decoders: Decoders::new(&[]),
            links: HashMap::default(),
            links_count: 0,
            heard: HashMap::default(),
            begun: None,
            is_wanted: false,
            is_over: false,
            is_first_round: true,
            frames: 0,
        }
    }

    fn take(&mut self, demand: Demand) {
        match self.ingest.demand(demand) {
            // There will be nothing of it.
            Some((id, _, true)) if self.is_over => self.ingest.gave_up(id),
            Some((_, _, true)) => self.is_wanted = true,
            Some((id, _, false)) => {
                self.heard.remove(&id);
                self.ingest.released(id);
            }
            None => {}
        }
    }

    fn fed(&mut self, fed: Option<Fed>) {
        let name = self.ingest.name();
        match fed {
            Some(Fed::Read(Read::Block(block))) => {
                if self.header.as_ref().is_none_or(|header| header.upstreams != block.header.upstreams) {
                    self.lose_all();
                    self.decoders = Decoders::new(&block.header.upstreams);
                    self.header = Some(block.header.clone());
                }
                self.block = Some(block);
            }
            Some(Fed::Read(Read::File { path, condition })) => {
                let Condition { torn_bytes, lost_bytes, .. } = condition;
                match torn_bytes + lost_bytes {
                    0 => tell!(self, info, upstream = name, file = %path.display(), "playing"),
                    _ => {
                        let file = path.display();
                        tell!(self, warn, upstream = name, %file, torn_bytes, lost_bytes, "playing a damaged recording");
                    }
                }
            }
            Some(Fed::Read(Read::Damaged { path, entry })) => {
                tell!(
                    self,
                    warn,
                    upstream = name,
                    file = %path.display(),
                    records = entry.count,
                    "a block of the recording is damaged and left out"
                );
            }
            Some(Fed::Again) => {
                tell!(self, info, upstream = name, "the recording begins again, from here on without a word");
                self.is_first_round = false;
                self.lose_all();
                self.ingest.begin_again();
                self.begun = None;
            }
            Some(Fed::Failed(error)) => tracing::error!(upstream = name, %error, "the recording cannot be read"),
            None => self.end(),
        }
    }

    /// Publishes what is due, and says what to wait for.
    fn play(&mut self) -> Pause {
        if self.is_over {
            return Pause::Over;
        }
        let Some(mut block) = self.block.take() else { return Pause::Block };
        let now_ns = self.ingest.now_ns();
        for _ in 0..FRAMES_PER_TURN {
            let Some(record) = block.peek() else { return Pause::Block };
            if record.at_ns < self.span.from_ns {
                self.prepare(&record);
            } else if record.at_ns <= self.span.to_ns {
                let due_ns = self.due_ns(record.at_ns, now_ns);
                if due_ns > now_ns {
                    self.block = Some(block);
                    return Pause::Until(due_ns);
                }
                self.publish(&record, now_ns);
            }
            block.skip();
        }
        self.block = Some(block);
        Pause::Turn
    }

    /// What was before the part that is played: decoders have to know it, clients do not.
    fn prepare(&mut self, record: &Record<'_>) {
        let Record { at_ns, upstream, connection, kind, body } = *record;
        if kind == Kind::Frame {
            self.decoders.decode(upstream, connection, body, at_ns / NS_PER_MS, &mut |_| {});
        }
        self.decoders.note(upstream, connection, kind, body);
    }

    fn due_ns(&mut self, at_ns: u64, now_ns: u64) -> u64 {
        let (begun_at_ns, begun_ns) = *self.begun.get_or_insert((at_ns, now_ns));
        match self.speed {
            Speed::Max => now_ns,
            Speed::Times(times) => begun_ns.saturating_add(at_ns.saturating_sub(begun_at_ns) / u64::from(times)),
        }
    }

    fn publish(&mut self, record: &Record<'_>, now_ns: u64) {
        let Record { at_ns, upstream, connection, kind, body } = *record;
        match kind {
            Kind::Connected | Kind::Standing => drop(self.link(upstream, connection)),
            Kind::Lost => self.lose(upstream, connection, body == CLOSED_BY_US.as_bytes()),
            Kind::Missed => {
                let (missed, at) = (String::from_utf8_lossy(body), moment::show(at_ns));
                tell!(self, warn, upstream = self.ingest.name(), %missed, at, "messages are missing in the recording");
            }
            Kind::Asked | Kind::Ended => {}
            Kind::Frame => {
                let link = self.link(upstream, connection);
                self.frames += 1;
                let (ingest, heard) = (&mut self.ingest, &mut self.heard);
                let mut said = |said: Said<'_>| match said {
                    Said::Data { stream, payload } => {
                        // Most of a recording may be of streams that nobody wants, which is no mistake of anybody's.
                        if ingest.find(stream).is_some()
                            && let Some(id) = ingest.frame(link, stream, payload, now_ns)
                        {
                            heard.insert(id, link);
                        }
                    }
                    Said::Invalid(invalid) => count(ingest, invalid),
                    _ => {}
                };
                self.decoders.decode(upstream, connection, body, at_ns / NS_PER_MS, &mut said);
            }
        }
        self.decoders.note(upstream, connection, kind, body);
    }

    /// A recorded connection, which stands from here on.
    fn link(&mut self, upstream: u32, connection: u32) -> Line {
        if let Some(link) = self.links.get(&(upstream, connection)) {
            return *link;
        }
        let link = Line { leg: leg_of(connection), conn: self.free_number() };
        self.links.insert((upstream, connection), link);
        self.ingest.source(link, Link::Up);
        self.ingest.counters().connected.one();
        link
    }

    /// The smallest that is not taken: a long recording has many connections, but few at a time.
    fn free_number(&mut self) -> u16 {
        let free = (0..self.links_count).find(|number| !self.links.values().any(|link| link.conn == *number));
        free.unwrap_or_else(|| {
            let number = self.links_count;
            self.links_count = number.saturating_add(1);
            number
        })
    }

    /// The recorded relay lost it, so its clients were told; ours are as well. They were not if another leg stood, or
    /// the connection that took over.
    fn lose(&mut self, upstream: u32, connection: u32, is_closed: bool) {
        let Some(link) = self.links.remove(&(upstream, connection)) else { return };
        self.ingest.source(link, if is_closed { Link::Closed } else { Link::Down });
        self.ingest.counters().lost.add(u64::from(!is_closed));
        let mut others = self.links.iter().filter(|((of, _), _)| *of == upstream).map(|(_, other)| *other);
        if let Some(other) = others.find(|other| is_closed || other.leg != link.leg) {
            self.heard.values_mut().filter(|on| **on == link).for_each(|on| *on = other);
            return;
        }
        let lost: Vec<u32> = self.heard.iter().filter(|(_, on)| **on == link).map(|(id, _)| *id).collect();
        for id in lost {
            self.heard.remove(&id);
            self.ingest.lost(id);
        }
    }

    fn lose_all(&mut self) {
        let links: Vec<(u32, u32)> = self.links.keys().copied().collect();
        for (upstream, connection) in links {
            self.lose(upstream, connection, false);
        }
    }

    /// Nothing more comes: what clients have is old from here on, and the relay is not ready.
    fn end(&mut self) {
        self.is_over = true;
        let heard: Vec<u32> = self.heard.keys().copied().collect();
        self.lose_all();
        for id in heard {
            self.ingest.quiet(id);
        }
        tracing::warn!(upstream = self.ingest.name(), messages = self.frames, "the recording is over");
    }
}

fn count(ingest: &Ingest, invalid: Invalid) {
    let counters = ingest.counters();
    match invalid {
        Invalid::NotUtf8 => counters.not_utf8.one(),
        Invalid::NotJson => counters.not_json.one(),
        Invalid::Malformed => counters.malformed.one(),
        Invalid::NoStreamName => counters.unnamed.one(),
    }
}
