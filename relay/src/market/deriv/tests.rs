//! One symbol against what its ticks say when they are folded naively.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::market::event;
use crate::wire::deriv::push::{PushKind, head};
use crate::wire::deriv::request::{self, Call, Request, Style};
use crate::wire::deriv::{id, reply};

const PERIOD_S: u64 = 2;

/// Knows a tick on every even second since `from_s`.
struct FakePast {
    from_s: u64,
    asked: AtomicUsize,
}

impl FakePast {
    fn since(from_s: u64) -> Arc<Self> {
        Arc::new(Self { from_s, asked: AtomicUsize::new(0) })
    }
}

fn hundredths(epoch_s: u64) -> u64 {
    100_000 + epoch_s.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 10_000
}

fn text(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn quote(epoch_s: u64) -> String {
    text(hundredths(epoch_s))
}

impl Past for FakePast {
    fn tick(&self, _: &str, epoch_s: u64) -> Option<PastTick> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(epoch_s % PERIOD_S, 0, "ticks stand on the grid");
        let [quote, bid, ask] = [quote(epoch_s), quote(epoch_s), quote(epoch_s)];
        (epoch_s >= self.from_s).then_some(PastTick { quote, bid, ask })
    }

    fn period_s(&self, _: &str) -> u64 {
        PERIOD_S
    }

    fn candle(&self, _: &str, open_s: u64, end_s: u64) -> Option<[String; 4]> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        naive_candle(self.from_s, open_s, end_s)
    }
}

fn naive_candle(from_s: u64, open_s: u64, end_s: u64) -> Option<[String; 4]> {
    let first_s = open_s.max(from_s).next_multiple_of(PERIOD_S);
    let prices: Vec<u64> = (first_s..end_s).step_by(PERIOD_S as usize).map(hundredths).collect();
    let prices = [prices.first()?, prices.iter().max()?, prices.iter().min()?, prices.last()?];
    Some(prices.map(|price| text(*price)))
}

const STREAM: &str = "r_100@tick";

/// A symbol and everything it said.
struct World {
    symbol: DerivSymbol,
    out: Vec<(String, String)>,
}

impl World {
    fn native(past: Option<Arc<FakePast>>) -> World {
        let past = past.map(|past| past as Arc<dyn Past + Send + Sync>);
        World { symbol: DerivSymbol::new("R_100", Source::Native { stream: STREAM.into() }, past, 2), out: vec![] }
    }

    fn pair() -> World {
        let source = Source::Pair { trades: "btcusdt@trade".into(), tops: "btcusdt@bookTicker".into() };
        World { symbol: DerivSymbol::new("cryBTCUSD", source, None, 2), out: vec![] }
    }

    fn want(&mut self, topic: &str, now_s: u64) {
        self.symbol.want(&Topic::parse(topic).unwrap(), now_s * 1000);
    }

    fn unwant(&mut self, topic: &str) {
        self.symbol.unwant(&Topic::parse(topic).unwrap());
    }

    fn tick(&mut self, epoch_s: u64, quote: &str) {
        let time_ms = epoch_s * 1000;
        let event = Event::Tick(event::Tick { symbol: "R_100", quote, bid: quote, ask: quote, time_ms, pip_size: 2 });
        self.take(STREAM, &event, time_ms);
    }

    fn take(&mut self, source: &str, event: &Event<'_>, now_ms: u64) {
        let out = &mut self.out;
        self.symbol.take(source, event, now_ms, &mut |topic, key, body| {
            assert_eq!(key, 0);
            out.push((topic.to_string(), String::from_utf8(body.to_vec()).unwrap()));
        });
    }

    fn poll(&mut self, now_ms: u64) {
        let out = &mut self.out;
        self.symbol.poll(now_ms, &mut |topic, _, body| {
            out.push((topic.to_string(), String::from_utf8(body.to_vec()).unwrap()));
        });
    }

