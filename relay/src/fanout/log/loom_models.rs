//! The log under every interleaving of its writer and a reader. Loom follows each byte, so a torn or an early read
//! fails by itself.

use super::{Appender, Budget, Cursor, Lagged, Log, Seq, log};
use crate::fanout::kind::Kind;
use loom::thread;
use std::{ops::Range, sync::Arc};

/// The first fills a segment, two share the next, the last opens a third.
const FRAMES: [&[u8]; 4] = [b"a", b"", b"bc", b"d"];

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(5);
    builder.check(model);
}

fn new_log(kind: Kind) -> (Appender, Arc<Log>) {
    log(kind, Arc::new(Budget::new(1 << 20)))
}

fn append(appender: &mut Appender, seqs: Range<usize>) {
    for seq in seqs {
        let appended = appender.append(FRAMES[seq], seq as u64);
        assert_eq!(appended, seq as Seq);
    }
}

/// Reads on until caught up; every frame must be the one of its seq, and in order.
fn read_on(cursor: &mut Cursor) {
    let mut expected = cursor.position();
    while let Some(record) = cursor.next() {
        assert_eq!(record.seq, expected);
        assert_eq!(record.stamp_ns, expected);
        assert_eq!(record.payload, FRAMES[expected as usize]);
        expected += 1;
    }
    assert_eq!(cursor.position(), expected);
}

#[test]
fn a_reader_reads_every_frame_once_and_in_order() {
    explore(|| {
        let (mut appender, log) = new_log(Kind::State);
        let writer = thread::spawn(move || append(&mut appender, 0..3));
        let mut cursor = log.cursor(0).expect("nothing is trimmed");
        read_on(&mut cursor);
        let seen = cursor.position();
        assert!(log.head() >= seen, "the head is behind what was read");
        writer.join().expect("the writer does not panic");
        read_on(&mut cursor);
        assert_eq!((cursor.position(), log.head()), (3, 3));
    });
}

#[test]
fn a_reader_that_is_caught_up_does_not_skip_the_end_of_a_segment() {
    explore(|| {
        let (mut appender, log) = new_log(Kind::State);
        append(&mut appender, 0..2);
        let mut cursor = log.cursor(0).expect("nothing is trimmed");
        read_on(&mut cursor);
        let writer = thread::spawn(move || append(&mut appender, 2..4));
        read_on(&mut cursor);
        writer.join().expect("the writer does not panic");
        read_on(&mut cursor);
        assert_eq!(cursor.position(), 4);
    });
}

#[test]
fn what_the_head_promises_can_be_read() {
    explore(|| {
        let (mut appender, log) = new_log(Kind::State);
        let writer = thread::spawn(move || append(&mut appender, 0..3));
        for _ in 0..2 {
            let head = log.head();
            let mut cursor = log.cursor(head.saturating_sub(1)).expect("nothing is trimmed");
            read_on(&mut cursor);
            assert!(cursor.position() >= head);
        }
        writer.join().expect("the writer does not panic");
    });
}

#[test]
fn while_the_writer_trims_a_frame_is_read_or_counted_as_missed() {
    explore(|| {
        let (mut appender, log) = new_log(Kind::State);
        let writer = thread::spawn(move || {
            appender.append(FRAMES[0], 0);
            appender.append(FRAMES[1], 1);
            // Replaces what there is by a copy of the newest, then every frame drops the one before.
            appender.set_unwatched(true);
            appender.append(FRAMES[2], 2);
        });
        let mut position = 0;
        let mut read = || {
            let mut cursor = match log.cursor(position) {
                Ok(cursor) => cursor,
                Err(Lagged { oldest }) => {
                    assert!(oldest > position);
                    // It may be trimmed again meanwhile.
                    log.cursor(oldest).or_else(|lagged| log.cursor(lagged.oldest)).ok()?
                }
            };
            read_on(&mut cursor);
            position = cursor.position();
            Some(position)
        };
        read();
        writer.join().expect("the writer does not panic");
        assert_eq!(read(), Some(3));
        assert_eq!(log.oldest(), 2);
    });
}

#[test]
fn a_cursor_reads_across_what_is_trimmed_behind_it() {
    explore(|| {
        let (mut appender, log) = new_log(Kind::State);
        appender.append(FRAMES[0], 0);
        let mut cursor = log.cursor(0).expect("nothing is trimmed");
        let writer = thread::spawn(move || {
            appender.append(FRAMES[1], 1);
            appender.set_unwatched(true);
            appender.append(FRAMES[2], 2);
        });
        read_on(&mut cursor);
        writer.join().expect("the writer does not panic");
        read_on(&mut cursor);
        assert_eq!(cursor.position(), 3);
    });
}

#[test]
fn every_closed_candle_below_the_head_is_visited() {
    explore(|| {
        let (mut appender, log) = new_log(Kind::Kline);
        let writer = thread::spawn(move || {
            appender.append_closed(FRAMES[0], 0);
            appender.append(FRAMES[1], 1);
            appender.append_closed(FRAMES[2], 2);
        });
        let mut visited = Vec::new();
        let head = log.head();
        let complete = log
            .closed_since(0, &mut |seq, payload| {
                assert_eq!(payload, FRAMES[seq as usize]);
                visited.push(seq);
            })
            .expect("nothing is trimmed");
        assert!(complete >= head);
        let expected: Vec<Seq> = (0..complete).filter(|seq| seq % 2 == 0).collect();
        assert_eq!(visited, expected);
        writer.join().expect("the writer does not panic");
    });
}

#[test]
fn a_new_subscriber_gets_no_frame_of_an_ended_epoch() {
    explore(|| {
        let (mut appender, log) = new_log(Kind::State);
        let writer = thread::spawn(move || {
            appender.append(FRAMES[0], 0);
            appender.end_epoch();
            appender.append(FRAMES[1], 1);
        });
        let started = log.epoch_start();
        let position = log.subscribe_position();
        assert!(position >= started);
        let mut cursor = log.cursor(position).expect("nothing is trimmed");
        read_on(&mut cursor);
        writer.join().expect("the writer does not panic");
        assert_eq!(log.subscribe_position(), 1);
    });
}
