//! Where values come from, and what they become.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::super::{Forwarded, LogFormat, Profile, Server, Source};
use super::{CORES, Start, file, flags};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn nothing_given_runs_the_built_in_venue() {
    let config = flags("").config();
    assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 8000)));
    assert_eq!(config.admin, Some(SocketAddr::from(([127, 0, 0, 1], 8001))));
    assert_eq!(config.shards, CORES);
    assert_eq!(config.connections_max, None);
    assert_eq!(config.log_bytes_max, 1 << 30);
    assert_eq!(config.upstreams.len(), 1);
    assert_eq!(config.upstreams[0].source, Source::Sim { seed: 1, full: false });
    assert!(config.upstreams[0].takes("btcusdt@trade"));
}

#[test]
fn the_command_line_of_the_benchmarks_works() {
    let line = "--listen 127.0.0.1:9000 --admin 127.0.0.1:0 --shards 1 --upstream stream=ws://127.0.0.1:9001/stream";
    let config = flags(line).config();
    assert_eq!(config.listen.port(), 9000);
    assert_eq!(config.admin.unwrap().port(), 0);
    assert_eq!(config.shards, 1);
    assert_eq!(config.upstreams.len(), 1);
    let Source::Stream { server: Server { url, legs, ca_file: None } } = &config.upstreams[0].source else { panic!() };
    assert_eq!(*legs, []);
    assert_eq!((url.tls(), url.host(), url.port(), url.path()), (false, "127.0.0.1", 9001, "/stream"));
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let check = |flags, env: &[(&str, &str)], file, expected| {
        assert_eq!(Start { flags, env, file }.config().shards, expected, "{flags} {env:?} {file}");
    };
    check("", &[], "", CORES);
    check("--config relay.toml", &[], "shards = 1", 1);
    check("--config relay.toml", &[("RELAY_SHARDS", "2")], "shards = 1", 2);
    check("--config relay.toml --shards 3", &[("RELAY_SHARDS", "2")], "shards = 1", 3);
    check("--shards 3", &[("RELAY_SHARDS", "")], "", 3);
    check("", &[("RELAY_CONFIG", "relay.toml")], "shards = 1", 1);
    check("--config relay.toml", &[("RELAY_CONFIG", "other.toml")], "shards = 1", 1);
}

#[test]
fn every_flag_and_variable_arrives() {
    let env = [
        ("RELAY_LISTEN", "[::]:1"),
        ("RELAY_ADMIN", "off"),
        ("RELAY_PROFILE", "binance"),
        ("RELAY_CONNECTIONS_MAX", "7"),
        ("RELAY_LIMIT_LOOPBACK", "true"),
        ("RELAY_ECHO", "true"),
        ("RELAY_FLUSH_INTERVAL", "20ms"),
        ("RELAY_DRAIN", "1m"),
        ("RELAY_LOG", "debug"),
        ("RELAY_LOG_FORMAT", "json"),
        ("RELAY_SHARDS", "2"),
        ("RELAY_UPSTREAM", "stream=ws://a/, sim"),
    ];
    let typed = "--listen [::]:1 --admin off --profile binance --connections-max 7 --limit-loopback --echo \
                 --flush-interval 20ms --drain 1m --log debug --log-format json --shards 2 \
                 --upstream stream=ws://a/ --upstream sim";
    let config = flags(typed).config();
    assert_eq!(config, Start { env: &env, ..Start::default() }.config());
    assert_eq!(config.admin, None);
    assert_eq!(config.profile, Profile::Binance);
    assert_eq!(config.connections_max, Some(7));
    assert!(config.echo && !config.limits.exempt_loopback);
    assert_eq!((config.flush_interval, config.drain), (Duration::from_millis(20), seconds(60)));
    assert_eq!((config.log, config.log_format), (LevelFilter::DEBUG, LogFormat::Json));
    let names: Vec<&str> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["a", "sim"]);
}

#[test]
fn a_switch_can_be_turned_off_again() {
    let text = "echo = true\n[limits]\nexempt_loopback = false";
    let config =
        Start { flags: "--config relay.toml --echo=false --limit-loopback=false", env: &[], file: text }.config();
    assert!(!config.echo && config.limits.exempt_loopback);
}

