//! Twenty pairs with prices that can be verified wherever they arrive, in whatever dialect.
//!
//! `95012.47000123`: the whole part names the pair, the last six digits are the number of the trade, and the two before
//! them check both, so that one changed digit anywhere is noticed.

use std::io::Write;

/// The pairs, and the whole part of their prices: no two are alike.
pub const PAIRS: [(&str, u64); 20] = [
    ("BTC", 95_012),
    ("ETH", 3_344),
    ("BNB", 688),
    ("SOL", 182),
    ("XRP", 2),
    ("DOGE", 0),
    ("ADA", 1),
    ("AVAX", 41),
    ("LINK", 23),
    ("DOT", 7),
    ("LTC", 103),
    ("BCH", 437),
    ("UNI", 13),
    ("ATOM", 9),
    ("ETC", 27),
    ("NEAR", 6),
    ("APT", 11),
    ("FIL", 5),
    ("INJ", 24),
    ("AAVE", 301),
];

/// Trades of a pair that have a price of their own; at 25 per second they last for 11 hours.
pub const TRADES_MAX: u64 = 1_000_000;

const DIGITS: usize = 8;

/// `BTC`.
pub fn base(pair: u32) -> &'static str {
    PAIRS[pair as usize].0
}

/// `btcusdt@trade`.
pub fn stream(pair: u32) -> String {
    format!("{}usdt@trade", base(pair).to_ascii_lowercase())
}

/// The pair of a name that is one of [`stream`].
pub fn pair_of_stream(name: &str) -> Option<u32> {
    (0..PAIRS.len() as u32).find(|&pair| stream(pair) == name)
}

/// The price of a pair's trade number `seq`; no two trades next to each other have the same.
pub fn price(pair: u32, seq: u64) -> String {
    format!("{}.{:02}{seq:06}", PAIRS[pair as usize].1, check(pair, seq))
}

/// Which trade has this price, in any number of digits that means the same.
pub fn trade_of(price: &str) -> Option<(u32, u64)> {
    let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let extra = fraction.get(DIGITS..).unwrap_or("");
    if !is_digits(whole) || !is_digits(fraction) || !extra.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{:0<DIGITS$}", &fraction[..fraction.len().min(DIGITS)]).parse().ok()?;
    let pair = PAIRS.iter().position(|known| known.1 == whole)? as u32;
    let seq = fraction % TRADES_MAX;
    (fraction / TRADES_MAX == check(pair, seq)).then_some((pair, seq))
}

/// Appends a trade as Binance says it.
pub fn write_trade(out: &mut Vec<u8>, pair: u32, seq: u64, wall_ms: u64) {
    let (base, price) = (base(pair), price(pair, seq));
    write!(
        out,
        r#"{{"e":"trade","E":{wall_ms},"s":"{base}USDT","t":{seq},"p":"{price}","q":"0.01000000","T":{wall_ms},"m":{}}}"#,
        seq.is_multiple_of(2)
    )
    .expect("a Vec takes every write");
}

/// Two digits, the first of them not 0.
fn check(pair: u32, seq: u64) -> u64 {
    let mixed = (seq << 8 | u64::from(pair)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    10 + (mixed >> 40) % 90
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every price says which trade it is of, and that of the next trade is another one.
    #[test]
    fn prices() {
        let mut wholes: Vec<u64> = PAIRS.iter().map(|pair| pair.1).collect();
        wholes.sort_unstable();
        wholes.dedup();
        assert_eq!(wholes.len(), PAIRS.len());
        for pair in 0..PAIRS.len() as u32 {
            for seq in (0..3000).chain(TRADES_MAX - 10..TRADES_MAX) {
                assert_eq!(trade_of(&price(pair, seq)), Some((pair, seq)));
            }
        }
        assert_ne!(price(0, 1), price(0, 2));
        assert_eq!(pair_of_stream("ethusdt@trade"), Some(1));
        assert_eq!(pair_of_stream("ethusdt@ticker"), None);
    }

    /// Zeros at the end mean nothing; everything else is another price or none.
    #[test]
    fn digits() {
        let price = price(0, 1230);
        let short = price.trim_end_matches('0');
        assert_eq!(short.len() + 1, price.len());
        assert_eq!(trade_of(short), Some((0, 1230)));
        assert_eq!(trade_of(&format!("{price}00")), Some((0, 1230)));
        for wrong in ["", ".", "-1.5", "1e5", "95012", "95012.4", &format!("{price}01"), &format!("+{price}"), "1.x"] {
            assert_eq!(trade_of(wrong), None, "{wrong}");
        }
    }

    /// One changed digit is nearly always no price at all, and never the same trade.
    #[test]
    fn changes() {
        let (mut tried, mut unnoticed) = (0, 0);
        for seq in 0..500 {
            let good = price(3, seq);
            for at in (0..good.len()).filter(|&at| good.as_bytes()[at] != b'.') {
                let mut bad = good.clone().into_bytes();
                bad[at] = b'0' + (bad[at] - b'0' + 1) % 10;
                let bad = trade_of(std::str::from_utf8(&bad).unwrap());
                assert_ne!(bad, Some((3, seq)));
                tried += 1;
                unnoticed += usize::from(bad.is_some());
            }
        }
        assert!(unnoticed * 50 < tried, "{unnoticed} of {tried}");
    }
}
