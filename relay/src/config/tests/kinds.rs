//! The kinds of upstreams: what each needs, has alone, and may be told.

use std::time::Duration;

use super::super::{ApiKey, Format, Pointers, Secret, Source, Speed};
use super::errors::check_file;
use super::{file, flags};

fn source(text: &str) -> Source {
    file(&format!("[[upstream]]\n{text}")).config().upstreams.remove(0).source
}

#[test]
fn a_kind_alone_is_enough() {
    let check = |kind: &str, url: &str, limits: (u32, usize, usize)| {
        let upstream = flags(&format!("--upstream {kind}")).config().upstreams.remove(0);
        assert_eq!((upstream.kind(), upstream.name.as_str()), (kind, kind));
        assert_eq!(upstream.source.server().unwrap().url.to_string(), url);
        let given = (upstream.messages_per_second, upstream.streams_per_connection, upstream.connections);
        assert_eq!(given, limits, "{kind}");
        assert_eq!(upstream.beyond_limits(), []);
    };
    check("binance", "wss://stream.binance.com:9443/", (5, 1024, 5));
    check("binance-usdm", "wss://fstream.binance.com/", (10, 1024, 5));
    check("okx", "wss://ws.okx.com:8443/", (10, 100, 5));
    check("deriv", "wss://ws.binaryws.com/websockets/v3", (3, 100, 5));
    check("bitzoom", "wss://stream.bitzoom.com/ws", (10, 200, 5));
}

#[test]
fn every_key_arrives() {
    let Source::Binance { server, rest_url } = source(
        "kind = \"binance\"\nurl = \"wss://a/prefix\"\nlegs = [\"wss://b\"]\nrest_url = \"http://c/api/v3\"\nca_file = \"x\"",
    ) else {
        panic!()
    };
    assert_eq!((server.url.path(), server.legs.len(), server.ca_file.is_some()), ("/prefix", 1, true));
    assert_eq!(rest_url.to_string(), "http://c/api/v3");
    let Source::Bitzoom { server } = source("kind = \"bitzoom\"\nnetwork = \"testnet\"") else { panic!() };
    assert_eq!(server.url.host(), "stream-testnet.bitzoom.com");
    let Source::Deriv { app_id: 7, symbols, .. } = source("kind = \"deriv\"\napp_id = 7\nsymbols = [\"frxEURUSD\"]")
    else {
        panic!()
    };
    assert_eq!(symbols, ["frxEURUSD"]);
    let Source::SocketIo { server, path, api_key } =
        source("kind = \"socketio\"\nurl = \"https://wss.example.com\"\npath = \"/x\"\napi_key = \"k\"")
    else {
        panic!()
    };
    assert_eq!((server.url.to_string().as_str(), path.as_str()), ("wss://wss.example.com/", "/x/"));
    assert_eq!(api_key, ApiKey::Text(Secret::new("k")));
    let Source::Replay { speed, from_ms, to_ms, .. } = source(
        "kind = \"replay\"\nfile = \"a\"\nspeed = \"10x\"\nfrom = \"2026-11-20T16:00:00Z\"\nto = 2026-11-20T16:00:01Z",
    ) else {
        panic!()
    };
    assert_eq!((speed, from_ms, to_ms), (Speed::Times(10), Some(1_795_190_400_000), Some(1_795_190_401_000)));
}

#[test]
fn a_symbol_keeps_its_spelling_for_the_venue() {
    let upstream = file("[[upstream]]\nkind = \"okx\"\nsymbols = [\"BTC-USDT\"]").config().upstreams.remove(0);
    assert_eq!(upstream.symbols.as_deref(), Some(["btcusdt".to_owned()].as_slice()));
    let Source::Okx { instruments, .. } = upstream.source else { panic!() };
    assert_eq!(instruments, ["BTC-USDT"]);
}

