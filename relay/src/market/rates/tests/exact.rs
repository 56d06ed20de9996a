//! Every rate against the fraction it stands for, in integers of any length.

use std::cmp::Ordering;
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// A natural number, lowest digit first, in base 10^9.
#[derive(Clone, Debug)]
struct Big(Vec<u64>);

const BASE: u64 = 1_000_000_000;

impl Big {
    fn parse(digits: &str) -> Big {
        let chunks = digits.as_bytes().rchunks(9);
        Big(chunks.map(|chunk| chunk.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))).collect())
    }

    fn times(&self, other: &Big) -> Big {
        let mut digits = vec![0; self.0.len() + other.0.len()];
        for (at, left) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (offset, right) in other.0.iter().chain(&[0]).enumerate().take(digits.len() - at) {
                let sum = digits[at + offset] + left * right + carry;
                digits[at + offset] = sum % BASE;
                carry = sum / BASE;
            }
        }
        Big(digits)
    }

    fn plus(&self, other: &Big) -> Big {
        let mut carry = 0;
        let digit = |big: &Big, at: usize| big.0.get(at).copied().unwrap_or(0);
        let sum = |at| {
            let sum = digit(self, at) + digit(other, at) + carry;
            carry = sum / BASE;
            sum % BASE
        };
        Big((0..=self.0.len().max(other.0.len())).map(sum).collect())
    }

    fn compare(&self, other: &Big) -> Ordering {
        let digit = |big: &Big, at: usize| big.0.get(at).copied().unwrap_or(0);
        let places = (0..self.0.len().max(other.0.len())).rev();
        places.map(|at| digit(self, at).cmp(&digit(other, at))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// A positive fraction.
#[derive(Clone, Debug)]
struct Ratio {
    over: Big,
    under: Big,
}

impl Ratio {
    fn parse(text: &str) -> Ratio {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let under = format!("1{}", "0".repeat(fraction.len()));
        Ratio { over: Big::parse(&format!("{whole}{fraction}")), under: Big::parse(&under) }
    }

    fn inverse(self) -> Ratio {
        Ratio { over: self.under, under: self.over }
    }

    fn times(&self, other: &Ratio) -> Ratio {
        Ratio { over: self.over.times(&other.over), under: self.under.times(&other.under) }
    }

    /// Whether `text`, with its ten digits, is this fraction rounded to the nearest, halves to even.
    fn rounds_to(&self, text: &str) -> bool {
        let (_, fraction) = text.split_once('.').unwrap();
        let units = Big::parse(&text.replace('.', ""));
        // 2 * |exact - units| <= 1, with exact = over * 10^10 / under, all times under.
        let exact = self.over.times(&Big::parse("20000000000"));
        let rounded = units.times(&self.under).times(&Big::parse("2"));
        let low = rounded.compare(&exact.plus(&self.under));
        let high = exact.compare(&rounded.plus(&self.under));
        let is_even = text.bytes().last().is_some_and(|digit| (digit - b'0').is_multiple_of(2));
        let fits = |order: Ordering| order.is_lt() || (order.is_eq() && is_even);
        fraction.len() == 10 && fits(low) && fits(high)
    }
}

/// The sources, and what each prices in dollars.
const SOURCES: [(&str, &str, bool); 7] = [
    ("frxeurusd@tick", "EUR", false),
    ("frxusdjpy@tick", "JPY", true),
    ("frxgbpusd@tick", "GBP", false),
    ("frxusdchf@tick", "CHF", true),
    ("btcusdt@trade", "BTC", false),
    ("ethusdt@trade", "ETH", false),
    ("dotusd@trade", "DOT", false),
];

/// What one unit of each is in dollars, from scratch.
fn worth(prices: &HashMap<usize, String>, name: &str) -> Option<Ratio> {
    if name == "USD" {
        return Some(Ratio::parse("1"));
    }
    let index = SOURCES.iter().position(|(_, priced, _)| *priced == name)?;
    let price = Ratio::parse(prices.get(&index)?);
    Some(if SOURCES[index].2 { price.inverse() } else { price })
}

proptest! {
    /// After any prices in any order the table is what they say, and the last row said of each symbol is its row.
    #[test]
    fn rates_are_the_fractions_they_stand_for(
        table in prop::sample::select(vec!["fiat USD", "fiat EUR", "fiat JPY", "crypto USD", "crypto EUR", "crypto CHF", "crypto BTC"]),
        events in prop::collection::vec((0..SOURCES.len(), "[1-9][0-9]{0,5}(\\.[0-9]{1,8})?|0\\.0{0,4}[1-9][0-9]{0,3}"), 0..40),
    ) {
        let (class, base) = table.split_once(' ').unwrap();
        let mut world = World::new(table);
        world.want(table);
        let mut prices = HashMap::new();
        for (source, price) in events {
            world.price(SOURCES[source].0, &price);
            prices.insert(source, price);
        }
        // The table is held back while somebody is silent, and not longer than this.
        world.now_ms += RATES_WARM_UP_MS;
        world.poll();
        let mut newest = HashMap::new();
        for (_, _, text) in &world.said {
            let row: serde_json::Value = serde_json::from_str(text).unwrap();
            let symbol = row["currency"].as_str().or(row["symbol"].as_str()).unwrap().to_owned();
            newest.insert(symbol, row);
        }
        let is_fiat = class == "fiat";
        let names = SOURCES.iter().map(|(_, name, _)| *name).chain(["USD"]);
        let mut count = 0;
        for name in names.filter(|name| *name != base) {
            let is_currency = name.len() == 3 && !["BTC", "ETH", "DOT"].contains(&name);
            let (Some(value), Some(base_value), true) =
                (worth(&prices, name), worth(&prices, base), is_currency == is_fiat)
            else {
                prop_assert!(!newest.contains_key(name), "{} has no row", name);
                continue;
            };
            count += 1;
            let exact = if is_fiat { base_value.times(&value.inverse()) } else { value.times(&base_value.inverse()) };
            let price = newest[name]["price"].as_str().unwrap();
            if newest[name]["computed"] == true {
                prop_assert!(exact.rounds_to(price), "{name} in {base}: {price}");
            } else {
                let own = Ratio::parse(price);
                let order = own.over.times(&exact.under).compare(&exact.over.times(&own.under));
                prop_assert_eq!(order, Ordering::Equal, "{} in {}: {}", name, base, price);
                prop_assert!(prices.values().any(|text| text == price), "{} is a venue's text", price);
            }
        }
        prop_assert_eq!(newest.len(), count);
    }
}

#[test]
fn halves_go_to_even() {
    let third = Ratio::parse("1").times(&Ratio::parse("3").inverse());
    assert!(third.rounds_to("0.3333333333") && !third.rounds_to("0.3333333334"));
    let half = Ratio::parse("0.00000000005");
    assert!(half.rounds_to("0.0000000000") && !half.rounds_to("0.0000000001"));
    let more = Ratio::parse("0.00000000015");
    assert!(more.rounds_to("0.0000000002") && !more.rounds_to("0.0000000001"));
}
