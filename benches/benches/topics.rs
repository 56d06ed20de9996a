//! From a stream's name to its channel, once for each frame, as `net/ingest` does it.
//!
//! The comparison is the standard library's hasher.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn find<S: BuildHasher + Default>(criterion: &mut Criterion, hasher: &str) {
    let mut group = criterion.benchmark_group("topics");
    for count in [1_000_u32, 100_000] {
        let names: Vec<String> = (0..count).map(|id| format!("s{id}usdt@trade")).collect();
        let ids: HashMap<Box<str>, u32, S> = names.iter().map(|name| name.as_str().into()).zip(0..).collect();
        // Frames come in no order; a stride that is prime to the count visits all names.
        let mut at = 0;
        group.bench_function(BenchmarkId::new(hasher, count), |bencher| {
            bencher.iter(|| {
                at = (at + 617) % names.len();
                ids.get(black_box(names[at].as_str()))
            });
        });
    }
    group.finish();
}

fn topics(criterion: &mut Criterion) {
    find::<foldhash::fast::RandomState>(criterion, "foldhash");
    find::<std::hash::RandomState>(criterion, "std");
}

criterion_group!(benches, topics);
criterion_main!(benches);
