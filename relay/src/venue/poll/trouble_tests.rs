//! Limits, refusals and outages; and that whatever a source says costs nobody else anything.

use proptest::prelude::*;

use super::format::Format;
use super::format::binance::Market;
use super::tests::{Bench, START, published, tickers};
use super::*;

const MINUTE: u64 = 60_000;

fn row(symbol: &str) -> String {
    format!(
        r#"{{"symbol":"{symbol}","lastPrice":"1","openPrice":"1","highPrice":"1","lowPrice":"1","volume":"1","quoteVolume":"1","closeTime":1}}"#
    )
}

fn changes(effects: &[Effect]) -> Vec<Change> {
    let change = |effect: &Effect| if let Effect::Changed(change) = effect { Some(change.clone()) } else { None };
    effects.iter().filter_map(change).collect()
}

/// A venue that knows some symbols, and refuses a request that names another.
fn serve(bench: &mut Bench, request: &Request, knows: impl Fn(&str) -> bool) {
    if request.subjects.iter().all(|symbol| knows(symbol)) {
        let rows: Vec<String> = request.subjects.iter().map(|symbol| row(&symbol.to_uppercase())).collect();
        bench.answer(request.id, 200, &format!("[{}]", rows.join(",")));
    } else {
        bench.answer(request.id, 400, r#"{"code":-1121,"msg":"Invalid symbol."}"#);
    }
}

/// Halves find the two that are unknown; all others get their data, and those that had some are never disturbed.
#[test]
fn a_bad_symbol_is_refused_alone() {
    let mut bench = tickers();
    bench.want(&["old@ticker"]);
    bench.ms = 50;
    let request = bench.ask();
    serve(&mut bench, &request, |_| true);
    bench.effects();
    let names: Vec<String> = (0..20).map(|number| format!("s{number:02}@ticker")).collect();
    bench.ms = 9_990;
    bench.want(&names.iter().map(String::as_str).collect::<Vec<_>>());
    bench.ms = 10_050;
    let (mut refused, mut live) = (Vec::new(), Vec::new());
    let mut requests = 0;
    for _ in 0..100 {
        for effect in bench.effects() {
            match effect {
                Effect::Fetch(request) => {
                    requests += 1;
                    let is_old = request.subjects.iter().any(|symbol| &**symbol == "old");
                    assert!(!is_old || request.subjects.len() == 1, "what is known travels alone");
                    serve(&mut bench, &request, |symbol| !["s03", "s17"].contains(&symbol));
                }
                Effect::Refused { stream, msg } => {
                    assert_eq!(msg, "the source answered 400: Invalid symbol.");
                    refused.push(stream);
                }
                Effect::Publish { stream, .. } => live.push(stream),
                other => panic!("{other:?}"),
            }
        }
    }
    refused.sort();
    assert_eq!(refused, [Box::from("s03@ticker"), "s17@ticker".into()]);
    assert_eq!(live.len(), 19);
    assert!(requests <= 20, "{requests} requests");
}

/// A source that answers by symbol may say in its own way that it does not know one: no other waits for it.
#[test]
fn a_stranger_is_refused_alone() {
    let pointer = |text: &str| pointer::Pointer::parse(text).unwrap();
    for (status, body) in [(404, ""), (400, r#"{"error":"what?"}"#), (422, "<html>"), (200, "{}")] {
        let json = format::json::Json {
            path: "/{symbol}".into(),
            rows: pointer(""),
            symbol: None,
            price: pointer("/p"),
            time: None,
            only: None,
        };
        let mut bench = Bench::new(Settings::new(Format::Json(json)));
        bench.want(&["aaa@tick"]);
        let request = bench.ask();
        bench.answer(request.id, 200, r#"{"p":1}"#);
        bench.effects();
        bench.want(&["bbb@tick"]);
        let request = bench.ask();
        assert_eq!(bench.answer(request.id, status, body), Outcome::Refused, "{status} {body}");
        let effects = bench.effects();
        assert!(matches!(&*effects, [Effect::Refused { stream, .. }] if **stream == *"bbb@tick"), "{effects:?}");
        bench.ms = 10_000;
        let request = bench.ask();
        assert_eq!(request.path, "/aaa", "the other one goes on");
        assert_eq!(bench.answer(request.id, status, body), Outcome::Failed, "what was known is not refused");
    }
}

/// 429 and 418 with the venue's own patience: nothing goes out before, and it is told once.
#[test]
fn the_venue_says_how_long_to_be_silent() {
    let mut bench = tickers();
    bench.want(&["btcusdt@ticker"]);
    bench.ms = 50;
    let request = bench.ask();
    let limited = |status, seconds| Answer { status, retry_after: Some(seconds), ..Answer::default() };
    assert_eq!(bench.answer_with(request.id, limited(429, "12")), Outcome::Limited);
    let effects = bench.effects();
    assert_eq!(changes(&effects), [Change::Limited { status: 429, wait_ms: 12_000 }]);
    bench.want(&["ethusdt@ticker"]);
    let asked = bench.asked_until(12_049);
    assert!(asked.is_empty(), "{asked:?}");
    bench.ms = 12_050;
    let request = bench.ask();
    assert_eq!(request.subjects.len(), 2, "what was asked for is due again");
    bench.answer_with(request.id, limited(418, "320"));
    let asked = bench.asked_until(332_049);
    assert!(asked.is_empty(), "{asked:?}");
    bench.ms = 332_050;
    let request = bench.ask();
    serve(&mut bench, &request, |_| true);
    let effects = bench.effects();
    assert_eq!(changes(&effects), [Change::Up]);
    assert_eq!(published(effects).len(), 2);
}

/// CoinGecko does not say how long: a minute, doubled each time; the streams are stale at their time, and live after.
#[test]
fn without_a_time_the_waits_double_from_a_minute() {
    let mut bench = Bench::new(Settings::new(Format::Coingecko).every(10_000));
    bench.want(&["coingecko@top"]);
    let request = bench.ask();
    bench.answer(request.id, 200, "[]");
    bench.effects();
    bench.ms = 10_000;
    let mut stale_ms = None;
    let mut waits = Vec::new();
    while waits.len() < 7 {
        for effect in bench.effects() {
            match effect {
                Effect::Fetch(request) => {
                    let asked_ms = bench.ms;
                    bench.answer(request.id, 429, r#"{"status":{"error_code":429}}"#);
                    waits.push(asked_ms);
                }
                Effect::Stale { .. } => stale_ms = Some(bench.ms),
                _ => {}
            }
        }
        bench.step();
    }
    let waits: Vec<u64> = waits.windows(2).map(|pair| (pair[1] - pair[0]) / MINUTE).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30]);
    assert_eq!(stale_ms, Some(30_000), "three intervals");
}

/// Four fifths of the weight go in a minute of the clock, others on the address included.
#[test]
fn the_weight_of_a_minute_is_kept() {
    let mut bench = Bench::new(Settings { weight_per_minute: Some(100), ..Settings::snapshots(Market::Spot) });
    bench.want(&["a@snapshot", "b@snapshot", "c@snapshot"]);
    let request = bench.ask();
    assert_eq!(changes(&bench.effects()), [], "told once");
    let answer = Answer {
        status: 200,
        used_weight: Some("50"),
        body: br#"{"lastUpdateId":1,"bids":[],"asks":[]}"#,
        ..Answer::default()
    };
    bench.answer_with(request.id, answer);
    assert!(bench.asks().is_empty(), "two of fifty are above eighty");
    assert_eq!(bench.poller.next_due(), 15_000, "stale by then");
    bench.ms = 55_000;
    assert_eq!(bench.asks().len(), 1, "the next minute of the clock, not sixty seconds later");
    assert_eq!(START % MINUTE, 5_000);
}

/// Requests under way are counted before the venue counts them.
#[test]
fn the_venues_own_count_stops_us() {
    let mut bench = tickers();
    bench.want(&["btcusdt@ticker"]);
    bench.ms = 50;
    let request = bench.ask();
    let body = format!("[{}]", row("BTCUSDT"));
    let answer = Answer { status: 200, used_weight: Some("4799"), body: body.as_bytes(), ..Answer::default() };
    bench.answer_with(request.id, answer);
    assert_eq!(published(bench.effects()).len(), 1);
    bench.ms = 10_050;
    let effects = bench.effects();
    assert_eq!(changes(&effects), [Change::Weighted { used: 4799, wait_ms: 44_950 }]);
    bench.ms = 55_000;
    assert_eq!(bench.asks().len(), 1);
}

/// A plan of 10 000 calls lasts for the month at an interval that would use eighty times as many.
#[test]
fn a_month_never_runs_dry() {
    let settings = Settings { requests_per_month: Some(10_000), ..Settings::new(Format::Coingecko).every(10_000) };
    let mut bench = Bench::new(settings);
    bench.want(&["coingecko@global", "coingecko@top", "coingecko@trending"]);
    let (mut count, mut last_ms, mut told) = (0, 0, 0);
    let (mut stale, mut gap_ms_max) = (0, 0);
    const MONTH: u64 = 31 * 24 * 60 * MINUTE;
    while bench.ms < MONTH {
        for effect in bench.effects() {
            match effect {
                Effect::Fetch(request) => {
                    count += 1;
                    if count > 100 {
                        gap_ms_max = gap_ms_max.max(bench.ms - last_ms);
                    }
                    last_ms = bench.ms;
                    let bodies = [r#"{"data":{}}"#, "[]", r#"{"coins":[]}"#];
                    let body = bodies
                        [["global", "top", "trending"].iter().position(|name| **name == *request.subjects[0]).unwrap()];
                    bench.answer(request.id, 200, body);
                }
                Effect::Changed(Change::Stretched { .. }) => told += 1,
                Effect::Stale { .. } => stale += 1,
                _ => {}
            }
        }
        bench.step();
    }
    assert!((9_000..=10_000).contains(&count), "{count} calls");
    assert!(gap_ms_max < 20 * MINUTE, "a gap of {gap_ms_max} ms");
    assert_eq!((told, stale), (1, 0));
}

/// "Not modified" counts as news: what is known is said again, with its validators kept.
#[test]
fn unchanged_documents_cost_no_body() {
    let mut bench = Bench::new(Settings::new(Format::Coingecko));
    bench.want(&["coingecko@top"]);
    let request = bench.ask();
    assert_eq!(request.headers, []);
    let answer = Answer {
        status: 200,
        entity_tag: Some("W/\"7\""),
        last_modified: Some("Mon, 18 May 2026 12:49:21 GMT"),
        body: b"[1]",
        ..Answer::default()
    };
    bench.answer_with(request.id, answer);
    bench.effects();
    for round in 1..=3 {
        bench.ms = 570_000 * round;
        let request = bench.ask();
        let expected =
            [("if-none-match", "W/\"7\"".into()), ("if-modified-since", "Mon, 18 May 2026 12:49:21 GMT".into())];
        assert_eq!(request.headers, expected);
        assert_eq!(bench.answer(request.id, 304, ""), Outcome::Fine);
        assert_eq!(published(bench.effects()), [("coingecko@top".to_owned(), "[1]".to_owned())]);
    }
}

/// A source that does not answer is tried again with growing waits, told of once; its streams are stale at their time.
#[test]
fn an_outage_is_told_once() {
    let mut bench = tickers();
    bench.want(&["btcusdt@ticker"]);
    bench.ms = 50;
    let request = bench.ask();
    serve(&mut bench, &request, |_| true);
    assert_eq!(changes(&bench.effects()), [Change::Up]);
    let (mut told, mut stale, mut tries) = (Vec::new(), 0, 0);
    while bench.ms < 300_000 {
        bench.step();
        for effect in bench.effects() {
            match effect {
                Effect::Fetch(request) => {
                    tries += 1;
                    let now = bench.now();
                    bench.poller.fail(request.id, "no answer within 10 s", now);
                }
                Effect::Stale { .. } => stale += 1,
                Effect::Changed(change) => told.push(change),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(told, [Change::Failing { why: "no answer within 10 s".into() }]);
    assert_eq!(stale, 1);
    assert!((8..30).contains(&tries), "{tries} attempts in five minutes");
    // The next answer ends it, and staleness is told anew the next time.
    while bench.poller.flights.is_empty() {
        bench.step();
        if let Some(request) = bench.asks().pop() {
            serve(&mut bench, &request, |_| true);
            break;
        }
    }
    assert_eq!(changes(&bench.effects()), [Change::Up]);
    assert!(!bench.poller.subjects.values().any(|subject| subject.is_stale));
}

#[test]
fn answers_of_no_use_publish_nothing() {
    for (status, body) in [(200, "<html>"), (200, "{}"), (200, "[7]x"), (500, ""), (301, ""), (304, ""), (400, "{}")] {
        let mut bench = tickers();
        bench.want(&["btcusdt@ticker"]);
        bench.ms = 50;
        let request = bench.ask();
        assert_eq!(bench.answer(request.id, status, body), Outcome::Failed, "{status} {body}");
        let effects = bench.effects();
        assert!(matches!(&*changes(&effects), [Change::Failing { .. }]), "{effects:?}");
        assert!(published(effects).is_empty());
        bench.step();
        assert_eq!(bench.asks().len(), 1, "tried again");
    }
}

/// The session of the fixture: its bulk request is ours, byte for byte, and all its answers are understood.
#[test]
fn the_fixture_session() {
    let mut outcomes = Vec::new();
    let mut asked = None;
    for line in include_str!("../../../testdata/rest/http_exchanges.jsonl").lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        asked = value["http"]["path"].as_str().map(str::to_owned).or(asked);
        let Some(status) = value["http"]["status"].as_u64() else { continue };
        let header = |name: &str| value["http"]["headers"][name].as_str();
        let mut bench = Bench::new(Settings::new(Format::Price(Market::Spot)));
        bench.want(&["btcusdt@tick", "ethusdt@tick"]);
        bench.ms = 50;
        let request = bench.ask();
        if outcomes.is_empty() {
            assert_eq!(Some(request.path), asked);
        }
        let answer = Answer {
            status: status as u16,
            retry_after: header("retry-after"),
            used_weight: header("x-mbx-used-weight-1m"),
            body: value["http"]["body"].as_str().unwrap().as_bytes(),
            ..Answer::default()
        };
        outcomes.push((bench.answer_with(request.id, answer), bench.poller.closed_until_ms.saturating_sub(50)));
    }
    let expected = [
        (Outcome::Fine, 0),
        (Outcome::Refused, 0),
        (Outcome::Limited, 12_000),
        (Outcome::Limited, 320_000),
        (Outcome::Limited, 60_000),
    ];
    assert_eq!(outcomes, expected);
}

proptest! {
    /// Whatever is answered: no panic, what is published is JSON, no more than two requests are under way, and the
    /// next request comes.
    #[test]
    fn any_answer_is_survived(
        kind in 0usize..6,
        answers in prop::collection::vec((
            prop::sample::select(vec![200u16, 200, 200, 304, 400, 403, 404, 418, 429, 500, 999]),
            "[\\{\\}\\[\\]\":,0-9.eabdskpsymbolr -]{0,60}",
            prop::option::of("[0-9]{0,22}|soon"),
            0u64..100_000,
        ), 0..20),
    ) {
        let pointer = |text: &str| pointer::Pointer::parse(text).unwrap();
        let json = format::json::Json {
            path: "/x".into(),
            rows: pointer(""),
            symbol: Some(pointer("/s")),
            price: pointer("/p"),
            time: None,
            only: None,
        };
        let (format, streams) = match kind {
            0 => (Format::Ticker(Market::Spot), ["a@ticker", "b@miniTicker"]),
            1 => (Format::Price(Market::Spot), ["a@tick", "b@trade"]),
            2 => (Format::Price(Market::Usdm), ["a@tick", "a@trade"]),
            3 => (Format::Book { market: Market::Spot, snapshot_levels: 5000 }, ["a@depth5", "a@snapshot"]),
            4 => (Format::Coingecko, ["coingecko@top", "coingecko@global"]),
            _ => (Format::Json(json), ["a@tick", "b@trade"]),
        };
        let mut bench = Bench::new(Settings { requests_per_month: Some(100_000), ..Settings::new(format) });
        for stream in streams {
            bench.poller.want(stream, bench.now());
        }
        let mut waiting = VecDeque::new();
        for (status, body, header, later_ms) in answers {
            for effect in bench.effects() {
                match effect {
                    Effect::Fetch(request) => waiting.push_back(request.id),
                    Effect::Publish { payload, .. } => prop_assert!(crate::wire::json::validate(&payload).is_ok()),
                    _ => {}
                }
            }
            prop_assert!(waiting.len() <= 2);
            if let Some(id) = waiting.pop_front() {
                let answer = Answer {
                    status,
                    entity_tag: header.as_deref(),
                    retry_after: header.as_deref(),
                    used_weight: header.as_deref(),
                    body: body.as_bytes(),
                    ..Answer::default()
                };
                bench.answer_with(id, answer);
            }
            bench.ms += later_ms;
            bench.poller.want(streams[0], bench.now());
        }
    }
}
