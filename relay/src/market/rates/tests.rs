//! Tables of rates: what is said when, and that every rate is the fraction it stands for.

mod exact;

use std::sync::Arc;

use super::product::Rates;
use super::table::{Table, Tether};
use crate::limits::RATES_WARM_UP_MS;
use crate::market::event::{Event, Tick, Trade};
use crate::market::pair::Pair;
use crate::market::product::{Answer, Key, Product, Question};
use crate::market::topic::{Class, Topic};

const START_MS: u64 = 1_765_211_445_000;

fn pairs(names: &[&str]) -> Vec<Pair> {
    names.iter().map(|name| Pair::parse(name).unwrap()).collect()
}

fn table(tether: Tether) -> Arc<Table> {
    let fiats = pairs(&["EUR/USD", "USD/JPY", "GBP/USD", "USD/CHF"]);
    let coins = pairs(&["BTC/USDT", "ETH/USDT", "DOT/USD", "ETH/BTC", "BTC/USD", "EUR/USDT"]);
    Arc::new(Table::new(&fiats, &coins, tether).unwrap())
}

/// One table and what it said, under a clock of its own.
struct World {
    product: Rates,
    now_ms: u64,
    said: Vec<(String, Key, String)>,
}

impl World {
    fn new(name: &str) -> World {
        World::with(name, Tether::IsDollar)
    }

    fn with(name: &str, tether: Tether) -> World {
        let Some(Topic::Rates { class, base, .. }) = Topic::parse(name) else { panic!("{name}") };
        World { product: Rates::new(table(tether), class, &base).unwrap(), now_ms: START_MS, said: Vec::new() }
    }

    fn want(&mut self, name: &str) {
        self.product.want(&Topic::parse(name).unwrap(), self.now_ms);
    }

    /// The same of a whole table, and its wait for all rows is over.
    fn want_warm(&mut self, name: &str) {
        self.want(name);
        self.now_ms += RATES_WARM_UP_MS;
        self.poll();
    }

    fn unwant(&mut self, name: &str) {
        self.product.unwant(&Topic::parse(name).unwrap());
    }

    fn price(&mut self, source: &str, price: &str) {
        let time_ms = self.now_ms;
        let event = match source.ends_with("@tick") {
            true => Event::Tick(Tick { symbol: "X", quote: price, bid: "1", ask: "1", time_ms, pip_size: 5 }),
            false => Event::Trade(Trade { price, quantity: "1", time_ms }),
        };
        let World { product, said, .. } = self;
        product.take(source, &event, time_ms, &mut |topic, key, bytes| {
            said.push((topic.to_string(), key, String::from_utf8(bytes.to_vec()).unwrap()));
        });
    }

    fn poll(&mut self) {
        let World { product, said, now_ms } = self;
        product.poll(*now_ms, &mut |topic, key, bytes| {
            said.push((topic.to_string(), key, String::from_utf8(bytes.to_vec()).unwrap()));
        });
    }

    fn ask(&mut self, name: &str) -> Option<Answer> {
        let Some(Topic::Rates { class, base, symbol }) = Topic::parse(name) else { panic!("{name}") };
        self.product.answer(&Question::Rates { class, base, symbol }, self.now_ms)
    }

    /// What was said since the last check: topic, and row with its time left out.
    fn check(&mut self, expected: &[(&str, &str)]) {
        let time = format!(",\"timestamp\":{}", self.now_ms);
        let said: Vec<_> = self.said.drain(..).map(|(topic, _, text)| (topic, text.replace(&time, ""))).collect();
        let said: Vec<_> = said.iter().map(|(topic, text)| (topic.as_str(), text.as_str())).collect();
        assert_eq!(said, expected);
    }
}

