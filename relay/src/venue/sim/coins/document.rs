//! The documents, in the shape in which CoinGecko's REST interface answers (protocols/rest-sources.md section 2).

use super::table::{Coin, Origin};
use super::{BEYOND_TABLE, COINS_KEY, Coins, Row};
use crate::venue::decimal::divide_half_even;
use crate::venue::sim::day::DAY_MS;
use crate::venue::sim::drift::{Drift, VOLATILITY_MAX};
use crate::venue::sim::instrument::INSTRUMENTS;
use crate::venue::sim::json::Json;
use crate::venue::sim::model::MINUTE_MS;
use crate::venue::sim::noise;
use crate::wire::time;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    Global,
    Top,
    Trending,
}

const PERCENT_DIGITS: u32 = 5;
const SHARE_DIGITS: u32 = 8;
const COIN_DIGITS: u32 = 8;
/// A coin may be worth 10^-12 of another.
const RATIO_DIGITS: u32 = 20;

const TRENDING_COINS: usize = 15;
const TRENDING_PERIOD_MS: i64 = 60 * MINUTE_MS;
/// The largest coins are on everybody's mind and trend nowhere.
const TRENDING_RANK_MIN: usize = 20;

const SHARES: usize = 10;

/// A volatility no pair reaches, for the records of their coins.
const PAIR_VOLATILITY: i64 = 300;

impl Document {
    /// As stream names spell it.
    pub fn parse(name: &str) -> Option<Document> {
        match name {
            "global" => Some(Document::Global),
            "top" => Some(Document::Top),
            "trending" => Some(Document::Trending),
            _ => None,
        }
    }
}

impl Coins {
    /// Appends the document of a moment.
    pub fn write(&mut self, document: Document, at: i64, out: &mut Vec<u8>) {
        let key = self.key;
        let rows = self.rows(at);
        let json = &mut Json { out };
        match document {
            Document::Global => global(json, key, rows, at),
            Document::Top => top(json, key, rows),
            Document::Trending => trending(json, key, rows, at),
        }
    }
}

fn global(json: &mut Json<'_>, key: u64, rows: &[Row], at: i64) {
    let whole = |part: i128| part + part * BEYOND_TABLE / 1_000;
    let value = whole(rows.iter().map(Row::market_cap).sum());
    let before = whole(rows.iter().map(Row::market_cap_before).sum());
    let volume = whole(rows.iter().map(|row| row.volume).sum());
    json.open(b'{');
    json.key("data");
    json.open(b'{');
    json.integer("active_cryptocurrencies", 17_397);
    json.integer("upcoming_icos", 0);
    json.integer("ongoing_icos", 49);
    json.integer("ended_icos", 3_376);
    json.integer("markets", 1_476);
    for (name, total) in [("total_market_cap", value), ("total_volume", volume)] {
        json.key(name);
        json.open(b'{');
        for (currency, pair) in [("btc", 0), ("eth", 1)] {
            let row = of_pair(rows, pair);
            let raised = total * 10i128.pow(row.digits + COIN_DIGITS);
            json.number(currency, divide_half_even(raised, row.price.into()), COIN_DIGITS);
        }
        json.integer("usd", total);
        json.close(b'}');
    }
    json.key("market_cap_percentage");
    json.open(b'{');
    for row in rows.iter().take(SHARES) {
        let share = divide_half_even(row.market_cap() * 10i128.pow(SHARE_DIGITS + 2), value);
        json.number(row.coin.symbol, share, SHARE_DIGITS);
    }
    json.close(b'}');
    json.number("market_cap_change_percentage_24h_usd", percent(value - before, before), PERCENT_DIGITS);
    let level = 1_000_000;
    let pulse = Drift::wild(noise::at(key, COINS_KEY), level, VOLATILITY_MAX).anchor(at.div_euclid(MINUTE_MS));
    json.number("volume_change_percentage_24h_usd", percent((pulse - level).into(), level.into()), PERCENT_DIGITS);
    json.integer("updated_at", (at / 1_000).into());
    json.close(b'}');
    json.close(b'}');
}

fn top(json: &mut Json<'_>, key: u64, rows: &[Row]) {
    json.open(b'[');
    for (rank, row) in (1..).zip(rows) {
        market(json, key, rank, row);
    }
    json.close(b']');
}

fn market(json: &mut Json<'_>, key: u64, rank: i128, row: &Row) {
    let Coin { supply, supply_max, .. } = *row.coin;
    let (cap, cap_before) = (row.market_cap(), row.market_cap_before());
    json.open(b'{');
    json.text("id", row.coin.id);
    json.text("symbol", row.coin.symbol);
    json.text("name", row.coin.name);
    json.text("image", "");
    json.number("current_price", row.price.into(), row.digits);
    json.integer("market_cap", cap);
    json.integer("market_cap_rank", rank);
    json.integer("fully_diluted_valuation", row.value(row.price, supply_max.unwrap_or(supply)));
    json.integer("total_volume", row.volume);
    json.number("high_24h", row.high.into(), row.digits);
    json.number("low_24h", row.low.into(), row.digits);
    let change = row.price - row.open;
    json.number("price_change_24h", change.into(), row.digits);
    json.number("price_change_percentage_24h", percent(change.into(), row.open.into()), PERCENT_DIGITS);
    json.integer("market_cap_change_24h", cap - cap_before);
    json.number("market_cap_change_percentage_24h", percent(cap - cap_before, cap_before), PERCENT_DIGITS);
    json.integer("circulating_supply", supply.into());
    json.integer("total_supply", supply.into());
    match supply_max {
        Some(count) => json.integer("max_supply", count.into()),
        None => json.null("max_supply"),
    }
    records(json, key, row);
    json.null("roi");
    date(json, "last_updated", row.updated);
    json.close(b'}');
}

