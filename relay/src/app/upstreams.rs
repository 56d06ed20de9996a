//! From a configured upstream to what runs it: which streams it has, who speaks to it, and within which limits.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use hyper::header::{HeaderName, HeaderValue};

use super::new_sim;
use crate::config::{ApiKey, Config, Format, Rest, Source, Upstream, Url};
use crate::net::feed::{self, Target};
use crate::net::poll as runtime;
use crate::net::replay;
use crate::net::upstream::{SNAPSHOT, Settings};
use crate::venue::adapter::Adapter;
use crate::venue::adapter::binance::{Binance, BinanceUsdm};
use crate::venue::adapter::bitzoom::Bitzoom;
use crate::venue::adapter::deriv::Deriv;
use crate::venue::adapter::kind::Kind;
use crate::venue::adapter::okx::Okx;
use crate::venue::adapter::socketio::{self, SocketIo};
use crate::venue::adapter::stream::Stream;
use crate::venue::manager::{self, Window};
use crate::venue::poll;
use crate::venue::poll::format::binance::Market;
use crate::venue::poll::format::json::{Json, is_of_one};
use crate::venue::poll::pointer::Pointer;

/// Where Deriv's API is, for a URL without a path.
const DERIV_PATH: &str = "/websockets/v3";

const HOUR_MS: u64 = 60 * 60 * 1000;

/// How an upstream runs. Read before anything starts: certificates and keys come from files.
pub enum Way {
    /// The built-in venue.
    Sim,
    /// A WebSocket venue.
    Venue(Box<Settings>),
    /// An endpoint that is asked again and again.
    Poll(Box<runtime::Settings>),
    /// What was recorded.
    Replay(replay::Settings),
}

impl Way {
    pub fn of(config: &Config, upstream: &Upstream) -> anyhow::Result<Way> {
        Ok(match &upstream.source {
            Source::Sim { .. } => Way::Sim,
            source @ Source::Replay { .. } => Way::Replay(replay::settings(source)?),
            Source::Rest(rest) => Way::Poll(Box::new(polled(rest, upstream)?)),
            source => Way::Venue(Box::new(venue(config, upstream, source)?)),
        })
    }

    /// Places that bring the same.
    pub fn legs(&self) -> usize {
        match self {
            Way::Venue(settings) => settings.legs.len(),
            Way::Sim | Way::Poll(_) | Way::Replay(_) => 0,
        }
    }
}

/// Whether an upstream has a stream as it is; asked for each name that is new.
pub type Has = Box<dyn Fn(&str) -> bool + Send + Sync>;

pub fn has(upstream: &Upstream) -> anyhow::Result<Has> {
    let symbols = upstream.symbols.clone();
    let is_listed = move |name: &str| {
        let Some(symbols) = &symbols else { return true };
        let symbol = name.split('@').next().unwrap_or_default();
        name.starts_with('!') || symbols.iter().any(|known| known == symbol)
    };
    Ok(match &upstream.source {
        source @ Source::Sim { .. } => {
            let sim = Mutex::new(new_sim(source, 0).expect("it is one"));
            Box::new(move |name| sim.lock().expect("a panic ends the process").knows(name))
        }
        Source::Replay { file, .. } => {
            let has = replay::has(file)?;
            Box::new(move |name| has(name) && is_listed(name))
        }
        Source::Rest(rest) => {
            let settings = poller(rest)?;
            let only = document(&rest.format);
            Box::new(move |name| {
                let is_served = settings.format.subject(name).is_some();
                is_served && only.map_or_else(|| is_listed(name), |only| name == only)
            })
        }
        source => {
            let adapter = adapter(source)?;
            let has_snapshots = snapshots_of(source).is_some();
            Box::new(move |name| {
                let is_native = adapter.as_ref().is_none_or(|adapter| adapter.lane_of(name).is_some());
                (is_native || has_snapshots && name.ends_with(SNAPSHOT)) && is_listed(name)
            })
        }
    })
}

