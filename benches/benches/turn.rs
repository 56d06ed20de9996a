//! Turns of one shard over clients in memory, who take everything: what the core adds to a delivery.

use std::hint::black_box;
use std::io::IoSlice;
use std::sync::Arc;

use benches::{PAYLOAD, channels};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay::fanout::channel::Channel;
use relay::fanout::core::{Fanout, Outlet, Wrote};
use relay::fanout::kind::Kind;
use relay::fanout::log::Appender;
use relay::fanout::slab::Slot;
use relay::limits::TURN_WRITES_MAX;

/// A network without end.
#[derive(Default)]
struct Everything {
    writes: u64,
}

impl Outlet for Everything {
    type Conn = ();

    fn write(&mut self, _: Slot, (): &mut (), parts: &[IoSlice<'_>]) -> Wrote {
        self.writes += 1;
        Wrote::Bytes(parts.iter().map(|part| black_box(part).len()).sum())
    }
}

/// Clients spread evenly over the topics.
fn crowd(clients: usize, topics: usize) -> (Fanout<()>, Vec<(Arc<Channel>, Appender)>) {
    let channels = channels(topics, Kind::Event);
    let mut fanout = Fanout::new(0);
    for client in 0..clients {
        let slot = fanout.open((), false, false);
        fanout.subscribe(slot, &channels[client % topics].0);
    }
    (fanout, channels)
}

/// One frame on every topic, then turns until everybody has it. The time is that of all deliveries.
fn turn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("turn");
    for (name, clients, topics) in [
        ("one topic", 1_000, 1),
        ("one topic", 10_000, 1),
        ("1000 topics", 1_000, 1_000),
        ("1000 topics", 10_000, 1_000),
    ] {
        let (mut fanout, mut channels) = crowd(clients, topics);
        let mut outlet = Everything::default();
        let mut rounds = 0;
        group.throughput(Throughput::Elements(clients as u64));
        group.bench_function(BenchmarkId::new(name, clients), |bencher| {
            bencher.iter(|| {
                rounds += 1;
                for (channel, appender) in &mut channels {
                    appender.append(&PAYLOAD, rounds * 1_000_000);
                    fanout.news(channel.id);
                }
                while fanout.turn(&mut outlet, TURN_WRITES_MAX) {}
            });
        });
        assert_eq!(outlet.writes, rounds * clients as u64, "every client gets one write");
        assert_eq!(fanout.stats.delivered, rounds * clients as u64, "and in it the frame");
    }
    group.finish();
}

criterion_group!(benches, turn);
criterion_main!(benches);
