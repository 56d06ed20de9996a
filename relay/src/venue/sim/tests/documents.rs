//! The documents about coins, against the fixtures and the pairs.

use super::*;
use std::collections::BTreeSet;

const GLOBAL: &str = include_str!("../../../../tests/fixtures/rest/coingecko_global.json");
const MARKETS: &str = include_str!("../../../../tests/fixtures/rest/coingecko_markets.json");
const TRENDING: &str = include_str!("../../../../tests/fixtures/rest/coingecko_trending.json");

const NAMES: [&str; 3] = ["coingecko@global", "coingecko@top", "coingecko@trending"];

/// Every key of the sample is there, with a value of the same type unless the sample has none.
fn assert_has_keys(sample: &Value, value: &Value, path: &str) {
    match (sample, value) {
        (Value::Object(sample), Value::Object(value)) => {
            for (key, sample) in sample {
                let value = value.get(key).unwrap_or_else(|| panic!("{path}.{key} is there"));
                assert_has_keys(sample, value, &format!("{path}.{key}"));
            }
        }
        (Value::Array(sample), Value::Array(value)) => {
            for (sample, value) in sample.iter().zip(value) {
                assert_has_keys(sample, value, &format!("{path}[]"));
            }
        }
        (Value::Null, _) => {}
        _ => assert_eq!(std::mem::discriminant(sample), std::mem::discriminant(value), "{path}: {value}"),
    }
}

fn at_once(seed: u64, at: u64) -> [Value; 3] {
    let (_, frames) = begun(seed, at, &NAMES);
    NAMES.map(|name| of(&frames, name)[0].json())
}

#[test]
fn fixture_keys() {
    let [global, top, trending] = at_once(61, START);
    let sample = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_has_keys(&sample(GLOBAL), &global, "global");
    assert_has_keys(&sample(TRENDING), &trending, "trending");
    let sample = &sample(MARKETS)[0];
    for row in top.as_array().unwrap() {
        for (key, value) in sample.as_object().unwrap() {
            assert!(row.get(key).is_some(), "{key}");
            assert!(row[key].is_null() || value.is_null() || row[key].is_number() == value.is_number(), "{key}: {row}");
        }
    }
}

/// One at once, then one on every tenth second, each a function of its moment and different from the one before.
#[test]
fn every_ten_seconds() {
    let frames = record(62, START + 1, &NAMES, 60_000);
    for name in NAMES {
        let own = of(&frames, name);
        assert_eq!(own.len(), 7, "{name}");
        assert!(own.windows(2).all(|pair| pair[0].text != pair[1].text), "{name}");
    }
    let [global, ..] = at_once(62, START + 1);
    assert_eq!(global["data"]["updated_at"], (START / 10_000 * 10), "the grid of the epoch");
    // Whoever comes later, by whatever way, sees the same.
    let late = begun(62, START + 59_999, &NAMES).1;
    for name in NAMES {
        assert_eq!(of(&late, name).last(), of(&frames, name).last(), "{name}");
    }
    let minutes = record(62, START + 1, &NAMES, 700_000);
    let hour_later = begun(62, START + 700_001, &NAMES).1;
    for name in NAMES {
        assert_eq!(of(&hour_later, name).last(), of(&minutes, name).last(), "{name}");
    }
}

/// A hundred rows, each once, by value; the numbers of a row fit one another.
#[test]
fn top_rows() {
    let (_, frames) = begun(63, START, &["coingecko@top"]);
    let top = frames[0].json();
    let rows = top.as_array().unwrap();
    assert_eq!(rows.len(), 100);
    let distinct = |key: &str| rows.iter().map(|row| row[key].to_string()).collect::<BTreeSet<_>>().len();
    assert_eq!((distinct("id"), distinct("market_cap_rank")), (100, 100));
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap();
    let mut before = f64::INFINITY;
    for (rank, row) in (1..).zip(rows) {
        assert_eq!(integer(row, "market_cap_rank"), rank);
        let [price, cap, supply] = ["current_price", "market_cap", "circulating_supply"].map(|key| number(row, key));
        assert!(cap <= before && (price * supply / cap - 1.0).abs() < 1e-6, "{row}");
        before = cap;
        let [high, low] = ["high_24h", "low_24h"].map(|key| number(row, key));
        let [ath, atl] = ["ath", "atl"].map(|key| number(row, key));
        assert!(atl < low && low <= price && price <= high && high < ath, "{row}");
        let change = number(row, "price_change_24h");
        let percent = change / (price - change) * 100.0;
        assert!((percent - number(row, "price_change_percentage_24h")).abs() < 1e-4, "{row}");
        assert!(number(row, "total_volume") > 0.0);
        assert!(row["last_updated"].as_str().unwrap().starts_with("2025-12-08T16:"));
    }
}

