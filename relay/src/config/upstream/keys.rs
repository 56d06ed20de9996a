//! The keys that not every kind of upstream has, and the source they make.

use std::path::PathBuf;

use super::super::near::nearest;
use super::super::problem::Reason;
use super::super::section::Section;
use super::super::url::Url;
use super::super::value::{choice, count, parsed, quoted, switch};
use super::source::{ApiKey, Begin, Secret, Server, Source, Speed};
use super::{file, rest, time};
use crate::limits::LEGS_MAX;
use crate::venue::adapter::kind::Kind;

use Kind::{Binance, BinanceUsdm, Bitzoom, Deriv, Okx, Replay, Rest, Sim, SocketIo, Stream};

/// Streams come from here by WebSocket, and so could come from more places at once.
const LINKED: &[Kind] = &[Binance, BinanceUsdm, Okx, Deriv, Bitzoom, Stream];
const REMOTE: &[Kind] = &[Binance, BinanceUsdm, Okx, Deriv, Bitzoom, Stream, SocketIo, Rest];
/// The built-in venue takes them as well, to be exchanged for a real one.
const BOUNDED: &[Kind] = &[Binance, BinanceUsdm, Okx, Deriv, Bitzoom, Stream, SocketIo, Sim];

#[rustfmt::skip] // A table.
const OWNERS: &[(&str, &[Kind])] = &[
    ("url", REMOTE),
    ("legs", LINKED),
    ("ca_file", REMOTE),
    ("rest_url", &[Binance, BinanceUsdm]),
    ("network", &[Bitzoom]),
    ("app_id", &[Deriv]),
    ("path", &[SocketIo]),
    ("api_key", &[SocketIo]),
    ("api_key_file", &[SocketIo]),
    ("format", &[Rest]),
    ("interval", &[Rest]),
    ("pointer_rows", &[Rest]),
    ("pointer_symbol", &[Rest]),
    ("pointer_price", &[Rest]),
    ("pointer_time", &[Rest]),
    ("header", &[Rest]),
    ("weight_per_minute", &[Rest]),
    ("requests_per_month", &[Rest]),
    ("seed", &[Sim]),
    ("fields", &[Sim]),
    ("file", &[Replay]),
    ("speed", &[Replay]),
    ("from", &[Replay]),
    ("to", &[Replay]),
    ("start", &[Replay]),
    ("repeat", &[Replay]),
    ("messages_per_second", BOUNDED),
    ("streams_per_connection", BOUNDED),
    ("connections", BOUNDED),
];

/// More owners than this are not listed.
const OWNERS_SHOWN_MAX: usize = 2;

/// The ends of the paths that adapters add themselves.
const ADDED: [&str; 5] = ["ws", "stream", "public", "market", "business"];

#[derive(Clone, Copy)]
enum Network {
    Production,
    Testnet,
}

/// Where a kind is unless the configuration says otherwise. All of them parse; a test holds that.
fn default_url(kind: Kind, network: Network) -> Option<&'static str> {
    match (kind, network) {
        (Binance, _) => Some("wss://stream.binance.com:9443"),
        (BinanceUsdm, _) => Some("wss://fstream.binance.com"),
        (Okx, _) => Some("wss://ws.okx.com:8443"),
        (Deriv, _) => Some("wss://ws.binaryws.com/websockets/v3"),
        (Bitzoom, Network::Production) => Some("wss://stream.bitzoom.com/ws"),
        (Bitzoom, Network::Testnet) => Some("wss://stream-testnet.bitzoom.com/ws"),
        (SocketIo, _) => Some("wss://wss.babakcode.com"),
        (Stream | Rest | Sim | Replay, _) => None,
    }
}

fn default_rest_url(kind: Kind) -> &'static str {
    match kind {
        BinanceUsdm => "https://fapi.binance.com/fapi/v1",
        _ => "https://api.binance.com/api/v3",
    }
}

