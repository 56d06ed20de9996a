//! `[[upstream]]` and `--upstream`: where data comes from.

use std::path::PathBuf;
use std::time::Duration;

use super::given::{Given, Place, Value};
use super::near::nearest;
use super::problem::{Problems, Reason};
use super::replay::{self, Begin, Speed};
use super::section::Section;
use super::settings::SectionName;
use super::url::Url;
use super::value::{choice, count, duration, duration_or_off, parsed, quoted, text};
use crate::access::pattern::Pattern;
use crate::limits::NAME_BYTES_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Unique; the label in logs and metrics.
    pub name: String,
    pub source: Source,
    /// The names that are routed here, unless an upstream before this one matches them.
    pub streams: Vec<Pattern>,
    /// In lower case. `None`: not known, so any symbol may be asked for.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The built-in venue. `full` adds Binance's fields to the documented ones.
    Sim { seed: u64, full: bool },
    /// A feed that speaks the stream dialect.
    Stream { url: Url, ca_file: Option<PathBuf> },
    /// What a recording has, a file or all of a directory.
    Replay {
        file: PathBuf,
        speed: Speed,
        from_ms: Option<u64>,
        to_ms: Option<u64>,
        begin: Begin,
        /// From the beginning again, for ever.
        repeat: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sim,
    Stream,
    Replay,
}

const KINDS: [(&str, Kind); 3] = [("sim", Kind::Sim), ("stream", Kind::Stream), ("replay", Kind::Replay)];
const KINDS_PLANNED: [&str; 4] = ["binance", "okx", "deriv", "coingecko"];

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

impl Upstream {
    pub fn kind(&self) -> &'static str {
        match self.source {
            Source::Sim { .. } => "sim",
            Source::Stream { .. } => "stream",
            Source::Replay { .. } => "replay",
        }
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
    section.missing("kind", r#""sim" or "stream""#);
    let kind = section.value("kind", None, |value| kind(value).map(Some));
    let url = match kind {
        Some(Kind::Sim | Kind::Replay) => None,
        _ => section.value("url", None, |value| parsed(Url::parse)(value).map(Some)),
    };
    let ca_file = section.value("ca_file", None, |value| file(value).map(Some));
    let seed = section.value("seed", 1, count(0..=u64::MAX));
    let full = section.value("fields", false, choice(&[("document", false), ("full", true)]));
    let replayed = replay::read(&mut section);

    let is_within = |domain| url.as_ref().is_some_and(|url: &Url| url.is_within(domain));
    let (bitzoom, binance) = (is_within("bitzoom.com"), is_within("binance.com"));
    let streams = section.list("streams", parsed(pattern)).unwrap_or_else(|| vec![Pattern::any()]);
    let symbols = section.list("symbols", parsed(symbol));
    let always = section.list("always", parsed(stream_name)).unwrap_or_default();
    let linger = section.value("linger", 30 * SECOND, duration(Duration::ZERO..=24 * HOUR));
    let silence = section.value("silence", None, duration_or_off(SECOND..=24 * HOUR));
    let messages_per_second = section.value("messages_per_second", if binance { 5 } else { 10 }, count(1..=1000));
    let streams_per_connection =
        section.value("streams_per_connection", if bitzoom { 200 } else { 1024 }, count(1..=10_000));
    let connections = section.value("connections", 5, count(1..=100));

    if kind.is_some_and(|kind| kind != Kind::Replay) {
        replay::KEYS.into_iter().for_each(|key| section.only_for(key, "kind \"replay\""));
    }
    match kind {
        Some(Kind::Replay) => {
            section.missing("file", "what `relay record` wrote, a file or a directory");
            section.only_for("url", "kind \"stream\"");
            section.only_for("ca_file", "kind \"stream\"");
            section.only_for("seed", "kind \"sim\"");
            section.only_for("fields", "kind \"sim\"");
        }
        Some(Kind::Sim) => {
            section.only_for("url", "kind \"stream\"");
            section.only_for("ca_file", "kind \"stream\"");
        }
        Some(Kind::Stream) => {
            section.missing("url", r#"kind "stream" needs one, such as "wss://stream.bitzoom.com/ws""#);
            section.only_for("seed", "kind \"sim\"");
            section.only_for("fields", "kind \"sim\"");
        }
        None => {}
    }
    if url.as_ref().is_some_and(|url| !url.tls()) && ca_file.is_some() {
        section.conflict("ca_file", &["url"], Reason::conflict("ca_file is only for a wss:// url"));
    }
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
    let room = streams_per_connection * connections;
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
    let source = match kind? {
        Kind::Sim => Source::Sim { seed, full },
        Kind::Stream => Source::Stream { url: url?, ca_file },
        Kind::Replay => replayed?,
    };
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

/// The kind or the host; numbered from the second on.
fn default_name(source: &Source, before: &[Upstream]) -> String {
    let name = match source {
        Source::Sim { .. } => "sim".to_owned(),
        Source::Replay { .. } => "replay".to_owned(),
        Source::Stream { url, .. } => url.host().replace(':', "-"),
    };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let taken = |name: &String| before.iter().any(|other| other.name == *name);
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name)
}

fn kind(value: &Value) -> Result<Kind, Reason> {
    let text = text(value).unwrap_or_default();
    let supported = || quoted(KINDS.iter().map(|(name, _)| *name));
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == text) {
        return Ok(*kind);
    }
    if KINDS_PLANNED.contains(&text.as_str()) {
        return Err(Reason::NotYet { planned: text, supported: supported() });
    }
    let near = match Url::parse(&text) {
        Ok(_) => Some(format!("stream={text}")),
        Err(_) => nearest(&text, KINDS.iter().map(|(name, _)| *name)).map(|name| format!("{name:?}")),
    };
    Err(Reason::NotOneOf { allowed: supported(), near })
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

fn symbol(text: &str) -> Result<String, Reason> {
    if !is_name(text) || text.contains(['*', '@']) {
        return Err(Reason::must(r#"a symbol, such as "btcusdt""#));
    }
    Ok(text.to_lowercase())
}

pub(super) fn label(text: &str) -> Result<String, Reason> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(letter) {
        return Err(Reason::must("1 to 64 letters, digits, \".\", \"_\" or \"-\""));
    }
    Ok(text.to_owned())
}
