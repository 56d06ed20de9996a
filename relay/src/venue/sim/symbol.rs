//! What ticks: synthetic indices, currency pairs, and the coins of the traded pairs, by the names Deriv gives them.

use super::drift::VOLATILITY_MAX;
use super::instrument::INSTRUMENTS;

/// One row of the table. Prices are counted in pips (10^-digits).
#[derive(Debug)]
pub struct Symbol {
    /// As in payloads; in stream names it is in lower case.
    pub name: &'static str,
    pub digits: u32,
    /// Seconds between two ticks, which fall on its multiples.
    pub period_s: i64,
    pub origin: Origin,
}

/// Where a symbol's prices come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A random walk of its own.
    Walk(Walk),
    /// The last trade of the pair at this place in [`INSTRUMENTS`].
    Pair(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The price everything moves around, in pips.
    pub level: i64,
    /// From the quote to the bid and to the ask, in pips.
    pub half_spread: i64,
    /// What a year's moves amount to, in thousandths of the price.
    pub volatility: i64,
}

/// Above it a wave times a level would leave its integer.
const LEVEL_MAX: i64 = 1_000_000_000;

const WALKS: usize = 26;

#[rustfmt::skip]
pub const SYMBOLS: [Symbol; WALKS + INSTRUMENTS.len()] = [
    walk("R_10",    3, 2, Walk { level: 6_120_000,   half_spread: 120,    volatility: 100 }),
    walk("R_25",    3, 2, Walk { level: 2_740_000,   half_spread: 130,    volatility: 250 }),
    walk("R_50",    4, 2, Walk { level: 2_120_000,   half_spread: 180,    volatility: 500 }),
    walk("R_75",    4, 2, Walk { level: 940_000_000, half_spread: 90_000, volatility: 750 }),
    walk("R_100",   2, 2, Walk { level: 156_000,     half_spread: 12,     volatility: 1_000 }),
    walk("1HZ100V", 2, 1, Walk { level: 124_000,     half_spread: 8,      volatility: 1_000 }),
    walk("frxEURUSD", 5, 1, Walk { level: 108_500,   half_spread: 3,  volatility: 70 }),
    walk("frxGBPUSD", 5, 1, Walk { level: 127_000,   half_spread: 4,  volatility: 80 }),
    walk("frxAUDUSD", 5, 1, Walk { level: 65_500,    half_spread: 3,  volatility: 100 }),
    walk("frxNZDUSD", 5, 1, Walk { level: 60_200,    half_spread: 4,  volatility: 105 }),
    walk("frxUSDJPY", 3, 1, Walk { level: 150_200,   half_spread: 4,  volatility: 100 }),
    walk("frxUSDCHF", 5, 1, Walk { level: 88_500,    half_spread: 4,  volatility: 75 }),
    walk("frxUSDCAD", 5, 1, Walk { level: 136_500,   half_spread: 4,  volatility: 60 }),
    walk("frxUSDCNY", 5, 1, Walk { level: 718_000,   half_spread: 40, volatility: 40 }),
    walk("frxUSDSEK", 5, 1, Walk { level: 1_045_000, half_spread: 90, volatility: 100 }),
    walk("frxUSDNOK", 5, 1, Walk { level: 1_065_000, half_spread: 95, volatility: 110 }),
    walk("frxUSDDKK", 5, 1, Walk { level: 688_000,   half_spread: 40, volatility: 70 }),
    walk("frxUSDPLN", 5, 1, Walk { level: 395_000,   half_spread: 50, volatility: 100 }),
    walk("frxUSDMXN", 5, 1, Walk { level: 1_820_000, half_spread: 150, volatility: 120 }),
    walk("frxUSDTRY", 5, 1, Walk { level: 3_850_000, half_spread: 600, volatility: 150 }),
    walk("frxUSDZAR", 5, 1, Walk { level: 1_810_000, half_spread: 250, volatility: 150 }),
    walk("frxUSDSGD", 5, 1, Walk { level: 134_000,   half_spread: 6,  volatility: 50 }),
    walk("frxUSDHKD", 5, 1, Walk { level: 780_000,   half_spread: 8,  volatility: 10 }),
    walk("frxUSDINR", 4, 1, Walk { level: 845_000,   half_spread: 40, volatility: 40 }),
    walk("frxUSDBRL", 4, 1, Walk { level: 56_000,    half_spread: 8,  volatility: 150 }),
    walk("frxUSDKRW", 2, 1, Walk { level: 138_000,   half_spread: 20, volatility: 90 }),
    coin("cryBTCUSD", 0), coin("cryETHUSD", 1), coin("crySOLUSD", 2), coin("cryBNBUSD", 3), coin("cryXRPUSD", 4),
    coin("cryDOGEUSD", 5), coin("cryADAUSD", 6), coin("cryTRXUSD", 7), coin("cryAVAXUSD", 8), coin("cryLINKUSD", 9),
    coin("cryDOTUSD", 10), coin("cryLTCUSD", 11), coin("cryBCHUSD", 12), coin("cryUNIUSD", 13), coin("cryATOMUSD", 14),
    coin("cryNEARUSD", 15), coin("cryXLMUSD", 16), coin("cryAPTUSD", 17), coin("cryFILUSD", 18), coin("crySHIBUSD", 19),
];

const fn walk(name: &'static str, digits: u32, period_s: i64, walk: Walk) -> Symbol {
    assert!(period_s == 1 || period_s == 2, "strides are known for these");
    assert!(walk.level <= LEVEL_MAX && walk.volatility <= VOLATILITY_MAX);
    assert!(walk.half_spread >= 1 && walk.half_spread * 1_000 < walk.level);
    Symbol { name, digits, period_s, origin: Origin::Walk(walk) }
}

const fn coin(name: &'static str, pair: usize) -> Symbol {
    Symbol { name, digits: INSTRUMENTS[pair].price_digits, period_s: 1, origin: Origin::Pair(pair) }
}

/// Where a symbol stands in the table, spelled as in payloads.
pub fn find(name: &str) -> Option<usize> {
    SYMBOLS.iter().position(|symbol| symbol.name == name)
}

/// The same, spelled as in stream names.
pub fn find_lower(name: &str) -> Option<usize> {
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_it = |symbol: &Symbol| symbol.name.eq_ignore_ascii_case(name);
    SYMBOLS.iter().position(is_it).filter(|_| is_lower)
}

/// Where the ticks of a pair stand in the table.
pub const fn of_pair(pair: usize) -> usize {
    WALKS + pair
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each name leads to its own row, in either spelling and no other.
    #[test]
    fn names_are_unique() {
        for (index, symbol) in SYMBOLS.iter().enumerate() {
            assert_eq!(find(symbol.name), Some(index));
            let lower = symbol.name.to_ascii_lowercase();
            assert_eq!((find(&lower), find_lower(&lower), find_lower(symbol.name)), (None, Some(index), None));
        }
    }

    /// A coin's symbol is that of its pair, with its digits.
    #[test]
    fn coins_are_pairs() {
        for (pair, instrument) in INSTRUMENTS.iter().enumerate() {
            let symbol = &SYMBOLS[of_pair(pair)];
            assert_eq!(symbol.origin, Origin::Pair(pair));
            assert_eq!(format!("{}T", &symbol.name[3..]), instrument.symbol);
            assert_eq!(symbol.digits, instrument.price_digits);
        }
    }
}
