//! Binance's spot market.

use std::collections::HashMap;

use super::super::names::{in_payload, is_interval, levels, parts};
use super::super::talk::{self, Heard};
use super::super::{Adapter, Conversation, Invalid, Lane, Said};
use crate::wire::json::{self, Object, Value};

pub struct Binance {
    lanes: [Lane; 1],
}

impl Binance {
    /// `prefix` is the path of the configured URL.
    pub fn new(prefix: &str) -> Binance {
        Binance { lanes: [Lane { name: "", path: super::path(prefix, "/stream") }] }
    }
}

impl Adapter for Binance {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, stream: &str) -> Option<usize> {
        is_served(stream).then_some(0)
    }

    fn converse(&self, _lane: usize) -> Box<dyn Conversation> {
        Box::new(Talk::default())
    }
}

fn is_served(stream: &str) -> bool {
    if stream.starts_with('!') {
        // `!ticker@arr` was retired, `!bookTicker` long before.
        return matches!(stream, "!miniTicker@arr" | "!ticker_1h@arr" | "!ticker_4h@arr" | "!ticker_1d@arr");
    }
    let Some(parts) = parts(stream) else { return false };
    let is_kline =
        |base: &str| base.strip_prefix("kline_").is_some_and(|interval| interval == "1s" || is_interval(interval));
    match (parts.base, parts.parameter) {
        ("trade" | "aggTrade" | "miniTicker" | "ticker" | "bookTicker" | "avgPrice", None) => true,
        ("ticker_1h" | "ticker_4h" | "ticker_1d" | "referencePrice" | "blockTrade", None) => true,
        ("depth" | "depth5" | "depth10" | "depth20", None | Some("100ms")) => true,
        (base, None | Some("+08:00")) => is_kline(base),
        _ => false,
    }
}

#[derive(Default)]
struct Talk {
    /// The book id last passed on of each partial book asked for, so that the ids of a stream chain.
    updates: HashMap<Box<str>, Option<u64>>,
    /// For payloads that are shaped anew.
    shaped: Vec<u8>,
}

impl Conversation for Talk {
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String {
        self.updates
            .extend(streams.iter().filter(|stream| is_partial_book(stream)).map(|stream| ((*stream).into(), None)));
        talk::subscribe_line(streams, id)
    }

    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        for stream in streams {
            self.updates.remove(*stream);
        }
        talk::unsubscribe_line(streams, id)
    }

    fn decode(&mut self, message: &[u8], now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        match talk::hear(message, said) {
            Some(Heard::Data { stream, payload }) => self.place(&stream, payload, now_ms, said),
            Some(Heard::Unnamed(_)) => said(Said::Invalid(Invalid::NoStreamName)),
            None => {}
        }
    }
}

impl Talk {
    /// Two payloads lack what the documented ones say: event, time and, of a book, the symbol.
    fn place(&mut self, stream: &str, payload: &str, now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        let shaped = match parts(stream) {
            Some(parts) if parts.base == "bookTicker" => self.shape_top(payload, now_ms),
            Some(parts) if levels(parts.base).is_some() => self.shape_book(stream, parts.symbol, payload, now_ms),
            _ => Some(false),
        };
        match shaped {
            Some(true) => said(Said::Data { stream, payload: &self.shaped }),
            Some(false) => said(Said::Data { stream, payload: payload.as_bytes() }),
            None => said(Said::Invalid(Invalid::Malformed)),
        }
    }

    /// Puts event and time ahead of the rest. False if they are there; none if this is no top of a book.
    fn shape_top(&mut self, payload: &str, now_ms: u64) -> Option<bool> {
        let [event, update, symbol] = read(payload, ["e", "u", "s"])?;
        if event.is_some() {
            return Some(false);
        }
        (update.is_some() && symbol.is_some()).then_some(())?;
        let rest = payload.trim_start().strip_prefix('{')?;
        self.shaped.clear();
        json::append(&mut self.shaped, format_args!("{{\"e\":\"bookTicker\",\"E\":{now_ms},{}", rest.trim_start()));
        Some(true)
    }

