//! The instruments of the built-in venue: names, digits, and how lively each one is.
//!
//! What ticks (`R_*`, `frx*`, `cry*`) is in [`super::symbol`], the aggregator's coins in [`super::coins`]; both see the
//! pairs of this table as they trade here. The model asks for no more than these numbers.

/// One traded pair. Prices are counted in ticks (10^-price_digits), sizes in lots (10^-size_digits).
#[derive(Debug)]
pub struct Instrument {
    /// As in stream names.
    pub name: &'static str,
    /// As in payloads.
    pub symbol: &'static str,
    pub price_digits: u32,
    pub size_digits: u32,
    /// The price everything moves around, in ticks.
    pub level: i64,
    /// Best ask minus best bid, in ticks.
    pub spread: i64,
    /// Distance of two resting price levels behind the best one, in ticks.
    pub grid: i64,
    /// Executions per minute in the calmest pattern; the liveliest has half as many more.
    pub executions_per_minute: u32,
    /// A typical fill, in lots.
    pub size: i64,
}

/// At least 2 trades in every second, and no candle waits long for its end. A trade keeps to the second half of its slot
/// of the minute, so three of them span up to 2.5 slots, and slots of 400 ms keep that within a second.
pub const EXECUTIONS_PER_MINUTE_MIN: u32 = 150;

/// Above it the sums of a month would leave their integers.
const LEVEL_MAX: i64 = 50_000_000;

#[rustfmt::skip]
pub const INSTRUMENTS: [Instrument; 20] = [
    pair("btcusdt", "BTCUSDT", Digits(2, 5), Prices { level: 9_500_000, spread: 1, grid: 50 }, 240, 2_000),
    pair("ethusdt", "ETHUSDT", Digits(2, 4), Prices { level: 330_000, spread: 1, grid: 5 }, 210, 3_000),
    pair("solusdt", "SOLUSDT", Digits(2, 3), Prices { level: 18_000, spread: 1, grid: 1 }, 180, 3_000),
    pair("bnbusdt", "BNBUSDT", Digits(2, 3), Prices { level: 64_000, spread: 1, grid: 2 }, 150, 800),
    pair("xrpusdt", "XRPUSDT", Digits(4, 1), Prices { level: 21_500, spread: 1, grid: 1 }, 180, 3_000),
    pair("dogeusdt", "DOGEUSDT", Digits(5, 0), Prices { level: 20_000, spread: 1, grid: 1 }, 150, 2_500),
    pair("adausdt", "ADAUSDT", Digits(4, 1), Prices { level: 6_500, spread: 1, grid: 1 }, 150, 6_000),
    pair("trxusdt", "TRXUSDT", Digits(4, 1), Prices { level: 2_800, spread: 1, grid: 1 }, 150, 15_000),
    pair("avaxusdt", "AVAXUSDT", Digits(2, 2), Prices { level: 2_800, spread: 1, grid: 1 }, 150, 1_500),
    pair("linkusdt", "LINKUSDT", Digits(2, 2), Prices { level: 1_800, spread: 1, grid: 1 }, 150, 2_000),
    pair("dotusdt", "DOTUSDT", Digits(3, 2), Prices { level: 5_200, spread: 1, grid: 1 }, 150, 8_000),
    pair("ltcusdt", "LTCUSDT", Digits(2, 3), Prices { level: 10_500, spread: 1, grid: 1 }, 150, 3_000),
    pair("bchusdt", "BCHUSDT", Digits(1, 3), Prices { level: 4_800, spread: 1, grid: 1 }, 150, 900),
    pair("uniusdt", "UNIUSDT", Digits(3, 2), Prices { level: 9_500, spread: 2, grid: 2 }, 150, 4_000),
    pair("atomusdt", "ATOMUSDT", Digits(3, 2), Prices { level: 5_100, spread: 1, grid: 1 }, 150, 7_000),
    pair("nearusdt", "NEARUSDT", Digits(3, 1), Prices { level: 3_600, spread: 1, grid: 1 }, 150, 900),
    pair("xlmusdt", "XLMUSDT", Digits(4, 0), Prices { level: 3_100, spread: 1, grid: 1 }, 150, 1_200),
    pair("aptusdt", "APTUSDT", Digits(3, 2), Prices { level: 6_200, spread: 2, grid: 2 }, 150, 5_000),
    pair("filusdt", "FILUSDT", Digits(3, 2), Prices { level: 3_900, spread: 1, grid: 1 }, 150, 9_000),
    pair("shibusdt", "SHIBUSDT", Digits(8, 0), Prices { level: 1_850, spread: 1, grid: 1 }, 150, 20_000_000),
];

/// Fractional digits of prices and of sizes.
struct Digits(u32, u32);

struct Prices {
    level: i64,
    spread: i64,
    grid: i64,
}

const fn pair(
    name: &'static str,
    symbol: &'static str,
    Digits(price_digits, size_digits): Digits,
    Prices { level, spread, grid }: Prices,
    executions_per_minute: u32,
    size: i64,
) -> Instrument {
    assert!(executions_per_minute >= EXECUTIONS_PER_MINUTE_MIN);
    assert!(price_digits <= 8, "a weighted average has 8 fractional digits");
    assert!(level <= LEVEL_MAX && spread >= 1 && grid >= 1 && size >= 100);
    Instrument { name, symbol, price_digits, size_digits, level, spread, grid, executions_per_minute, size }
}

/// Where an instrument stands in the table.
pub fn find(name: &str) -> Option<usize> {
    INSTRUMENTS.iter().position(|instrument| instrument.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are lower case, symbols their upper case, and none appears twice.
    #[test]
    fn names_are_unique() {
        for (index, instrument) in INSTRUMENTS.iter().enumerate() {
            assert_eq!(instrument.name.to_ascii_uppercase(), instrument.symbol);
            assert_eq!(find(instrument.name), Some(index));
        }
        assert_eq!(find("BTCUSDT"), None);
    }
}