/// `None` if the kind or something it needs is not known. `symbols` are as they were written.
pub(super) fn read(section: &mut Section<'_>, kind: Option<Kind>, symbols: &[String]) -> Option<Source> {
    if let Some(kind) = kind {
        report_strays(section, kind);
    }
    let given_network = section.has("network");
    let network = choice(&[("production", Network::Production), ("testnet", Network::Testnet)]);
    let network = section.value("network", Network::Production, network);
    if given_network && section.has("url") && kind == Some(Bitzoom) {
        section.conflict("network", &["url"], Reason::conflict("url and network exclude each other"));
    }
    let seed = section.value("seed", 1, count(0..=u64::MAX));
    let full = section.value("fields", false, choice(&[("document", false), ("full", true)]));
    let app_id = section.value("app_id", 1089, count(1..=u64::MAX));
    let ca_file = section.value("ca_file", None, |value| file(value).map(Some));
    let path = section.value("path", "/currency/".to_owned(), parsed(socketio_path));
    let api_key = api_key(section, kind);
    let replay = replay(section, kind);

    match kind? {
        Sim => Some(Source::Sim { seed, full }),
        Replay => replay,
        Rest => rest::read(section, ca_file, symbols).map(|rest| Source::Rest(Box::new(rest))),
        kind => {
            let rest_url = rest_url(section, kind);
            let server = server(section, kind, network, ca_file, rest_url.as_ref().is_some_and(Url::tls))?;
            Some(match kind {
                Binance => Source::Binance { server, rest_url: rest_url? },
                BinanceUsdm => Source::BinanceUsdm { server, rest_url: rest_url? },
                Okx => Source::Okx { server, instruments: symbols.to_vec() },
                Deriv => Source::Deriv { server, app_id, symbols: symbols.to_vec() },
                Bitzoom => Source::Bitzoom { server },
                SocketIo => Source::SocketIo { server, path, api_key: api_key? },
                _ => Source::Stream { server },
            })
        }
    }
}

fn report_strays(section: &mut Section<'_>, kind: Kind) {
    for (key, owners) in OWNERS.iter().filter(|(_, owners)| !owners.contains(&kind)) {
        if section.has(key) {
            let only = match owners.len() {
                ..=OWNERS_SHOWN_MAX => format!(", only for {}", quoted(owners.iter().map(|owner| owner.name()))),
                _ => String::new(),
            };
            section.conflict(key, &[], Reason::conflict(format!("{key} is not for kind {:?}{only}", kind.name())));
        }
    }
}

fn server(
    section: &mut Section<'_>,
    kind: Kind,
    network: Network,
    ca_file: Option<PathBuf>,
    is_rest_tls: bool,
) -> Option<Server> {
    let read = |text: &str| venue_url(text, kind);
    let default = default_url(kind, network).and_then(|text| Url::parse(text).ok());
    if default.is_none() {
        section.missing("url", r#"kind "stream" needs one, such as "wss://stream.bitzoom.com/ws""#);
    }
    let url = section.value("url", default, |value| parsed(read)(value).map(Some));
    let legs = section.list("legs", parsed(read)).unwrap_or_default();
    let others: Vec<&Url> = url.iter().chain(&legs).collect();
    if let Some(twin) = others.iter().enumerate().find(|(at, leg)| others[..*at].contains(leg)) {
        let text = format!("{} is there twice: a leg is another way to the same streams", twin.1);
        section.conflict("legs", &["url"], Reason::conflict(text));
    }
    if legs.len() >= LEGS_MAX {
        let text = format!("{} URLs beside url, limit {}", legs.len(), LEGS_MAX - 1);
        section.conflict("legs", &[], Reason::conflict(text));
    }
    if ca_file.is_some() && url.is_some() && !others.iter().any(|url| url.tls()) && !is_rest_tls {
        section.conflict("ca_file", &["url"], Reason::conflict("ca_file is only for a wss:// url"));
    }
    Some(Server { url: url?, legs, ca_file })
}

/// The path that some adapters add may not be there already; Socket.IO's pages write `https`.
fn venue_url(text: &str, kind: Kind) -> Result<Url, Reason> {
    match kind {
        Binance | BinanceUsdm | Okx => {
            let url = Url::parse(text)?;
            let end = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            if url.path().contains('?') || ADDED.contains(&end) {
                let example = default_url(kind, Network::Production).unwrap_or_default();
                return Err(Reason::must(format!(
                    "such as {example:?}, without the path of the streams, which is added"
                )));
            }
            Ok(url)
        }
        SocketIo => match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => Url::parse(&format!("wss://{rest}")),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Url::parse(&format!("ws://{rest}")),
            _ => Url::parse(text),
        },
        _ => Url::parse(text),
    }
}