    fn shape_book(&mut self, stream: &str, symbol: &str, payload: &str, now_ms: u64) -> Option<bool> {
        let [event, update, bids, asks] = read(payload, ["e", "lastUpdateId", "bids", "asks"])?;
        if event.is_some() {
            return Some(false);
        }
        let (update, bids, asks): (u64, _, _) = (update?.text.parse().ok()?, bids?.text, asks?.text);
        let before = self.updates.get(stream).copied().flatten();
        // Never above its own end: a venue that starts its ids anew starts our chain anew.
        let first = before.map_or(update, |before| before.saturating_add(1).min(update));
        if let Some(last) = self.updates.get_mut(stream) {
            *last = Some(update);
        }
        let out = &mut self.shaped;
        out.clear();
        json::append(out, format_args!("{{\"e\":\"depthUpdate\",\"E\":{now_ms},\"s\":"));
        json::write_string(&in_payload(symbol), out);
        json::append(out, format_args!(",\"U\":{first},\"u\":{update},\"b\":{bids},\"a\":{asks}}}"));
        Some(true)
    }
}

fn is_partial_book(stream: &str) -> bool {
    parts(stream).is_some_and(|parts| levels(parts.base).is_some())
}

/// The values of these keys. None if the text is no object.
fn read<'a, const COUNT: usize>(text: &'a str, keys: [&str; COUNT]) -> Option<[Option<Value<'a>>; COUNT]> {
    let mut values = [None; COUNT];
    let mut object = Object::open(text)?;
    while let Some(member) = object.next().ok()? {
        if let Some(index) = keys.iter().position(|key| *key == member.key()) {
            values[index] = Some(member.value);
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(talk: &mut Talk, message: &str, expected: &[Said<'_>]) {
        let mut at = 0;
        talk.decode(message.as_bytes(), 5, &mut |said| {
            assert_eq!(Some(&said), expected.get(at), "{message}");
            at += 1;
        });
        assert_eq!(at, expected.len(), "{message}");
    }

    fn data<'a>(stream: &'a str, payload: &'a str) -> Said<'a> {
        Said::Data { stream, payload: payload.as_bytes() }
    }

    #[test]
    fn only_what_is_served_has_a_lane() {
        let adapter = Binance::new("/");
        let check = |stream: &str, expected| assert_eq!(adapter.lane_of(stream), expected, "{stream}");
        for stream in [
            "btcusdt@trade",
            "btcusdt@aggTrade",
            "btcusdt@kline_1s",
            "btcusdt@kline_1M",
            "btcusdt@kline_1d@+08:00",
            "btcusdt@miniTicker",
            "!miniTicker@arr",
            "btcusdt@ticker",
            "btcusdt@ticker_4h",
            "!ticker_1d@arr",
            "btcusdt@bookTicker",
            "btcusdt@avgPrice",
            "btcusdt@depth5",
            "btcusdt@depth20@100ms",
            "btcusdt@depth",
            "btcusdt@depth@100ms",
            "币安人生usdt@trade",
        ] {
            check(stream, Some(0));
        }
        for stream in [
            "!ticker@arr",
            "!bookTicker",
            "!markPrice@arr",
            "btcusdt@markPrice",
            "btcusdt@markPrice@1s",
            "btcusdt@forceOrder",
            "btcusdt@depth5@250ms",
            "btcusdt@depth5@500ms",
            "btcusdt@depth@500ms",
            "btcusdt@depth7",
            "btcusdt@kline_7m",
            "btcusdt@kline_1m@+09:00",
            "btcusdt@trade@100ms",
            "btcusdt@book",
            "btcusdt@snapshot",
            "r_100@tick",
            "BTCUSDT@trade",
            "btcusdt",
            "",
        ] {
            check(stream, None);
        }
        assert_eq!(adapter.lanes(), [Lane { name: "", path: "/stream".into() }]);
        assert_eq!(&*Binance::new("/spot/").lanes()[0].path, "/spot/stream");
    }

    #[test]
    fn tops_and_books_say_what_the_others_say() {
        let mut talk = Talk::default();
        talk.subscribe(&["btcusdt@depth5", "btcusdt@bookTicker"], 1);
        check(
            &mut talk,
            r#"{"stream":"btcusdt@bookTicker","data":{"u":4,"s":"BTCUSDT","b":"1.10","B":"2","a":"1.20","A":"3"}}"#,
            &[data(
                "btcusdt@bookTicker",
                r#"{"e":"bookTicker","E":5,"u":4,"s":"BTCUSDT","b":"1.10","B":"2","a":"1.20","A":"3"}"#,
            )],
        );
        let book = |update: u64| {
            format!(
                r#"{{"stream":"btcusdt@depth5","data":{{"lastUpdateId":{update},"bids":[["1.10","2"]],"asks":[]}}}}"#
            )
        };
        let shaped = |first: u64, last: u64| {
            format!(r#"{{"e":"depthUpdate","E":5,"s":"BTCUSDT","U":{first},"u":{last},"b":[["1.10","2"]],"a":[]}}"#)
        };
        for (update, first) in [(160, 160), (170, 161), (170, 170), (3, 3), (4, 4)] {
            check(&mut talk, &book(update), &[data("btcusdt@depth5", &shaped(first, update))]);
        }
        talk.unsubscribe(&["btcusdt@depth5"], 2);
        assert!(talk.updates.is_empty());
        check(&mut talk, &book(9), &[data("btcusdt@depth5", &shaped(9, 9))]);
        assert!(talk.updates.is_empty(), "what was not asked for is not remembered");
    }

    #[test]
    fn what_is_complete_passes_untouched() {
        let mut talk = Talk::default();
        let payload = r#"{ "e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"b":[],"a":[] }"#;
        check(&mut talk, &format!(r#"{{"stream":"x@depth5","data":{payload}}}"#), &[data("x@depth5", payload)]);
        check(
            &mut talk,
            r#"{"stream":"!miniTicker@arr","data":[{"e":1}]}"#,
            &[data("!miniTicker@arr", r#"[{"e":1}]"#)],
        );
    }

    #[test]
    fn what_is_neither_is_told() {
        let mut talk = Talk::default();
        for (stream, payload) in [
            ("x@bookTicker", "[]"),
            ("x@bookTicker", "{}"),
            ("x@depth5", r#"{"bids":[],"asks":[]}"#),
            ("x@depth5", "1"),
        ] {
            let message = format!(r#"{{"stream":"{stream}","data":{payload}}}"#);
            check(&mut talk, &message, &[Said::Invalid(Invalid::Malformed)]);
        }
        check(&mut talk, r#"{"e":"trade","s":"X"}"#, &[Said::Invalid(Invalid::NoStreamName)]);
    }

    proptest! {
        #[test]
        fn any_payload_is_judged(stream in "[a-zé]{1,3}@(depth5|bookTicker|trade)", payload in any::<String>(), key in "[a-z]{1,3}") {
            let mut text = Vec::new();
            json::write_string(&payload, &mut text);
            let text = String::from_utf8(text).unwrap();
            for data in [text.clone(), format!("{{\"{key}\":{text}}}"), payload, format!("{{\"u\":{text},\"s\":[{text}]}}")] {
                let mut talk = Talk::default();
                talk.decode(format!("{{\"stream\":\"{stream}\",\"data\":{data}}}").as_bytes(), 1, &mut |said| {
                    if let Said::Data { payload, .. } = said {
                        json::validate(payload).expect("what is passed on is JSON");
                    }
                });
            }
        }
    }
}
