//! A tape on disks that take it all, take nothing, or take it again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::files::Files;
use super::format::{Kind, Origin, Record};
use super::list::Summary;
use super::reader::{Read, Reader, Span, expand};
use super::tape::{Bounds, Tape};
use super::writer::{Recording, Settings};
use crate::access::pattern::Pattern;
use crate::metrics::RecordCounters;
use crate::net::clock::Clock;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-20T16:53:01Z
const START: u64 = 1_795_193_581 * SECOND;

const BOUNDS: Bounds = Bounds { file_bytes: 1 << 20, file_age_ns: 3600 * SECOND, disk_bytes_max: 2 << 20, sync: false };

fn origin(name: &str) -> Origin {
    Origin { name: name.into(), kind: "stream".into(), url: format!("ws://{name}/ws"), symbols: Vec::new() }
}

fn tape(directory: &Path, bounds: Bounds) -> Tape {
    Tape::new(bounds, Files::open(directory, "test").unwrap(), vec![origin("a"), origin("b")]).unwrap()
}

fn put(tape: &mut Tape, kind: Kind, body: &[u8], at_ns: u64) {
    tape.push(&Record { at_ns, upstream: 1, connection: 2, kind, body }, at_ns);
}

/// Kinds and bodies of all records, and how often a file began.
fn all(paths: &[PathBuf], span: Span) -> (Vec<(Kind, String)>, usize) {
    let mut reader = Reader::new(paths, span).unwrap();
    let (mut records, mut files) = (Vec::new(), 0);
    while let Some(read) = reader.read().unwrap() {
        match read {
            Read::File { .. } => files += 1,
            Read::Damaged { path, .. } => panic!("{path:?} is damaged"),
            Read::Block(mut block) => {
                while let Some(record) = block.next_record() {
                    if span.has(record.at_ns) {
                        records.push((record.kind, String::from_utf8_lossy(record.body).into_owned()));
                    }
                }
            }
        }
    }
    (records, files)
}

/// A message that cannot be compressed.
fn noise(seed: u64) -> Vec<u8> {
    use rand::{RngExt as _, SeedableRng as _};
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    (0..10_000).map(|_| random.random()).collect()
}

#[test]
fn files_end_by_their_age_and_begin_with_what_stands() {
    let directory = tempfile::tempdir().unwrap();
    let mut tape = tape(directory.path(), Bounds { file_age_ns: 60 * SECOND, ..BOUNDS });
    put(&mut tape, Kind::Connected, b"1", START);
    put(&mut tape, Kind::Asked, b"7 b@trade a@trade", START);
    put(&mut tape, Kind::Frame, b"one", START + SECOND);
    put(&mut tape, Kind::Ended, b"8 b@trade", START + SECOND);
    tape.flush(START + 2 * SECOND);
    put(&mut tape, Kind::Frame, b"two", START + 70 * SECOND);
    put(&mut tape, Kind::Lost, b"gone", START + 71 * SECOND);
    tape.flush(START + 72 * SECOND);
    tape.end_if_over(START + 131 * SECOND);
    put(&mut tape, Kind::Frame, b"three", START + 200 * SECOND);
    tape.end(START + 201 * SECOND);
    let paths = expand(directory.path()).unwrap();
    assert!(paths[0].ends_with("test-20261120T165301Z-000.rec"), "{paths:?}");
    let text = |kind, body: &str| (kind, body.to_owned());
    let (records, files) = all(&paths, Span::ALL);
    let expected = [
        text(Kind::Connected, "1"),
        text(Kind::Asked, "7 b@trade a@trade"),
        text(Kind::Frame, "one"),
        text(Kind::Ended, "8 b@trade"),
        text(Kind::Standing, "1 a@trade"),
        text(Kind::Frame, "two"),
        text(Kind::Lost, "gone"),
        text(Kind::Frame, "three"),
    ];
    assert_eq!((records, files), (expected.to_vec(), 3));
    let span = Span { from_ns: START + SECOND, to_ns: START + 70 * SECOND };
    let (records, _) = all(&paths, span);
    assert_eq!(records, expected[2..6], "both ends of a span belong to it");
    assert_eq!(tape.counts().lost, 0);
}

#[test]
fn the_disk_budget_deletes_the_oldest() {
    let directory = tempfile::tempdir().unwrap();
    let mut tape = tape(directory.path(), BOUNDS);
    for number in 0..1000 {
        put(&mut tape, Kind::Frame, &noise(number), START + number * SECOND);
    }
    tape.end(START + 1000 * SECOND);
    let paths = expand(directory.path()).unwrap();
    let bytes: u64 = paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    // A file ends with the block that fills it.
    assert!(bytes <= BOUNDS.disk_bytes_max + (1 << 19), "{bytes}");
    let counts = tape.counts();
    assert_eq!((counts.disk_bytes, counts.lost, counts.errors), (bytes, 0, 0));
    assert!(counts.deleted > 0 && counts.deleted + paths.len() as u64 == counts.files, "{counts:?}");
    let last = Summary::of(paths.last().unwrap()).unwrap();
    assert_eq!(last.span_ns.unwrap().1, START + 999 * SECOND, "the newest are kept");
}