/// Else no stream would ever match it, and nobody would be told why.
#[test]
fn a_symbol_of_another_venues_spelling_is_told_the_right_one() {
    check_file(
        "[[upstream]]\nkind = \"binance\"\nsymbols = [\"btcusdt\", \"BTC-USDT\", \"eth_usdt\", \"-\"]\n\
         [[upstream]]\nkind = \"sim\"\nsymbols = [\"R_100\", \"BTC/USDT\"]",
        &[
            r#"relay.toml:3: upstream.symbols = "BTC-USDT": must be spelled as kind "binance" does: "BTCUSDT""#,
            r#"relay.toml:3: upstream.symbols = "eth_usdt": must be spelled as kind "binance" does: "ethusdt""#,
            r#"relay.toml:3: upstream.symbols = "-": must be a symbol, such as "btcusdt""#,
            r#"relay.toml:6: upstream.symbols = "BTC/USDT": must be spelled as kind "sim" does: "BTCUSDT""#,
        ],
    );
}

#[test]
fn a_poller_knows_its_endpoint_and_what_it_may_cost() {
    let rest = |text: &str| match source(&format!("kind = \"rest\"\n{text}")) {
        Source::Rest(rest) => *rest,
        other => panic!("{other:?}"),
    };
    let price = rest("format = \"binance-price\"\nsymbols = [\"btcusdt\"]");
    assert_eq!(price.url.to_string(), "https://api.binance.com/api/v3/ticker/price");
    assert_eq!(
        (price.symbols.as_slice(), price.interval),
        (["BTCUSDT".to_owned()].as_slice(), Duration::from_secs(10))
    );
    assert_eq!((price.weight_per_minute, price.requests_per_month), (Some(4800), None));
    let global = rest("format = \"coingecko-global\"\nheader = { \"x-cg-demo-api-key\" = \"k\" }");
    assert_eq!((global.interval, global.requests_per_month), (Duration::from_secs(570), Some(10_000)));
    assert_eq!(global.header, [("x-cg-demo-api-key".to_owned(), Secret::new("k"))]);
    assert!(!format!("{global:?}").contains("\"k\""), "a secret is not shown");
    let json = rest("format = \"json\"\nurl = \"http://a/b?c=d\"\npointer_price = \"/p/0\"\nsymbols = [\"BTCUSD\"]");
    let pointers = Pointers { rows: String::new(), symbol: None, price: "/p/0".to_owned(), time: None };
    assert_eq!((json.format, json.symbols.as_slice()), (Format::Json(pointers), ["BTCUSD".to_owned()].as_slice()));
    let rows = "pointer_rows = \"/data\"\npointer_symbol = \"/symbol\"\npointer_price = \"/price\"";
    let json = rest(&format!("format = \"json\"\nurl = \"http://a/prices\"\n{rows}"));
    let [rows, symbol, price] = ["/data", "/symbol", "/price"].map(str::to_owned);
    assert_eq!(json.format, Format::Json(Pointers { rows, symbol: Some(symbol), price, time: None }));
    for symbols in ["", "symbols = [\"BTCUSD\", \"ETHUSD\"]"] {
        let json =
            rest(&format!("format = \"json\"\nurl = \"http://a/{{symbol}}\"\npointer_price = \"/p\"\n{symbols}"));
        assert!(matches!(json.format, Format::Json(Pointers { symbol: None, .. })), "each is asked for by itself");
    }
}

