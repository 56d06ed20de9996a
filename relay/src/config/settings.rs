//! Every setting there is: its section, key, flag, default and meaning. `--help`, the check for unknown keys, and
//! the tests of relay.example.toml and docs/configuration.md read this table.

use super::near::nearest;
use super::problem::Reason;

/// Where a key stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionName {
    Top,
    Limits,
    Edge,
    Access,
    Account,
    Upstream,
    Hub,
    HubChannel,
    Deriv,
    SocketIo,
    Record,
}

pub(super) const SECTIONS: [SectionName; 11] = [
    SectionName::Top,
    SectionName::Limits,
    SectionName::Edge,
    SectionName::Access,
    SectionName::Account,
    SectionName::Upstream,
    SectionName::Hub,
    SectionName::HubChannel,
    SectionName::Deriv,
    SectionName::SocketIo,
    SectionName::Record,
];

pub(super) struct Setting {
    pub key: &'static str,
    /// As it is written in the file, or words where it depends.
    pub default: &'static str,
    pub meaning: &'static str,
}

/// A flag, its variable and the key it stands for.
pub(super) struct Flag {
    pub name: &'static str,
    /// What follows it, in capitals. `BOOL` may be left out and is then `true`.
    pub value: &'static str,
    pub heading: &'static str,
    /// Its key in the file, or empty.
    pub key: &'static str,
    /// Empty where the setting with this key says it.
    pub default: &'static str,
    pub meaning: &'static str,
}

pub(super) const SWITCH: &str = "BOOL";

impl SectionName {
    /// The start of its keys' paths.
    pub fn prefix(self) -> &'static str {
        match self {
            SectionName::Top => "",
            SectionName::Limits => "limits",
            SectionName::Edge => "edge",
            SectionName::Access => "access",
            SectionName::Account => "account",
            SectionName::Upstream => "upstream",
            SectionName::Hub => "hub",
            SectionName::HubChannel => "hub.channel",
            SectionName::Deriv => "deriv",
            SectionName::SocketIo => "socketio",
            SectionName::Record => "record",
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            SectionName::Top => "above the first section",
            SectionName::Limits => "in [limits]",
            SectionName::Edge => "in [edge]",
            SectionName::Access => "in [access]",
            SectionName::Account => "in [[account]]",
            SectionName::Upstream => "in [[upstream]]",
            SectionName::Hub => "in [hub]",
            SectionName::HubChannel => "in [[hub.channel]]",
            SectionName::Deriv => "in [deriv]",
            SectionName::SocketIo => "in [socketio]",
            SectionName::Record => "in [record]",
        }
    }

    pub fn settings(self) -> &'static [Setting] {
        match self {
            SectionName::Top => TOP,
            SectionName::Limits => LIMITS,
            SectionName::Edge => EDGE,
            SectionName::Access => ACCESS,
            SectionName::Account => ACCOUNT,
            SectionName::Upstream => UPSTREAM,
            SectionName::Hub => HUB,
            SectionName::HubChannel => HUB_CHANNEL,
            SectionName::Deriv => DERIV,
            SectionName::SocketIo => SOCKETIO,
            SectionName::Record => RECORD,
        }
    }
}

pub(super) fn keys_of(section: SectionName) -> impl Iterator<Item = &'static str> + Clone {
    section.settings().iter().map(|setting| setting.key)
}

/// The section that has this key.
pub(super) fn home_of(key: &str) -> Option<SectionName> {
    SECTIONS.into_iter().find(|section| keys_of(*section).any(|known| known == key))
}

pub(super) fn unknown_key(section: SectionName, key: &str) -> Reason {
    let sections = SECTIONS.into_iter().filter(|section| *section != SectionName::Top);
    let near_section = || {
        let near = nearest(key, sections.clone().map(SectionName::prefix))?;
        let section = sections.clone().find(|section| section.prefix() == near)?;
        Some(section.in_words().trim_start_matches("in "))
    };
    let near = match section {
        SectionName::Top => nearest(key, keys_of(section)).or_else(near_section),
        _ => nearest(key, keys_of(section)),
    };
    Reason::Unknown { what: "key", near: near.map(str::to_owned) }
}

/// The setting behind a path such as `limits.exempt_loopback`.
pub(super) fn setting(path: &str) -> Option<&'static Setting> {
    let (section, key) = match path.rsplit_once('.') {
        Some((prefix, key)) => (SECTIONS.into_iter().find(|section| section.prefix() == prefix)?, key),
        None => (SectionName::Top, path),
    };
    section.settings().iter().find(|setting| setting.key == key)
}

impl Flag {
    pub fn variable(&self) -> String {
        format!("RELAY_{}", self.name.to_uppercase().replace('-', "_"))
    }

