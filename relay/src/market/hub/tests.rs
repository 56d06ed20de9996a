//! What a channel's clients get, and when.

use std::num::NonZeroU64;

use proptest::prelude::*;

use super::spec::{ChannelSpec, DataKind, Schedule, documented, usual_pairs};
use super::*;
use crate::market::event::{Book, Ticker, Top, Trade};
use crate::wire::json::{self, Object, ValueKind};

const FIXTURE: &str = include_str!("../../../testdata/hub/price_updates.jsonl");
const DAY: &str = include_str!("../../../testdata/rest/binance_ticker_24hr.json");
const DEPTH: &str = include_str!("../../../testdata/rest/binance_depth.json");
const MARKETS: &str = include_str!("../../../testdata/rest/coingecko_markets.json");
const GLOBAL: &str = include_str!("../../../testdata/rest/coingecko_global.json");
const TRENDING: &str = include_str!("../../../testdata/rest/coingecko_trending.json");

/// The time of the fixture: 5.123 s after a push.
const NOW_MS: u64 = 1_765_211_445_123;

fn every(interval_ms: u64) -> Schedule {
    Schedule::Every(NonZeroU64::new(interval_ms).unwrap())
}

/// A channel and all it has said: time, key, text.
struct Bench {
    channel: HubChannel,
    said: Vec<(u64, Key, String)>,
}

impl Bench {
    fn new(spec: ChannelSpec, now_ms: u64) -> Bench {
        let mut channel = HubChannel::new(spec);
        let topic = channel.topic.clone();
        channel.want(&topic, now_ms);
        Bench { channel, said: Vec::new() }
    }

    fn documented(name: &str) -> Bench {
        let specs = documented(NonZeroU64::new(10_000).unwrap(), &usual_pairs());
        Bench::new(specs.into_iter().find(|spec| &*spec.name == name).unwrap(), NOW_MS)
    }

    fn take(&mut self, source: &str, event: Event<'_>, now_ms: u64) {
        let said = &mut self.said;
        self.channel.take(source, &event, now_ms, &mut |topic, key, text| {
            assert!(matches!(topic, Topic::Hub { .. }));
            said.push((now_ms, key, String::from_utf8(text.to_vec()).unwrap()));
        });
    }

    /// Polls when due, until a time.
    fn run(&mut self, until_ms: u64) {
        while self.channel.due_ms() <= until_ms {
            let now_ms = self.channel.due_ms();
            self.poll(now_ms);
        }
    }

    fn poll(&mut self, now_ms: u64) {
        let said = &mut self.said;
        self.channel.poll(now_ms, &mut |_, key, text| {
            said.push((now_ms, key, String::from_utf8(text.to_vec()).unwrap()));
        });
    }

    fn times(&self) -> Vec<u64> {
        self.said.iter().map(|(time_ms, ..)| *time_ms).collect()
    }

    fn last(&self) -> &str {
        &self.said.last().unwrap().2
    }
}

fn ticker(last: &str) -> Event<'_> {
    Event::Ticker(Ticker {
        symbol: "BTCUSDT",
        time_ms: NOW_MS,
        last,
        change_percent: Some("2.45"),
        ..Ticker::default()
    })
}

fn trade(price: &str, time_ms: u64) -> Event<'_> {
    Event::Trade(Trade { price, quantity: "0.00215", time_ms })
}

/// The fixture's message of a channel.
fn recorded(channel: &str) -> &'static str {
    FIXTURE.lines().find(|line| line.contains(&format!("\"{channel}\""))).unwrap()
}