/// A disk that is full is tried again each second; the recording tells what it lacks.
#[test]
fn a_full_disk_costs_what_comes_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let is_full = Arc::new(AtomicBool::new(true));
    let mut files = Files::open(directory.path(), "test").unwrap();
    let full = is_full.clone();
    files.set_create(Box::new(move |path| match full.load(Relaxed) {
        true => File::options().write(true).open("/dev/full"),
        false => File::create_new(path),
    }));
    let mut tape = Tape::new(BOUNDS, files, vec![origin("a"), origin("b")]).unwrap();
    put(&mut tape, Kind::Connected, b"0", START);
    for number in 0..10 {
        put(&mut tape, Kind::Frame, b"lost", START + number * SECOND / 2);
    }
    assert_eq!((tape.counts().lost, tape.counts().files), (11, 0));
    // Every second, not each time: at 0, 1, 2, 3 and 4 s.
    assert_eq!(tape.counts().errors, 5);
    is_full.store(false, Relaxed);
    put(&mut tape, Kind::Frame, b"kept", START + 10 * SECOND);
    tape.end(START + 11 * SECOND);
    let (records, _) = all(&expand(directory.path()).unwrap(), Span::ALL);
    let text = |kind, body: &str| (kind, body.to_owned());
    assert_eq!(records, [text(Kind::Standing, "0"), text(Kind::Missed, "11"), text(Kind::Frame, "kept")]);
}

/// The recorder's thread: what is handed over is on the disk at the end, only the wanted streams, with their times.
#[test]
fn what_is_handed_over_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, counters) = (Clock::new(), Arc::new(RecordCounters::default()));
    let settings = Settings {
        directory: directory.path().into(),
        name: "test".into(),
        bounds: BOUNDS,
        origins: vec![origin("a")],
        streams: vec![Pattern::parse("*@trade").unwrap()],
    };
    let before_ns = clock.calendar_ns();
    let recording = Recording::start(settings, clock, counters.clone()).unwrap();
    let recorder = recording.recorder(0);
    recorder.connected(3, 0);
    let data = |stream: &str, number: u32| format!(r#"{{"stream":"{stream}","data":{{"n":{number}}}}}"#);
    for number in 0..100 {
        recorder.frame(3, data("btcusdt@trade", number).as_bytes(), clock.now_ns());
        recorder.frame(3, data("btcusdt@ticker", number).as_bytes(), clock.now_ns());
    }
    recorder.frame(3, br#"{"result":null,"id":1}"#, clock.now_ns());
    recorder.lost(3, "gone");
    recording.finish();
    let paths = expand(directory.path()).unwrap();
    let summary = Summary::of(&paths[0]).unwrap();
    assert!(summary.condition.is_complete);
    let trades = summary.streams.iter().map(|((_, stream), amount)| (stream.as_str(), amount.count));
    assert_eq!(trades.collect::<Vec<_>>(), [("btcusdt@trade", 100)]);
    let tally = summary.upstreams[0];
    assert_eq!((tally.connects, tally.losses, tally.without_stream), (1, 1, 1));
    let (first, last) = summary.span_ns.unwrap();
    assert!(before_ns <= first + 1000 && first <= last && last <= clock.calendar_ns() + 1000);
    assert_eq!(counters.records.get(), 103);
    assert!(summary.text(&paths[0]).contains("btcusdt@trade"));
    let json: serde_json::Value = serde_json::from_str(&summary.json(&paths[0])).unwrap();
    assert_eq!(json["upstreams"][0]["streams"][0]["messages"], 100);
    assert_eq!(json["complete"], true);
}

/// A reader that begins in the middle reads from the last block that tells what stands, and no further back.
#[test]
fn a_part_begins_with_what_stands() {
    let directory = tempfile::tempdir().unwrap();
    let mut tape = tape(directory.path(), BOUNDS);
    put(&mut tape, Kind::Connected, b"0", START);
    put(&mut tape, Kind::Asked, b"1 a@trade", START);
    for number in 0..100 {
        put(&mut tape, Kind::Frame, b"frame", START + number * SECOND);
        tape.flush(START + number * SECOND);
    }
    tape.end(START + 100 * SECOND);
    let mut reader =
        Reader::new(&expand(directory.path()).unwrap(), Span { from_ns: START + 70 * SECOND, ..Span::ALL }).unwrap();
    let mut records = Vec::new();
    while let Some(read) = reader.read().unwrap() {
        let Read::Block(mut block) = read else { continue };
        while let Some(record) = block.next_record() {
            records.push((record.kind, (record.at_ns - START) / SECOND));
        }
    }
    // The blocks 0, 32, 64 and 96 begin with it, and so does what is read.
    assert_eq!(records[..2], [(Kind::Standing, 64), (Kind::Frame, 64)]);
    assert_eq!(records.iter().filter(|(kind, _)| *kind == Kind::Frame).count(), 36);
    assert_eq!(records.iter().filter(|(kind, _)| *kind == Kind::Standing).count(), 2);
}
