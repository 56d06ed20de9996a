//! What is said about a wrong configuration, line by line.

use super::super::settings::{SectionName, keys_of};
use super::{Start, file, flags};
use crate::venue::adapter::kind::Kind;

/// The lines of problems, without the heading and the hint.
fn problems(start: &Start<'_>) -> Vec<String> {
    let (text, exit_code) = start.printed();
    assert_eq!(exit_code, 2, "{text}");
    let lines: Vec<String> = text.lines().map(|line| line.trim_start().to_owned()).collect();
    assert!(lines[0].starts_with("relay: ") && lines[lines.len() - 1].starts_with("hint: "), "{text}");
    lines[1..lines.len() - 1].to_vec()
}

pub(super) fn check_file(text: &str, expected: &[&str]) {
    let found = problems(&file(text));
    assert_eq!(found, expected, "for\n{text}");
}

pub(super) fn check_flags(line: &str, expected: &[&str]) {
    assert_eq!(problems(&flags(line)), expected, "for {line}");
}

#[test]
fn values_name_what_is_allowed() {
    check_file(
        "listen = \"nowhere\"",
        &[
            r#"relay.toml:1: listen = "nowhere": must be an address and a port, such as "127.0.0.1:8000" or "[::]:8000""#,
        ],
    );
    check_file(
        "listen = \"localhost:80\"\nadmin = 5",
        &[
            r#"relay.toml:1: listen = "localhost:80": must be an address and a port, such as "127.0.0.1:8000" or "[::]:8000""#,
            r#"relay.toml:2: admin = 5: must be an address and a port, such as "127.0.0.1:8000" or "[::]:8000", or "off""#,
        ],
    );
    check_file(
        "shards = 65\nupstream_threads = -1\ntopics_max = 1.5\nlog_bytes_max = 0xffffffffffffffffffffffffffffffffff\nconnections_max = \"9\"",
        &[
            "relay.toml:1: shards = 65: must be a number from 1 to 62",
            "relay.toml:2: upstream_threads = -1: must be a number from 0 to 62",
            "relay.toml:3: topics_max = 1.5: must be a number from 1 to 10000000",
            r#"relay.toml:4: log_bytes_max = 0xffffffffffffffffffffffffffffffffff: must be a size such as "64KiB", "16MiB" or "1GiB", or a number of bytes"#,
            r#"relay.toml:5: connections_max = "9": must be a number from 1 to 10000000"#,
        ],
    );
    check_file(
        "echo = \"yes\"\nstrict = 1",
        &[r#"relay.toml:1: echo = "yes": must be true or false"#, "relay.toml:2: strict = 1: must be true or false"],
    );
    check_file(
        "flush_interval = \"2s\"\nstale_after = \"soon\"\ndrain = 5",
        &[
            r#"relay.toml:1: flush_interval = "2s": must be a duration from 0s to 1s"#,
            r#"relay.toml:2: stale_after = "soon": must be a duration such as "250ms", "5s", "3m" or "1h""#,
            r#"relay.toml:3: drain = 5: must be a duration such as "250ms", "5s", "3m" or "1h"; 5 has no unit, did you mean "5s"?"#,
        ],
    );
    check_file(
        "log_bytes_max = \"1GB\"",
        &[
            r#"relay.toml:1: log_bytes_max = "1GB": must be a size such as "64KiB", "16MiB" or "1GiB", or a number of bytes"#,
        ],
    );
    check_file("log_bytes_max = 4096", &["relay.toml:1: log_bytes_max = 4096: must be a size from 16MiB to 1TiB"]);
    check_file(
        "log = \"inof\"\nlog_format = \"xml\"\nprofile = 2000-01-01",
        &[
            r#"relay.toml:1: log = "inof": must be one of "off", "error", "warn", "info", "debug", "trace"; did you mean "info"?"#,
            r#"relay.toml:2: log_format = "xml": must be one of "text", "json""#,
            r#"relay.toml:3: profile = 2000-01-01: must be one of "bitzoom", "binance""#,
        ],
    );
    check_file(
        "[limits]\nlifetime = \"10ms\"\nmessages_per_second = -1\nunproven_percent = 101\nsubscriptions_per_connection = 0",
        &[
            r#"relay.toml:2: limits.lifetime = "10ms": must be a duration from 1s to 720h, or "0s" for off"#,
            "relay.toml:3: limits.messages_per_second = -1: must be a number from 1 to 100000, or 0 for no limit",
            "relay.toml:4: limits.unproven_percent = 101: must be a number from 0 to 100",
            "relay.toml:5: limits.subscriptions_per_connection = 0: must be a number from 1 to 1024",
        ],
    );
}

#[test]
fn flags_and_variables_are_named_as_typed() {
    check_flags(
        "--shards 0 --drain 5 --listen x --echo=maybe --log loud",
        &[
            r#"--drain 5: must be a duration such as "250ms", "5s", "3m" or "1h"; 5 has no unit, did you mean "5s"?"#,
            "--echo=maybe: must be true or false",
            r#"--listen x: must be an address and a port, such as "127.0.0.1:8000" or "[::]:8000""#,
            r#"--log loud: must be one of "off", "error", "warn", "info", "debug", "trace""#,
            "--shards 0: must be a number from 1 to 62",
        ],
    );
    check_flags("--limit-loopback=no", &["--limit-loopback=no: must be true or false"]);
    let env = &[("RELAY_SHARDS", "many"), ("RELAY_ECHO", "1"), ("RELAY_UPSTREAM", "sim,okex")];
    let found = problems(&Start { env, ..Start::default() });
    assert_eq!(
        found,
        [
            "RELAY_ECHO=1: must be true or false",
            "RELAY_SHARDS=many: must be a number from 1 to 62",
            r#"RELAY_UPSTREAM=okex: must be one of "binance", "binance-usdm", "okx", "deriv", "bitzoom", "stream", "socketio", "rest", "sim", "replay"; did you mean "okx"?"#
        ]
    );
}

#[test]
fn unknown_keys_are_errors_with_a_guess() {
    check_file(
        "flush_intervall = \"5ms\"\nsomething = 1",
        &[
            r#"relay.toml:1: flush_intervall = "5ms": unknown key; did you mean flush_interval?"#,
            "relay.toml:2: something = 1: unknown key",
        ],
    );
    check_file(
        "ping_interval = \"5s\"\n[limits]\nlisten = \"x\"\n[edge]\norigin = []",
        &[
            r#"relay.toml:1: ping_interval = "5s": belongs in [limits]"#,
            r#"relay.toml:3: limits.listen = "x": belongs above the first section"#,
            "relay.toml:5: edge.origin = […]: unknown key; did you mean origins?",
        ],
    );
    check_file("[limit]\nhandshakes = 1", &["relay.toml:1: limit: unknown key; did you mean [limits]?"]);
    check_file(
        "[[upstreams]]\nkind = \"sim\"",
        &["relay.toml:1: upstreams = […]: unknown key; did you mean [[upstream]]?"],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\nsed = 1",
        &["relay.toml:3: upstream.sed = 1: unknown key; did you mean seed?"],
    );
}

#[test]
fn sections_have_their_shape() {
    check_file(
        "limits = 5\nedge = []\nupstream = \"sim\"",
        &[
            "relay.toml:1: limits = 5: must be a section, [limits]",
            "relay.toml:2: edge = […]: must be a section, [edge]",
            r#"relay.toml:3: upstream = "sim": must be a section for each upstream, [[upstream]] in double brackets"#,
        ],
    );
    check_file(
        "[upstream]\nkind = \"sim\"",
        &["relay.toml:1: upstream: must be a section for each upstream, [[upstream]] in double brackets"],
    );
    check_file(
        "upstream = [1]",
        &["relay.toml:1: upstream = 1: must be a section for each upstream, [[upstream]] in double brackets"],
    );
    check_file(
        "[edge]\norigins = \"https://a.example\"",
        &[r#"relay.toml:2: edge.origins = "https://a.example": must be a list, such as ["a", "b"]"#],
    );
}

#[test]
fn items_of_a_list_are_judged_one_by_one() {
    let text = "[edge]\ntrusted_proxies = [\n  \"10.0.0.1/8\",\n  \"10.0.0.0/8\",\n  \"ten\",\n  7,\n]\norigins = [\"https://a.example/x\"]";
    check_file(
        text,
        &[
            r#"relay.toml:3: edge.trusted_proxies = "10.0.0.1/8": must be a network without bits beyond its prefix; did you mean "10.0.0.0/8"?"#,
            r#"relay.toml:5: edge.trusted_proxies = "ten": must be a network such as "10.0.0.0/8" or "fd00::/8", or an address"#,
            "relay.toml:6: edge.trusted_proxies = 7: must be text in quotes",
            r#"relay.toml:8: edge.origins = "https://a.example/x": must be an origin such as "https://app.example.com", without a path"#,
        ],
    );
}

#[test]
fn values_must_go_together() {
    check_file(
        "listen = \"127.0.0.1:8001\"",
        &[
            r#"relay.toml:1: listen = "127.0.0.1:8001": listen and admin are both 127.0.0.1:8001; they need an address each"#,
        ],
    );
    check_flags(
        "--listen 127.0.0.1:9 --admin 127.0.0.1:9",
        &["--admin 127.0.0.1:9: listen and admin are both 127.0.0.1:9; they need an address each"],
    );
    check_file(
        "[limits]\nping_interval = \"15m\"",
        &[
            r#"relay.toml:2: limits.ping_interval = "15m": pong_timeout (10m) must be longer than ping_interval (15m), or every client is closed; profile bitzoom sets what you leave out"#,
        ],
    );
    check_file(
        "profile = \"binance\"\n[limits]\npong_timeout = \"20s\"",
        &[
            r#"relay.toml:3: limits.pong_timeout = "20s": pong_timeout (20s) must be longer than ping_interval (20s), or every client is closed; profile binance sets what you leave out"#,
        ],
    );
    check_file(
        "[limits]\nhandshakes = 4",
        &["relay.toml:2: limits.handshakes = 4: handshakes_per_ip (8) must not exceed handshakes (4)"],
    );
    check_file(
        "[edge]\ntrusted_header = \"X-Forwarded-For\"",
        &[
            r#"relay.toml:2: edge.trusted_header = "X-Forwarded-For": trusted_header needs trusted_proxies, such as ["10.0.0.0/8"]: else anybody could claim any address"#,
        ],
    );
    check_file(
        "[edge]\nproxy_protocol = true\ntrusted_proxies = []",
        &[
            r#"relay.toml:2: edge.proxy_protocol = true: proxy_protocol needs trusted_proxies, such as ["10.0.0.0/8"]: else anybody could claim any address"#,
        ],
    );
    check_file(
        "[edge]\ntrusted_header = \"X-Real-IP\"\nproxy_protocol = true\ntrusted_proxies = [\"::1\"]",
        &[
            "relay.toml:3: edge.proxy_protocol = true: trusted_header and proxy_protocol exclude each other: our proxies name the client in one way",
        ],
    );
}

#[test]
fn a_wrong_value_is_not_blamed_twice() {
    check_file(
        "[limits]\nping_interval = \"15m\"\npong_timeout = \"never\"",
        &[r#"relay.toml:3: limits.pong_timeout = "never": must be a duration such as "250ms", "5s", "3m" or "1h""#],
    );
    check_file(
        "[edge]\ntrusted_header = \"X-Real-IP\"\ntrusted_proxies = [\"ten\"]",
        &[
            r#"relay.toml:3: edge.trusted_proxies = "ten": must be a network such as "10.0.0.0/8" or "fd00::/8", or an address"#,
        ],
    );
}

#[test]
fn hidden_lines_are_judged_as_well() {
    let start = Start {
        flags: "--config relay.toml --shards 2 --upstream sim",
        env: &[],
        file: "shards = 0\n[[upstream]]\nkind = \"x\"",
    };
    assert_eq!(
        problems(&start),
        [
            "relay.toml:1: shards = 0: must be a number from 1 to 62",
            r#"relay.toml:3: upstream.kind = "x": must be one of "binance", "binance-usdm", "okx", "deriv", "bitzoom", "stream", "socketio", "rest", "sim", "replay""#
        ]
    );
}

#[test]
fn a_file_that_is_not_toml_gives_every_error_of_its_syntax() {
    check_file(
        "listen = \nshards = 2 2\n[limits\n",
        &[
            "relay.toml:1: not TOML: string values must be quoted, expected literal string",
            "relay.toml:2: not TOML: string values must be quoted, expected literal string",
            "relay.toml:3: not TOML: unclosed table, expected `]`",
        ],
    );
    check_file("shards = 1\nshards = 2", &["relay.toml:2: not TOML: duplicate key"]);
    let start = Start { flags: "--config other.toml --shards 0", ..Start::default() };
    assert_eq!(
        problems(&start),
        ["other.toml: cannot be read: no such file", "--shards 0: must be a number from 1 to 62"]
    );
}

#[test]
fn all_problems_come_in_order() {
    let env = &[("RELAY_DRAIN", "1")];
    let start = Start { flags: "--config relay.toml --shards 0", env, file: "[limits]\nkeepalive = 1\n[edge]\nx = 1" };
    let (text, _) = start.printed();
    let expected = r#"relay: 4 problems in the configuration
  relay.toml:2: limits.keepalive = 1: must be a duration such as "250ms", "5s", "3m" or "1h"; 1 has no unit, did you mean "1s"?
  relay.toml:4: edge.x = 1: unknown key
  RELAY_DRAIN=1: must be a duration such as "250ms", "5s", "3m" or "1h"; 1 has no unit, did you mean "1s"?
  --shards 0: must be a number from 1 to 62
hint: `relay --help` describes every flag and key
"#;
    assert_eq!(text, expected);
}

#[test]
fn a_wrong_flag_gets_a_hint() {
    let check = |line, expected: &[&str]| {
        let (text, exit_code) = flags(line).printed();
        assert_eq!(exit_code, 2, "{text}");
        for part in expected {
            assert!(text.contains(part), "{line}: lacks {part}:\n{text}");
        }
    };
    check("--lisen 127.0.0.1:1", &["'--lisen'", "'--listen'", "--help"]);
    check("--shards", &["--shards <COUNT>", "--help"]);
    check("--shards 1 --shards 2", &["cannot be used multiple times"]);
    check("chek", &["'check'"]);
    check("--shards 1 check", &["cannot be used with"]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_judged_without_a_panic(
        text in ".{0,80}",
        value in "[\\[\\]a-z0-9:/.@*\"= -]{0,30}",
        kind in proptest::sample::select(Kind::ALL.to_vec()),
        keys in proptest::sample::subsequence(keys_of(SectionName::Upstream).skip(1).collect::<Vec<_>>(), 0..9),
    ) {
        let value = value.replace('"', "");
        let keys: String = keys.iter().map(|key| format!("{key} = \"{value}\"\n")).collect();
        file(&format!("[[upstream]]\nkind = \"{}\"\n{keys}", kind.name())).outcome();
        // The second file is TOML more often than not.
        for text in [text, format!("listen = \"{value}\"\n[[upstream]]\nkind = \"stream\"\nurl = \"ws://{value}\"")] {
            file(&text).outcome();
        }
        Start { env: &[("RELAY_UPSTREAM", &value), ("RELAY_DRAIN", &value)], ..Start::default() }.outcome();
    }
}
