//! A venue's message: what it is about, and the bytes that are passed on.
//!
//! The comparison is simd-json's tape. It parses in place and destroys the venue's text, which we pass on unchanged, so it gets
//! a copy; the copy counts.

use std::hint::black_box;

use benches::{combined, depth, ticker, trade};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay::wire::stream::upstream;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let payloads = [
        ("trade", combined("btcusdt@trade", &trade())),
        ("ticker", combined("btcusdt@ticker", &ticker())),
        ("depth5", combined("btcusdt@depth5", &depth(5))),
        ("depth20", combined("btcusdt@depth20", &depth(20))),
    ];
    for (name, payload) in payloads {
        let payload = payload.as_bytes();
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function(BenchmarkId::new("relay", name), |bencher| {
            bencher.iter(|| upstream::decode(black_box(payload)).is_ok());
        });
        let mut copy = Vec::new();
        let mut buffers = simd_json::Buffers::new(payload.len());
        group.bench_function(BenchmarkId::new("simd-json", name), |bencher| {
            bencher.iter(|| {
                copy.clear();
                copy.extend_from_slice(black_box(payload));
                simd_json::to_tape_with_buffers(&mut copy, &mut buffers).is_ok()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