    pub fn meaning(&self) -> &'static str {
        match setting(self.key) {
            Some(setting) if self.meaning.is_empty() => setting.meaning,
            _ => self.meaning,
        }
    }

    pub fn default(&self) -> &'static str {
        match setting(self.key) {
            // Quotes belong to the file.
            Some(setting) if self.default.is_empty() => setting.default.trim_matches('"'),
            _ => self.default,
        }
    }

    pub fn is_switch(&self) -> bool {
        self.value == SWITCH
    }
}

const fn of_key(heading: &'static str, name: &'static str, value: &'static str, key: &'static str) -> Flag {
    Flag { name, value, heading, key, default: "", meaning: "" }
}

pub(super) const FLAGS: &[Flag] = &[
    of_key("Addresses", "listen", "ADDRESS", "listen"),
    of_key("Addresses", "admin", "ADDRESS", "admin"),
    Flag {
        name: "upstream",
        value: "KIND=URL",
        heading: "Data",
        key: "upstream",
        default: "sim",
        meaning: "Where data comes from: a kind such as sim or binance, or stream=ws://host/path; may be repeated. \
                  Replaces every [[upstream]] of the file",
    },
    of_key("Clients", "profile", "NAME", "profile"),
    of_key("Clients", "connections-max", "COUNT", "connections_max"),
    Flag {
        name: "limit-loopback",
        value: SWITCH,
        heading: "Clients",
        key: "limits.exempt_loopback",
        default: "false",
        meaning: "Apply the limits per client to 127.0.0.0/8 and ::1 as well",
    },
    of_key("Clients", "echo", SWITCH, "echo"),
    of_key("Running", "shards", "COUNT", "shards"),
    of_key("Running", "flush-interval", "DURATION", "flush_interval"),
    of_key("Running", "drain", "DURATION", "drain"),
    of_key("Logs", "log", "LEVEL", "log"),
    of_key("Logs", "log-format", "FORMAT", "log_format"),
    Flag {
        name: "config",
        value: "FILE",
        heading: "Configuration",
        key: "",
        default: "none",
        meaning: "The configuration file; relay.example.toml shows every key",
    },
];

const fn key(key: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key, default, meaning }
}

