//! What OKX and Deriv send, and what we ask of them, in any order: payloads are JSON, and so is what we say.

use relay::venue::adapter::deriv::Deriv;
use relay::venue::adapter::okx::Okx;
use relay::venue::adapter::{Adapter, Conversation, Said};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::input::{mutate, spell};

const OKX_STREAMS: &[&str] = &[
    "btcusdt@trade",
    "btcusdt@ticker",
    "btcusdt@depth5@100ms",
    "btcusdt@bookTicker",
    "btcusdt@book",
    "btcusdt@kline_1m",
    "btcusdt-swap@trade",
    "btcusdt-swap@markPrice@1s",
];

const DERIV_STREAMS: &[&str] = &["r_100@tick", "frxeurusd@tick", "r_50@tick"];

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"", "null", "1", "-7", "1e5", "\"1\"", "\"0.10\"", "\"\"", "\"event\":\"error\"",
    "\"event\":\"subscribe\"", "\"event\":\"unsubscribe\"", "\"code\":\"60018\"", "\"msg\":\"channel:trades,instId:BTC-USDT\"",
    "\"arg\":{\"channel\":\"trades\",\"instId\":\"BTC-USDT\"}", "\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"}",
    "\"action\":\"snapshot\"", "\"action\":\"update\"", "\"data\":[", "\"id\":\"1\"", "\"bids\":[[\"1\",\"2\"]]", "\"asks\":[]",
    "\"ts\":\"5\"", "\"seqId\":1", "\"prevSeqId\":1", "\"checksum\":5", "\"tradeId\":\"1\",\"px\":\"1\",\"sz\":\"2\",\"side\":\"buy\"",
    "\"msg_type\":\"tick\"", "\"tick\":{", "\"symbol\":\"R_100\"", "\"quote\":1.5", "\"bid\":1e-400", "\"ask\":\"2\"", "\"epoch\":",
    "\"pip_size\":2", "\"req_id\":1", "\"error\":{\"code\":\"InvalidSymbol\",\"message\":\"R_100\"}", "\"msg_type\":\"forget\"",
    "\"subscription\":{\"id\":\"c84a793b-8a87-7999-ce10-9b22f7ceead3\"}",
];

fn conversations() -> [(Box<dyn Conversation>, &'static [&'static str]); 2] {
    let okx = Okx::new("", ["BTC-USDT-SWAP=0.01"]).unwrap();
    let deriv = Deriv::new("/websockets/v3", Some(1), []).unwrap();
    let mut talks = [(okx.converse(0), OKX_STREAMS), (deriv.converse(0), DERIV_STREAMS)];
    for (talk, streams) in &mut talks {
        is_object(&talk.subscribe(streams, 1));
    }
    talks
}

fn is_object(text: &str) {
    assert!(serde_json::from_str::<Value>(text).unwrap().is_object(), "{text}");
}

fn check(talk: &mut dyn Conversation, streams: &[&str], message: &[u8]) {
    let mut count = 0;
    talk.decode(message, 1_765_211_445_000, &mut |said| {
        count += 1;
        match said {
            Said::Data { stream, payload } => {
                assert!(streams.contains(&stream), "{stream}");
                serde_json::from_slice::<IgnoredAny>(payload).unwrap();
                serde_json::from_slice::<IgnoredAny>(message).unwrap();
            }
            Said::Granted { stream } | Said::Refused { stream, .. } | Said::Broken { stream } => {
                assert!(streams.contains(&stream), "{stream}");
            }
            Said::Answer(text) => is_object(text),
            _ => {}
        }
    });
    assert!(count > 0, "every message means something");
}

/// The venues' messages of the recorded-style sessions.
fn samples() -> Vec<Vec<u8>> {
    let sessions = [
        include_str!("../../testdata/okx/public_session.jsonl"),
        include_str!("../../testdata/okx/books_sync.jsonl"),
        include_str!("../../testdata/okx/errors.jsonl"),
        include_str!("../../testdata/okx/business_session.jsonl"),
        include_str!("../../testdata/deriv/session.jsonl"),
        include_str!("../../testdata/deriv/errors.jsonl"),
    ];
    let lines = sessions.into_iter().flat_map(str::lines).map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = lines.filter(|line| line["from"] == "venue");
    texts.filter_map(|line| Some(line["text"].as_str()?.as_bytes().to_vec())).collect()
}

/// Recorded messages with some damage.
#[test]
fn fuzz_venue_messages() {
    let samples = samples();
    bolero::check!().with_max_len(41).for_each(|input: &[u8]| {
        let message = mutate(input, &samples);
        for (mut talk, streams) in conversations() {
            check(&mut *talk, streams, &message);
        }
    });
}

/// Words of both protocols in any order.
#[test]
fn fuzz_venue_words() {
    bolero::check!().with_max_len(40).for_each(|input: &[u8]| {
        let message = spell(input, WORDS);
        for (mut talk, streams) in conversations() {
            check(&mut *talk, streams, message.as_bytes());
        }
    });
}

/// Requests and messages in any order.
#[test]
fn fuzz_venue_conversations() {
    let samples = samples();
    bolero::check!().with_max_len(60).for_each(|input: &[u8]| {
        for (mut talk, streams) in conversations() {
            for (index, pair) in input.chunks_exact(2).enumerate() {
                let from = usize::from(pair[1]) % streams.len();
                let some = &streams[from..(from + 1 + usize::from(pair[1] >> 6)).min(streams.len())];
                match pair[0] % 8 {
                    0 => is_object(&talk.subscribe(some, index as u64)),
                    1 => is_object(&talk.unsubscribe(some, index as u64)),
                    _ => check(&mut *talk, streams, &samples[usize::from(pair[1]) % samples.len()]),
                }
            }
        }
    });
}