/// Of the kinds that have one.
fn rest_url(section: &mut Section<'_>, kind: Kind) -> Option<Url> {
    if !matches!(kind, Binance | BinanceUsdm) {
        return None;
    }
    let default = Url::parse_http(default_rest_url(kind)).ok();
    section.value("rest_url", default, |value| parsed(base_url)(value).map(Some))
}

/// Requests add a path and a query of their own.
fn base_url(text: &str) -> Result<Url, Reason> {
    match Url::parse_http(text)? {
        url if url.path().contains('?') => Err(Reason::must("an HTTP URL without a query")),
        url => Ok(url),
    }
}

fn api_key(section: &mut Section<'_>, kind: Option<Kind>) -> Option<ApiKey> {
    let key = section.value("api_key", None, |value| parsed(secret)(value).map(Some));
    let key_file = section.value("api_key_file", None, |value| file(value).map(Some));
    if kind != Some(SocketIo) {
        return None;
    }
    if section.has("api_key") && section.has("api_key_file") {
        let text = "api_key and api_key_file exclude each other";
        section.conflict("api_key_file", &["api_key"], Reason::conflict(text));
    }
    if !section.has("api_key_file") {
        section.missing("api_key", "what the venue is to be told in CONNECT; or api_key_file, a file with it");
    }
    key.map(ApiKey::Text).or(key_file.map(ApiKey::File))
}

fn secret(text: &str) -> Result<Secret, Reason> {
    match text.is_empty() || text.contains(char::is_control) {
        true => Err(Reason::must("a key, without control characters")),
        false => Ok(Secret::new(text)),
    }
}

fn socketio_path(text: &str) -> Result<String, Reason> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    if !text.starts_with('/') || text.contains("//") || !text.chars().all(letter) {
        return Err(Reason::must(r#"a path such as "/currency/""#));
    }
    Ok(format!("{}/", text.trim_end_matches('/')))
}

fn replay(section: &mut Section<'_>, kind: Option<Kind>) -> Option<Source> {
    if kind == Some(Replay) {
        section.missing("file", "what `relay record` wrote, a file or a directory");
    }
    let recording = section.value("file", None, |value| file(value).map(Some));
    let speed = section.value("speed", Speed::Times(1), parsed(speed));
    let from_ms = section.value("from", None, |value| time::read(value).map(Some));
    let to_ms = section.value("to", None, |value| time::read(value).map(Some));
    if let (Some(from), Some(to)) = (from_ms, to_ms)
        && from >= to
    {
        section.conflict("to", &["from"], Reason::conflict("must be later than from"));
    }
    let begin =
        section.value("start", Begin::OnDemand, choice(&[("on demand", Begin::OnDemand), ("at once", Begin::AtOnce)]));
    let repeat = section.value("repeat", false, switch);
    Some(Source::Replay { file: recording?, speed, from_ms, to_ms, begin, repeat })
}

fn speed(text: &str) -> Result<Speed, Reason> {
    const TIMES_MAX: u32 = 1000;
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.strip_suffix('x').and_then(|times| times.parse().ok());
    let near = nearest(text, ["max"]).map_or(String::new(), |word| format!("; did you mean {word:?}?"));
    times
        .filter(|times| (1..=TIMES_MAX).contains(times))
        .map(Speed::Times)
        .ok_or_else(|| Reason::must(format!(r#""1x", "10x" and so on up to "{TIMES_MAX}x", or "max"{near}"#)))
}

#[cfg(test)]
mod tests {
    use super::super::super::settings::{SectionName, keys_of};
    use super::*;

    #[test]
    fn the_usual_places_can_be_dialled() {
        for kind in Kind::ALL {
            for network in [Network::Production, Network::Testnet] {
                assert!(default_url(kind, network).is_none_or(|url| venue_url(url, kind).is_ok()), "{kind:?}");
            }
            assert!(Url::parse_http(default_rest_url(kind)).is_ok());
        }
    }

    #[test]
    fn every_key_with_owners_is_a_key() {
        for (key, _) in OWNERS {
            assert!(keys_of(SectionName::Upstream).any(|known| known == *key), "{key}");
        }
    }

    #[test]
    fn a_socketio_path_gets_its_slashes() {
        let check =
            |text, expected: Option<&str>| assert_eq!(socketio_path(text).ok().as_deref(), expected, "{text:?}");
        check("/currency", Some("/currency/"));
        check("/currency/", Some("/currency/"));
        check("/", Some("/"));
        check("currency", None);
        check("/a?b", None);
        check("//", None);
    }
}
