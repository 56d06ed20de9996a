//! `[[upstream]]` and `--upstream`: where data comes from.

mod keys;
mod rest;
mod source;
mod time;

use std::path::PathBuf;
use std::time::Duration;

use super::given::{Given, Place, Value};
use super::near::nearest;
use super::problem::{Problems, Reason};
use super::section::Section;
use super::settings::SectionName;
use super::url::Url;
use super::value::{count, duration, duration_or_off, parsed, quoted, text};
use crate::access::pattern::Pattern;
use crate::limits::NAME_BYTES_MAX;
use crate::venue::adapter::kind::Kind;
use crate::venue::adapter::limits::Limits;
use crate::venue::adapter::okx;

pub use source::{ApiKey, Begin, Format, Pointers, Rest, Secret, Server, Source, Speed};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Unique; the label in logs and metrics.
    pub name: String,
    pub source: Source,
    /// The names that are routed here, unless an upstream before this one matches them.
    pub streams: Vec<Pattern>,
    /// As in the names of streams. `None`: not known, so any symbol may be asked for.
    pub symbols: Option<Vec<String>>,
    /// Held without a client as well.
    pub always: Vec<String>,
    pub linger: Duration,
    /// The watchdog. `None`: a silent stream is left alone.
    pub silence: Option<Duration>,
    pub messages_per_second: u32,
    pub streams_per_connection: usize,
    pub connections: usize,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

impl Upstream {
    pub fn kind(&self) -> &'static str {
        self.source.kind().name()
    }

    /// What the venue allows, with what the configuration says instead.
    pub fn limits(&self) -> Limits {
        Limits {
            messages_per_second: self.messages_per_second,
            streams_per_connection: self.streams_per_connection,
            connections: self.connections,
            ..limits(&self.source)
        }
    }

    /// Streams that it can hold. Each leg has all of them, and its share of the connections.
    pub fn room(&self) -> usize {
        room(&self.source, self.connections, self.streams_per_connection)
    }

    /// What the configuration allows beyond the venue's own limits: the key, what it says, and what the venue allows.
    pub fn beyond_limits(&self) -> Vec<(&'static str, usize, usize)> {
        let venue = limits(&self.source);
        let all = [
            ("messages_per_second", self.messages_per_second as usize, venue.messages_per_second as usize),
            ("streams_per_connection", self.streams_per_connection, venue.streams_per_connection),
            ("connections", self.connections, venue.connections),
        ];
        let is_strangers = matches!(self.source.kind(), Kind::Stream) && venue == Limits::of(Kind::Stream);
        let is_known = !is_strangers && self.source.server().is_some();
        all.into_iter().filter(|(_, given, allowed)| is_known && given > allowed).collect()
    }

    /// Whether one of the patterns matches.
    pub fn takes(&self, stream: &str) -> bool {
        self.streams.iter().any(|pattern| pattern.matches(stream))
    }
}

/// Reads the list, from typed `KIND=URL`s if there are any, else from the tables of the file, else one `sim`.
/// The tables are checked either way.
pub(super) fn read(tables: Vec<Given>, typed: Vec<Given>, problems: &mut Problems) -> Vec<Upstream> {
    let from_file = read_list(tables.into_iter().map(from_table).collect(), problems);
    let from_typed = read_list(typed.into_iter().map(from_typed).collect(), problems);
    if !from_typed.is_empty() {
        return from_typed;
    }
    if !from_file.is_empty() {
        return from_file;
    }
    let sim = Given { key: "kind".to_owned(), place: Place::File, value: Value::Typed("sim".to_owned()) };
    read_list(vec![(Place::File, vec![sim])], problems)
}

fn read_list(list: Vec<(Place, Vec<Given>)>, problems: &mut Problems) -> Vec<Upstream> {
    let mut upstreams: Vec<Upstream> = Vec::new();
    for (place, given) in list {
        let section = Section::new(SectionName::Upstream, place, given, problems);
        upstreams.extend(read_one(section, &upstreams));
    }
    upstreams
}

