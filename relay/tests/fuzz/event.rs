//! What a venue's messages are decoded to: numbers that JSON takes as they are, and the venue's own text.

use relay::market::decode::decode;
use relay::market::event::Event;
use serde::de::IgnoredAny;

use super::input::{mutate, payloads, spell};

#[rustfmt::skip] // A list.
const STREAMS: &[&str] = &[
    "a@trade", "a@aggTrade", "a@ticker", "a@miniTicker", "a@bookTicker", "a@depth5", "a@depth20@100ms", "r_10@tick",
    "coingecko@top",
];

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "{", "}", "[", "]", ",", ":", " ", "\"e\":", "\"E\":", "\"s\":", "\"p\":", "\"q\":", "\"T\":", "\"b\":", "\"a\":",
    "\"B\":", "\"A\":", "\"d\":", "\"u\":", "\"c\":", "\"o\":", "\"h\":", "\"l\":", "\"v\":", "\"bids\":", "\"asks\":",
    "\"lastUpdateId\":", "\"tick\"", "\"trade\"", "\"1.5\"", "\"0\"", "\"-0.10\"", "\"1e5\"", "\"01\"", "1", "1.5", "null",
    "[[\"1\",\"2\"]]", "{\"p\":\"1\",\"q\":\"2\",\"T\":3", "\"\\u0031\"", "\"",
];

fn check(bytes: &[u8]) {
    for stream in STREAMS {
        let Some(event) = decode(stream, bytes) else { continue };
        serde_json::from_slice::<IgnoredAny>(bytes).unwrap();
        let (numbers, documents) = match event {
            Event::Trade(trade) => (vec![trade.price, trade.quantity], vec![]),
            Event::Ticker(day) => {
                let numbers = [day.last, day.open, day.high, day.low, day.volume, day.quote_volume];
                let maybe = [day.change, day.bid, day.ask, day.open_time, day.trades];
                (numbers.into_iter().chain(maybe.into_iter().flatten()).collect(), vec![])
            }
            Event::Top(top) => (vec![top.bid, top.bid_quantity, top.ask, top.ask_quantity], vec![]),
            Event::Book(book) => (vec![book.last_update], vec![book.bids, book.asks]),
            Event::Tick(tick) => (vec![tick.quote, tick.bid, tick.ask], vec![]),
            Event::Document(text) => (vec![], vec![text]),
        };
        for number in numbers {
            serde_json::from_str::<serde_json::Number>(number).unwrap_or_else(|error| panic!("{number:?}: {error}"));
            assert!(!number.contains(['e', 'E']), "{number:?} is plain");
        }
        for document in documents {
            serde_json::from_str::<IgnoredAny>(document).unwrap();
            assert!(bytes.as_ptr_range().contains(&document.as_ptr()), "the venue's own bytes");
        }
    }
}

/// Recorded payloads with some damage.
#[test]
fn fuzz_event_payloads() {
    let samples = payloads();
    bolero::check!().with_max_len(41).for_each(|input: &[u8]| check(&mutate(input, &samples)));
}

/// Texts of the dialect's words.
#[test]
fn fuzz_event_words() {
    bolero::check!().with_max_len(48).for_each(|input: &[u8]| check(spell(input, WORDS).as_bytes()));
}