/// The coins of the pairs stand where the pairs' tickers stand at that moment, digit by digit.
#[test]
fn coins_agree_with_pairs() {
    let moment = START / 10_000 * 10_000;
    let (_, frames) = begun(64, moment, &["coingecko@top"]);
    let rows: Vec<&str> = frames[0].text.split("{\"id\"").skip(1).collect();
    for instrument in &INSTRUMENTS {
        let coin = &instrument.name[..instrument.name.len() - 4];
        let row = rows.iter().find(|row| row.contains(&format!("\"symbol\":\"{coin}\""))).unwrap();
        let (_, ticker) = begun(64, moment, &[&format!("{}@ticker", instrument.name)]);
        let ticker = ticker[0].json();
        for (key, ticker_key) in
            [("current_price", "c"), ("high_24h", "h"), ("low_24h", "l"), ("price_change_24h", "p")]
        {
            let expected = format!("\"{key}\":{},", ticker[ticker_key].as_str().unwrap());
            assert!(row.contains(&expected), "{expected} in {row}");
        }
    }
}

/// The whole is more than its hundred parts, and the shares are shares of it.
#[test]
fn global_sums() {
    let [global, top, _] = at_once(65, START);
    let data = &global["data"];
    let rows = top.as_array().unwrap();
    for (key, total) in [("market_cap", "total_market_cap"), ("total_volume", "total_volume")] {
        let sum: i64 = rows.iter().map(|row| integer(row, key)).sum();
        assert_eq!(integer(&data[total], "usd"), sum + sum * 7 / 100, "{key}");
    }
    let shares = data["market_cap_percentage"].as_object().unwrap();
    assert_eq!(shares.len(), 10);
    let total: f64 = shares.values().map(|share| share.as_f64().unwrap()).sum();
    assert!(total > 70.0 && total < 100.0, "{total}");
    let bitcoin = integer(&rows[0], "market_cap") as f64 / integer(&data["total_market_cap"], "usd") as f64 * 100.0;
    assert!((bitcoin - shares["btc"].as_f64().unwrap()).abs() < 1e-6);
}

/// Seven to fifteen coins of the table, none twice, in the order of their scores, others each hour.
#[test]
fn trending_coins() {
    let ids = |at: u64| {
        let [_, top, trending] = at_once(66, at);
        let coins = trending["coins"].as_array().unwrap();
        assert!((7..=15).contains(&coins.len()));
        for (score, coin) in coins.iter().enumerate() {
            let item = &coin["item"];
            assert_eq!(item["score"], score);
            let row = top.as_array().unwrap().iter().find(|row| row["id"] == item["id"]).unwrap();
            assert_eq!(
                (&item["data"]["price"], &item["market_cap_rank"]),
                (&row["current_price"], &row["market_cap_rank"])
            );
            assert!(Decimal::parse(item["data"]["price_btc"].as_str().unwrap()).unwrap().units() > 0, "{item}");
        }
        let ids: BTreeSet<String> = coins.iter().map(|coin| coin["item"]["id"].to_string()).collect();
        assert_eq!(ids.len(), coins.len());
        ids
    };
    assert_eq!(ids(START), ids(START + 20_000));
    assert_ne!(ids(START), ids(START + 3_600_000));
}

/// Numbers are written digit by digit: none has an exponent, as one that was a float might.
#[test]
fn numbers_are_plain() {
    for frame in begun(68, START, &NAMES).1 {
        let outside: String = frame.text.split('"').step_by(2).collect();
        let words = outside.replace("null", "").replace(|char: char| "{}[]:,.-".contains(char), "");
        assert!(words.bytes().all(|byte| byte.is_ascii_digit()), "{words}");
    }
}

/// Nothing in the venue computes with floats; this file's tests may, to be another way to the same numbers.
#[test]
fn no_float_anywhere() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/venue/sim"))];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("sim/tests") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("f64") && !text.contains("f32"), "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 20);
}

/// Far times and wrong clocks have documents as well.
#[test]
fn odd_clocks() {
    for at in [0, 9_999, 253_402_300_800_000, u64::MAX] {
        assert_eq!(at_once(67, at)[1].as_array().unwrap().len(), 100);
    }
}
