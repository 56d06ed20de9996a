//! Tables of the retention rules, the arithmetic of memory, and threads at full speed.

mod properties;

use super::*;
use crate::limits::{EVENT_BYTES_KEPT, EVENT_FRAMES_KEPT, EVENT_HORIZON_MS, STATE_FRAMES_KEPT};

const SECOND_NS: u64 = 1_000_000_000;

fn new_log(kind: Kind) -> (Appender, Arc<Log>) {
    log(kind, Arc::new(Budget::new(1 << 30)))
}

fn append_many(appender: &mut Appender, count: u64, bytes: usize, stamp_ns: u64) {
    for _ in 0..count {
        appender.append(&vec![7; bytes], stamp_ns);
    }
}

fn read_all(log: &Log, position: Seq) -> Vec<(Seq, Vec<u8>)> {
    let mut cursor = log.cursor(position).expect("the position is readable");
    let mut frames = Vec::new();
    while let Some(record) = cursor.next() {
        frames.push((record.seq, record.payload.to_vec()));
    }
    frames
}

/// The frames kept after `appended` frames of `bytes` at time 0 and one more at `last_stamp_ns`.
fn kept(kind: Kind, appended: u64, bytes: usize, last_stamp_ns: u64) -> u64 {
    let (mut appender, log) = new_log(kind);
    append_many(&mut appender, appended, bytes, 0);
    append_many(&mut appender, 1, bytes, last_stamp_ns);
    appender.trim(last_stamp_ns);
    assert_eq!(log.head(), appended + 1);
    assert_eq!(log.cursor(log.oldest()).map(|cursor| cursor.position()).ok(), Some(log.oldest()));
    log.head() - log.oldest()
}

#[test]
fn the_log_of_one_frame_costs_at_most_512_bytes() {
    for kind in [Kind::State, Kind::Kline, Kind::Event] {
        let (mut appender, log) = new_log(kind);
        appender.append(&[1; 200], 0);
        println!(
            "{kind:?}: {} bytes of heap, appender {}, cursor {}",
            log.heap_bytes(),
            size_of::<Appender>(),
            size_of::<Cursor>()
        );
        assert!(log.heap_bytes() <= 512);
    }
}

#[test]
fn an_empty_log_is_caught_up_at_its_head() {
    let (appender, log) = new_log(Kind::State);
    assert_eq!((log.head(), log.oldest(), log.subscribe_position()), (0, 0, 0));
    assert!(read_all(&log, 0).is_empty());
    assert!(!appender.newest_is(b""));
}

#[test]
fn a_state_log_keeps_the_newest_and_64_more() {
    for bytes in [0, 10, 200, 5_000, 100_000] {
        let kept = kept(Kind::State, 1_000, bytes, 0);
        // Of the oldest segment some frames may stay as well.
        let in_segment = (16 * 1024 / (bytes as u64 + 16)).max(1);
        let least = STATE_FRAMES_KEPT + 1;
        assert!((least..least + in_segment).contains(&kept), "{kept} of {bytes} bytes");
    }
    assert_eq!(kept(Kind::State, 20, 200, 100 * SECOND_NS), 21);
    assert_eq!(kept(Kind::Kline, 64, 100_000, 100 * SECOND_NS), 65);
}

#[test]
fn an_event_log_keeps_the_horizon_and_at_least_256_frames() {
    let horizon_ns = EVENT_HORIZON_MS * 1_000_000;
    assert_eq!(kept(Kind::Event, 10_000, 200, horizon_ns), 10_001);
    assert_eq!(kept(Kind::Event, 255, 100_000, horizon_ns + 1), 256);
    for bytes in [0, 200, 5_000, 100_000] {
        let kept = kept(Kind::Event, 10_000, bytes, horizon_ns + 1);
        let in_segment = (64 * 1024 / (bytes as u64 + 16)).max(1);
        assert!((EVENT_FRAMES_KEPT..EVENT_FRAMES_KEPT + in_segment).contains(&kept), "{kept} of {bytes} bytes");
    }
}

#[test]
fn an_event_log_keeps_its_bytes_within_the_limit_unless_256_frames_need_more() {
    let (mut appender, log) = new_log(Kind::Event);
    for _ in 0..2_500 {
        appender.append(&[0; 10_000], 0);
        assert!(log.heap_bytes() <= EVENT_BYTES_KEPT + 1024);
    }
    assert!(log.heap_bytes() > EVENT_BYTES_KEPT - 128 * 1024);

    let (mut appender, log) = new_log(Kind::Event);
    append_many(&mut appender, 300, 100_000, 0);
    assert_eq!(log.head() - log.oldest(), EVENT_FRAMES_KEPT);
}