#[test]
fn a_profile_sets_what_is_left_out() {
    let check = |text: &str, ip, subscriptions, messages, ping, pong| {
        let limits = file(text).config().limits;
        assert_eq!((limits.connections_per_ip, limits.messages_per_second), (ip, messages), "{text}");
        assert_eq!(limits.subscriptions_per_connection, subscriptions, "{text}");
        assert_eq!((limits.ping_interval, limits.pong_timeout), (seconds(ping), seconds(pong)), "{text}");
    };
    check("", Some(5), 200, Some(10), 180, 600);
    check("profile = \"binance\"", None, 1024, Some(5), 20, 60);
    check(
        "profile = \"binance\"\n[limits]\nconnections_per_ip = 9\npong_timeout = \"2m\"",
        Some(9),
        1024,
        Some(5),
        20,
        120,
    );
    check("[limits]\nmessages_per_second = 0", Some(5), 200, None, 180, 600);
}

#[test]
fn an_upstream_knows_the_limits_of_its_host() {
    let check = |url: &str, streams, messages| {
        let upstream = &flags(&format!("--upstream stream={url}")).config().upstreams[0];
        let limits = (upstream.streams_per_connection, upstream.messages_per_second);
        assert_eq!(limits, (streams, messages), "{url}");
    };
    check("wss://stream.bitzoom.com/ws", 200, 10);
    check("wss://stream.binance.com:9443/ws", 1024, 5);
    check("wss://notbinance.com/ws", 1024, 10);
    check("ws://127.0.0.1:9001/stream?streams=a=b", 1024, 10);
}

#[test]
fn upstreams_without_a_name_are_numbered() {
    let line =
        "--upstream stream=ws://feed:1/ --upstream stream=ws://feed:2/ --upstream sim --upstream stream=ws://[::1]:3/";
    let config = flags(line).config();
    let names: Vec<&str> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["feed", "feed-2", "sim", "--1"]);
}

#[test]
fn sections_become_types() {
    let text = r#"
        [edge]
        origins = ["https://App.example.com"]
        proxy_protocol = true
        trusted_proxies = ["10.0.0.0/8"]
        [[upstream]]
        kind = "stream"
        url = "wss://feed.example/ws"
        ca_file = "ca.pem"
        streams = ["*@trade"]
        symbols = ["BTCUSDT"]
        always = ["btcusdt@trade"]
        silence = "1m"
        [[upstream]]
        kind = "sim"
        seed = 18446744073709551615
        fields = "full"
    "#;
    let config = file(text).config();
    assert_eq!(config.edge.forwarded, Some(Forwarded::ProxyProtocol));
    assert!(config.edge.origins[0].matches("https://app.example.com"));
    assert!(config.edge.trusted_proxies[0].contains([10, 1, 2, 3].into()));
    let [stream, sim] = config.upstreams.as_slice() else { panic!() };
    assert_eq!(stream.symbols.as_deref(), Some(["btcusdt".to_owned()].as_slice()));
    assert_eq!(stream.silence, Some(seconds(60)));
    assert!(stream.takes("btcusdt@trade") && !stream.takes("btcusdt@ticker"));
    assert_eq!(sim.source, Source::Sim { seed: u64::MAX, full: true });
}

#[test]
fn typed_upstreams_replace_those_of_the_file() {
    let text = "[[upstream]]\nkind = \"sim\"\nseed = 7";
    let start = Start { flags: "--config relay.toml --upstream stream=ws://feed/", env: &[], file: text };
    let config = start.config();
    assert_eq!(config.upstreams.len(), 1);
    assert_eq!(config.upstreams[0].name, "feed");
}

#[test]
fn check_says_what_a_file_means() {
    let start = Start { flags: "check --config relay.toml", env: &[], file: "profile = \"binance\"\nadmin = \"off\"" };
    let expected = "\
ok
listen    127.0.0.1:8000, admin off, 4 shards
profile   binance
clients   connections per IP unlimited, subscriptions 1024, messages/s 5, ping 20s, pong within 1m
loopback  exempt from the limits
access    no key needed, no accounts
memory    100000 topics, logs up to 1GiB
upstream  sim (sim): seed 1, documented fields; streams *
hub       8 channels, scheduled ones every 10s; pairs those of the upstreams; POST /ws/test on
";
    assert_eq!(start.printed(), (expected.to_owned(), 0));
}

#[test]
fn check_notes_an_upstream_that_gets_nothing() {
    let (text, exit_code) = flags("check --upstream sim --upstream stream=ws://feed/").printed();
    assert!(text.contains("streams *; note: sim comes first and takes every stream\n"), "{text}");
    assert_eq!(exit_code, 0);
}

#[test]
fn the_version_is_printed() {
    let (text, exit_code) = flags("--version").printed();
    assert_eq!((text.as_str(), exit_code), (concat!("relay ", env!("CARGO_PKG_VERSION"), "\n"), 0));
}