    /// What was said since the last look: topic, and the value of the whole message.
    fn said(&mut self) -> Vec<(String, Value)> {
        let said = std::mem::take(&mut self.out).into_iter();
        said.map(|(topic, tail)| {
            let kind = if topic.starts_with("candles") { PushKind::Ohlc } else { PushKind::Tick };
            let Request { echo, .. } = request::parse(r#"{"ticks":"R_100","subscribe":1,"req_id":3}"#).unwrap();
            let id = id::subscription_id(1, &echo.text, "R_100");
            let message = [head(&echo, kind, &id), tail.into_bytes()].concat();
            let mut message: Value = serde_json::from_slice(&message).unwrap();
            assert_eq!(message["msg_type"], kind.name());
            let value = message[kind.name()].take();
            assert_eq!(value["id"], message["subscription"]["id"]);
            (topic, value)
        })
        .collect()
    }

    fn epochs(&mut self, topic: &str) -> Vec<u64> {
        let said = self.said().into_iter().filter(|(name, _)| name == topic);
        said.map(|(_, value)| value["epoch"].as_u64().unwrap()).collect()
    }

    /// The answer to a client's text, through the dialect: the value of `history` or `candles`.
    fn history(&mut self, text: &str, now_s: u64) -> Option<Value> {
        let Request { echo, call: Call::History(call) } = request::parse(text).unwrap() else { panic!("{text}") };
        let answer = self.symbol.answer(&Question::History(history(&call, now_s)), now_s * 1000)?;
        let Answer::Json { body, pip_size } = answer else { panic!("{answer:?}") };
        let mut message = Vec::new();
        reply::history(&echo, call.style, &body, pip_size, None, &mut message);
        let mut message: Value = serde_json::from_slice(&message).unwrap();
        assert_eq!(message["pip_size"], 2);
        Some(message[if call.style == Style::Ticks { "history" } else { "candles" }].take())
    }

    fn times(&mut self, text: &str, now_s: u64) -> Vec<u64> {
        let history = self.history(text, now_s).unwrap();
        let times: Vec<u64> = serde_json::from_value(history["times"].clone()).unwrap();
        assert_eq!(history["prices"].as_array().unwrap().len(), times.len());
        times
    }
}

fn trade(price: &str) -> Event<'_> {
    Event::Trade(event::Trade { price, quantity: "1", time_ms: 0 })
}

fn top<'a>(bid: &'a str, ask: &'a str) -> Event<'a> {
    Event::Top(event::Top { bid, bid_quantity: "1", ask, ask_quantity: "1", time_ms: 0 })
}

#[test]
fn ticks_go_to_those_who_want_them() {
    let mut world = World::native(None);
    assert_eq!(world.symbol.sources(), [STREAM.into()]);
    world.tick(100, "1558.59");
    assert_eq!(world.said(), []);
    world.want("ticks R_100", 101);
    world.want("ticks_history R_100", 101);
    world.tick(102, "1559.1");
    assert_eq!(
        world.out[0].1,
        r#""ask":1559.10,"bid":1559.10,"epoch":102,"pip_size":2,"quote":1559.10,"symbol":"R_100"},"msg_type":"tick"}"#
    );
    assert_eq!(world.out[0].1, world.out[1].1, "both get the same tail");
    let topics: Vec<String> = world.said().into_iter().map(|(topic, _)| topic).collect();
    assert_eq!(topics, ["ticks R_100", "ticks_history R_100"]);
    world.unwant("ticks R_100");
    world.tick(104, "1");
    assert_eq!(world.epochs("ticks_history R_100"), [104]);
}

