//! `[record]`, `relay record`, and upstreams that are recordings.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Begin, Config, ListCommand, Outcome, Record, Source, Speed};
use super::errors::{check_file, check_flags};
use super::{Start, file, flags};

const VENUE: &str =
    "[[upstream]]\nkind = \"stream\"\nurl = \"ws://a/ws\"\nname = \"a\"\nalways = [\"btcusdt@trade\"]\n";

fn recorded(flags: &str, text: &str) -> (Config, Option<Duration>) {
    let flags = format!("record --config relay.toml {flags}");
    match (Start { flags: &flags, file: text, ..Start::default() }).outcome() {
        Outcome::Record { config, time } => (*config, time),
        other => panic!("does not record: {other:?}"),
    }
}

#[test]
fn a_directory_is_enough() {
    assert_eq!(flags("").config().record, None);
    assert_eq!(file("[record]").config().record, None);
    let config = file(&format!("{VENUE}[record]\ndirectory = \"d\"")).config();
    let record = Record {
        directory: "d".into(),
        name: "relay".into(),
        file_bytes: 256 << 20,
        file_age: Duration::from_secs(3600),
        disk_bytes_max: 10 << 30,
        upstreams: vec!["a".into()],
        streams: Vec::new(),
        sync: false,
    };
    assert_eq!(config.record, Some(record));
    assert!(config.shards > 0, "clients are served as well");
}

#[test]
fn a_recorder_serves_nobody() {
    let (config, time) = recorded("--directory d --for 10m", VENUE);
    assert_eq!((config.shards, config.upstream_threads, time), (0, 1, Some(Duration::from_secs(600))));
    assert_eq!(config.record.unwrap().directory, PathBuf::from("d"));
    let (config, time) = recorded("--directory d", &format!("{VENUE}[record]\ndirectory = \"e\"\nname = \"n\""));
    let record = config.record.unwrap();
    assert_eq!((record.directory, record.name.as_str(), time), (PathBuf::from("d"), "n", None));
}

#[test]
fn what_cannot_be_recorded_is_said() {
    check_file(
        "[record]\nname = \"a b\"",
        &[
            "relay.toml: record.directory: is missing: where recordings are written; `relay record` takes --directory as well",
            r#"relay.toml:2: record.name = "a b": must be 1 to 64 letters, digits, ".", "_" or "-""#,
        ],
    );
    check_file(
        "[record]\ndirectory = \"d\"\nfile_bytes = \"1GiB\"\ndisk_bytes_max = \"1GiB\"\nstreams = []\nupstreams = [\"b\"]",
        &[
            "relay.toml:4: record.disk_bytes_max = \"1GiB\": disk_bytes_max must be at least twice file_bytes: the file that is written and one before it",
            "relay.toml:5: record.streams = […]: must be at least one pattern; [\"*\"] is every stream",
            "relay.toml:6: record.upstreams = […]: there is no upstream \"b\"",
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\n[record]\ndirectory = \"d\"\nupstreams = [\"sim\"]",
        &["relay.toml:5: record.upstreams = […]: upstream \"sim\" is of kind \"sim\", which is not recorded"],
    );
    check_flags(
        "record --directory d",
        &[": nothing to record: no upstream is a venue (the built-in one repeats itself with its seed)"],
    );
    check_flags(
        "record --directory d --upstream stream=ws://a/ws",
        &[": nothing to record: no upstream has streams in `always`, and there are no clients to want any"],
    );
}

#[test]
fn recordings_are_listed() {
    let list = |line: &str| match flags(line).outcome() {
        Outcome::List(command) => command,
        other => panic!("lists nothing: {other:?}"),
    };
    let files = vec![PathBuf::from("a.rec"), PathBuf::from("b")];
    assert_eq!(list("record --list a.rec b --json"), ListCommand { files: files.clone(), json: true });
    assert_eq!(list("record --list a.rec --list b"), ListCommand { files, json: false });
    for wrong in ["record --json", "record --list", "record --list a --for 1s", "record --for 5", "record --listen a"] {
        assert_eq!(flags(wrong).printed().1, 2, "{wrong}");
    }
}

#[test]
fn a_recording_is_an_upstream() {
    let replay = |more: &str| {
        let config = file(&format!("[[upstream]]\nkind = \"replay\"\nfile = \"d\"\n{more}")).config();
        assert_eq!((config.upstreams[0].name.as_str(), config.upstreams[0].kind()), ("replay", "replay"));
        config.upstreams[0].source.clone()
    };
    let usual = Source::Replay {
        file: "d".into(),
        speed: Speed::Times(1),
        from_ms: None,
        to_ms: None,
        begin: Begin::OnDemand,
        repeat: false,
    };
    assert_eq!(replay(""), usual);
    let all = replay(
        "speed = \"max\"\nfrom = \"1970-01-01T00:00:01Z\"\nto = 1970-01-01T01:00:02.5+01:00\nstart = \"at once\"\nrepeat = true",
    );
    let expected = Source::Replay {
        file: "d".into(),
        speed: Speed::Max,
        from_ms: Some(1000),
        to_ms: Some(2500),
        begin: Begin::AtOnce,
        repeat: true,
    };
    assert_eq!(all, expected);
}

#[test]
fn replays_say_what_they_lack() {
    check_file(
        "[[upstream]]\nkind = \"replay\"\nurl = \"ws://a/\"\nspeed = \"0x\"\nfrom = \"yesterday\"\nstart = \"now\"",
        &[
            "relay.toml:1: upstream.file: is missing: what `relay record` wrote, a file or a directory",
            r#"relay.toml:3: upstream.url = "ws://a/": url is not for kind "replay""#,
            r#"relay.toml:4: upstream.speed = "0x": must be "1x", "10x" and so on up to "1000x", or "max""#,
            r#"relay.toml:5: upstream.from = "yesterday": must be a time since 1970 with its offset, such as "2026-11-20T16:00:00Z" or "2026-11-20T17:00:00+01:00""#,
            r#"relay.toml:6: upstream.start = "now": must be one of "on demand", "at once""#,
        ],
    );
    check_file(
        "[[upstream]]\nkind = \"replay\"\nfile = \"d\"\nfrom = \"2026-01-01T00:00:00Z\"\nto = \"2026-01-01T00:00:00Z\"",
        &[r#"relay.toml:5: upstream.to = "2026-01-01T00:00:00Z": must be later than from"#],
    );
    check_file(
        "[[upstream]]\nkind = \"sim\"\nspeed = \"1x\"",
        &[r#"relay.toml:3: upstream.speed = "1x": speed is not for kind "sim", only for "replay""#],
    );
}