#[rustfmt::skip] // A table reads best with a row to a line.
const TOP: &[Setting] = &[
    key("listen", r#""127.0.0.1:8000""#, "Where clients connect"),
    key("admin", r#""127.0.0.1:8001""#, r#"Where health and metrics are served, or "off""#),
    key("shards", "the number of cores", "Threads that serve clients, 1 to 62"),
    key("upstream_threads", "0", "Threads that read upstreams; with 0 the shards do it themselves, which is quickest"),
    key("profile", r#""bitzoom""#, r#"The venue we behave like towards stream clients: "bitzoom" or "binance""#),
    key("strict", "false", "Refuse names with an unknown symbol; otherwise they are accepted and stay silent"),
    key("echo", "false", "Serve /echo, which conformance suites need"),
    key("connections_max", "the file limit - 256", "Clients at a time; more are refused"),
    key("topics_max", "100000", "Topics held at a time; subscriptions to more are refused"),
    key("log_bytes_max", r#""1GiB""#, "Memory of all channel logs together; above it the oldest history goes first"),
    key("stale_after", r#""10s""#, "When a lost stream's last value is no longer given to new clients"),
    key("flush_interval", r#""0s""#, "At most one write per client in this time; 0s writes at once, 1s is the most"),
    key("drain", r#""5s""#, "The longest time over which a shutdown spreads the closing of clients; few are closed sooner"),
    key("log", r#""info""#, r#"What is logged: "off", "error", "warn", "info", "debug" or "trace""#),
    key("log_format", r#""text""#, r#"How it is logged: "text" or "json""#),
];

#[rustfmt::skip]
const LIMITS: &[Setting] = &[
    key("connections_per_ip", "5 (binance: 0)", "Connections of one address; 0 is no limit"),
    key("subscriptions_per_connection", "200 (binance: 1024)", "Subscriptions of one connection, 1024 at most"),
    key("messages_per_second", "10 (binance: 5)", "Messages a stream client may send in any second, 0 is no limit; Deriv and Socket.IO have limits of their own, an account's limit holds in all"),
    key("ping_interval", r#""3m" (binance: "20s")"#, "How often clients are pinged"),
    key("pong_timeout", r#""10m" (binance: "60s")"#, "A client without a pong for this long is closed"),
    key("lifetime", r#""0s""#, "A connection is closed at this age; 0s is never"),
    key("exempt_loopback", "true", "The limits per client do not apply to 127.0.0.0/8 and ::1"),
    key("unproven_names_per_ip", "50", "Names that never brought data which one address may hold"),
    key("unproven_percent", "25", "The part of an upstream's streams that such names may take"),
    key("unproven_silence", r#""60s""#, "Such a name may be given up after this long without data"),
    key("handshakes", "64", "Handshakes at a time; the oldest idle one is dropped for a new one"),
    key("handshakes_per_ip", "8", "Handshakes of one address at a time"),
    key("head_timeout", r#""5s""#, "A request's head must be complete within this time"),
    key("http_streams", "4096", "Answers that stay open (polls that wait, event streams) at once; each may take 24 KiB, 16 of them hyper's"),
    key("keepalive", r#""30s""#, "A plain HTTP connection is closed when idle for this long"),
    key("write_timeout", r#""30s""#, "A client that takes no byte for this long is closed"),
    key("close_timeout", r#""2s""#, "How long a close waits for the other side"),
];

#[rustfmt::skip]
const EDGE: &[Setting] = &[
    key("origins", "[]", "Web pages that may connect, by their origin; empty is any"),
    key("trusted_header", r#""off""#, "The header in which proxies of ours name the client"),
    key("proxy_protocol", "false", "Proxies of ours name the client in a PROXY line instead"),
    key("trusted_proxies", "[]", "Networks of our proxies; nobody else's header or line is believed"),
];

#[rustfmt::skip]
const DERIV: &[Setting] = &[
    key("app_ids", "[]", "Whose calls are answered, by the app_id in the URL, as numbers such as [1089]; empty is any"),
    key("idle", r#""3m""#, "A connection with no frame either way for so long is closed, from 1s to 24h"),
];

#[rustfmt::skip]
const SOCKETIO: &[Setting] = &[
    key("path", r#""/currency/""#, "Where it is served, with and without the slash at the end"),
    key("require_key", "true", "Clients must bring an api-key in CONNECT; without accounts any text will do"),
    key("ping_interval", r#""25s""#, "How often clients are pinged; they are told"),
    key("ping_timeout", r#""20s""#, "A client whose pong takes longer is closed; they are told"),
];

#[rustfmt::skip]
const RECORD: &[Setting] = &[
    key("directory", "none: nothing is recorded", "Where recordings are written"),
    key("name", r#""relay""#, "The start of the files' names; relays that share a directory need different ones"),
    key("file_bytes", r#""256MiB""#, "A file that is this long is followed by the next, from 1MiB to 64GiB"),
    key("file_age", r#""1h""#, "The same for one that is this old, from 1s to 24h"),
    key("disk_bytes_max", r#""10GiB""#, "All files of this name together; the oldest are deleted. At least twice file_bytes"),
    key("upstreams", "all that are venues", "The upstreams that are recorded, by their names"),
    key("streams", r#"["*"]"#, "Patterns of the streams that are recorded"),
    key("sync", "false", "Wait until the disk has each block: a power failure then costs a second, but the disk has more to do"),
];

#[rustfmt::skip]
const ACCESS: &[Setting] = &[
    key("required", "false", r#"Who needs an API key: false is nobody, true everybody, "remote" everybody but this machine"#),
    key("listen_key_lifetime", r#""60m""#, "How long a listen key lives after it was asked for or extended, from 1s to 24h"),
];

#[rustfmt::skip]
const ACCOUNT: &[Setting] = &[
    key("name", "required", "Whose it is; the label in logs and metrics"),
    key("keys", "required", r#"Digests of its API keys, "sha256:…", as `relay key new` and `relay key hash` print them"#),
    key("dialects", "all", r#"The protocols its clients may speak: "stream", "hub", "deriv", "socketio""#),
    key("topics", r#"["*"]"#, "Patterns of what its clients may subscribe to"),
    key("connections", "as without a key", "Its connections, from all addresses together; 0 is no limit"),
    key("messages_per_second", "as without a key", "Messages each of its clients may send in any second; 0 is no limit"),
    key("user_stream_url", "none: from sim", "Where its user data comes from, ws:// or wss://, the listen key left out"),
    key("user_stream_rest_url", "none", "Where the listen key for it is asked for, http:// or https://"),
    key("user_stream_token_file", "none", "A file with the token for that and nothing else"),
];

#[rustfmt::skip]
const UPSTREAM: &[Setting] = &[
    key("kind", "required", r#"What it speaks: "binance", "binance-usdm", "okx", "deriv", "bitzoom", "stream", "socketio", "rest", "sim" or "replay""#),
    key("url", "the kind's own", "Where it is, ws:// or wss://; rest: the endpoint, http:// or https://, of the format json with {symbol} or {SYMBOL} where each symbol has its own. Required for stream and the format json"),
    key("legs", "[]", "More URLs that carry the same streams, 3 at most"),
    key("ca_file", "the system's", "Certificates (PEM) to trust instead of the system's, for TLS"),
    key("rest_url", "the kind's own", "binance, binance-usdm: where snapshots of books are asked for"),
    key("network", r#""production""#, r#"bitzoom: "production" or "testnet", where there is no url"#),
    key("app_id", "1089", "deriv: under which number we call; 1089 is for tests"),
    key("path", r#""/currency/""#, "socketio: where Socket.IO is served there"),
    key("api_key", "required for socketio", "socketio: what CONNECT brings; or use api_key_file"),
    key("api_key_file", "none", "socketio: a file with the api_key and nothing else"),
    key("format", "required for rest", r#"rest: "binance-price", "binance-24hr", "binance-depth", "coingecko-global", "coingecko-markets", "coingecko-trending" or "json""#),
    key("interval", r#""10s" (CoinGecko: "570s", trending: "1h")"#, "rest: how often it is asked, from 1s to 24h"),
    key("pointer_rows", r#""""#, "json: where the rows stand (RFC 6901), a list or one row; without it they are the document"),
    key("pointer_symbol", "none", "json: where a symbol stands, in each row; without it the answer is about the one symbol, or the one in the url"),
    key("pointer_price", "required for json", "json: where its price stands, a number or a text"),
    key("pointer_time", "none", "json: where its time stands; without it, when it was read"),
    key("header", "{}", r#"rest: headers to send, such as { "x-cg-demo-api-key" = "…" }"#),
    key("weight_per_minute", "4800", "binance formats: what we may use of the 6000 that an address has"),
    key("requests_per_month", "0 (CoinGecko: 10000)", "rest: requests in 30 days; 0 is no limit"),
    key("seed", "1", "sim: equal seeds give equal data"),
    key("fields", r#""document""#, r#"sim: "document" sends the documented keys, "full" Binance's as well"#),
    key("file", "required for replay", "replay: what `relay record` wrote, a file or a directory of them"),
    key("speed", r#""1x""#, r#"replay: "1x", "10x" and so on up to "1000x", or "max""#),
    key("from", "its beginning", r#"replay: skip what is older, such as "2026-11-20T16:00:00Z""#),
    key("to", "its end", "replay: stop there"),
    key("start", r#""on demand""#, r#"replay: "on demand" begins with the first stream that is wanted, "at once" with the relay"#),
    key("repeat", "false", "replay: begin again at the end, for ever"),
    key("name", "the kind, host or format", "Its label in logs and metrics"),
    key("streams", r#"["*"]"#, "Patterns of the names that come from here; the first upstream with a match wins"),
    key("symbols", "any", r#"The symbols it has, as the venue spells them ("btcusdt", okx "BTC-USDT", deriv "R_100"); a name with another one is never asked for"#),
    key("always", "[]", "Streams that are held without a client as well"),
    key("linger", r#""30s""#, "How long a stream is held after its last client left"),
    key("silence", r#""0s""#, "A stream silent for this long is subscribed again; 0s is never"),
    key("messages_per_second", "10 (binance: 5, deriv: 3)", "Messages we may send on one connection in any second; above the venue's limit `relay check` warns"),
    key("streams_per_connection", "1024 (bitzoom: 200, okx, deriv, socketio: 100)", "Streams on one connection; above the venue's limit `relay check` warns"),
    key("connections", "5 (socketio: 1)", "Connections at a time; above the venue's limit `relay check` warns"),
];

#[rustfmt::skip]
const HUB: &[Setting] = &[
    key("interval", r#""10s""#, "How often the scheduled channels push, from 100ms to 1h"),
    key("symbols", "what the upstreams have", r#"Pairs of the binance_* channels, such as "BTC/USDT""#),
    key("test", "true", "Serve POST /ws/test, which sends a text to every client of the hub; switch it off in public"),
    key("test_per_second", "10", "Such requests of one address in any second; 0 is no limit"),
];

#[rustfmt::skip]
const HUB_CHANNEL: &[Setting] = &[
    key("name", "required", "What clients subscribe to; a documented channel with this name is replaced"),
    key("data", "required", r#"What it says: "prices", "orderbook", "24hr", "okx", "coingecko_global", "coingecko_top" or "coingecko_trending""#),
    key("instruments", "the hub's symbols", "Its pairs; not for CoinGecko's data, which bring their own"),
    key("exchange", "binance, okx or coingecko, by the data", "The exchange its messages name"),
    key("every", "the hub's interval", r#"How often it pushes, from 100ms to 1h, or "realtime" for each value as it comes"#),
    key("stale_after", r#""60s" (CoinGecko: "2h")"#, "An older value is not pushed any more, 24h is the most"),
];