#[test]
fn no_second_is_told_twice() {
    let mut world = World::native(None);
    world.want("ticks R_100", 100);
    for (epoch_s, price) in [(102, "1.00"), (102, "2.00"), (100, "3.00"), (104, "x"), (104, "4.00")] {
        world.tick(epoch_s, price);
    }
    assert_eq!(world.epochs("ticks R_100"), [102, 104]);
    assert_eq!(world.symbol.ignored(), Ignored { malformed: 1, repeated: 2 });
    assert_eq!(world.times(r#"{"ticks_history":"R_100","end":"latest"}"#, 104), [102, 104]);
}

/// Who wants ticks does not wait for the next one if there is one.
#[test]
fn the_newest_tick_is_told_at_once() {
    let mut world = World::native(None);
    world.want("ticks R_100", 100);
    assert_eq!(world.symbol.due_ms(), u64::MAX);
    world.poll(100_000);
    world.tick(102, "1.00");
    assert_eq!(world.epochs("ticks R_100"), [102]);
    assert_eq!(world.symbol.due_ms(), u64::MAX, "nobody waits any more");
    world.unwant("ticks R_100");
    world.want("ticks R_100", 103);
    assert!(world.symbol.due_ms() <= 103_000);
    world.poll(103_000);
    world.poll(103_000);
    assert_eq!(world.epochs("ticks R_100"), [102]);
    // With a past there is one from the start, and its live repeat is none.
    let mut world = World::native(Some(FakePast::since(0)));
    world.want("ticks R_100", 103);
    world.poll(103_000);
    for epoch_s in [100, 102, 104] {
        world.tick(epoch_s, &quote(epoch_s));
    }
    assert_eq!(world.epochs("ticks R_100"), [102, 104]);
}

#[test]
fn questions_wait_for_the_first_tick() {
    let mut world = World::native(None);
    let tick = Question::Tick { symbol: "R_100".into() };
    let latest = r#"{"ticks_history":"R_100","end":"latest"}"#;
    assert_eq!(world.symbol.answer(&tick, 100_000), None);
    assert_eq!(world.history(latest, 100), None);
    world.tick(100, "1.5");
    let body = br#""ask":1.50,"bid":1.50,"epoch":100,"pip_size":2,"quote":1.50,"symbol":"R_100"},"msg_type":"tick"}"#;
    assert_eq!(world.symbol.answer(&tick, 101_000), Some(Answer::Json { body: body.to_vec(), pip_size: 2 }));
    let spot = Question::Spot { symbol: "R_100".into() };
    let body = br#""spot":1.50,"spot_age":"1","spot_time":"1970-01-01 00:01:40""#;
    assert_eq!(world.symbol.answer(&spot, 101_000), Some(Answer::Json { body: body.to_vec(), pip_size: 2 }));
    assert_eq!(world.history(latest, 101), Some(json!({"prices": [1.5], "times": [100]})));
    let stranger = Question::Tick { symbol: "R_10".into() };
    assert_eq!(world.symbol.answer(&stranger, 101_000), Some(Answer::Unknown));
}

#[test]
fn history_is_the_newest_within_its_bounds() {
    let mut world = World::native(None);
    (1..=10).for_each(|index| world.tick(index * 2, &quote(index * 2)));
    let mut check = |more: &str, expected: &[u64]| {
        let text = format!(r#"{{"ticks_history":"R_100",{more}}}"#);
        assert_eq!(world.times(&text, 21), expected, "{more}");
    };
    check(r#""end":"latest","count":3"#, &[16, 18, 20]);
    check(r#""end":"latest","count":3,"start":1"#, &[16, 18, 20]);
    check(r#""end":"11","count":3,"start":1"#, &[6, 8, 10]);
    check(r#""end":10,"start":6"#, &[6, 8, 10]);
    check(r#""end":10,"start":7"#, &[8, 10]);
    check(r#""end":9999999999,"start":19"#, &[20]);
    check(r#""end":1"#, &[]);
    check(r#""end":"latest","start":30"#, &[]);
}

/// History reaches back before the start, and further than is kept; asking again asks the past no more.
#[test]
fn the_past_joins_what_was_heard() {
    let past = FakePast::since(100);
    let mut world = World::native(Some(past.clone()));
    world.want("ticks_history R_100", 50_001);
    let latest = r#"{"ticks_history":"R_100","end":"latest","count":5000}"#;
    assert_eq!(world.times(latest, 50_001), (40_002..=50_000).step_by(2).collect::<Vec<_>>());
    // What was answered is not pushed again, and what is pushed follows at once.
    world.tick(50_000, &quote(50_000));
    world.tick(50_002, &quote(50_002));
    assert_eq!(world.epochs("ticks_history R_100"), [50_002]);
    let asked = past.asked.load(Ordering::Relaxed);
    assert_eq!(world.times(latest, 50_003), (40_004..=50_002).step_by(2).collect::<Vec<_>>());
    assert_eq!(past.asked.load(Ordering::Relaxed), asked);
    let older = r#"{"ticks_history":"R_100","end":"40007","count":5000,"start":39991}"#;
    assert_eq!(world.times(older, 50_003), (39_992..=40_006).step_by(2).collect::<Vec<_>>());
    let oldest = r#"{"ticks_history":"R_100","end":"104","count":9}"#;
    assert_eq!(world.times(oldest, 50_003), [100, 102, 104]);
}

/// What the source lost on the way, the past still knows.
#[test]
fn the_past_fills_gaps() {
    let mut world = World::native(Some(FakePast::since(0)));
    world.want("candles R_100 300", 600);
    for epoch_s in [602, 604, 620, 622] {
        world.tick(epoch_s, &quote(epoch_s));
    }
    let (_, value) = world.said().pop().unwrap();
    let actual = ["open", "high", "low", "close"].map(|key| value[key].as_str().unwrap().to_owned());
    assert_eq!(Some(actual), naive_candle(0, 600, 623));
    let times = world.times(r#"{"ticks_history":"R_100","end":"latest","start":601}"#, 622);
    assert_eq!(times, (602..=622).step_by(2).collect::<Vec<_>>());
}

#[test]
fn memory_is_bounded() {
    let mut world = World::native(None);
    (0..6000).for_each(|index| world.tick(index * 61, "1"));
    let latest = r#"{"ticks_history":"R_100","end":"latest","start":0,"count":5000}"#;
    let times = world.times(latest, 400_000);
    assert_eq!((times.len(), times[0], times[4999]), (5000, 1000 * 61, 5999 * 61));
    let candles = format!("{},\"style\":\"candles\"}}", latest.trim_end_matches('}'));
    let candles = world.history(&candles, 400_000).unwrap();
    assert_eq!(candles.as_array().unwrap().len(), 5000);
    // The past's candles are kept for the next who asks.
    let past = FakePast::since(0);
    let mut world = World::native(Some(past.clone()));
    let candles = r#"{"ticks_history":"R_100","end":400000,"start":0,"count":5000,"style":"candles"}"#;
    let first = world.history(candles, 400_000).unwrap();
    let asked = past.asked.load(Ordering::Relaxed);
    assert_eq!(world.history(candles, 400_000).unwrap(), first);
    assert!(past.asked.load(Ordering::Relaxed) <= asked + 1, "only the open one is asked again");
}

/// Pushes have strings of the symbol's digits, history has numbers; both round only what must be rounded.
#[test]
fn candles_are_strings_in_pushes_and_numbers_in_history() {
    let mut world = World::native(None);
    world.want("candles R_100 60", 100);
    world.tick(1_765_211_402, "304.0676");
    world.tick(1_765_211_404, "304.2");
    world.tick(1_765_211_405, "303.95");
    let expected = json!({
        "close": "303.95", "epoch": 1_765_211_405, "granularity": 60, "high": "304.20", "low": "303.95",
        "open": "304.07", "open_time": 1_765_211_400, "pip_size": 2, "symbol": "R_100",
    });
    let (topic, mut value) = world.said().pop().unwrap();
    assert!(value.as_object_mut().unwrap().remove("id").is_some());
    assert_eq!((topic.as_str(), value), ("candles R_100 60", expected));
    let candles = r#"{"ticks_history":"R_100","end":"latest","style":"candles","count":2}"#;
    let expected = json!([{"close": 303.95, "epoch": 1_765_211_400, "high": 304.2, "low": 303.95, "open": 304.0676}]);
    assert_eq!(world.history(candles, 1_765_211_405), Some(expected));
}

/// A candle nobody saw begin starts with the first tick, or with what was heard before somebody asked.
#[test]
fn an_open_candle_begins_where_it_is_known() {
    let mut world = World::native(None);
    let open = |world: &mut World| {
        let value = world.said().pop().unwrap().1;
        (value["open"].clone(), value["open_time"].as_u64().unwrap())
    };
    world.tick(130, "5.00");
    world.tick(140, "6.00");
    world.want("candles R_100 60", 141);
    world.tick(142, "7.00");
    assert_eq!(open(&mut world), (json!("5.00"), 120));
    world.tick(180, "8.00");
    assert_eq!(open(&mut world), (json!("8.00"), 180));
    world.want("candles R_100 3600", 180);
    world.tick(182, "9.00");
    assert_eq!(open(&mut world), (json!("5.00"), 0));
    world.unwant("candles R_100 3600");
    world.tick(184, "9.00");
    assert_eq!(world.said().len(), 1);
}

#[test]
fn a_pair_ticks_once_a_second() {
    let mut world = World::pair();
    assert_eq!(world.symbol.sources(), ["btcusdt@trade".into(), "btcusdt@bookTicker".into()]);
    world.want("ticks cryBTCUSD", 100);
    world.take("btcusdt@bookTicker", &top("94999.99000000", "95000.01000000"), 100_000);
    world.take("btcusdt@trade", &trade("95000.00000000"), 100_100);
    world.take("btcusdt@trade", &trade("95000.01000000"), 100_900);
    assert_eq!(world.symbol.due_ms(), 101_000);
    world.poll(101_000);
    let tail = r#""ask":95000.01,"bid":94999.99,"epoch":100,"pip_size":2,"quote":95000.01,"symbol":"cryBTCUSD"},"msg_type":"tick"}"#;
    assert_eq!(world.out, [("ticks cryBTCUSD".to_owned(), tail.to_owned())]);
    world.take("btcusdt@trade", &trade("95001"), 101_500);
    world.take("btcusdt@trade", &trade("95002"), 102_500);
    world.poll(102_999);
    assert_eq!(world.epochs("ticks cryBTCUSD"), [100, 101]);
    world.take("btcusdt@trade", &trade("1e5"), 102_999);
    world.take("btcusdt@bookTicker", &top("x", "1"), 102_999);
    assert_eq!(world.symbol.ignored(), Ignored { malformed: 2, repeated: 0 });
}

/// Other sources and events are none of its business.
#[test]
fn strangers_say_nothing() {
    let mut world = World::pair();
    world.want("ticks cryBTCUSD", 100);
    world.take("ethusdt@trade", &trade("1"), 100_000);
    world.take("btcusdt@bookTicker", &trade("1"), 100_000);
    world.take("btcusdt@trade", &Event::Document("{}"), 100_000);
    assert_eq!(world.symbol.due_ms(), u64::MAX);
}

proptest! {
    /// Whenever we begin to listen, history is the past's ticks up to the newest, without gap or double, and pushes go on
    /// from there; candles are those of all ticks.
    #[test]
    fn history_and_pushes_are_one_line(
        from_s in 0u64..3_000,
        start_s in 3_000u64..6_000,
        live in 0u64..150,
        begin in 0u64..4_000,
        length in 0u64..4_000,
        count in 1usize..400,
        granularity_index in 0usize..3,
        ask_early in any::<bool>(),
    ) {
        let granularity_s = u64::from(GRANULARITIES_S[granularity_index]);
        let mut world = World::native(Some(FakePast::since(from_s)));
        let candles_topic = format!("candles R_100 {granularity_s}");
        world.want("ticks_history R_100", start_s);
        world.want(&candles_topic, start_s);
        let newest_s = start_s - start_s % PERIOD_S + live * PERIOD_S;
        let early = ask_early.then(|| world.times(r#"{"ticks_history":"R_100","end":"latest","count":1}"#, start_s));
        (0..=live).rev().for_each(|back| {
            let epoch_s = newest_s - back * PERIOD_S;
            world.tick(epoch_s, &quote(epoch_s));
        });
        let said = world.said();
        let pushed: Vec<u64> = said.iter().filter(|(topic, _)| topic == "ticks_history R_100")
            .map(|(_, value)| value["epoch"].as_u64().unwrap()).collect();
        let first_s = start_s - start_s % PERIOD_S;
        prop_assert_eq!(pushed, (first_s + PERIOD_S..=newest_s).step_by(PERIOD_S as usize).collect::<Vec<_>>());
        prop_assert!(early.is_none_or(|early| early == [first_s]));

        let end_s = begin + length;
        let text = format!(r#"{{"ticks_history":"R_100","start":{begin},"end":{end_s},"count":{count}}}"#);
        let expected = (begin.max(from_s)..=end_s.min(newest_s)).filter(|epoch_s| epoch_s % PERIOD_S == 0);
        let expected: Vec<u64> = expected.collect();
        let newest = expected.len().saturating_sub(count);
        prop_assert_eq!(world.times(&text, newest_s), &expected[newest..]);

        let expected_candle = |open_s: u64, last_s: u64| {
            let end_s = (open_s + granularity_s).min(last_s + 1);
            naive_candle(from_s, open_s, end_s)
        };
        for (_, value) in said.iter().filter(|(topic, _)| *topic == candles_topic) {
            let epoch_s = value["epoch"].as_u64().unwrap();
            let expected = expected_candle(epoch_s - epoch_s % granularity_s, epoch_s).unwrap();
            let actual = ["open", "high", "low", "close"].map(|key| value[key].as_str().unwrap().to_owned());
            prop_assert_eq!(actual, expected);
        }

        let text = text.replace('}', &format!(r#","style":"candles","granularity":{granularity_s}}}"#));
        let last_s = end_s.min(newest_s);
        let opens = (begin / granularity_s..=last_s / granularity_s).map(|index| index * granularity_s);
        let expected: Vec<Value> = opens.filter_map(|open_s| {
            let prices = expected_candle(open_s, newest_s)?;
            let [open, high, low, close] = prices.map(|price| serde_json::from_str::<Value>(&price).unwrap());
            Some(json!({"epoch": open_s, "open": open, "high": high, "low": low, "close": close}))
        }).collect();
        let newest = expected.len().saturating_sub(count);
        prop_assert_eq!(world.history(&text, newest_s).unwrap(), Value::from(&expected[newest..]));
    }

    /// However trades and polls come, ticks are at most one a second and their epochs rise.
    #[test]
    fn a_pairs_epochs_rise(steps in proptest::collection::vec((0u64..2_500, 0usize..3), 1..60)) {
        let mut world = World::pair();
        world.want("ticks cryBTCUSD", 0);
        let mut now_ms = 5_000;
        let mut seconds: Vec<u64> = Vec::new();
        for (gap, kind) in steps {
            now_ms += gap;
            match kind {
                0 => world.poll(now_ms),
                1 => world.take("btcusdt@bookTicker", &top("1", "2"), now_ms),
                _ => {
                    world.take("btcusdt@trade", &trade("1"), now_ms);
                    seconds.push(now_ms / 1000);
                }
            }
        }
        world.poll(now_ms + 1_000);
        seconds.dedup();
        prop_assert_eq!(world.epochs("ticks cryBTCUSD"), seconds);
    }
}

/// Of a source that is lost nothing is known about the present, and all about the past.
#[test]
fn what_is_lost_is_no_present() {
    let mut world = World::native(None);
    world.want("ticks R_100", 1_000_000);
    world.tick(1_000_000, "5.00");
    world.said();
    world.symbol.lose(STREAM);
    let tick = Question::Tick { symbol: "R_100".into() };
    assert_eq!(world.symbol.answer(&tick, 1_000_001_000), None);
    world.want("ticks R_100", 1_000_002);
    world.poll(1_000_002_000);
    assert!(world.said().is_empty(), "nobody new is told the old tick");
    let request = r#"{"ticks_history":"R_100","end":"latest","count":5}"#;
    assert_eq!(world.times(request, 1_000_002), [1_000_000]);
    world.tick(1_000_004, "5.01");
    assert_eq!(world.epochs("ticks R_100"), [1_000_004]);
    assert!(world.symbol.answer(&tick, 1_000_004_000).is_some());
}

/// Long candles are worked on piece by piece, and then are what they would have been at once.
#[test]
fn long_candles_take_several_pieces() {
    let now_s = 1_765_211_444;
    let request = r#"{"ticks_history":"R_100","end":"latest","count":30,"style":"candles","granularity":86400}"#;
    let mut world = World::native(Some(FakePast::since(now_s - 20 * 86_400)));
    world.want("candles R_100 86400", now_s);
    assert_eq!(world.history(request, now_s), None, "it takes too long at once");
    let mut pieces = 0;
    let answer = loop {
        assert_eq!(world.symbol.due_ms(), 0, "there is work to do");
        world.poll(now_s * 1000);
        pieces += 1;
        match world.history(request, now_s) {
            Some(answer) => break answer,
            None => assert!(pieces < 10, "it comes to an end"),
        }
    };
    assert!(pieces > 1);
    assert_ne!(world.symbol.due_ms(), 0);
    let epochs: Vec<u64> = answer.as_array().unwrap().iter().map(|candle| candle["epoch"].as_u64().unwrap()).collect();
    let today_s = now_s - now_s % 86_400;
    let expected: Vec<u64> = (0..=20).rev().map(|back| today_s - back * 86_400).collect();
    assert_eq!(epochs, expected);
}

/// A coin whose price is finer than is usual is not rounded in its candles.
#[test]
fn prices_show_how_fine_they_are() {
    let mut world = World::pair();
    world.want("candles cryBTCUSD 60", 100);
    world.take("btcusdt@trade", &trade("0.34870000"), 100_100);
    world.poll(101_000);
    let value = world.said().pop().unwrap().1;
    assert_eq!((value["close"].clone(), value["pip_size"].clone()), (json!("0.3487"), json!(4)));
}