/// None: it is no WebSocket venue. An error is a slip in the configuration that only the adapter can tell.
fn adapter(source: &Source) -> anyhow::Result<Option<Arc<dyn Adapter + Send + Sync>>> {
    Ok(Some(match source {
        Source::Binance { server, .. } => Arc::new(Binance::new(server.url.path())),
        Source::BinanceUsdm { server, .. } => Arc::new(BinanceUsdm::new(server.url.path())),
        Source::Bitzoom { server } => Arc::new(Bitzoom::new(server.url.path())),
        Source::Okx { server, instruments } => {
            let instruments = instruments.iter().map(String::as_str);
            Arc::new(Okx::new(server.url.path(), instruments).context("symbols")?)
        }
        Source::Deriv { server, app_id, symbols } => {
            let symbols = symbols.iter().map(String::as_str);
            let path = Some(server.url.path()).filter(|path| path.len() > 1).unwrap_or(DERIV_PATH);
            Arc::new(Deriv::new(path, Some(*app_id), symbols).context("symbols")?)
        }
        Source::SocketIo { path, api_key, .. } => {
            let api_key = match api_key {
                ApiKey::Text(secret) => secret.expose().to_owned(),
                ApiKey::File(file) => key(file).with_context(|| format!("api_key_file {}", file.display()))?,
            };
            let settings = socketio::Settings { path: path.as_str().into(), ..socketio::Settings::new(&api_key) };
            Arc::new(SocketIo::new(&settings))
        }
        Source::Stream { server } => Arc::new(Stream::new(Target::parse(&server.url.to_string())?.path())),
        Source::Rest(_) | Source::Sim { .. } | Source::Replay { .. } => return Ok(None),
    }))
}

/// The one line of a file.
fn key(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)?;
    let key = text.trim();
    if key.is_empty() || key.lines().count() > 1 {
        bail!("it must have one line, the key");
    }
    Ok(key.to_owned())
}

/// One feed for each leg, and beside them what fetches snapshots of books, where the venue has some.
fn venue(config: &Config, upstream: &Upstream, source: &Source) -> anyhow::Result<Settings> {
    let adapter = adapter(source)?.context("it is no WebSocket venue")?;
    let server = source.server().context("it is no WebSocket venue")?;
    let urls: Vec<&Url> = std::iter::once(&server.url).chain(&server.legs).collect();
    let snapshots = snapshots_of(source);
    let is_tls = urls.iter().any(|url| url.tls()) || snapshots.is_some_and(|(url, _)| url.tls());
    let tls = if is_tls { Some(feed::tls::config(server.ca_file.as_deref())?) } else { None };
    let manager = manager(config, upstream, adapter.lanes().len(), urls.len());
    let leg = |url: &&Url| feed::Settings {
        // The paths are the lanes'.
        target: Target::exact(url.tls(), url.host(), url.port(), "/"),
        adapter: adapter.clone(),
        tls: tls.clone(),
        manager: manager.clone(),
        always: Vec::new(),
        // The hasher's keys are the system's randomness: relays started together do not reconnect together.
        seed: RandomState::new().build_hasher().finish(),
    };
    let legs = urls.iter().map(leg).collect();
    let snapshots =
        snapshots.map(|(url, market)| runtime::Settings::snapshots(exact(url, url.path()), tls.clone(), market));
    Ok(Settings { legs, snapshots })
}

fn snapshots_of(source: &Source) -> Option<(&Url, Market)> {
    match source {
        Source::Binance { rest_url, .. } => Some((rest_url, Market::Spot)),
        Source::BinanceUsdm { rest_url, .. } => Some((rest_url, Market::Usdm)),
        _ => None,
    }
}

fn exact(url: &Url, path: &str) -> Target {
    Target::exact(url.tls(), url.host(), url.port(), path)
}

/// What the venue allows, and how patient we are with it.
fn manager(config: &Config, upstream: &Upstream, lanes: usize, legs: usize) -> manager::Settings {
    let limits = upstream.limits();
    manager::Settings {
        messages_per_second: limits.messages_per_second as usize,
        message_window_ms: limits.message_window_ms,
        requests_per_window: limits
            .requests_per_hour
            .map(|count| Window { count_max: count as usize, window_ms: HOUR_MS }),
        streams_per_connection: limits.streams_per_connection,
        // All lanes and all legs connect from the same address.
        connections: (limits.connections / (lanes * legs)).max(1),
        connects_per_window: (limits.connects.count as usize / legs).max(1),
        connect_window_ms: limits.connects.window_ms,
        names_per_request: limits.names_per_request,
        names_per_unsubscribe: limits.names_per_request,
        request_bytes_max: Some(limits.request_bytes_max),
        linger_ms: ms(upstream.linger),
        unproven_ms: ms(config.limits.unproven_silence),
        silence_ms: ms(config.limits.unproven_silence),
        stale_ms: ms(config.stale_after),
        topic_quiet_ms: upstream.silence.map(ms),
        // What comes on its own may be as rare as the venue's own pings.
        quiet_ms: limits.ping_every_ms.map_or(limits.quiet_ms, |every| limits.quiet_ms.min(every)),
        life_ms: limits.life_ms,
        // It counts connections by address, and answers one too many by 429.
        spare_connections: usize::from(upstream.source.kind() != Kind::Bitzoom),
        ..manager::Settings::default()
    }
}

