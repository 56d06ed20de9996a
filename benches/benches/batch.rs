//! The new frames of a channel, laid end to end once for all its clients.

use benches::{PAYLOAD, channels};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay::fanout::batch::Batch;
use relay::fanout::kind::Kind;

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    for frames in [1_u64, 16, 256] {
        let (channel, mut appender) = channels(1, Kind::Event).remove(0);
        for now_ns in 0..frames {
            appender.append(&PAYLOAD, now_ns);
        }
        group.throughput(Throughput::Elements(frames));
        for (name, raw, combined) in [("raw", true, false), ("combined", false, true), ("both", true, true)] {
            let mut batch = Batch::default();
            group.bench_function(BenchmarkId::new(name, frames), |bencher| {
                bencher.iter(|| {
                    let mut cursor = channel.log.cursor(0).expect("nothing is trimmed");
                    batch.begin(0, &channel, raw, combined);
                    batch.extend(&mut cursor)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, build);
criterion_main!(benches);