#[test]
fn keys_belong_to_kinds() {
    check_file(
        "[[upstream]]\nkind = \"okx\"\nrest_url = \"https://a/\"\napp_id = 1\nseed = 1\nformat = \"json\"\nfile = \"x\"",
        &[
            r#"relay.toml:3: upstream.rest_url = "https://a/": rest_url is not for kind "okx", only for "binance", "binance-usdm""#,
            r#"relay.toml:4: upstream.app_id = 1: app_id is not for kind "okx", only for "deriv""#,
            r#"relay.toml:5: upstream.seed = 1: seed is not for kind "okx", only for "sim""#,
            r#"relay.toml:6: upstream.format = "json": format is not for kind "okx", only for "rest""#,
            r#"relay.toml:7: upstream.file = "x": file is not for kind "okx", only for "replay""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"rest\"\nformat = \"binance-price\"\nlegs = []\nconnections = 2\npointer_time = \"/t\"",
        &[
            r#"relay.toml:4: upstream.legs = […]: legs is not for kind "rest""#,
            r#"relay.toml:5: upstream.connections = 2: connections is not for kind "rest""#,
            r#"relay.toml:6: upstream.pointer_time = "/t": pointer_time is only for format "json""#,
        ],
    );
}

#[test]
fn places_are_judged_together() {
    check_file(
        "[[upstream]]\nkind = \"bitzoom\"\nurl = \"wss://a/ws\"\nnetwork = \"testnet\"",
        &[r#"relay.toml:4: upstream.network = "testnet": url and network exclude each other"#],
    );
    check_file(
        "[[upstream]]\nkind = \"okx\"\nurl = \"wss://a/\"\nlegs = [\"wss://b/\", \"wss://A\"]",
        &["relay.toml:4: upstream.legs = […]: wss://a/ is there twice: a leg is another way to the same streams"],
    );
    check_file(
        "[[upstream]]\nkind = \"bitzoom\"\nlegs = [\"ws://a\", \"ws://b\", \"ws://c\", \"ws://d\"]",
        &["relay.toml:3: upstream.legs = […]: 4 URLs beside url, limit 3"],
    );
    check_file(
        "[[upstream]]\nkind = \"binance-usdm\"\nurl = \"wss://a/market/stream\"",
        &[
            r#"relay.toml:3: upstream.url = "wss://a/market/stream": must be such as "wss://fstream.binance.com", without the path of the streams, which is added"#,
        ],
    );
}

#[test]
fn a_base_has_no_query() {
    check_file(
        "[[upstream]]\nkind = \"binance\"\nrest_url = \"https://a/?b\"",
        &[r#"relay.toml:3: upstream.rest_url = "https://a/?b": must be an HTTP URL without a query"#],
    );
}

#[test]
fn a_socketio_venue_needs_a_key_that_nobody_sees() {
    check_file(
        "[[upstream]]\nkind = \"socketio\"",
        &[
            "relay.toml:1: upstream.api_key: is missing: what the venue is to be told in CONNECT; or api_key_file, a file with it",
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"socketio\"\napi_key = \"secret\"\napi_key_file = \"f\"\npath = \"x\"",
        &[
            "relay.toml:4: upstream.api_key_file = (not shown): api_key and api_key_file exclude each other",
            r#"relay.toml:5: upstream.path = "x": must be a path such as "/currency/""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"socketio\"\napi_key = \"se\\ncret\"",
        &["relay.toml:3: upstream.api_key = (not shown): must be a key, without control characters"],
    );
}

#[test]
fn a_poller_says_what_it_lacks_and_what_is_too_much() {
    check_file(
        "[[upstream]]\nkind = \"rest\"",
        &[r#"relay.toml:1: upstream.format: is missing: what the endpoint says, such as "binance-price" or "json""#],
    );
    check_file(
        "[[upstream]]\nkind = \"rest\"\nformat = \"json\"",
        &[
            r#"relay.toml:1: upstream.url: is missing: format "json" needs one"#,
            r#"relay.toml:1: upstream.pointer_price: is missing: format "json" needs it, such as "/data/price""#,
            "relay.toml:1: upstream.pointer_symbol: is missing: without it the document is about one symbol: the one of symbols, or {symbol} in the url",
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"rest\"\nformat = \"coingecko-global\"\ninterval = \"10s\"\nweight_per_minute = 9",
        &[
            r#"relay.toml:4: upstream.interval = "10s": 10s makes 259200 requests in 30 days, requests_per_month is 10000"#,
            "relay.toml:5: upstream.weight_per_minute = 9: weight_per_minute is only for the binance formats",
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"rest\"\nformat = \"json\"\nurl = \"http://a/{SYMBOL}\"\nsymbols = [\"a\", \"b\"]\npointer_price = \"/p\"\ninterval = \"1h\"\nrequests_per_month = 1000",
        &[r#"relay.toml:7: upstream.interval = "1h": 1h makes 1440 requests in 30 days, requests_per_month is 1000"#],
    );
    check_file(
        "[[upstream]]\nkind = \"rest\"\nformat = \"binance-24hr\"\ninterval = \"1s\"\nweight_per_minute = 4000",
        &[
            r#"relay.toml:4: upstream.interval = "1s": 1s costs a weight of 4800 in a minute, weight_per_minute is 4000"#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"rest\"\nformat = \"binance-depth\"",
        &[r#"relay.toml:1: upstream.symbols: is missing: format "binance-depth" asks for one at a time"#],
    );
    check_file(
        "[[upstream]]\nkind = \"rest\"\nformat = \"json\"\nurl = \"http://a/\"\nsymbols = [\"a\"]\npointer_price = \"p\"\npointer_time = \"/~2\"",
        &[
            r#"relay.toml:6: upstream.pointer_price = "p": must be a JSON pointer (RFC 6901), such as "/data/price""#,
            r#"relay.toml:7: upstream.pointer_time = "/~2": must be a JSON pointer (RFC 6901), such as "/data/price""#,
        ],
    );
}

#[test]
fn headers_are_names_and_texts() {
    let check = |table: &str, reason: &str| {
        check_file(
            &format!("[[upstream]]\nkind = \"rest\"\nformat = \"binance-price\"\nheader = {table}"),
            &[&format!("relay.toml:4: upstream.header{reason}")],
        );
    };
    check("1", r#" = 1: must be a table of headers, such as { "x-cg-demo-api-key" = "…" }"#);
    check("{ Host = \"a\" }", ": must be headers of your own; host is set by the relay");
    check("{ \"a b\" = \"a\" }", ": must be headers; \"a b\" is not the name of one");
    check("{ a = 1 }", ": must be headers; a needs a text of printable ASCII");
    check("{ a = \"x\\r\\ny: z\" }", ": must be headers; a needs a text of printable ASCII");
}

#[test]
fn a_recording_has_a_file_and_a_span() {
    check_file(
        "[[upstream]]\nkind = \"replay\"\nspeed = \"fast\"\nfrom = \"now\"",
        &[
            "relay.toml:1: upstream.file: is missing: what `relay record` wrote, a file or a directory",
            r#"relay.toml:3: upstream.speed = "fast": must be "1x", "10x" and so on up to "1000x", or "max""#,
            r#"relay.toml:4: upstream.from = "now": must be a time since 1970 with its offset, such as "2026-11-20T16:00:00Z" or "2026-11-20T17:00:00+01:00""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"replay\"\nfile = \"a\"\nfrom = \"2026-11-20T16:00:00Z\"\nto = \"2026-11-20T16:00:00Z\"",
        &[r#"relay.toml:5: upstream.to = "2026-11-20T16:00:00Z": must be later than from"#],
    );
}

#[test]
fn limits_are_lowered_quietly_and_raised_with_a_warning() {
    let check = |text: &str, expected: &str| {
        let text = format!("[[upstream]]\n{text}");
        let start = super::Start { flags: "check --config relay.toml", env: &[], file: &text };
        let (said, exit_code) = start.printed();
        let line = said.lines().find_map(|line| line.strip_prefix("upstream  ")).unwrap().to_owned();
        assert_eq!((line.as_str(), exit_code), (expected, 0));
    };
    check(
        "kind = \"binance\"\nmessages_per_second = 4",
        "binance (binance): wss://stream.binance.com:9443/, 5 connections of 1024 streams, 4 messages/s each; streams *",
    );
    check(
        "kind = \"bitzoom\"\nlegs = [\"ws://b/ws\"]\nmessages_per_second = 11\nconnections = 6",
        "bitzoom (bitzoom): wss://stream.bitzoom.com/ws and ws://b/ws, 6 connections of 200 streams, 11 messages/s each; \
         streams *; warning: messages_per_second 11 is above the venue's 10, it may close or ban us; warning: connections \
         6 is above the venue's 5, it may close or ban us",
    );
    check(
        "kind = \"stream\"\nurl = \"ws://a/\"\nmessages_per_second = 100",
        "a (stream): ws://a/, 5 connections of 1024 streams, 100 messages/s each; streams *",
    );
    check(
        "kind = \"rest\"\nformat = \"coingecko-trending\"\nurl = \"https://a/b?key=secret\"",
        "coingecko-trending (rest): coingecko-trending of a/b every 1h, all symbols; streams *",
    );
    check("kind = \"replay\"\nfile = \"a.rec\"", "replay (replay): a.rec at 1x; streams *");
}

#[test]
fn the_limits_to_run_with_are_the_venues_and_ours() {
    let upstream = file("[[upstream]]\nkind = \"okx\"\nconnections = 2").config().upstreams.remove(0);
    let limits = upstream.limits();
    assert_eq!((limits.connections, limits.requests_per_hour, limits.quiet_ms), (2, Some(480), 20_000));
}