fn polled(rest: &Rest, upstream: &Upstream) -> anyhow::Result<runtime::Settings> {
    let tls = if rest.url.tls() { Some(feed::tls::config(rest.ca_file.as_deref())?) } else { None };
    let header = |(name, value): &(String, crate::config::Secret)| {
        let name = HeaderName::try_from(name.as_str()).with_context(|| format!("header {name}"))?;
        let mut value = HeaderValue::try_from(value.expose()).with_context(|| format!("header {name}"))?;
        value.set_sensitive(true);
        anyhow::Ok((name, value))
    };
    let headers = rest.header.iter().map(header).collect::<anyhow::Result<Vec<_>>>()?;
    let settings = poll::Settings {
        linger_ms: ms(upstream.linger),
        requests_per_month: rest.requests_per_month,
        // The poller leaves a fifth for others at our address; the configuration says what is left for us.
        weight_per_minute: rest.weight_per_minute.map(|weight| weight.saturating_mul(5) / 4),
        seed: RandomState::new().build_hasher().finish(),
        ..poller(rest)?
    };
    Ok(runtime::Settings::new(exact(&rest.url, base(rest)), tls, headers, settings))
}

/// The configured URL is the endpoint's; the poller adds the endpoint's own end to what comes before it.
fn base(rest: &Rest) -> &str {
    let end = match rest.format {
        Format::BinancePrice => "/ticker/price",
        Format::Binance24hr => "/ticker/24hr",
        Format::BinanceDepth => "/depth",
        Format::CoinGeckoGlobal => "/global",
        Format::CoinGeckoMarkets => "/coins/markets",
        Format::CoinGeckoTrending => "/search/trending",
        Format::Json(_) => "",
    };
    let path = rest.url.path().split('?').next().unwrap_or_default().trim_end_matches('/');
    path.strip_suffix(end).unwrap_or(path)
}

/// The one stream of a format that is a document.
fn document(format: &Format) -> Option<&'static str> {
    match format {
        Format::CoinGeckoGlobal => Some("coingecko@global"),
        Format::CoinGeckoMarkets => Some("coingecko@top"),
        Format::CoinGeckoTrending => Some("coingecko@trending"),
        _ => None,
    }
}

