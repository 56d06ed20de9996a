//! What is asked for and when, and what the answers become.

use super::format::Format;
use super::format::binance::Market;
use super::format::json::Json;
use super::pointer::Pointer;
use super::*;

/// Five seconds into a minute of the calendar.
pub const START: u64 = 1_765_211_405_000;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../testdata/rest/", $name))
    };
}

/// A poller under a clock of its own.
pub struct Bench {
    pub poller: Poller,
    pub ms: u64,
}

impl Bench {
    pub fn new(settings: Settings) -> Bench {
        Bench { poller: Poller::new(settings), ms: 0 }
    }

    pub fn now(&self) -> Now {
        Now { ms: self.ms, calendar_ms: START + self.ms }
    }

    pub fn want(&mut self, streams: &[&str]) {
        for stream in streams {
            assert!(self.poller.want(stream, self.now()), "{stream}");
        }
    }

    pub fn unwant(&mut self, stream: &str) {
        self.poller.unwant(stream, self.now());
    }

    /// Everything that is due now.
    pub fn effects(&mut self) -> Vec<Effect> {
        self.poller.tick(self.now());
        std::iter::from_fn(|| self.poller.poll()).collect()
    }

    /// The paths asked for now.
    pub fn asks(&mut self) -> Vec<Request> {
        let fetch = |effect| if let Effect::Fetch(request) = effect { Some(request) } else { None };
        self.effects().into_iter().filter_map(fetch).collect()
    }

    pub fn paths(&mut self) -> Vec<String> {
        self.asks().into_iter().map(|request| request.path).collect()
    }

    /// The one request of now.
    pub fn ask(&mut self) -> Request {
        let mut asks = self.asks();
        assert_eq!(asks.len(), 1, "{asks:?}");
        asks.remove(0)
    }

    pub fn answer(&mut self, id: u64, status: u16, body: &str) -> Outcome {
        self.answer_with(id, Answer { status, body: body.as_bytes(), ..Answer::default() })
    }

    pub fn answer_with(&mut self, id: u64, answer: Answer<'_>) -> Outcome {
        self.poller.answer(id, answer, self.now())
    }

    /// To the next deadline; false if there is none.
    pub fn step(&mut self) -> bool {
        let due = self.poller.next_due();
        self.ms = if due == u64::MAX { self.ms } else { self.ms.max(due) };
        due != u64::MAX
    }

    /// Moves on in steps, and says what was asked when.
    pub fn asked_until(&mut self, end_ms: u64) -> Vec<(u64, Request)> {
        let mut asked = Vec::new();
        loop {
            asked.extend(self.asks().into_iter().map(|request| (self.ms, request)));
            if self.poller.next_due() > end_ms {
                self.ms = end_ms;
                return asked;
            }
            assert!(self.poller.next_due() > self.ms || self.poller.has_effects(), "a deadline that stays");
            self.step();
        }
    }
}

impl Poller {
    fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }
}

pub fn published(effects: Vec<Effect>) -> Vec<(String, String)> {
    let frame = |effect| match effect {
        Effect::Publish { stream, payload } => Some((stream.into(), String::from_utf8(payload).unwrap())),
        _ => None,
    };
    effects.into_iter().filter_map(frame).collect()
}

pub fn tickers() -> Bench {
    Bench::new(Settings { path: "".into(), ..Settings::new(Format::Ticker(Market::Spot)) })
}