#[test]
fn an_unwatched_log_keeps_its_newest_frame_in_a_segment_of_its_size() {
    for kind in [Kind::State, Kind::Kline, Kind::Event] {
        let (mut appender, log) = new_log(kind);
        append_many(&mut appender, 500, 200, 0);
        let mut behind = log.cursor(log.oldest()).expect("readable");
        let mut at_head = log.cursor(500).expect("readable");
        appender.set_unwatched(true);
        assert_eq!((log.oldest(), log.head()), (499, 500));
        assert!(log.heap_bytes() <= 512, "{}", log.heap_bytes());
        assert!(appender.newest_is(&[7; 200]));
        for seq in 500..600 {
            assert_eq!(appender.append(&[8; 200], 0), seq);
            assert_eq!(log.oldest(), seq);
            assert!(log.heap_bytes() <= 512);
        }
        appender.set_unwatched(false);
        append_many(&mut appender, 10, 200, 0);
        assert_eq!(log.oldest(), 599);

        // Cursors from before read on, the repeated frame once.
        let mut expected = behind.position();
        while let Some(record) = behind.next() {
            assert_eq!(record.seq, expected);
            expected += 1;
        }
        assert_eq!(expected, 610);
        assert_eq!(at_head.next().map(|record| record.seq), Some(500));
        assert_eq!(log.cursor(500).err(), Some(Lagged { oldest: 599 }));
    }
}

#[test]
fn above_the_budget_the_horizon_shrinks_and_comes_back() {
    let budget = Arc::new(Budget::new(1 << 20));
    let (mut appender, log) = log(Kind::Event, Arc::clone(&budget));
    append_many(&mut appender, 10_000, 200, SECOND_NS);
    assert!(budget.used() > budget.max());
    let mut sweeps = 0;
    while budget.used() > budget.max() {
        budget.adjust();
        appender.trim(2 * SECOND_NS);
        sweeps += 1;
    }
    // Halved from 10 s until below the age of one second.
    assert_eq!((sweeps, budget.horizon_ms()), (4, 625));
    assert!(log.head() - log.oldest() >= EVENT_FRAMES_KEPT);
    for _ in 0..20 {
        budget.adjust();
    }
    assert_eq!(budget.horizon_ms(), EVENT_HORIZON_MS);

    let full = Budget::new(0);
    full.take(1);
    (0..20).for_each(|_| full.adjust());
    assert_eq!(full.horizon_ms(), 0);
}

#[test]
fn a_new_subscriber_stands_before_the_last_value_of_the_epoch_and_at_the_head_of_events() {
    for (kind, behind) in [(Kind::State, 1), (Kind::Kline, 1), (Kind::Event, 0)] {
        let (mut appender, log) = new_log(kind);
        append_many(&mut appender, 5, 10, 0);
        assert_eq!(log.subscribe_position(), 5 - behind);
        appender.end_epoch();
        assert_eq!((log.epoch_start(), log.subscribe_position()), (5, 5));
        assert_eq!(read_all(&log, 2).len(), 3, "who was behind still reads");
        append_many(&mut appender, 1, 10, 0);
        assert_eq!(log.subscribe_position(), 6 - behind);
    }
}

#[test]
fn closed_candles_are_kept_apart_from_open_ones() {
    let (mut appender, log) = new_log(Kind::Kline);
    let closed_since = |position| {
        let mut seen = Vec::new();
        log.closed_since(position, &mut |seq, payload: &[u8]| {
            assert_eq!(payload, format!("closed {seq}").as_bytes());
            seen.push(seq);
        })
        .map(|complete| (seen, complete))
    };
    assert_eq!(closed_since(0), Ok((vec![], 0)));
    assert_eq!(log.closed_oldest(), None);
    for seq in 0..30_000 {
        if seq % 100 == 50 {
            appender.append_closed(format!("closed {seq}").as_bytes(), 0);
        } else {
            appender.append(&[1; 100], 0);
        }
    }
    // The open ones are trimmed by count, the closed ones stay by time.
    assert!(log.oldest() > 29_000);
    assert_eq!(log.closed_oldest(), Some(50));
    assert_eq!(closed_since(29_750), Ok((vec![29_750, 29_850, 29_950], 30_000)));
    assert_eq!(closed_since(29_951), Ok((vec![], 30_000)));
    assert_eq!(closed_since(0).map(|(seen, _)| seen.len()), Ok(300));

    appender.trim(100 * SECOND_NS);
    let oldest = log.closed_oldest().expect("256 are kept");
    assert!((50..=4_450).contains(&oldest), "{oldest}");
    appender.set_unwatched(true);
    assert_eq!(log.closed_oldest(), Some(29_950));
    assert!(closed_since(29_851).is_ok());
    assert_eq!(closed_since(29_850), Err(Lagged { oldest: 29_950 }));
}