fn poller(rest: &Rest) -> anyhow::Result<poll::Settings> {
    let market = if rest.url.path().contains("/fapi/") { Market::Usdm } else { Market::Spot };
    let pointer = |text: &str| Pointer::parse(text).with_context(|| format!("pointer {text:?}"));
    let format = match &rest.format {
        Format::BinancePrice => poll::format::Format::Price(market),
        Format::Binance24hr => poll::format::Format::Ticker(market),
        Format::BinanceDepth => poll::format::Format::Book { market, snapshot_levels: 0 },
        Format::CoinGeckoGlobal | Format::CoinGeckoMarkets | Format::CoinGeckoTrending => {
            poll::format::Format::Coingecko
        }
        Format::Json(pointers) => poll::format::Format::Json(Json {
            path: rest.url.path().into(),
            rows: pointer(&pointers.rows)?,
            symbol: pointers.symbol.as_deref().map(pointer).transpose()?,
            price: pointer(&pointers.price)?,
            time: pointers.time.as_deref().map(pointer).transpose()?,
            only: match pointers.symbol.is_none() && !is_of_one(rest.url.path()) {
                true => rest.symbols.first().map(|one| one.as_str().into()),
                false => None,
            },
        }),
    };
    // CoinGecko's formats are asked for at intervals of their own; the poller would stretch what is trending by itself.
    let subject = document(&rest.format).and_then(|stream| format.subject(stream));
    let rarity = subject.map_or(1, |subject| format.interval_ms(&subject, 1));
    Ok(poll::Settings::new(format).every(ms(rest.interval) / rarity.max(1)))
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Outcome, parse};

    /// The format of a REST upstream in a file.
    fn polls(keys: &str) -> poll::format::Format {
        let text = format!("[[upstream]]\nkind = \"rest\"\n{keys}");
        let args = ["relay", "--config", "x"].map(Into::into).into_iter();
        match parse(args, &|_| None, &|_| Ok(text.clone()), 1) {
            Outcome::Run(config) => match &config.upstreams[0].source {
                Source::Rest(rest) => poller(rest).unwrap().format,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// What a format reads in an answer about these.
    fn prices(format: &poll::format::Format, body: &str, subjects: &[&str]) -> Vec<String> {
        let subjects: Vec<Box<str>> = subjects.iter().map(|one| (*one).into()).collect();
        let mut found = Vec::new();
        let skipped = format.read(body, &subjects, &mut |symbol, said| found.push(format!("{symbol} {said:?}")));
        assert_eq!(skipped.ok(), Some(0), "{body}");
        found
    }

    /// As a mock venue serves `/prices`.
    #[test]
    fn rows_may_stand_deeper_in_a_document() {
        let format = polls(
            "format = \"json\"\nurl = \"http://a/prices\"\npointer_rows = \"/data\"\n\
             pointer_symbol = \"/symbol\"\npointer_price = \"/price\"\npointer_time = \"/time\"",
        );
        let body = r#"{"data":[{"symbol":"BTCUSDT","price":42150.50,"time":1765211445000},{"symbol":"ETHUSDT","price":2240.1,"time":1765211445000}]}"#;
        let found = prices(&format, body, &["btcusdt"]);
        assert!(found.len() == 2 && found[0].starts_with("btcusdt ") && found[0].contains("42150.50"), "{found:?}");
        assert_eq!(format.path("/prices", &["btcusdt".into()]), "/prices");
    }

    #[test]
    fn a_symbol_in_the_url_needs_no_pointer() {
        let format = polls(
            "format = \"json\"\nurl = \"http://a/of/{SYMBOL}?x=1\"\npointer_price = \"/p\"\n\
             symbols = [\"BTCUSD\", \"ETHUSD\"]",
        );
        for symbol in ["btcusd", "ethusd"] {
            assert_eq!(format.subject(&format!("{symbol}@trade")).as_deref(), Some(symbol));
        }
        assert_eq!((format.batch_max(), format.path("/of", &["ethusd".into()])), (1, "/of/ETHUSD?x=1".to_owned()));
        let found = prices(&format, r#"{"p":"1.5"}"#, &["ethusd"]);
        assert!(found.len() == 1 && found[0].starts_with("ethusd ") && found[0].contains("1.5"), "{found:?}");
    }

    fn of(kind: &str) -> Upstream {
        let args = ["relay", "--upstream", kind].map(Into::into).into_iter();
        match parse(args, &|_| None, &|_| panic!("no file is named"), 1) {
            Outcome::Run(mut config) => config.upstreams.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_adapter_goes_where_the_configuration_points() {
        let check = |kind: &str, paths: &[&str]| {
            let adapter = adapter(&of(kind).source).unwrap().unwrap();
            let found: Vec<&str> = adapter.lanes().iter().map(|lane| &*lane.path).collect();
            assert_eq!(found, paths, "{kind}");
        };
        check("binance", &["/stream"]);
        check("binance=ws://127.0.0.1:1/spot", &["/spot/stream"]);
        check("binance-usdm", &["/public/stream", "/market/stream"]);
        check("bitzoom", &["/ws"]);
        check("bitzoom=ws://127.0.0.1:1/stream", &["/stream"]);
        check("okx", &["/ws/v5/public", "/ws/v5/business"]);
        check("deriv=ws://127.0.0.1:1", &["/websockets/v3?app_id=1089"]);
        check("stream=ws://127.0.0.1:1/ws", &["/stream"]);
    }

    /// What an upstream has as it is; anything else is derived, or comes from another one.
    #[test]
    fn upstreams_know_what_they_have() {
        let check = |kind: &str, yes: &[&str], no: &[&str]| {
            let has = has(&of(kind)).unwrap();
            yes.iter().for_each(|name| assert!(has(name), "{kind} {name}"));
            no.iter().for_each(|name| assert!(!has(name), "{kind} {name}"));
        };
        check(
            "binance",
            &["btcusdt@trade", "btcusdt@depth20@100ms", "btcusdt@snapshot"],
            &["!ticker@arr", "btcusdt@markPrice"],
        );
        check("binance-usdm", &["btcusdt@markPrice", "btcusdt@snapshot"], &["btcusdt@kline_1s"]);
        check("okx", &["btcusdt@trade", "btcusdt@book"], &["btcusdt@snapshot", "btcusdt@depth20"]);
        check("deriv", &["r_100@tick"], &["btcusdt@trade"]);
        check("stream=ws://127.0.0.1:1/ws", &["btcusdt@whatever"], &[]);
        check("sim", &["btcusdt@trade"], &["nothing@trade"]);
    }
}
