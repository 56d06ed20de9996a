//! What a recording says about itself, before it is played.

use super::*;
use crate::record::block::{HEAD_BYTES, MARK};
use crate::record::files::Files;
use crate::record::tape::{Bounds, Tape};

fn origin(kind: &str, url: &str) -> Origin {
    Origin { name: "a".into(), kind: kind.into(), url: url.into(), symbols: Vec::new() }
}

fn recorded(kind: &str, url: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let header = Header { created_ns: 1, upstreams: vec![origin(kind, url)] };
    std::fs::write(file.path(), header.encode()).unwrap();
    file
}

/// A recording of several venues, by the numbers of which its records are.
fn tape(kinds: &[&str], records: &[(u32, Kind, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let bounds = Bounds { file_bytes: 1 << 20, file_age_ns: u64::MAX, disk_bytes_max: 1 << 21, sync: false };
    let origins = kinds.iter().map(|kind| origin(kind, "")).collect();
    let mut tape = Tape::new(bounds, Files::open(directory.path(), "test").unwrap(), origins).unwrap();
    for (upstream, kind, body) in records {
        let record = Record { at_ns: 1, upstream: *upstream, connection: 0, kind: *kind, body: body.as_bytes() };
        tape.push(&record, 1);
    }
    tape.end(2);
    directory
}

fn check_has(tape: &tempfile::TempDir, yes: &[&str], no: &[&str]) {
    let has = has(tape.path()).unwrap();
    yes.iter().for_each(|name| assert!(has(name), "{name}"));
    no.iter().for_each(|name| assert!(!has(name), "{name}"));
}

/// Each venue has what it was asked for, not what it could have had: the rest is derived, as it was then.
#[test]
fn a_replay_has_what_was_recorded() {
    let records = [
        (0, Kind::Connected, "0"),
        (0, Kind::Asked, "1 btcusdt@trade btcusdt@depth20@100ms"),
        (0, Kind::Frame, "{}"),
        (1, Kind::Connected, "0"),
        (1, Kind::Asked, "1 ethusdt@book"),
        (1, Kind::Ended, "2 ethusdt@book"),
        (1, Kind::Frame, "{}"),
    ];
    let yes = ["btcusdt@trade", "btcusdt@depth20@100ms", "ethusdt@book"];
    let no = ["ethusdt@depth20@100ms", "ethusdt@trade", "btcusdt@book", "btcusdt@ticker"];
    check_has(&tape(&["binance", "okx"], &records), &yes, &no);
    let asked = [(0, Kind::Asked, "1 r_100@tick btcusdt@trade")];
    check_has(&tape(&["deriv"], &asked), &["r_100@tick"], &["btcusdt@trade"]);
    let connected = [(0, Kind::Connected, "0")];
    check_has(&tape(&["stream"], &connected), &[], &["btcusdt@trade"]);
}

/// Where the names are not known, a replay has what its venues have.
#[test]
fn a_replay_may_have_what_is_not_known() {
    let (yes, no) = (["btcusdt@trade", "ethusdt@depth20"], ["r_100@tick"]);
    check_has(&tape(&["binance"], &[(0, Kind::Frame, "{}")]), &yes, &no);
    let missed = [(0, Kind::Asked, "1 btcusdt@trade"), (0, Kind::Missed, "3")];
    check_has(&tape(&["binance"], &missed), &yes, &no);
    let directory = tape(&["binance"], &[(0, Kind::Asked, "1 btcusdt@trade")]);
    check_has(&directory, &yes[..1], &yes[1..]);
    let path = &expand(directory.path()).unwrap()[0];
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(4).position(|mark| mark == MARK).unwrap() + HEAD_BYTES;
    bytes[at] ^= 0xff;
    std::fs::write(path, bytes).unwrap();
    check_has(&directory, &yes, &no);
}

#[test]
fn numbers_are_those_of_the_venue() {
    let check = |kind: &str, url: &str, expected| {
        let file = recorded(kind, url);
        let (begin, repeat) = (Begin::AtOnce, false);
        let (from_ms, to_ms, speed) = (None, None, Speed::Max);
        let source = Source::Replay { file: file.path().into(), speed, from_ms, to_ms, begin, repeat };
        assert_eq!(settings(&source).unwrap().numbers, expected, "{kind} {url}");
    };
    check("stream", "wss://fstream.binance.com:443/ws", Numbers::Sparse);
    check("stream", "wss://stream.binance.com:9443/ws", Numbers::Dense);
    check("binance-usdm", "wss://a", Numbers::Sparse);
    check("binance", "wss://fstream.binance.com", Numbers::Dense);
}