fn json(answer: Option<Answer>) -> String {
    match answer {
        Some(Answer::Json { body, .. }) => String::from_utf8(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The example of the page: a venue's own price keeps its text, a computed one has ten digits and says so.
#[test]
fn currencies_in_dollars() {
    let mut world = World::new("fiat USD");
    world.want_warm("fiat USD");
    world.price("frxusdjpy@tick", "151.230");
    world.price("frxeurusd@tick", "1.08520");
    world.check(&[
        ("fiat USD", r#"{"base":"USD","currency":"JPY","price":"151.230"}"#),
        ("fiat USD", r#"{"base":"USD","currency":"EUR","price":"0.9214891264","computed":true}"#),
    ]);
}

#[test]
fn currencies_in_another() {
    let mut world = World::new("fiat EUR");
    world.want_warm("fiat EUR");
    // Dollars need the euro's price only; the others wait for it.
    world.price("frxusdjpy@tick", "151.230");
    world.price("frxgbpusd@tick", "1.27");
    world.check(&[]);
    world.price("frxeurusd@tick", "1.08520");
    world.check(&[
        ("fiat EUR", r#"{"base":"EUR","currency":"USD","price":"1.08520"}"#),
        ("fiat EUR", r#"{"base":"EUR","currency":"JPY","price":"164.1147960000","computed":true}"#),
        ("fiat EUR", r#"{"base":"EUR","currency":"GBP","price":"0.8544881890","computed":true}"#),
    ]);
}

/// A coin keeps the venue's text in USD and in USDT, which are one; pairs in other quotes price nothing.
#[test]
fn coins_in_any_base() {
    for base in ["USD", "USDT"] {
        let mut world = World::new(&format!("crypto {base}"));
        world.want_warm(&format!("crypto {base}"));
        assert_eq!(world.product.sources(), ["btcusdt@trade".into(), "ethusdt@trade".into(), "dotusd@trade".into()]);
        world.price("btcusdt@trade", "42150.50");
        world.price("ethbtc@trade", "0.05");
        let row = format!(r#"{{"base":"{base}","symbol":"BTC","price":"42150.50"}}"#);
        world.check(&[(&format!("crypto {base}"), &row)]);
    }
    let mut world = World::new("crypto JPY");
    world.want("crypto JPY BTC");
    assert_eq!(world.product.sources(), ["frxusdjpy@tick".into(), "btcusdt@trade".into()]);
    world.price("btcusdt@trade", "42150.50");
    world.price("frxusdjpy@tick", "151.230");
    let row = r#"{"base":"JPY","symbol":"BTC","price":"6374420.1150000000","computed":true}"#;
    world.check(&[("crypto JPY BTC", &format!(r#"42["crypto",{row}]"#))]);
    let mut world = World::new("crypto BTC");
    world.want("crypto BTC ETH");
    world.price("btcusdt@trade", "40000.00");
    world.price("ethusdt@trade", "2500.01");
    let row = r#"{"base":"BTC","symbol":"ETH","price":"0.0625002500","computed":true}"#;
    world.check(&[("crypto BTC ETH", &format!(r#"42["crypto",{row}]"#))]);
}

/// With a price of its own USDT is a coin like others: what is traded in it is computed, and among themselves it
/// cancels out.
#[test]
fn tether_may_have_its_own_price() {
    let tether = || Tether::Priced { source: "usdtusd@trade".into() };
    let mut world = World::with("crypto USD", tether());
    world.want_warm("crypto USD");
    world.price("btcusdt@trade", "40000.00");
    world.price("dotusd@trade", "5.2");
    world.price("usdtusd@trade", "0.9995");
    world.check(&[
        ("crypto USD", r#"{"base":"USD","symbol":"DOT","price":"5.2"}"#),
        ("crypto USD", r#"{"base":"USD","symbol":"USDT","price":"0.9995"}"#),
        ("crypto USD", r#"{"base":"USD","symbol":"BTC","price":"39980.0000000000","computed":true}"#),
    ]);
    let mut world = World::with("crypto BTC", tether());
    world.want("crypto BTC ETH");
    assert_eq!(world.product.sources(), ["btcusdt@trade".into(), "ethusdt@trade".into()]);
    let mut world = World::with("crypto USDT", tether());
    world.want("crypto USDT BTC");
    world.price("btcusdt@trade", "40000.00");
    let row = r#"{"base":"USDT","symbol":"BTC","price":"40000.00"}"#;
    world.check(&[("crypto USDT BTC", &format!(r#"42["crypto",{row}]"#))]);
}

/// A row comes when its text changes, each under its own key, and to those who want it.
#[test]
fn only_changes_are_said() {
    let mut world = World::new("crypto EUR");
    world.want_warm("crypto EUR");
    world.want("crypto EUR BTC");
    world.price("frxeurusd@tick", "1.25");
    world.price("btcusdt@trade", "50000.00");
    world.price("ethusdt@trade", "2500.00");
    let keys: Vec<_> = world.said.iter().map(|(topic, key, _)| (topic.as_str(), *key)).collect();
    assert_eq!(keys, [("crypto EUR", 1), ("crypto EUR BTC", 0), ("crypto EUR", 2)]);
    world.said.clear();
    world.price("btcusdt@trade", "50000.00");
    world.price("btcusdt@trade", "50000.000");
    world.price("frxeurusd@tick", "1.250");
    world.check(&[]);
    world.price("frxeurusd@tick", "1.6");
    let btc = r#"{"base":"EUR","symbol":"BTC","price":"31250.0000000000","computed":true}"#;
    let eth = r#"{"base":"EUR","symbol":"ETH","price":"1562.5000000000","computed":true}"#;
    let alone = format!(r#"42["crypto",{btc}]"#);
    world.check(&[("crypto EUR", btc), ("crypto EUR BTC", &alone), ("crypto EUR", eth)]);
}

/// Who comes later gets the present with the next poll, which is due at once; others get nothing again.
#[test]
fn newcomers_are_greeted() {
    let mut world = World::new("fiat EUR");
    world.want("fiat EUR USD");
    world.price("frxeurusd@tick", "1.1");
    world.said.clear();
    world.poll();
    assert_eq!(world.product.due_ms(), u64::MAX);
    world.want("crypto EUR");
    assert_eq!(world.product.due_ms(), u64::MAX, "another table");
    world.want("fiat EUR");
    assert_eq!(world.product.due_ms(), world.now_ms);
    world.poll();
    world.check(&[]);
    for (source, price) in [("frxusdjpy@tick", "150"), ("frxgbpusd@tick", "1.2"), ("frxusdchf@tick", "0.8")] {
        world.price(source, price);
    }
    assert_eq!(world.said.drain(..).count(), 4, "the rest of the table was waited for");
    world.want("fiat EUR");
    world.poll();
    let row = r#"{"base":"EUR","currency":"USD","price":"1.1"}"#;
    let said = std::mem::take(&mut world.said);
    assert_eq!(said.len(), 4, "all of it at once");
    world.said = said.into_iter().take(1).collect();
    world.check(&[("fiat EUR", row)]);
    // Told again, as after a short absence.
    world.want("fiat EUR USD");
    world.poll();
    world.check(&[("fiat EUR USD", &format!(r#"42["currency",{row}]"#))]);
}

/// A row is as new as the newest price in it, also if that did not change.
#[test]
fn rows_tell_their_time() {
    let mut world = World::new("crypto EUR");
    world.want("crypto EUR BTC");
    world.price("frxeurusd@tick", "1.25");
    world.price("btcusdt@trade", "5");
    world.now_ms += 7;
    world.price("btcusdt@trade", "5");
    let row = json(world.ask("crypto EUR BTC"));
    let time_ms = START_MS + 7;
    assert_eq!(
        row,
        format!(r#"{{"base":"EUR","symbol":"BTC","price":"4.0000000000","timestamp":{time_ms},"computed":true}}"#)
    );
}

/// What is not wanted any more is not followed, and what it once said is no answer later.
#[test]
fn old_prices_are_forgotten() {
    let mut world = World::new("crypto USD");
    world.want_warm("crypto USD");
    world.price("btcusdt@trade", "1");
    world.unwant("crypto USD");
    assert!(world.product.sources().is_empty());
    world.price("btcusdt@trade", "2");
    world.said.clear();
    world.want("crypto USD BTC");
    world.poll();
    world.check(&[]);
    assert_eq!(world.ask("crypto USD BTC"), None);
    world.price("btcusdt@trade", "3");
    assert_eq!(world.said.len(), 1);
    world.product.lose("btcusdt@trade");
    assert_eq!(world.ask("crypto USD BTC"), None, "a source that is gone answers nothing");
    world.price("btcusdt@trade", "3");
    assert_eq!(world.said.len(), 2);
}

/// A question about the table waits for all who speak, but not for ever; one about a row waits for that row.
#[test]
fn questions_wait_for_the_silent() {
    let mut world = World::new("crypto USD");
    world.want("crypto USD");
    world.poll();
    assert_eq!(world.ask("crypto USD"), None);
    world.price("btcusdt@trade", "1");
    assert_eq!(world.ask("crypto USD"), None);
    assert!(json(world.ask("crypto USD BTC")).starts_with(r#"{"base":"USD","symbol":"BTC","price":"1","#));
    assert_eq!(world.ask("crypto USD ETH"), None);
    assert_eq!(world.product.due_ms(), START_MS + RATES_WARM_UP_MS);
    world.now_ms = world.product.due_ms();
    let row = format!(r#"{{"base":"USD","symbol":"BTC","price":"1","timestamp":{START_MS}}}"#);
    assert_eq!(json(world.ask("crypto USD")), format!("[{row}]"));
    world.poll();
    assert_eq!(world.product.due_ms(), u64::MAX);
    assert_eq!(json(world.ask("crypto USD")), format!("[{row}]"), "the wait is over for those who come later");

    let mut world = World::new("crypto USD");
    world.want("crypto USD");
    world.poll();
    for source in ["btcusdt@trade", "ethusdt@trade", "dotusd@trade"] {
        assert_eq!(world.ask("crypto USD"), None);
        world.price(source, "1");
    }
    assert_eq!(json(world.ask("crypto USD")).matches("symbol").count(), 3);
    assert_eq!(world.product.due_ms(), u64::MAX);
}

/// The first push of a cold table has all its rows; one row alone waits for nobody.
#[test]
fn the_first_push_is_the_full_list() {
    let mut world = World::new("crypto USD");
    world.want("crypto USD");
    world.want("crypto USD BTC");
    world.poll();
    world.price("btcusdt@trade", "1");
    world.price("ethusdt@trade", "2");
    world.now_ms += RATES_WARM_UP_MS - 1;
    // Told again meanwhile: the wait does not start over.
    world.want("crypto USD");
    world.poll();
    assert!(world.said.drain(..).all(|(topic, ..)| topic == "crypto USD BTC"));
    world.price("btcusdt@trade", "1.5");
    world.said.clear();
    world.price("dotusd@trade", "3");
    let time = |ms: u64| format!(",\"timestamp\":{ms}}}");
    let said: Vec<_> = world.said.drain(..).map(|(topic, _, row)| (topic, row)).collect();
    let row = |symbol: &str, price: &str, ms| {
        ("crypto USD".to_owned(), format!(r#"{{"base":"USD","symbol":"{symbol}","price":"{price}"{}"#, time(ms)))
    };
    let all = [row("BTC", "1.5", world.now_ms), row("ETH", "2", START_MS), row("DOT", "3", world.now_ms)];
    assert_eq!(said, all, "each once, with its newest price");
    world.poll();
    world.price("ethusdt@trade", "2.5");
    world.check(&[("crypto USD", r#"{"base":"USD","symbol":"ETH","price":"2.5"}"#)]);
}

/// Who stays silent is not waited for beyond the warm-up: the rows there are come together, the others as they come.
#[test]
fn the_silent_do_not_hold_a_table_back() {
    let mut world = World::new("crypto USD");
    world.want("crypto USD");
    world.poll();
    world.price("btcusdt@trade", "1");
    world.price("ethusdt@trade", "2");
    world.check(&[]);
    world.now_ms = world.product.due_ms();
    assert_eq!(world.now_ms, START_MS + RATES_WARM_UP_MS);
    world.poll();
    assert_eq!(world.said.drain(..).map(|(_, key, _)| key).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(world.product.due_ms(), u64::MAX);
    world.price("dotusd@trade", "3");
    assert_eq!(world.said.len(), 1);
    // A source that is lost later starts no second wait.
    world.product.lose("dotusd@trade");
    world.want("crypto USD");
    world.price("btcusdt@trade", "1.5");
    assert_eq!(world.said.len(), 2);
}

/// With no price at all there is no answer, rather than an empty one.
#[test]
fn nothing_known_is_no_answer() {
    let mut world = World::new("fiat USD");
    world.want("fiat USD");
    world.now_ms += 10 * RATES_WARM_UP_MS;
    world.poll();
    assert_eq!(world.ask("fiat USD"), None);
    assert_eq!(world.ask("fiat USD XXX"), Some(Answer::Unknown));
    assert_eq!(world.ask("fiat EUR"), Some(Answer::Unknown));
}

/// A price that is none, and a rate that fits nowhere, are counted and make no row.
#[test]
fn what_cannot_be_used_is_counted() {
    let mut world = World::new("crypto JPY");
    world.want_warm("crypto JPY");
    for price in ["0", "0.00", "-1", "1e5", &"9".repeat(40)] {
        world.price("btcusdt@trade", price);
    }
    assert_eq!(world.product.take_skipped(), 5);
    world.price("frxusdjpy@tick", &"9".repeat(30));
    world.price("btcusdt@trade", &"9".repeat(30));
    assert_eq!((world.product.take_skipped(), world.product.take_skipped()), (1, 0));
    world.check(&[]);
    world.price("btcusdt@trade", "1");
    world.price("frxusdjpy@tick", "150");
    assert_eq!(world.said.len(), 1);
}

#[test]
fn tables_there_are_none_of() {
    let table = table(Tether::IsDollar);
    for (class, base) in [(Class::Fiat, "BTC"), (Class::Fiat, "USDT"), (Class::Crypto, "XXX"), (Class::Fiat, "")] {
        assert!(Rates::new(table.clone(), class, base).is_none(), "{base}");
    }
    assert_eq!(table.names(Class::Fiat).collect::<Vec<_>>(), ["USD", "EUR", "JPY", "GBP", "CHF"]);
    assert_eq!(table.names(Class::Crypto).collect::<Vec<_>>(), ["BTC", "ETH", "DOT"]);
}