pub(super) fn from_table(table: Given) -> (Place, Vec<Given>) {
    match table.value {
        Value::Table(given) => (table.place, given),
        _ => (table.place, Vec::new()),
    }
}

/// `stream=ws://…` is a table with the keys `kind` and `url`.
fn from_typed(typed: Given) -> (Place, Vec<Given>) {
    let text = text(&typed.value).unwrap_or_default();
    let (kind, url) = match text.split_once('=') {
        Some((kind, url)) if !kind.contains("://") => (kind, Some(url)),
        _ => (text.as_str(), None),
    };
    let given = [("kind", Some(kind)), ("url", url)].into_iter().filter_map(|(key, value)| {
        let value = Value::Typed(value?.to_owned());
        Some(Given { key: key.to_owned(), place: typed.place.clone(), value })
    });
    (typed.place.clone(), given.collect())
}

/// `None` if it has problems that leave nothing to run.
fn read_one(mut section: Section<'_>, before: &[Upstream]) -> Option<Upstream> {
    section.missing("kind", &format!("one of {}", kinds()));
    let kind = section.value("kind", None, |value| kind(value).map(Some));
    let written = section.list("symbols", parsed(|text| symbol(text, kind)));
    let source = keys::read(&mut section, kind, written.as_deref().unwrap_or_default());

    let limits = match (&source, kind) {
        (Some(source), _) => limits(source),
        (None, kind) => Limits::of(kind.unwrap_or(Kind::Stream)),
    };
    let streams = section.list("streams", parsed(pattern)).unwrap_or_else(|| vec![Pattern::any()]);
    let symbols = written.map(|symbols| symbols.iter().map(|symbol| in_dialect(symbol, kind)).collect::<Vec<_>>());
    let always = section.list("always", parsed(stream_name)).unwrap_or_default();
    let linger = section.value("linger", 30 * SECOND, duration(Duration::ZERO..=24 * HOUR));
    let silence = section.value("silence", None, duration_or_off(SECOND..=24 * HOUR));
    let messages_per_second = section.value("messages_per_second", limits.messages_per_second, count(1..=1000));
    let streams_per_connection =
        section.value("streams_per_connection", limits.streams_per_connection, count(1..=10_000));
    let connections = section.value("connections", limits.connections, count(1..=100));

    if streams.is_empty() {
        section.conflict("streams", &[], Reason::must(r#"at least one pattern; ["*"] is every name"#));
    }
    if symbols.as_ref().is_some_and(Vec::is_empty) {
        section.conflict("symbols", &[], Reason::must("at least one symbol; leave it out to allow any"));
    }
    if let Some(stray) = always.iter().find(|name| !streams.iter().any(|pattern| pattern.matches(name))) {
        let text = format!("{stray:?} matches none of this upstream's `streams`");
        section.conflict("always", &["streams"], Reason::conflict(text));
    }
    let room = source.as_ref().map_or(usize::MAX, |source| room(source, connections, streams_per_connection));
    if always.len() > room {
        let text =
            format!("{} streams, but {connections} connections of {streams_per_connection} hold {room}", always.len());
        section.conflict("always", &["streams_per_connection", "connections"], Reason::conflict(text));
    }

    let name = section.value("name", None, |value| parsed(label)(value).map(Some));
    if let Some(index) = before.iter().position(|other| name.as_ref() == Some(&other.name)) {
        let text = format!("must be unique; upstream {} has this name", index + 1);
        section.conflict("name", &[], Reason::conflict(text));
    }
    let source = source?;
    let name = name.unwrap_or_else(|| default_name(&source, before));
    Some(Upstream {
        name,
        source,
        streams,
        symbols,
        always,
        linger,
        silence,
        messages_per_second,
        streams_per_connection,
        connections,
    })
}

/// What the venue allows. A feed of our own kind may be at a host that we know.
fn limits(source: &Source) -> Limits {
    let is_within = |domain| source.server().is_some_and(|server| server.url.is_within(domain));
    match source.kind() {
        Kind::Stream if is_within("binance.com") => Limits::of(Kind::Binance),
        Kind::Stream if is_within("bitzoom.com") => Limits::of(Kind::Bitzoom),
        kind => Limits::of(kind),
    }
}

fn room(source: &Source, connections: usize, streams_per_connection: usize) -> usize {
    let legs = source.server().map_or(1, |server| server.legs.len() + 1);
    (connections / legs).max(1) * streams_per_connection
}

/// A symbol as the names of streams have it: OKX's `BTC-USDT` is `btcusdt`.
fn in_dialect(symbol: &str, kind: Option<Kind>) -> String {
    match kind {
        // What the adapter cannot read it says itself, at the start.
        Some(Kind::Okx) => okx::stream_symbol(symbol).unwrap_or_else(|_| symbol.to_lowercase()),
        _ => symbol.to_lowercase(),
    }
}

/// The kind, the host or the format; numbered from the second on.
fn default_name(source: &Source, before: &[Upstream]) -> String {
    let of_host = |url: &Url| url.host().replace(':', "-");
    let name = match source {
        Source::Stream { server } => of_host(&server.url),
        Source::Rest(rest) => match &rest.format {
            Format::Json(_) => of_host(&rest.url),
            format => format.name().to_owned(),
        },
        source => source.kind().name().to_owned(),
    };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let taken = |name: &String| before.iter().any(|other| other.name == *name);
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name)
}

fn kinds() -> String {
    quoted(Kind::ALL.iter().map(|kind| kind.name()))
}

fn kind(value: &Value) -> Result<Kind, Reason> {
    let text = text(value).unwrap_or_default();
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == text) {
        return Ok(kind);
    }
    let near = match Url::parse(&text) {
        Ok(_) => Some(format!("stream={text}")),
        Err(_) if text == "coingecko" => Some(r#""rest" with the format "coingecko-markets""#.to_owned()),
        // As it is written, but for what a slip of the fingers changes.
        Err(_) => nearest(&text, Kind::ALL.iter().map(|kind| kind.name())).map(|name| format!("{name:?}")),
    };
    Err(Reason::NotOneOf { allowed: kinds(), near })
}

pub(super) fn file(value: &Value) -> Result<PathBuf, Reason> {
    match text(value) {
        Ok(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(Reason::must("a file's path")),
    }
}

fn is_name(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains(odd)
}

fn pattern(text: &str) -> Result<Pattern, Reason> {
    Pattern::parse(text).map_err(|error| Reason::must(error.to_string()))
}

fn stream_name(text: &str) -> Result<String, Reason> {
    if !is_name(text) || text.contains('*') {
        return Err(Reason::must(r#"a stream's full name, such as "btcusdt@trade""#));
    }
    Ok(text.to_owned())
}

fn symbol(text: &str, kind: Option<Kind>) -> Result<String, Reason> {
    if !is_name(text) || text.contains(['*', '@']) {
        return Err(Reason::must(r#"a symbol, such as "btcusdt""#));
    }
    let Some(kind) = kind else { return Ok(text.to_owned()) };
    match text.replace(foreign(kind), "") {
        right if right.is_empty() => Err(Reason::must(r#"a symbol, such as "btcusdt""#)),
        right if right != text => Err(Reason::must(format!("spelled as kind {:?} does: {right:?}", kind.name()))),
        right => Ok(right),
    }
}

/// What parts a pair elsewhere and stands in no symbol of this kind: no stream would ever match.
fn foreign(kind: Kind) -> &'static [char] {
    match kind {
        Kind::Binance | Kind::SocketIo => &['-', '/', '_'],
        // Dated futures have an underscore, `R_100` as well.
        Kind::BinanceUsdm | Kind::Bitzoom | Kind::Deriv | Kind::Sim => &['-', '/'],
        Kind::Okx | Kind::Stream | Kind::Rest | Kind::Replay => &[],
    }
}

pub(super) fn label(text: &str) -> Result<String, Reason> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(letter) {
        return Err(Reason::must("1 to 64 letters, digits, \".\", \"_\" or \"-\""));
    }
    Ok(text.to_owned())
}
