//! Where a name without a separator is parted: `BTCUSDT` is BTC in USDT.

/// What venues quote in, as far as a name without a separator has to be taken apart.
pub const QUOTES: [&str; 33] = [
    "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD1", "USD", "DAI", "BTC", "ETH", "BNB", "EUR", "GBP", "JPY", "AUD",
    "NZD", "CAD", "CHF", "CNY", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "TRY", "BRL", "MXN", "ZAR", "SGD", "HKD",
    "INR", "UAH",
];

/// Base and quote of a name in upper case. The longest known quote that leaves a base wins, so `BNBTUSD` is BNB in TUSD
/// and `TUSDT` is T in USDT. That may be wrong (`DOTUSD` reads as DO in TUSD): where the pairs of a venue are known,
/// look the name up among them instead.
pub fn split(name: &str) -> Option<(&str, &str)> {
    let quotes = QUOTES.iter().filter(|quote| name.len() > quote.len() && name.ends_with(**quote));
    let quote = quotes.max_by_key(|quote| quote.len())?;
    Some(name.split_at(name.len() - quote.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_quote_wins() {
        let check = |name, expected| assert_eq!(split(name), expected, "{name}");
        check("BTCUSDT", Some(("BTC", "USDT")));
        check("BNBTUSD", Some(("BNB", "TUSD")));
        check("ETHBTC", Some(("ETH", "BTC")));
        check("USDT", None);
        check("btcusdt", None);
        check("", None);
    }
}