/// The highest and lowest price of all time: beyond anything the coin reaches, and long ago.
fn records(json: &mut Json<'_>, key: u64, row: &Row) {
    let (level, volatility) = match row.coin.origin {
        Origin::Pair(pair) => (INSTRUMENTS[pair].level, PAIR_VOLATILITY),
        Origin::Own { level, volatility, .. } => (level, volatility),
    };
    let reach = level * volatility / VOLATILITY_MAX;
    for (name, record, salt) in [("ath", level + reach, 1), ("atl", level - reach, 2)] {
        let bits = noise::at(noise::at(key, -1 - row.index as i64), salt);
        // Some day of 2021 to 2023, at some second.
        let day = 18_628 + i64::from(noise::below(bits, 1_095));
        let at = day * DAY_MS + i64::from(noise::below(bits << 32, 86_400)) * 1_000;
        json.number(name, record.into(), row.digits);
        let since = percent((row.price - record).into(), record.into());
        json.number(&format!("{name}_change_percentage"), since, PERCENT_DIGITS);
        date(json, &format!("{name}_date"), at);
    }
}

fn trending(json: &mut Json<'_>, key: u64, rows: &[Row], at: i64) {
    let mood = noise::at(noise::at(key, COINS_KEY + 1), at.div_euclid(TRENDING_PERIOD_MS));
    let mut coins: Vec<(i128, &Row)> = (1..).zip(rows).skip(TRENDING_RANK_MIN).collect();
    coins.sort_by_key(|(_, row)| noise::at(mood, row.index as i64));
    let bitcoin = of_pair(rows, 0);
    json.open(b'{');
    json.key("coins");
    json.open(b'[');
    for (score, (rank, row)) in (0..).zip(coins.into_iter().take(TRENDING_COINS)) {
        json.open(b'{');
        json.key("item");
        item(json, Place { score, rank }, row, bitcoin);
        json.close(b'}');
    }
    json.close(b']');
    for empty in ["nfts", "categories"] {
        json.key(empty);
        json.open(b'[');
        json.close(b']');
    }
    json.close(b'}');
}

struct Place {
    score: i128,
    rank: i128,
}

fn item(json: &mut Json<'_>, Place { score, rank }: Place, row: &Row, bitcoin: &Row) {
    let raised = i128::from(row.price) * 10i128.pow(RATIO_DIGITS + bitcoin.digits - row.digits);
    let price_btc = divide_half_even(raised, bitcoin.price.into());
    json.open(b'{');
    json.text("id", row.coin.id);
    json.integer("coin_id", row.index as i128 + 1);
    json.text("name", row.coin.name);
    json.text("symbol", &row.coin.symbol.to_ascii_uppercase());
    json.integer("market_cap_rank", rank);
    for size in ["thumb", "small", "large"] {
        json.text(size, "");
    }
    json.text("slug", row.coin.id);
    json.number("price_btc", price_btc, RATIO_DIGITS);
    json.integer("score", score);
    json.key("data");
    json.open(b'{');
    json.number("price", row.price.into(), row.digits);
    json.decimal("price_btc", price_btc, RATIO_DIGITS);
    json.key("price_change_percentage_24h");
    json.open(b'{');
    json.number("usd", percent((row.price - row.open).into(), row.open.into()), PERCENT_DIGITS);
    json.close(b'}');
    json.text("market_cap", &dollars(row.market_cap()));
    json.text("total_volume", &dollars(row.volume));
    json.text("sparkline", "");
    json.null("content");
    json.close(b'}');
    json.close(b'}');
}

fn of_pair(rows: &[Row], pair: usize) -> &Row {
    let is_it = |row: &&Row| row.coin.origin == Origin::Pair(pair);
    rows.iter().find(is_it).expect("every pair's coin is in the table")
}

fn percent(change: i128, before: i128) -> i128 {
    divide_half_even(change * 100 * 10i128.pow(PERCENT_DIGITS), before)
}

/// `$521,967,819`
fn dollars(value: i128) -> String {
    let digits = value.to_string();
    let mut text = String::from("$");
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `"last_updated":"2025-12-08T16:30:40.000Z"`. A clock that stands before 1970 is wrong, and is told as 1970.
fn date(json: &mut Json<'_>, key: &str, ms: i64) {
    json.key(key);
    time::write(u64::try_from(ms).unwrap_or(0), json.out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::sim::coins::table::COINS;

    #[test]
    fn dollars_have_commas() {
        for (value, text) in [(0, "$0"), (999, "$999"), (1_000, "$1,000"), (521_967_819, "$521,967,819")] {
            assert_eq!(dollars(value), text);
        }
    }

    /// The table has a hundred coins, each pair's once, and no id, symbol or name twice.
    #[test]
    fn coins_are_unique() {
        let field =
            |of: fn(&Coin) -> &'static str| COINS.iter().map(of).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(COINS.len(), 100);
        assert_eq!((field(|coin| coin.id), field(|coin| coin.symbol), field(|coin| coin.name)), (100, 100, 100));
        for (pair, instrument) in INSTRUMENTS.iter().enumerate() {
            let coin = COINS.iter().find(|coin| coin.origin == Origin::Pair(pair)).unwrap();
            assert_eq!(format!("{}usdt", coin.symbol), instrument.name);
        }
        for coin in &COINS {
            assert!(coin.supply_max.is_none_or(|max| max >= coin.supply), "{}", coin.id);
        }
    }
}
