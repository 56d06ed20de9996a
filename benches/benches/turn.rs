//! Turns of one shard over clients in memory, who take everything: what the core adds to a delivery.

use std::hint::black_box;
use std::io::{IoSlice, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{PAYLOAD, channels};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay::fanout::channel::Channel;
use relay::fanout::core::{Fanout, Outlet, Wrote};
use relay::fanout::kind::Kind;
use relay::fanout::log::{Appender, Budget, log};
use relay::fanout::slab::Slot;
use relay::fanout::subscribe::From;
use relay::limits::TURN_WRITES_MAX;
use relay::wire::dialect::Dialect;
use relay::wire::ws::encode;
use rustix::net::{SendAncillaryBuffer, SendFlags};

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

/// What subscribers of one channel put before each of its frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// The stream dialect: nothing, so all get the same bytes.
    None,
    /// Deriv clients that all sent the same request.
    Same,
    /// Each client has its own `req_id`, and so its own id.
    Own,
}

/// A push of Deriv is a head of about 220 bytes and a tail of about 120.
const TAIL: &str = r#""ask":1558.71,"bid":1558.51,"epoch":1765211446,"pip_size":2,"quote":1558.61,"symbol":"R_100"},"msg_type":"tick"}"#;

fn head(client: usize) -> String {
    format!(
        r#"{{"echo_req":{{"ticks":"R_100","subscribe":1,"req_id":{client:05},"passthrough":{{"from":"a bench"}}}},"req_id":{client:05},"passthrough":{{"from":"a bench"}},"subscription":{{"id":"{client:032x}"}},"tick":{{"id":"{client:032x}","#
    )
}

/// Clients of one channel, and the frame they get; in sum as many bytes for each, whoever puts them together.
fn audience<C>(conns: impl Iterator<Item = C>, words: Words) -> (Fanout<C>, Arc<Channel>, Appender, Vec<u8>) {
    let (appender, log) = log(Kind::Event, Arc::new(Budget::new(1 << 30)));
    let (name, dialect) = match words {
        Words::None => ("btcusdt@trade", Dialect::Stream),
        Words::Same | Words::Own => ("ticks R_100", Dialect::Deriv),
    };
    let channel = Arc::new(Channel::new(0, name, Kind::Event, dialect, log, 1));
    let mut fanout = Fanout::new(0);
    for (client, conn) in conns.enumerate() {
        let slot = fanout.open(conn, false, false);
        let head = match words {
            Words::None => String::new(),
            Words::Same => head(0),
            Words::Own => head(client),
        };
        fanout.subscribe_with(slot, &channel, From::Kind, head.as_bytes());
    }
    let record = if words == Words::None { head(0) + TAIL } else { TAIL.to_owned() };
    (fanout, channel, appender, record.into_bytes())
}

const AUDIENCES: [(&str, Words); 3] = [("stream", Words::None), ("same heads", Words::Same), ("own heads", Words::Own)];

/// One frame for 10 000 clients of a channel, with and without words of their own before it.
fn heads(criterion: &mut Criterion) {
    const CLIENTS: usize = 10_000;
    let mut group = criterion.benchmark_group("heads");
    group.throughput(Throughput::Elements(CLIENTS as u64));
    for (name, words) in AUDIENCES {
        let (mut fanout, channel, mut appender, record) = audience((0..CLIENTS).map(|_| ()), words);
        let mut outlet = Everything::default();
        let mut rounds = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                rounds += 1;
                appender.append(&record, rounds * 1_000_000);
                fanout.news(channel.id);
                while fanout.turn(&mut outlet, TURN_WRITES_MAX) {}
            });
        });
        assert_eq!(fanout.stats.delivered, rounds * CLIENTS as u64);
    }
    group.finish();
}

/// Connections over the loopback interface; nobody reads while the time is taken.
struct Loopback {
    near: Vec<TcpStream>,
    far: Vec<TcpStream>,
}

impl Loopback {
    fn new(count: usize) -> Loopback {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let pair = |_| {
            let far = TcpStream::connect(address).expect("the listener takes one at a time");
            let (near, _) = listener.accept().expect("it was just connected");
            far.set_nonblocking(true).expect("sockets can be");
            near.set_nodelay(true).expect("it is connected");
            (near, far)
        };
        let (near, far) = (0..count).map(pair).unzip();
        Loopback { near, far }
    }

    /// How long it took to send; reading it all again does not count.
    fn time(&mut self, count: u64, mut send: impl FnMut(&mut Loopback)) -> Duration {
        let mut time = Duration::ZERO;
        for _ in 0..count {
            let start = Instant::now();
            send(self);
            time += start.elapsed();
            self.drain();
        }
        time
    }

    fn drain(&self) {
        let mut buffer = [0; 4096];
        for far in &self.far {
            while matches!((&mut &*far).read(&mut buffer), Ok(1..)) {}
        }
    }
}

const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

impl Outlet for Loopback {
    type Conn = usize;

    fn write(&mut self, _: Slot, conn: &mut usize, parts: &[IoSlice<'_>]) -> Wrote {
        let [part] = parts else { unreachable!("one channel, one part") };
        Wrote::Bytes(rustix::net::send(&self.near[*conn], part, FLAGS).expect("somebody reads"))
    }
}

/// The same with real sends, which is what a delivery costs; and the two ways to send a head and a tail, without the
/// core: put together in one buffer, or gathered by the kernel.
fn sends(criterion: &mut Criterion) {
    const CLIENTS: usize = 4_000;
    let mut loopback = Loopback::new(CLIENTS);
    let mut group = criterion.benchmark_group("sends");
    group.throughput(Throughput::Elements(CLIENTS as u64)).sample_size(30);
    for (name, words) in AUDIENCES {
        let (mut fanout, channel, mut appender, record) = audience(0..CLIENTS, words);
        let mut rounds = 0;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                loopback.time(count, |loopback| {
                    rounds += 1;
                    appender.append(&record, rounds * 1_000_000);
                    fanout.news(channel.id);
                    while fanout.turn(loopback, TURN_WRITES_MAX) {}
                })
            });
        });
    }
    let heads: Vec<Box<[u8]>> = (0..CLIENTS).map(|client| head(client).into_bytes().into()).collect();
    let mut buffer = Vec::new();
    group.bench_function("bare, one buffer", |bencher| {
        bencher.iter_custom(|count| {
            loopback.time(count, |loopback| {
                for (near, head) in loopback.near.iter().zip(&heads) {
                    buffer.clear();
                    encode::text([head, TAIL.as_bytes()], &mut buffer);
                    rustix::net::send(near, &buffer, FLAGS).expect("somebody reads");
                }
            })
        });
    });
    group.bench_function("bare, gathered", |bencher| {
        bencher.iter_custom(|count| {
            loopback.time(count, |loopback| {
                for (near, head) in loopback.near.iter().zip(&heads) {
                    let mut header = [0; encode::HEADER_BYTES_MAX];
                    let len = encode::header(encode::Opcode::Text, head.len() + TAIL.len(), &mut header);
                    let parts = [IoSlice::new(&header[..len]), IoSlice::new(head), IoSlice::new(TAIL.as_bytes())];
                    rustix::net::sendmsg(near, &parts, &mut SendAncillaryBuffer::default(), FLAGS)
                        .expect("somebody reads");
                }
            })
        });
    });
    group.finish();
}

criterion_group!(benches, turn, heads, sends);
criterion_main!(benches);
