//! CoinGecko's documents, taken apart into rows, and the keys of those rows.

use std::collections::HashMap;

use super::spec::DataKind;
use super::value::Unfit;
use crate::limits::HUB_COINS_MAX;
use crate::market::product::Key;
use crate::wire::hub::price::is_number;
use crate::wire::json::{self, Array, Object, Value, ValueKind};

/// One row of a document.
#[derive(Debug)]
pub struct CoinRow<'a> {
    /// `data.id`; symbols are not unique.
    pub id: Box<str>,
    pub instrument: String,
    pub price: &'a str,
    /// A JSON object, as CoinGecko wrote it.
    pub data: &'a str,
}

/// A document's rows that have a price, and how many were left out.
#[derive(Debug, Default)]
pub struct CoinRows<'a> {
    pub rows: Vec<CoinRow<'a>>,
    pub skipped: u64,
}

/// Takes a whole REST body apart. One of another shape (such as an error's) is unfit as a whole.
pub fn read(data: DataKind, document: &str) -> Result<CoinRows<'_>, Unfit> {
    json::validate(document.as_bytes()).map_err(|_| Unfit)?;
    let mut rows = CoinRows::default();
    match data {
        DataKind::CoinGlobal => rows.rows.push(global(document).ok_or(Unfit)?),
        DataKind::CoinTop => {
            let mut list = Array::open(document).ok_or(Unfit)?;
            while let Ok(Some(row)) = list.next() {
                rows.add(coin(row.text, &["current_price"]));
            }
        }
        DataKind::CoinTrending => {
            let coins = member(document, &["coins"]).ok_or(Unfit)?;
            let mut list = Array::open(coins.text).ok_or(Unfit)?;
            while let Ok(Some(row)) = list.next() {
                rows.add(member(row.text, &["item"]).and_then(|item| coin(item.text, &["data", "price"])));
            }
        }
        DataKind::Prices | DataKind::Orderbook | DataKind::Day | DataKind::OkxTicker => return Err(Unfit),
    }
    Ok(rows)
}

impl<'a> CoinRows<'a> {
    /// A row without a price, a second one of an id, and one beyond the limit are left out.
    fn add(&mut self, row: Option<CoinRow<'a>>) {
        match row {
            Some(row) if self.rows.len() < HUB_COINS_MAX && self.rows.iter().all(|other| other.id != row.id) => {
                self.rows.push(row);
            }
            _ => self.skipped += 1,
        }
    }
}

fn global(document: &str) -> Option<CoinRow<'_>> {
    let data = member(document, &["data"])?;
    let price = price(data.text, &["total_market_cap", "usd"])?;
    Some(CoinRow { id: "".into(), instrument: "GLOBAL/USD".to_owned(), price, data: data.text })
}

fn coin<'a>(row: &'a str, price_path: &[&str]) -> Option<CoinRow<'a>> {
    let id = member(row, &["id"])?.string()?;
    let symbol = member(row, &["symbol"])?.string()?;
    let instrument = format!("{}/USD", symbol.to_uppercase());
    Some(CoinRow { id: id.into(), instrument, price: price(row, price_path)?, data: row })
}

fn price<'a>(object: &'a str, path: &[&str]) -> Option<&'a str> {
    let value = member(object, path)?;
    (value.kind == ValueKind::Number && is_number(value.text)).then_some(value.text)
}

/// What a path of keys leads to; of several members with one key the last.
fn member<'a>(object: &'a str, path: &[&str]) -> Option<Value<'a>> {
    let (key, rest) = path.split_first()?;
    let mut members = Object::open(object)?;
    let mut found = None;
    while let Ok(Some(member)) = members.next() {
        if member.key() == *key {
            found = Some(member.value);
        }
    }
    let value = found?;
    if rest.is_empty() { Some(value) } else { member(value.text, rest) }
}

/// Gives each id a small number while it is listed. A number that is free again goes to the next new id, so there are
/// never more of them than rows in a document.
#[derive(Debug, Default)]
pub struct Keys {
    /// By id; the newest document's only.
    keys: HashMap<Box<str>, Key, foldhash::fast::FixedState>,
    free: Vec<Key>,
}

