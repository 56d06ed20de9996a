//! A venue's message, from its bytes to a stream and a payload of ours.
//!
//! Binance's payloads are passed on as they are; OKX's and Deriv's are written anew.

use std::fmt::Write as _;
use std::hint::black_box;

use benches::{combined, trade};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay::venue::adapter::deriv::Deriv;
use relay::venue::adapter::okx::Okx;
use relay::venue::adapter::{Adapter, Conversation, Said};
use relay::wire::stream::upstream;

const NOW_MS: u64 = 1_765_211_445_000;

/// Levels that change on each side of a busy book in 100 ms.
const CHANGED_LEVELS: usize = 20;

fn okx_trade() -> String {
    r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1765211445000","count":"3","source":"0","seqId":1234}]}"#.to_owned()
}

/// Of the same id as the one before it, so that it can be taken again and again.
fn okx_book(action: &str, previous: i64) -> String {
    let mut text = format!(r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{action}","data":[{{"#);
    for side in ["asks", "bids"] {
        let _ = write!(text, r#""{side}":["#);
        for level in 0..CHANGED_LEVELS {
            let comma = if level == 0 { "" } else { "," };
            let _ = write!(text, r#"{comma}["4215{}.{}","0.5402{level}","0","4"]"#, level / 10, level % 10);
        }
        text.push_str("],");
    }
    let _ = write!(text, r#""ts":"1765211445015","checksum":0,"prevSeqId":{previous},"seqId":10}}]}}"#);
    text
}

fn deriv_tick() -> String {
    r#"{"echo_req":{"req_id":3,"subscribe":1,"ticks":["R_100"]},"msg_type":"tick","req_id":3,"subscription":{"id":"c84a793b-8a87-7999-ce10-9b22f7ceead3"},"tick":{"ask":1558.71,"bid":1558.47,"epoch":1765211445,"id":"c84a793b-8a87-7999-ce10-9b22f7ceead3","pip_size":2,"quote":1558.59,"symbol":"R_100"}}"#.to_owned()
}

fn subscribed(adapter: &dyn Adapter, stream: &str) -> Box<dyn Conversation> {
    let mut talk = adapter.converse(0);
    talk.subscribe(&[stream], 3);
    talk
}

fn venues(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("venues");
    let frame = combined("btcusdt@trade", &trade());
    group.throughput(Throughput::Bytes(frame.len() as u64));
    group.bench_function(BenchmarkId::new("binance", "trade"), |bencher| {
        bencher.iter(|| upstream::decode(black_box(frame.as_bytes())).is_ok());
    });
    let okx = Okx::new("", []).expect("nothing is listed");
    let deriv = Deriv::new("/websockets/v3", Some(1089), []).expect("nothing is listed");
    let mut book = subscribed(&okx, "btcusdt@book");
    book.decode(okx_book("snapshot", -1).as_bytes(), NOW_MS, &mut |_| {});
    let cases = [
        ("okx", "trade", subscribed(&okx, "btcusdt@trade"), okx_trade()),
        ("okx", "book20", book, okx_book("update", 10)),
        ("deriv", "tick", subscribed(&deriv, "r_100@tick"), deriv_tick()),
    ];
    for (venue, name, mut talk, message) in cases {
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(BenchmarkId::new(venue, name), |bencher| {
            bencher.iter(|| {
                let mut bytes = 0;
                talk.decode(black_box(message.as_bytes()), NOW_MS, &mut |said| {
                    if let Said::Data { payload, .. } = said {
                        bytes += payload.len();
                    }
                });
                assert!(bytes > 0, "{venue}/{name} is data");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, venues);
criterion_main!(benches);