#[test]
fn a_long_chain_is_dropped_without_recursion() {
    let budget = Arc::new(Budget::new(1 << 30));
    let (mut appender, log) = log(Kind::Event, Arc::clone(&budget));
    let cursor = log.cursor(0).expect("readable");
    appender.set_unwatched(true);
    append_many(&mut appender, 200_000, 0, 0);
    drop((appender, log));
    assert!(budget.used() > 200_000, "the cursor holds what follows it");
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(|| drop(cursor))
        .expect("threads can be spawned")
        .join()
        .expect("the stack suffices");
    assert_eq!(budget.used(), 0);
}

#[test]
fn four_readers_read_what_one_writer_writes() {
    const FRAMES: u64 = if cfg!(miri) { 2_000 } else { 200_000 };
    let frame = |seq: u64| vec![seq as u8; (seq * 31 % 300) as usize];
    for kind in [Kind::State, Kind::Event] {
        let (mut appender, log) = new_log(kind);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    let (mut position, mut read, mut missed) = (0, 0, 0);
                    while position < FRAMES {
                        let mut cursor = match log.cursor(position) {
                            Ok(cursor) => cursor,
                            Err(Lagged { oldest }) => {
                                missed += oldest - position;
                                position = oldest;
                                continue;
                            }
                        };
                        while let Some(record) = cursor.next() {
                            assert_eq!(record.seq, position);
                            assert_eq!(record.payload, frame(position));
                            position += 1;
                            read += 1;
                        }
                        assert!(log.head() >= position);
                        std::thread::yield_now();
                    }
                    assert_eq!(read + missed, FRAMES);
                });
            }
            for seq in 0..FRAMES {
                assert_eq!(appender.append(&frame(seq), seq * 1_000_000), seq);
            }
        });
    }
}

/// Not a test: `cargo test --release -p relay --lib append_costs -- --ignored --nocapture` prints the figures.
#[test]
#[ignore = "measures"]
fn append_costs() {
    const FRAMES: u64 = 4_000_000;
    let ns = |start: std::time::Instant| start.elapsed().as_nanos() as f64 / FRAMES as f64;
    for kind in [Kind::State, Kind::Event] {
        for is_unwatched in [false, true] {
            let (mut appender, log) = new_log(kind);
            appender.set_unwatched(is_unwatched);
            let start = std::time::Instant::now();
            for seq in 0..FRAMES {
                appender.append(&[1; 200], seq * 1_000);
            }
            println!("{kind:?}, unwatched {is_unwatched}: append {:.1} ns", ns(start));
            if kind == Kind::Event && !is_unwatched {
                let start = std::time::Instant::now();
                let mut cursor = log.cursor(log.oldest()).expect("readable");
                let mut count = 0;
                while let Some(record) = cursor.next() {
                    count += u64::from(std::hint::black_box(record.payload)[0]);
                }
                println!("read {:.1} ns", ns(start) * FRAMES as f64 / count as f64);
            }
            for behind in [0, 1, 10] {
                let start = std::time::Instant::now();
                for _ in 0..FRAMES {
                    std::hint::black_box(log.cursor(log.head() - behind).is_ok());
                }
                println!("head and a cursor {behind} behind: {:.1} ns", ns(start));
            }
        }
    }
}

/// A frame that was said before the epoch ended is news to who comes after.
#[test]
fn an_ended_epoch_has_no_newest_frame() {
    let (mut appender, log) = new_log(Kind::State);
    appender.append(b"1", 0);
    assert!(appender.newest_is(b"1"));
    appender.end_epoch();
    assert!(!appender.newest_is(b"1"));
    appender.append(b"1", 0);
    assert!(appender.newest_is(b"1"));
    assert_eq!(log.head(), 2);
}
