//! What is said about a wrong upstream.

use super::errors::{check_file, check_flags};

#[test]
fn upstreams_say_what_they_lack() {
    check_file(
        "[[upstream]]\nname = \"a b\"",
        &[
            r#"relay.toml:1: upstream.kind: is missing: one of "binance", "binance-usdm", "okx", "deriv", "bitzoom", "stream", "socketio", "rest", "sim", "replay""#,
            r#"relay.toml:2: upstream.name = "a b": must be 1 to 64 letters, digits, ".", "_" or "-""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"stream\"",
        &[r#"relay.toml:1: upstream.url: is missing: kind "stream" needs one, such as "wss://stream.bitzoom.com/ws""#],
    );
    check_file(
        "[[upstream]]\nkind = \"strem\"\n[[upstream]]\nkind = \"coingecko\"",
        &[
            r#"relay.toml:2: upstream.kind = "strem": must be one of "binance", "binance-usdm", "okx", "deriv", "bitzoom", "stream", "socketio", "rest", "sim", "replay"; did you mean "stream"?"#,
            r#"relay.toml:4: upstream.kind = "coingecko": must be one of "binance", "binance-usdm", "okx", "deriv", "bitzoom", "stream", "socketio", "rest", "sim", "replay"; did you mean "rest" with the format "coingecko-markets"?"#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\nurl = \"ws://a/\"\nca_file = \"x\"",
        &[
            r#"relay.toml:3: upstream.url = "ws://a/": url is not for kind "sim""#,
            r#"relay.toml:4: upstream.ca_file = "x": ca_file is not for kind "sim""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"stream\"\nurl = \"ws://a/\"\nca_file = \"x\"\nseed = 1\nfields = \"full\"",
        &[
            r#"relay.toml:4: upstream.ca_file = "x": ca_file is only for a wss:// url"#,
            r#"relay.toml:5: upstream.seed = 1: seed is not for kind "stream", only for "sim""#,
            r#"relay.toml:6: upstream.fields = "full": fields is not for kind "stream", only for "sim""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"stream\"\nurl = \"https://a/\"\nca_file = \"\"",
        &[
            r#"relay.toml:3: upstream.url = "https://a/": must be a WebSocket URL such as "wss://stream.bitzoom.com/ws""#,
            r#"relay.toml:4: upstream.ca_file = "": must be a file's path"#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\nstreams = []\nsymbols = []",
        &[
            r#"relay.toml:3: upstream.streams = […]: must be at least one pattern; ["*"] is every name"#,
            "relay.toml:4: upstream.symbols = […]: must be at least one symbol; leave it out to allow any",
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\nstreams = [\"*@trade\", \"\"]\nalways = [\"btc\", \"*\", \"x@trade\"]",
        &[
            r#"relay.toml:3: upstream.streams = "": must be a pattern such as "*@trade", up to 128 bytes without spaces"#,
            r#"relay.toml:4: upstream.always = "*": must be a stream's full name, such as "btcusdt@trade""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\nstreams = [\"*@trade\"]\nalways = [\"btcusdt@ticker\"]",
        &[r#"relay.toml:4: upstream.always = […]: "btcusdt@ticker" matches none of this upstream's `streams`"#],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\nalways = [\"a\", \"b\"]\nstreams_per_connection = 1\nconnections = 1",
        &["relay.toml:3: upstream.always = […]: 2 streams, but 1 connections of 1 hold 1"],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\n[[upstream]]\nkind = \"sim\"\nname = \"sim\"",
        &[r#"relay.toml:5: upstream.name = "sim": must be unique; upstream 1 has this name"#],
    );
    check_flags(
        "--upstream ws://feed:1/?a=b --upstream stream --upstream sim=7 --upstream stream=feed:1 --upstream binance=wss://a/ws",
        &[
            r#"--upstream binance=wss://a/ws: must be such as "wss://stream.binance.com:9443", without the path of the streams, which is added"#,
            r#"--upstream sim=7: url is not for kind "sim""#,
            r#"--upstream stream: upstream.url: is missing: kind "stream" needs one, such as "wss://stream.bitzoom.com/ws""#,
            r#"--upstream stream=feed:1: must be a WebSocket URL such as "wss://stream.bitzoom.com/ws""#,
            r#"--upstream ws://feed:1/?a=b: must be one of "binance", "binance-usdm", "okx", "deriv", "bitzoom", "stream", "socketio", "rest", "sim", "replay"; did you mean stream=ws://feed:1/?a=b?"#,
        ],
    );
}
