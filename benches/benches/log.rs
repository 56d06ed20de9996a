//! The log of a channel: its one writer among readers, and its readers.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use benches::{PAYLOAD, channels};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay::fanout::kind::Kind;
use relay::fanout::log::{Appender, Log};

/// From stamp to stamp; at 10 000 frames a second the horizon keeps 100 000 frames, and the bound on bytes rather fewer.
const STEP_NS: u64 = 100_000;

/// Frames between two looks of the readers: what a burst brings.
const BURST: u64 = 64;

fn append_burst(appender: &mut Appender, now_ns: &mut u64) {
    for _ in 0..BURST {
        *now_ns += STEP_NS;
        appender.append(&PAYLOAD, *now_ns);
    }
}

/// The writer, while other threads read what it writes. With more of them than cores it shares its core.
fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log/append");
    group.throughput(Throughput::Elements(1));
    for readers in [1, 2, 8] {
        let (channel, mut appender) = channels(1, Kind::Event).remove(0);
        let mut now_ns = 0;
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..readers {
                scope.spawn(|| follow(&channel.log, &is_over));
            }
            group.bench_function(BenchmarkId::from_parameter(readers), |bencher| {
                bencher.iter(|| {
                    now_ns += STEP_NS;
                    appender.append(&PAYLOAD, now_ns)
                });
            });
            is_over.store(true, Relaxed);
        });
    }
    group.finish();
}

fn follow(log: &Log, is_over: &AtomicBool) {
    let mut cursor = log.cursor(log.head()).expect("the head is readable");
    while !is_over.load(Relaxed) {
        while cursor.next().is_some() {}
        std::thread::yield_now();
    }
}

/// One frame for one reader, when readers take turns at bursts that they find in the cache or not.
fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log/read");
    group.throughput(Throughput::Elements(1));
    for readers in [1, 2, 8] {
        let (channel, mut appender) = channels(1, Kind::Event).remove(0);
        let mut now_ns = 0;
        let mut cursors: Vec<_> =
            (0..readers).map(|_| channel.log.cursor(0).expect("nothing was trimmed yet")).collect();
        group.bench_function(BenchmarkId::from_parameter(readers), |bencher| {
            bencher.iter_custom(|frames| {
                let mut spent = Duration::ZERO;
                let mut left = frames;
                while left > 0 {
                    append_burst(&mut appender, &mut now_ns);
                    let started = Instant::now();
                    let mut read = 0;
                    for cursor in &mut cursors {
                        while let Some(record) = cursor.next() {
                            read += 1;
                            std::hint::black_box(record.payload);
                        }
                    }
                    let took = started.elapsed();
                    let counted = left.min(read);
                    spent += took.mul_f64(counted as f64 / read as f64);
                    left -= counted;
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append, read);
criterion_main!(benches);
