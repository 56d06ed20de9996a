//! What the order of frames costs each of them: finding its number, and deciding what becomes of it.

use std::hint::black_box;

use benches::{depth, ticker, trade};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use relay::venue::merge::{Frame, Merge, Source, Sources, Tally, Verdict};
use relay::venue::sequence::{Numbers, Rule};

fn payloads() -> [(&'static str, String); 6] {
    let changes =
        depth(50).replace(r#"{"lastUpdateId":16012345678,"#, r#"{"e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"#);
    [
        ("x@trade", trade()),
        ("x@ticker", ticker()),
        ("x@depth5", depth(5)),
        ("x@depth20", depth(20)),
        ("x@depth", changes),
        ("x@forceOrder", trade()),
    ]
}

/// Where a frame says it stands.
fn mark(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("merge/mark");
    for (stream, payload) in payloads() {
        let rule = Rule::of(stream, Numbers::Dense);
        group.bench_function(BenchmarkId::from_parameter(stream), |bencher| {
            bencher.iter(|| rule.read(black_box(payload.as_bytes())));
        });
    }
    group.finish();
}

/// A frame from the one source there is, and from two that bring the same.
fn offer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("merge/offer");
    for legs in [1_u8, 2] {
        let mut merge = Merge::new(Rule::of("x@trade", Numbers::Dense));
        let (mut sources, mut tally) = (Sources::default(), Tally::default());
        (0..legs).for_each(|leg| sources.up(Source { leg, conn: 0 }, 1));
        let (text, mut number) = (trade(), 3_371_120_042_u64);
        group.bench_function(BenchmarkId::from_parameter(legs), |bencher| {
            bencher.iter(|| {
                number += 1;
                let payload = text.replace("3371120042", &number.to_string());
                let mut published = 0;
                for leg in 0..legs {
                    let source = Source { leg, conn: 0 };
                    let frame = Frame { source, payload: payload.as_bytes(), read_ns: number };
                    published += u32::from(merge.offer(frame, &sources, &mut tally) == Verdict::Publish);
                }
                assert_eq!(published, 1);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, mark, offer);
criterion_main!(benches);