/// One request for what was wanted in a short while, in the documentation's own spelling; then again after the interval.
#[test]
fn many_symbols_are_one_request() {
    let mut bench = Bench::new(Settings::new(Format::Price(Market::Spot)));
    bench.want(&["btcusdt@tick"]);
    bench.ms = 10;
    bench.want(&["ethusdt@trade"]);
    assert_eq!(bench.paths(), [""; 0], "wishes are collected first");
    bench.ms = 60;
    let request = bench.ask();
    assert_eq!(request.path, "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D");
    bench.ms = 100;
    assert_eq!(bench.answer(request.id, 200, fixture!("binance_ticker_price.json")), Outcome::Fine);
    let frames = published(bench.effects());
    let time = START + 100;
    assert_eq!(frames[0].0, "btcusdt@tick");
    assert_eq!(
        frames[0].1,
        format!(
            r#"{{"e":"tick","E":{time},"s":"BTCUSDT","p":"42150.50000000","b":"42150.50000000","a":"42150.50000000","d":8}}"#
        )
    );
    assert_eq!(frames[1].0, "ethusdt@trade");
    assert_eq!(
        frames[1].1,
        format!(r#"{{"e":"trade","E":{time},"s":"ETHUSDT","p":"2240.11000000","q":"0","T":{time}}}"#)
    );
    assert!(bench.step());
    assert_eq!(bench.ms, 10_060);
    let request = bench.ask();
    bench.answer(request.id, 200, fixture!("binance_ticker_price.json"));
    let frames = published(bench.effects());
    assert_eq!(frames.len(), 1, "a price that was traded once is no second trade");
    assert_eq!(frames[0].0, "btcusdt@tick");
}

/// The day's row under the stream's names, texts untouched, and the small one beside it.
#[test]
fn the_day_has_the_shape_of_the_stream() {
    let mut bench = tickers();
    bench.want(&["btcusdt@ticker", "btcusdt@miniTicker"]);
    bench.ms = 50;
    let request = bench.ask();
    assert_eq!(request.path, "/api/v3/ticker/24hr?symbol=BTCUSDT");
    bench.answer(request.id, 200, fixture!("binance_ticker_24hr.json"));
    let frames = published(bench.effects());
    let ticker = concat!(
        r#"{"e":"24hrTicker","E":1765211445000,"s":"BTCUSDT","p":"1007.55000000","P":"2.449","w":"41680.12345678","#,
        r#""x":"41142.94000000","c":"42150.50000000","Q":"0.00215000","b":"42150.49000000","B":"1.20310000","#,
        r#""a":"42150.50000000","A":"0.54020000","o":"41142.95000000","h":"42390.00000000","l":"40980.10000000","#,
        r#""v":"28311.55021000","q":"1180031245.11870020","O":1765125045000,"C":1765211445000,"F":3370011200,"#,
        r#""L":3371120042,"n":1108843}"#
    );
    assert_eq!(frames[0], ("btcusdt@ticker".into(), ticker.into()));
    let mini = concat!(
        r#"{"e":"24hrMiniTicker","E":1765211445000,"s":"BTCUSDT","c":"42150.50000000","o":"41142.95000000","#,
        r#""h":"42390.00000000","l":"40980.10000000","v":"28311.55021000","q":"1180031245.11870020"}"#
    );
    assert_eq!(frames[1], ("btcusdt@miniTicker".into(), mini.into()));
}

/// Twenty tickers cost as much as one; the twenty-first is a request of its own.
#[test]
fn batches_are_as_large_as_is_cheap() {
    let mut bench = tickers();
    let names: Vec<String> = (0..45).map(|number| format!("s{number:02}@ticker")).collect();
    bench.want(&names.iter().map(String::as_str).collect::<Vec<_>>());
    bench.ms = 50;
    let asks = bench.asks();
    assert_eq!(asks.iter().map(|request| request.subjects.len()).collect::<Vec<_>>(), [20, 20], "two at a time");
    bench.answer(asks[0].id, 500, "");
    assert!(bench.asks().is_empty());
    bench.answer(asks[1].id, 500, "");
    bench.step();
    assert_eq!(bench.asks().len(), 2);
}

#[test]
fn a_book_comes_as_it_is() {
    let mut bench = Bench::new(Settings::snapshots(Market::Spot));
    bench.want(&["btcusdt@snapshot"]);
    let request = bench.ask();
    assert_eq!(request.path, "/api/v3/depth?symbol=BTCUSDT&limit=1000", "at once");
    bench.answer(request.id, 200, fixture!("binance_depth.json"));
    let frames = published(bench.effects());
    assert_eq!(frames, [("btcusdt@snapshot".to_owned(), fixture!("binance_depth.json").trim().to_owned())]);
    let asked = bench.asked_until(4_999);
    assert!(asked.is_empty());
    bench.ms = 5_000;
    let request = bench.ask();
    bench.answer(request.id, 200, fixture!("binance_depth.json"));
    bench.effects();
    // Unwanted it is left alone; wanted again it is asked for at once, and forgotten after its linger.
    bench.unwant("btcusdt@snapshot");
    assert!(bench.asked_until(20_000).is_empty());
    bench.want(&["btcusdt@snapshot"]);
    assert_eq!(bench.ask().path, "/api/v3/depth?symbol=BTCUSDT&limit=1000");
    bench.unwant("btcusdt@snapshot");
    bench.ms = 50_000;
    assert_eq!(bench.effects(), [Effect::Released { stream: "btcusdt@snapshot".into() }]);
    let mut bench = Bench::new(Settings::snapshots(Market::Usdm));
    bench.want(&["btcusdt_261225@snapshot"]);
    assert_eq!(bench.ask().path, "/fapi/v1/depth?symbol=BTCUSDT_261225&limit=1000");
}

/// An answer under way may be older than a new wish, so that it does not stand for it.
#[test]
fn wanted_anew_is_asked_anew() {
    let mut bench = Bench::new(Settings::snapshots(Market::Spot));
    bench.want(&["btcusdt@snapshot"]);
    let request = bench.ask();
    bench.ms = 100;
    bench.unwant("btcusdt@snapshot");
    bench.want(&["btcusdt@snapshot"]);
    bench.answer(request.id, 200, fixture!("binance_depth.json"));
    assert_eq!(bench.asks().len(), 1);
}

#[test]
fn documents_are_passed_on_whole() {
    let mut bench = Bench::new(Settings::new(Format::Coingecko));
    let cases = [
        ("coingecko@global", "/api/v3/global", fixture!("coingecko_global.json")),
        (
            "coingecko@top",
            "/api/v3/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=100&page=1",
            fixture!("coingecko_markets.json"),
        ),
        ("coingecko@trending", "/api/v3/search/trending", fixture!("coingecko_trending.json")),
    ];
    for (stream, path, body) in cases {
        bench.want(&[stream]);
        let request = bench.ask();
        assert_eq!(request.path, path);
        bench.answer(request.id, 200, body);
        assert_eq!(published(bench.effects()), [(stream.to_owned(), body.trim().to_owned())]);
    }
    let asked = bench.asked_until(569_999);
    assert!(asked.is_empty(), "{asked:?}");
    bench.ms = 570_000;
    let request = bench.asks().remove(0);
    assert_eq!(bench.answer(request.id, 200, r#"{"status":{"error_code":10002}}"#), Outcome::Failed);
    assert!(published(bench.effects()).is_empty(), "an error replaces no document");
}

fn json(path: &str, rows: &str, symbol: Option<&str>, price: &str, time: Option<&str>) -> Format {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    Format::Json(Json {
        path: path.into(),
        rows: pointer(rows),
        symbol: symbol.map(pointer),
        price: pointer(price),
        time: time.map(pointer),
        only: None,
    })
}

/// Arrays and single objects, numbers and strings, times in any unit; a wish for a currency finds its row.
#[test]
fn any_json_by_pointers() {
    let check = |format: Format, stream: &str, path: &str, body: &str, expected: Option<(&str, u64)>| {
        let mut bench = Bench::new(Settings::new(format));
        bench.want(&[stream]);
        bench.ms = 50;
        let request = bench.ask();
        assert_eq!(request.path, path);
        bench.answer(request.id, 200, body);
        let frames = published(bench.effects());
        let frame = frames.first().map(|(_, payload)| serde_json::from_str::<serde_json::Value>(payload).unwrap());
        let said = frame.as_ref().map(|frame| (frame["p"].as_str().unwrap(), frame["E"].as_u64().unwrap()));
        assert_eq!(said, expected, "{stream} {body}");
    };
    let list = || json("/v1/all?x=1", "/data", Some("/pair"), "/last", Some("/at"));
    let body = r#"{"data":[{"pair":"EUR/USD","last":1.0850,"at":1765211445},{"pair":"BTC-USD","last":"5.9e-06","at":"2025-12-08T16:30:45Z"},{"pair":"ETH_USD"}]}"#;
    check(list(), "frxeurusd@tick", "/v1/all?x=1", body, Some(("1.0850", 1_765_211_445_000)));
    check(list(), "btcusd@trade", "/v1/all?x=1", body, Some(("0.0000059", 1_765_211_445_000)));
    check(list(), "ethusd@trade", "/v1/all?x=1", body, None);
    let one = || json("/v1/{symbol}/{SYMBOL}", "", None, "/a/0", None);
    check(one(), "btcusd@tick", "/v1/btcusd/BTCUSD", r#"{"a":[7.10]}"#, Some(("7.10", START + 50)));
    check(one(), "btcusd@tick", "/v1/btcusd/BTCUSD", r#"{"a":[null]}"#, None);
}

/// What no answer has is refused, and what one lacks once is not.
#[test]
fn a_symbol_that_is_not_listed_is_refused() {
    let mut bench = Bench::new(Settings::new(json("/all", "", Some("/s"), "/p", None)));
    bench.want(&["aaa@tick", "bbb@tick"]);
    bench.ms = 50;
    let request = bench.ask();
    bench.answer(request.id, 200, r#"[{"s":"AAA","p":1}]"#);
    let effects = bench.effects();
    let msg = "the source has no such symbol".to_owned();
    assert!(effects.contains(&Effect::Refused { stream: "bbb@tick".into(), msg }), "{effects:?}");
    assert!(!bench.poller.want("bbb@tick", bench.now()), "not again for a minute");
    bench.ms = 10_100;
    let request = bench.ask();
    bench.answer(request.id, 200, "[]");
    let effects = bench.effects();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Refused { .. })), "{effects:?}");
    bench.ms = 60_050;
    assert!(bench.poller.want("bbb@tick", bench.now()));
}

#[test]
fn what_a_source_cannot_have_is_not_wanted() {
    let formats = [
        (Format::Ticker(Market::Spot), "btcusdt@ticker"),
        (Format::Price(Market::Usdm), "btcusdt@tick"),
        (Format::Book { market: Market::Spot, snapshot_levels: 1000 }, "btcusdt@depth20"),
        (Format::Coingecko, "coingecko@top"),
        (json("/", "", None, "", None), "btcusdt@trade"),
    ];
    for (format, stream) in formats {
        let mut bench = Bench::new(Settings::new(format));
        for other in ["", "@", "btcusdt", "@ticker", "btcusdt@kline_1m", "coingecko@bottom", "!ticker@arr"] {
            assert!(!bench.poller.want(other, bench.now()), "{other}");
        }
        bench.want(&[stream]);
    }
}
