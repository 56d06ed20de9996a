//! An account's story as its owner reads it.

use super::*;
use crate::venue::decimal::Decimal;
use crate::venue::sim::instrument::INSTRUMENTS;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

const DOCUMENT: &str = include_str!("../../../../testdata/sim/payloads_document.json");

/// 2025-12-08T16:00:00Z, where an episode of the usual rounds begins.
const START: u64 = 1_765_209_600_000;
const HOUR: u64 = 3_600_000;

/// Everything said from the start on, with the time it was due.
fn record(mut account: Account, until: u64) -> Vec<(u64, String)> {
    let mut events = Vec::new();
    while account.next_due() <= until {
        let due = account.next_due();
        account.poll(due, &mut |payload| events.push((due, String::from_utf8(payload.to_vec()).unwrap())));
    }
    events
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn decimal(value: &Value) -> Decimal {
    Decimal::parse(value.as_str().unwrap()).unwrap()
}

fn negative(value: Decimal) -> Decimal {
    Decimal::new(-value.units(), value.scale())
}

fn sum(left: Decimal, right: Decimal) -> Decimal {
    left.checked_add(right).unwrap()
}

/// Object keys in the order of the text.
fn keys(json: &str) -> Vec<&str> {
    let parts: Vec<&str> = json.split('"').collect();
    let is_key = |index: &usize| parts.get(index + 1).is_some_and(|rest| rest.trim_start().starts_with(':'));
    (1..parts.len()).step_by(2).filter(is_key).map(|index| parts[index]).collect()
}

/// Each event has the keys of the document's, in its order.
#[test]
fn document_keys() {
    let sample = |event: &str| {
        let (_, from) = DOCUMENT.rsplit_once(&format!("\"{event}\": {{")).unwrap();
        let end = if event == "ACCOUNT_UPDATE" { "\"ORDER_TRADE_UPDATE\":" } else { "\u{0}" };
        keys(from.split(end).next().unwrap())
    };
    let (order, account) = (sample("ORDER_TRADE_UPDATE"), sample("ACCOUNT_UPDATE"));
    assert_eq!((order.len(), account.len()), (22, 14));
    for (_, text) in record(Account::new(1, "alice", START), START + HOUR / 2) {
        let expected = if text.contains("ORDER_TRADE_UPDATE") { &order } else { &account };
        assert_eq!(&keys(&text), expected, "{text}");
    }
}

/// Every round has an order, every step of it is told when it happened, and all kinds of ends occur.
#[test]
fn orders_live() {
    let events = record(Account::new(2, "bob", START), START + 2 * HOUR);
    let mut orders: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    let mut before = 0;
    let mut trades = Vec::new();
    for (due, text) in &events {
        let json = json(text);
        let (at, transaction) = (json["E"].as_u64().unwrap(), json["T"].as_u64().unwrap());
        assert!(at == *due && transaction < at && at - transaction <= 40 && before <= at, "{text}");
        before = at;
        if json["e"] == "ORDER_TRADE_UPDATE" {
            let order = &json["o"];
            assert_eq!(order["T"], json["T"]);
            if order["x"] == "TRADE" {
                trades.push(order["t"].as_i64().unwrap());
            }
            orders.entry(order["i"].as_i64().unwrap()).or_default().push(order.clone());
        }
    }
    assert_eq!(orders.len(), 1_440, "one each five seconds");
    assert!(trades.is_sorted_by(|left, right| left < right));
    let mut ends = BTreeMap::new();
    for steps in orders.values() {
        let (first, last) = (&steps[0], steps.last().unwrap());
        assert_eq!(
            (&first["x"], &first["X"], &first["z"], &first["t"]),
            (&json("\"NEW\""), &json("\"NEW\""), &json("\"0\""), &json("0"))
        );
        let mut filled = Decimal::new(0, 0);
        let mut value = Decimal::new(0, 0);
        for step in &steps[1..] {
            for key in ["s", "c", "S", "o", "f", "q", "p"] {
                assert_eq!(step[key], first[key]);
            }
            let (size, price) = (decimal(&step["l"]), decimal(&step["L"]));
            filled = sum(filled, size);
            value = sum(value, size.checked_mul(price).unwrap());
            assert_eq!(decimal(&step["z"]), filled);
            if filled.units() > 0 {
                assert_eq!(decimal(&step["ap"]), value.checked_div(filled, 8).unwrap());
            }
            let limit = decimal(&step["p"]);
            if step["x"] == "TRADE" && limit.units() > 0 {
                assert!(if step["S"] == "BUY" { price <= limit } else { price >= limit }, "{step}");
            }
            let status = match step["x"].as_str().unwrap() {
                "TRADE" if filled < decimal(&step["q"]) => "PARTIALLY_FILLED",
                "TRADE" => "FILLED",
                other => other,
            };
            assert_eq!(step["X"], status);
            assert_eq!(step["X"] == "PARTIALLY_FILLED", !std::ptr::eq(step, last), "{steps:?}");
        }
        *ends.entry(last["X"].to_string()).or_insert(0) += 1;
    }
    assert_eq!(ends.keys().collect::<Vec<_>>(), ["\"CANCELED\"", "\"EXPIRED\"", "\"FILLED\""], "{ends:?}");
}

/// Each trade is followed by the account as it leaves it: positions and balances are what the trades add up to, and
/// at the end of an episode money comes or goes.
#[test]
fn accounts_follow_trades() {
    for name in ["carol", "dave", ""] {
        let mut sizes: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut wallet = Decimal::new(10_000, 0);
        let mut trade: Option<Value> = None;
        let (mut settled, mut profits) = (0, 0);
        for (_, text) in record(Account::new(3, name, START - 1), START + 3 * HOUR) {
            let json = json(&text);
            if json["e"] == "ORDER_TRADE_UPDATE" {
                assert!(trade.is_none(), "an account update follows each trade");
                trade = Some(json["o"].clone()).filter(|order| order["x"] == "TRADE");
                continue;
            }
            let balance = &json["a"]["B"][0];
            let Some(trade) = trade.take() else {
                // Before the first round the end of the last episode is heard of, whatever it was.
                let reason = json["a"]["m"].as_str().unwrap();
                let lost = wallet < Decimal::new(10_000, 0);
                let is_first = sizes.is_empty();
                assert!(is_first || reason == if lost { "DEPOSIT" } else { "WITHDRAW" }, "{text}");
                assert!(sizes.values().all(|size| size.units() == 0), "flat: {sizes:?}");
                assert_eq!((balance["wb"].as_str(), &balance["wb"]), (Some("10000.00000000"), &balance["cw"]));
                assert_eq!(json["a"]["P"], serde_json::json!([]));
                wallet = Decimal::new(10_000, 0);
                settled += 1;
                continue;
            };
            assert_eq!((&json["a"]["m"], &json["T"]), (&Value::from("ORDER"), &trade["T"]));
            wallet = sum(wallet, decimal(&trade["rp"]));
            assert_eq!(decimal(&balance["wb"]), wallet, "{text}");
            assert!(decimal(&balance["cw"]) <= wallet && decimal(&balance["cw"]).units() > 0, "{text}");
            let position = &json["a"]["P"][0];
            assert_eq!(position["s"], trade["s"]);
            let size = sizes.entry(trade["s"].as_str().unwrap().to_owned()).or_insert(Decimal::new(0, 0));
            let filled = decimal(&trade["l"]);
            *size = sum(*size, if trade["S"] == "BUY" { filled } else { negative(filled) });
            assert_eq!(decimal(&position["pa"]), *size);
            assert_eq!(decimal(&position["ep"]).units() == 0, size.units() == 0, "{text}");
            assert!(size.units() != 0 || position["up"] == "0", "{text}");
            profits += usize::from(trade["rp"] != "0");
        }
        assert!(settled >= 3 && profits > 100 && sizes.len() == 3, "{name}: {settled} {profits} {sizes:?}");
    }
}

/// Prices are the market's: a market order's fill is the tick's best price at its second.
#[test]
fn prices_are_the_markets() {
    let past = Past::new(4);
    let mut checked = 0;
    for (due, text) in record(Account::at(&past, "erin", ROUND_MS, START), START + HOUR) {
        let order = &json(&text)["o"];
        if order["x"] != "TRADE" || order["o"] != "MARKET" {
            continue;
        }
        let pair = INSTRUMENTS.iter().find(|pair| order["s"] == pair.symbol).unwrap();
        let symbol = format!("cry{}", &pair.symbol[..pair.symbol.len() - 1]);
        let quote = past.tick(&symbol, due / 1_000).unwrap();
        assert_eq!(order["L"], if order["S"] == "BUY" { quote.ask } else { quote.bid });
        checked += 1;
    }
    assert!(checked > 100);
}

/// Nothing of the story depends on when one came, nor on how often one asks; other names have other stories.
#[test]
fn a_function_of_name_and_time() {
    let all = record(Account::new(5, "frank", START), START + 2 * HOUR);
    for start in [START + 1, START + 4_999, START + 5_000, START + HOUR - 1, START + HOUR, START + HOUR + 777_777] {
        let late = record(Account::new(5, "frank", start), START + 2 * HOUR);
        let expected: Vec<_> = all.iter().filter(|(due, _)| *due > start).cloned().collect();
        assert_eq!(late, expected, "from {start}");
    }
    let mut seldom = Vec::new();
    let mut account = Account::new(5, "frank", START);
    for now in (START..=START + 2 * HOUR).step_by(9_600) {
        account.poll(now, &mut |payload| seldom.push(String::from_utf8(payload.to_vec()).unwrap()));
    }
    assert_eq!(seldom, all.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>());
    let other = |seed, name| record(Account::new(seed, name, START), START + 60_000);
    assert_ne!(other(5, "frank"), other(5, "grace"));
    assert_ne!(other(5, "frank"), other(6, "frank"));
}

/// A leap forward is skipped and counted, a leap back starts again there, a step back is waited for.
#[test]
fn leaps() {
    let mut account = Account::new(7, "heidi", START);
    let mut events = 0;
    account.poll(START + 10 * HOUR, &mut |_| events += 1);
    assert_eq!((events, account.skipped_ms()), (0, 10 * HOUR));
    let next = account.next_due();
    account.poll(next - 9_000, &mut |_| panic!("time stands still"));
    assert_eq!(account.next_due(), next);
    account.poll(START, &mut |_| panic!("nothing is due at the start"));
    let again = record(account, START + 60_000);
    assert_eq!(again, record(Account::new(7, "heidi", START), START + 60_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Any name, clock and length of round: events come, in order, as JSON.
    #[test]
    fn any_account(name in "\\PC{0,20}", start: u64, round_ms in 1u32..100_000) {
        let past = Past::new(8);
        let round = NonZeroU32::new(round_ms).unwrap();
        for start in [start, start % 4_000_000_000_000, 0] {
            let mut account = Account::at(&past, &name, round, start);
            let mut before = 0;
            for _ in 0..20 {
                let due = account.next_due();
                prop_assert!(due >= before);
                before = due;
                account.poll(due, &mut |payload| drop(json(std::str::from_utf8(payload).unwrap())));
            }
        }
    }
}