/// A scheduled message as the fixture has it, without the time of its source.
fn without_source_time(text: &str) -> String {
    let (start, rest) =
        text.split_once(r#","source_timestamp":""#).expect("a scheduled message says its source's time");
    let (time, rest) = rest.split_once('"').unwrap();
    assert_eq!(time, "2025-12-08T16:30:45.123Z");
    format!("{start}{rest}")
}

#[test]
fn prices_and_books_are_the_recorded_ones() {
    let mut bench = Bench::documented("binance_prices");
    bench.take("btcusdt@ticker", ticker("42150.50"), NOW_MS);
    assert_eq!(without_source_time(bench.last()), recorded("binance_prices"));

    let mut bench = Bench::documented("binance_orderbook");
    let book = Book {
        symbol: "BTCUSDT",
        last_update: "160",
        bids: r#"[["42150.49","1.2031"],["42150.48","0.1"]]"#,
        asks: r#"[["42150.50","0.5402"],["42150.51","0.2"]]"#,
        time_ms: 0,
    };
    bench.take("btcusdt@depth20", Event::Book(book), NOW_MS);
    assert_eq!(without_source_time(bench.last()), recorded("binance_orderbook"));
}

#[test]
fn a_book_of_the_venue_keeps_its_text() {
    let depth: String = DEPTH.split_whitespace().collect();
    let member = |key: &str| {
        let mut object = Object::open(&depth).unwrap();
        std::iter::from_fn(|| object.next().unwrap()).find(|member| member.key() == key).unwrap().value.text
    };
    let (last_update, bids, asks) = (member("lastUpdateId"), member("bids"), member("asks"));
    let mut bench = Bench::documented("binance_orderbook");
    let book = Book { symbol: "BTCUSDT", last_update, bids, asks, time_ms: 0 };
    bench.take("btcusdt@depth20", Event::Book(book), NOW_MS);
    assert!(bench.last().contains(r#""price":42150.49500000,"#), "{}", bench.last());
    let data = format!(r#""data":{{"symbol":"BTCUSDT",{}}}"#, &depth[1..]);
    assert!(bench.last().ends_with(&data), "{}", bench.last());
}

#[test]
fn an_okx_ticker_is_the_recorded_one() {
    let day = Ticker {
        symbol: "BTCUSDT",
        time_ms: 1,
        last: "42150.4",
        open: "41142.9",
        high: "42390",
        low: "40980.1",
        volume: "28311.55021",
        quote_volume: "1180031245.1187002",
        ..Ticker::default()
    };
    let top = Top { bid: "42150.4", bid_quantity: "1.2031", ask: "42150.5", ask_quantity: "0.5402", time_ms: 0 };
    let mut bench = Bench::documented("bitcoinprice");
    bench.take("btcusdt@bookTicker", Event::Top(top), 1);
    assert!(bench.said.is_empty(), "there is no price yet");
    bench.take("btcusdt@ticker", Event::Ticker(day), 1);
    assert!(bench.last().contains(r#""price":42150.4,"#) && bench.last().contains(r#""lastSz":"","#));
    bench.take("btcusdt@trade", trade("42150.5", 1_765_211_445_000), NOW_MS);
    // What no event of ours tells is empty.
    let expected = recorded("bitcoinprice")
        .replace(r#""sodUtc0":"41900.1","sodUtc8":"41777""#, r#""sodUtc0":"","sodUtc8":"""#)
        .replace("45.123Z", "45.000Z");
    assert_eq!(bench.last(), expected);
}

#[test]
fn coingecko_documents_are_cut_into_instruments() {
    let check = |channel: &str, document: &'static str, skipped| {
        let mut bench = Bench::documented(channel);
        let [source] = &*bench.channel.sources() else { panic!("one document") };
        bench.take(source, Event::Document(document), NOW_MS);
        let text = without_source_time(bench.last());
        let start = |text: &str| text.split_once("\"data\":").unwrap().0.to_owned();
        assert_eq!(start(&text), start(recorded(channel)));
        let data = text.split_once("\"data\":").unwrap().1.strip_suffix('}').unwrap();
        assert!(document.contains(data), "{data}");
        assert_eq!((bench.said.len(), bench.channel.take_skipped()), (1, skipped));
        assert_eq!(bench.channel.take_skipped(), 0);
    };
    check("coingecko_global", GLOBAL, 0);
    check("coingecko_top", MARKETS, 1);
    check("coingecko_trending", TRENDING, 0);
}

#[test]
fn a_day_is_the_rest_object() {
    let rest: Vec<serde_json::Value> = serde_json::from_str(DAY).unwrap();
    let text = |key: &str| match &rest[0][key] {
        serde_json::Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    let [change, percent, average, close, quantity, bid, bid_size, ask, ask_size] = [
        "priceChange",
        "priceChangePercent",
        "weightedAvgPrice",
        "prevClosePrice",
        "lastQty",
        "bidPrice",
        "bidQty",
        "askPrice",
        "askQty",
    ]
    .map(text);
    let [open_time, close_time, first, last_id, count] =
        ["openTime", "closeTime", "firstId", "lastId", "count"].map(text);
    let [last, open, high, low, volume, quote] =
        ["lastPrice", "openPrice", "highPrice", "lowPrice", "volume", "quoteVolume"].map(text);
    let day = Ticker {
        symbol: "BTCUSDT",
        time_ms: NOW_MS,
        last: &last,
        open: &open,
        high: &high,
        low: &low,
        volume: &volume,
        quote_volume: &quote,
        change: Some(&change),
        change_percent: Some(&percent),
        weighted_average: Some(&average),
        previous_close: Some(&close),
        last_quantity: Some(&quantity),
        bid: Some(&bid),
        bid_quantity: Some(&bid_size),
        ask: Some(&ask),
        ask_quantity: Some(&ask_size),
        open_time: Some(&open_time),
        close_time: Some(&close_time),
        first_trade: Some(&first),
        last_trade: Some(&last_id),
        trades: Some(&count),
    };
    let mut bench = Bench::documented("binance_24hr");
    bench.take("btcusdt@ticker", Event::Ticker(day), NOW_MS);
    let compact: String = DAY.split_whitespace().collect();
    let compact = compact.strip_prefix('[').unwrap().strip_suffix(']').unwrap();
    assert!(bench.last().ends_with(&format!(r#","data":{compact}}}"#)), "{}\n{compact}", bench.last());

    bench.take("ethusdt@ticker", ticker("1.0"), NOW_MS);
    let data = r#""data":{"symbol":"ETHUSDT","priceChangePercent":"2.45","lastPrice":"1.0"}}"#;
    assert!(bench.last().ends_with(data), "what the event lacks is left out: {}", bench.last());
}

#[test]
fn the_first_value_comes_at_once_and_then_the_grid() {
    let mut bench = Bench::documented("binance_prices");
    assert_eq!(bench.channel.sources().len(), 2);
    assert_eq!(bench.channel.due_ms(), 1_765_211_450_000);
    bench.take("btcusdt@ticker", ticker("1.0"), NOW_MS);
    bench.take("btcusdt@ticker", ticker("1.1"), NOW_MS + 1000);
    bench.take("ethusdt@ticker", ticker("2.0"), NOW_MS + 2000);
    assert_eq!(bench.times(), [NOW_MS, NOW_MS + 2000]);
    bench.run(1_765_211_460_000);
    let first = 1_765_211_450_000;
    assert_eq!(bench.times()[2..], [first, first, first + 10_000, first + 10_000]);
    assert_eq!(bench.said.iter().map(|(_, key, _)| *key).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1]);
    // The newest value, unchanged or not, at the time of the push.
    let times = r#""timestamp":"2025-12-08T16:31:00.000Z","source_timestamp":"2025-12-08T16:30:46.123Z""#;
    assert!(bench.said[4].2.contains(times) && bench.said[4].2.contains(r#""price":1.1,"#), "{}", bench.said[4].2);
}

#[test]
fn a_stale_value_is_not_pushed() {
    let mut bench = Bench::documented("binance_prices");
    bench.take("btcusdt@ticker", ticker("1.0"), 1_765_211_450_000);
    bench.said.clear();
    bench.run(1_765_211_550_000);
    assert_eq!(bench.times().len(), 6 + 1, "as long as it is at most 60 s old");
    assert_eq!(bench.times()[6], 1_765_211_510_000);
    bench.take("btcusdt@ticker", ticker("1.0"), 1_765_211_551_000);
    bench.run(1_765_211_560_000);
    assert_eq!(bench.times()[7..], [1_765_211_560_000], "a fresh one is");
}

#[test]
fn missed_pushes_are_one_push_and_clocks_may_jump() {
    let mut bench = Bench::documented("binance_prices");
    bench.take("btcusdt@ticker", ticker("1.0"), NOW_MS);
    bench.poll(NOW_MS + 35_000);
    assert_eq!(bench.said.len(), 2);
    assert_eq!(bench.channel.due_ms(), 1_765_211_490_000);
    bench.poll(NOW_MS + 35_001);
    assert_eq!(bench.said.len(), 2, "it is not due");
    bench.take("btcusdt@ticker", ticker("1.0"), NOW_MS - 3_600_000);
    assert_eq!(bench.channel.due_ms(), 1_765_211_450_000 - 3_600_000, "an hour back is no hour of silence");
}

#[test]
fn a_realtime_channel_says_every_trade_with_its_own_time() {
    let mut bench = Bench::documented("bitcoinprice");
    assert_eq!(bench.channel.due_ms(), u64::MAX);
    bench.take("btcusdt@ticker", ticker("1.0"), NOW_MS);
    bench.take("btcusdt@ticker", ticker("1.1"), NOW_MS);
    assert_eq!(bench.said.len(), 2, "days' figures, as long as there is no trade");
    bench.take("btcusdt@trade", trade("1.2", 7), NOW_MS);
    bench.take("btcusdt@trade", trade("1.2", 8), NOW_MS);
    bench.take("btcusdt@ticker", ticker("1.1"), NOW_MS);
    assert_eq!(bench.said.len(), 4);
    assert!(bench.last().contains(r#""price":1.2,"timestamp":"1970-01-01T00:00:00.008Z","data""#), "{}", bench.last());
    bench.take("btcusdt@trade", trade("1.3", 0), NOW_MS);
    assert!(bench.last().contains(r#""timestamp":"2025-12-08T16:30:45.123Z""#), "a trade without a time came just now");
    bench.run(NOW_MS + 100_000);
    assert_eq!(bench.said.len(), 5, "there is no schedule");
}

#[test]
fn data_and_schedule_go_together_in_any_way() {
    let pairs = [Pair::parse("BTC/USDT").unwrap()];
    let mut bench = Bench::new(ChannelSpec::new("x", DataKind::Prices, &pairs, Schedule::Realtime), NOW_MS);
    bench.take("btcusdt@ticker", ticker("1.0"), NOW_MS + 50);
    bench.take("btcusdt@ticker", ticker("1.0"), NOW_MS + 60);
    assert_eq!(bench.said.len(), 2);
    assert!(!bench.last().contains("source_timestamp") && bench.last().contains("45.123Z"));

    let mut bench = Bench::new(ChannelSpec::new("x", DataKind::OkxTicker, &pairs, every(1000)), NOW_MS);
    bench.take("btcusdt@trade", trade("1.2", 7), NOW_MS);
    let top = Top { bid: "1", bid_quantity: "2", ask: "3", ask_quantity: "4", time_ms: 0 };
    bench.take("btcusdt@bookTicker", Event::Top(top), NOW_MS + 1);
    assert_eq!(bench.said.len(), 1);
    bench.run(NOW_MS + 1000);
    assert!(bench.last().contains(r#""askPx":"3""#), "the push has what came since: {}", bench.last());
}

#[test]
fn coins_come_and_go() {
    let mut bench = Bench::documented("coingecko_top");
    let list = |ids: &[&str]| {
        let rows: Vec<_> = ids.iter().map(|id| format!(r#"{{"id":"{id}","symbol":"x","current_price":1}}"#)).collect();
        format!("[{}]", rows.join(","))
    };
    let mut said = |ids: &[&str], now_ms| {
        bench.said.clear();
        bench.take("coingecko@top", Event::Document(&list(ids)), now_ms);
        let news = bench.said.len();
        bench.said.clear();
        bench.run(now_ms + 10_000);
        let name = |text: &str| text.split_once(r#""id":""#).unwrap().1.split_once('"').unwrap().0.to_owned();
        let said: Vec<_> = bench.said.iter().map(|(_, key, text)| (*key, name(text))).collect();
        (news, said)
    };
    let pairs = |pairs: &[(Key, &str)]| pairs.iter().map(|(key, id)| (*key, (*id).to_owned())).collect::<Vec<_>>();
    assert_eq!(said(&["a", "b"], NOW_MS), (2, pairs(&[(0, "a"), (1, "b")])));
    assert_eq!(
        said(&["b", "c", "d"], NOW_MS + 10_000),
        (2, pairs(&[(0, "c"), (1, "b"), (2, "d")])),
        "new ones at once"
    );
    assert_eq!(said(&["d"], NOW_MS + 20_000), (0, pairs(&[(2, "d")])), "the others are not pushed any more");
    // An error's body changes nothing.
    bench.said.clear();
    bench.take("coingecko@top", Event::Document(r#"{"status":{"error_code":429}}"#), NOW_MS + 30_000);
    bench.run(NOW_MS + 40_000);
    assert_eq!((bench.said.len(), bench.channel.take_skipped()), (1, 1));
}

#[test]
fn an_unwanted_channel_needs_nothing_and_forgets() {
    for (name, source, event) in [
        ("binance_prices", "btcusdt@ticker", ticker("1.0")),
        ("coingecko_top", "coingecko@top", Event::Document(MARKETS)),
        ("bitcoinprice", "btcusdt@trade", trade("1.0", 1)),
    ] {
        let mut bench = Bench::documented(name);
        bench.take(source, event, NOW_MS);
        let topic = Topic::Hub { channel: name.into() };
        bench.channel.unwant(&topic);
        assert!(bench.channel.sources().is_empty());
        assert_eq!(bench.channel.due_ms(), u64::MAX);
        bench.said.clear();
        bench.take(source, event, NOW_MS);
        bench.poll(NOW_MS + 10_000);
        assert!(bench.said.is_empty(), "{name}");
        bench.channel.want(&topic, NOW_MS);
        bench.run(NOW_MS + 100_000);
        assert!(bench.said.is_empty(), "nothing is left of the time before");
        bench.take(source, event, NOW_MS);
        assert_eq!(bench.said.len(), 1, "the first value comes at once again");
    }
}

#[test]
fn what_makes_no_sense_is_counted_and_costs_nothing_else() {
    let mut bench = Bench::documented("binance_prices");
    for price in ["", "abc", "007", "1,5", "NaN", "null", "1 "] {
        bench.take("btcusdt@ticker", ticker(price), NOW_MS);
    }
    bench.take("btcusdt@ticker", trade("1", 1), NOW_MS);
    bench.take("dogeusdt@ticker", ticker("1"), NOW_MS);
    assert!(bench.said.is_empty());
    assert_eq!(bench.channel.take_skipped(), 9);
    bench.take("btcusdt@ticker", ticker("1.0"), NOW_MS);
    assert_eq!(bench.said.len(), 1);
    let question = Question::Spot { symbol: "x".into() };
    assert_eq!(bench.channel.answer(&question, NOW_MS), Some(Answer::Unknown));
}

/// Of a member; read by our scanner, since `serde_json` refuses numbers such as 1e999.
fn kind_of(text: &str, key: &str) -> ValueKind {
    let mut object = Object::open(text).unwrap();
    loop {
        let member = object.next().unwrap().expect("the member is there");
        if member.key() == key {
            return member.value.kind;
        }
    }
}

/// Texts that are JSON values, nearly so, or nothing of the kind.
fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("42150.50".to_owned()),
        Just("[[\"1.5\",\"2\"]]".to_owned()),
        Just("[[\"1.5\",\"2\"],".to_owned()),
        Just("1}".to_owned()),
        "[-+0-9.eE]{0,8}",
        "\\PC{0,12}",
    ]
}

proptest! {
    /// Whatever a venue says, what goes out is JSON with a number for a price.
    #[test]
    fn every_message_is_json(
        texts in proptest::collection::vec(odd_text(), 6),
        document in prop_oneof![
            "\\PC{0,40}",
            odd_text().prop_map(|price| format!(r#"[{{"id":"a","symbol":"x","current_price":{price}}}]"#)),
            odd_text().prop_map(|price| format!(r#"{{"data":{{"total_market_cap":{{"usd":{price}}}}}}}"#)),
            odd_text().prop_map(|price| {
                format!(r#"{{"coins":[{{"item":{{"id":"a","symbol":"x","data":{{"price":{price}}}}}}}]}}"#)
            }),
        ],
        time_ms in any::<u64>(),
    ) {
        let [a, b, c, d, e, f] = &*texts else { unreachable!() };
        let day = Ticker {
            symbol: a, time_ms, last: b, open: c, high: d, low: e, volume: f, quote_volume: a, change: Some(b),
            open_time: Some(c), trades: Some(d), ..Ticker::default()
        };
        let events = [
            Event::Ticker(day),
            Event::Trade(Trade { price: a, quantity: b, time_ms }),
            Event::Top(Top { bid: a, bid_quantity: b, ask: c, ask_quantity: d, time_ms }),
            Event::Book(Book { symbol: a, last_update: b, bids: c, asks: d, time_ms }),
            Event::Document(&document),
        ];
        for spec in documented(NonZeroU64::new(10_000).unwrap(), &usual_pairs()) {
            let mut bench = Bench::new(spec, NOW_MS);
            for source in bench.channel.sources() {
                for event in events {
                    bench.take(&source, event, NOW_MS);
                }
            }
            bench.poll(NOW_MS + 10_000);
            for (_, _, text) in &bench.said {
                prop_assert_eq!(json::validate(text.as_bytes()), Ok(()), "{}", text);
                prop_assert_eq!(kind_of(text, "price"), ValueKind::Number, "{}", text);
                prop_assert_eq!(kind_of(text, "data"), ValueKind::Object, "{}", text);
            }
        }
    }

    /// On a schedule every instrument with a fresh value is pushed once in each interval, whenever values come.
    #[test]
    fn pushes_keep_the_grid(
        steps in proptest::collection::vec((0..2usize, 0..25_000u64), 1..40),
        interval_ms in 100..20_000u64,
    ) {
        let spec = ChannelSpec::new("x", DataKind::Prices, &usual_pairs(), every(interval_ms));
        let mut bench = Bench::new(spec, NOW_MS);
        let (mut now_ms, mut taken_ms) = (NOW_MS, [const { Vec::new() }; 2]);
        for (pair, wait_ms) in steps {
            now_ms += wait_ms;
            bench.run(now_ms);
            bench.take(["btcusdt@ticker", "ethusdt@ticker"][pair], ticker("1.0"), now_ms);
            taken_ms[pair].push(now_ms);
        }
        for (key, taken_ms) in (0..).zip(&taken_ms) {
            let fresh_at = |push_ms: u64| {
                let newest = taken_ms.iter().rev().find(|taken_ms| **taken_ms < push_ms);
                newest.is_some_and(|taken_ms| push_ms - taken_ms <= 60_000)
            };
            let grid = (NOW_MS / interval_ms + 1..=now_ms / interval_ms).map(|count| count * interval_ms);
            let mut expected: Vec<u64> = taken_ms.first().copied().into_iter().chain(grid.filter(|ms| fresh_at(*ms))).collect();
            expected.sort_unstable();
            let said: Vec<u64> = bench.said.iter().filter(|said| said.1 == key).map(|said| said.0).collect();
            prop_assert_eq!(said, expected);
        }
    }
}

/// Who comes back while the channel is kept warm gets each current value at once, and each once; what is stale or lost
/// waits for its source.
#[test]
fn who_comes_back_is_told_the_present() {
    let mut bench = Bench::documented("binance_prices");
    let topic = bench.channel.topic.clone();
    bench.take("btcusdt@ticker", ticker("1.50"), NOW_MS);
    bench.take("ethusdt@ticker", ticker("2.50"), NOW_MS);
    bench.take("btcusdt@ticker", ticker("1.60"), NOW_MS + 1_000);
    bench.said.clear();
    bench.channel.want(&topic, NOW_MS + 2_000);
    assert_eq!(bench.channel.due_ms(), 0);
    bench.poll(NOW_MS + 2_000);
    assert_eq!(bench.said.iter().map(|(_, key, _)| *key).collect::<Vec<_>>(), [0, 1]);
    assert!(bench.said[0].2.contains(r#""price":1.60,"#), "{}", bench.said[0].2);
    bench.said.clear();
    bench.poll(NOW_MS + 2_001);
    assert_eq!(bench.said, []);

    bench.channel.lose("ethusdt@ticker");
    bench.channel.want(&topic, NOW_MS + 3_000);
    bench.poll(NOW_MS + 3_000);
    assert_eq!(bench.said.iter().map(|(_, key, _)| *key).collect::<Vec<_>>(), [0], "the other one is lost");
    bench.said.clear();
    // Its next word is told at once, as the first one is; on schedule it was pushed all the time.
    bench.run(NOW_MS + 5_000);
    assert_eq!(bench.said.iter().map(|(_, key, _)| *key).collect::<Vec<_>>(), [0, 1]);
    bench.said.clear();
    bench.take("ethusdt@ticker", ticker("2.60"), NOW_MS + 6_000);
    assert_eq!(bench.said.len(), 1);

    bench.said.clear();
    bench.channel.want(&topic, NOW_MS + 120_000);
    bench.channel.next_ms = u64::MAX - 1;
    bench.channel.poll(NOW_MS + 120_000, &mut |_, _, text| panic!("{}", String::from_utf8_lossy(text)));
}

/// A document that was said before the channel read it is as old as it is.
#[test]
fn a_kept_document_keeps_its_age() {
    let mut bench = Bench::documented("coingecko_top");
    let said = &mut bench.said;
    bench.channel.take_kept(
        "coingecko@top",
        &Event::Document(MARKETS),
        NOW_MS - 60_000,
        NOW_MS,
        &mut |_, key, text| {
            said.push((NOW_MS, key, String::from_utf8(text.to_vec()).unwrap()));
        },
    );
    assert!(bench.last().contains(r#""timestamp":"2025-12-08T16:30:45.123Z""#), "{}", bench.last());
    assert!(bench.last().contains(r#""source_timestamp":"2025-12-08T16:29:45.123Z""#), "{}", bench.last());
}