impl Keys {
    /// Forgets the ids that a document does not list any more, and returns their keys.
    pub fn retain(&mut self, rows: &[CoinRow<'_>]) -> Vec<Key> {
        let gone = self.keys.extract_if(|id, _| rows.iter().all(|row| row.id != *id));
        let mut gone: Vec<Key> = gone.map(|(_, key)| key).collect();
        // The map has no order of its own to rely on; the lowest is given first.
        gone.sort_unstable_by(|a, b| b.cmp(a));
        self.free.extend_from_slice(&gone);
        gone
    }

    /// The key of an id, a new one if it has none.
    pub fn key(&mut self, id: &str) -> Key {
        if let Some(key) = self.keys.get(id) {
            return *key;
        }
        let unused = || Key::try_from(self.keys.len()).expect("a document has few rows");
        let key = self.free.pop().unwrap_or_else(unused);
        self.keys.insert(id.into(), key);
        key
    }

    pub fn clear(&mut self) {
        *self = Keys::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GLOBAL: &str = include_str!("../../../testdata/rest/coingecko_global.json");
    const MARKETS: &str = include_str!("../../../testdata/rest/coingecko_markets.json");
    const TRENDING: &str = include_str!("../../../testdata/rest/coingecko_trending.json");

    fn check(data: DataKind, document: &str, expected: &[(&str, &str, &str)], skipped: u64) {
        let found = read(data, document).unwrap();
        let rows: Vec<_> = found.rows.iter().map(|row| (&*row.id, &*row.instrument, row.price)).collect();
        assert_eq!((rows, found.skipped), (expected.to_vec(), skipped), "{document}");
    }

    #[test]
    fn recorded_bodies_are_taken_apart() {
        check(DataKind::CoinGlobal, GLOBAL, &[("", "GLOBAL/USD", "2621040321355.0405")], 0);
        check(DataKind::CoinTop, MARKETS, &[("bitcoin", "BTC/USD", "77671")], 1);
        check(DataKind::CoinTrending, TRENDING, &[("bonk", "BONK/USD", "5.938674704566297e-06")], 0);
        let rows = read(DataKind::CoinTop, MARKETS).unwrap().rows;
        assert!(MARKETS.contains(rows[0].data) && rows[0].data.starts_with(r#"{"id":"bitcoin","symbol":"btc""#));
    }

    #[test]
    fn rows_without_a_price_or_an_id_are_left_out() {
        let rows = r#"[{"id":"a","symbol":"x","current_price":1.50},{"id":"b","symbol":"x","current_price":"1"},
            {"id":"c","symbol":"x"},{"symbol":"x","current_price":1},{"id":"a","symbol":"x","current_price":2},5,
            {"id":"d","symbol":"ß","current_price":1e9}]"#;
        check(DataKind::CoinTop, rows, &[("a", "X/USD", "1.50"), ("d", "SS/USD", "1e9")], 5);
        check(DataKind::CoinTop, "[]", &[], 0);
        check(DataKind::CoinTrending, r#"{"coins":[{}]}"#, &[], 1);
        let many: Vec<String> =
            (0..300).map(|id| format!(r#"{{"id":"{id}","symbol":"s","current_price":{id}}}"#)).collect();
        let many = format!("[{}]", many.join(","));
        let rows = read(DataKind::CoinTop, &many).unwrap();
        assert_eq!((rows.rows.len(), rows.skipped), (HUB_COINS_MAX, 50));
    }

    #[test]
    fn other_documents_are_refused_as_a_whole() {
        let error = r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#;
        assert!(read(DataKind::CoinTop, error).is_err());
        assert!(read(DataKind::CoinTrending, error).is_err());
        assert!(read(DataKind::CoinGlobal, error).is_err());
        assert!(read(DataKind::CoinGlobal, r#"{"data":{"total_market_cap":{"eur":1}}}"#).is_err());
        for text in ["", "[{}", "[]]", "[{\"id\":\"a\",\"symbol\":\"x\",\"current_price\":1},"] {
            assert!(read(DataKind::CoinTop, text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_stay_and_are_used_again() {
        let row = |id: &str| CoinRow { id: id.into(), instrument: String::new(), price: "1", data: "{}" };
        let mut keys = Keys::default();
        assert_eq!(["a", "b", "c"].map(|id| keys.key(id)), [0, 1, 2]);
        assert_eq!(keys.retain(&[row("c"), row("d"), row("e")]), [1, 0]);
        assert_eq!(["d", "c", "e", "f"].map(|id| keys.key(id)), [0, 2, 1, 3]);
    }

    proptest! {
        /// However the list changes, no two listed ids share a key and keys stay below the longest list.
        #[test]
        fn keys_do_not_grow(lists in proptest::collection::vec(proptest::collection::btree_set(0..40u8, 0..12), 1..30)) {
            let mut keys = Keys::default();
            for list in lists {
                let rows: Vec<CoinRow<'_>> = list
                    .iter()
                    .map(|id| CoinRow { id: id.to_string().into(), instrument: String::new(), price: "1", data: "{}" })
                    .collect();
                let before: Vec<_> = rows.iter().map(|row| keys.keys.get(&row.id).copied()).collect();
                keys.retain(&rows);
                let mut given: Vec<Key> = rows.iter().map(|row| keys.key(&row.id)).collect();
                for (before, given) in before.iter().zip(&given) {
                    prop_assert!(before.is_none_or(|before| before == *given), "a key stays while it is listed");
                }
                given.sort_unstable();
                given.dedup();
                prop_assert_eq!(given.len(), rows.len());
                prop_assert!(given.iter().all(|key| *key < 12));
            }
        }

        #[test]
        fn any_document_is_read_or_refused(text in "\\PC*") {
            for data in [DataKind::CoinGlobal, DataKind::CoinTop, DataKind::CoinTrending] {
                let _ = read(data, &text);
            }
        }
    }
}
