//! The one mapping of instruments: `BTCUSDT`, `btcusdt`, `BTC-USDT`, `BTC/USDT`, `cryBTCUSD` are spellings of a base
//! and a quote.

use std::fmt;

use crate::limits::NAME_BYTES_MAX;
use crate::venue::quote::{self, QUOTES};

/// How much of one is paid for one unit of the other. Both are in upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    base: Box<str>,
    quote: Box<str>,
}

impl Pair {
    /// Letters and digits of any script and case; none if either is empty or has anything else.
    pub fn new(base: &str, quote: &str) -> Option<Pair> {
        let is_name = |text: &str| !text.is_empty() && text.chars().all(char::is_alphanumeric);
        // Some letters have an upper case of several characters, not all of them letters.
        let (base, quote) = (upper(base), upper(quote));
        let fits = base.len() + quote.len() < NAME_BYTES_MAX;
        (fits && is_name(&base) && is_name(&quote)).then_some(Pair { base, quote })
    }

    /// Reads any of the spellings. Without a separator the longest known quote that leaves a base wins, so `BNBTUSD`
    /// is BNB in TUSD and `TUSDT` is T in USDT. That may be wrong (`DOTUSD` reads as DO in TUSD): where the pairs of
    /// a venue are known, look the name up among them instead. `cry` and `frx` in front, with the rest in upper
    /// case, are Deriv's: their quote is the last three letters, whatever could also be read.
    pub fn parse(text: &str) -> Option<Pair> {
        if let Some((base, quote)) = text.split_once(['-', '/']) {
            return Pair::new(base, quote);
        }
        if let Some(pair) = Pair::parse_deriv(text) {
            return Some(pair);
        }
        let name = upper(text);
        let (base, quote) = quote::split(&name)?;
        Pair::new(base, quote)
    }

    fn parse_deriv(text: &str) -> Option<Pair> {
        let (rest, base_bytes) = match (text.strip_prefix("cry"), text.strip_prefix("frx")) {
            (Some(rest), _) => (rest, 1..=NAME_BYTES_MAX),
            (_, Some(rest)) => (rest, 3..=3),
            _ => return None,
        };
        let (base, quote) = rest.split_at_checked(rest.len().checked_sub(3)?)?;
        let is_upper = rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let is_pair = is_upper && base_bytes.contains(&base.len()) && QUOTES.contains(&quote);
        is_pair.then(|| Pair::new(base, quote))?
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn quote(&self) -> &str {
        &self.quote
    }

    /// `BTCUSDT`, as payloads have it.
    pub fn symbol(&self) -> String {
        format!("{}{}", self.base, self.quote)
    }

    /// `btcusdt`, as stream names have it.
    pub fn stream_symbol(&self) -> String {
        // Character by character, as stream names are brought to lower case.
        self.symbol().chars().flat_map(char::to_lowercase).collect()
    }

    /// The stream of this pair: `btcusdt@ticker`.
    pub fn stream(&self, kind: &str) -> Box<str> {
        format!("{}@{kind}", self.stream_symbol()).into()
    }

    /// `BTC-USDT`, as OKX has it.
    pub fn dashed(&self) -> String {
        format!("{}-{}", self.base, self.quote)
    }

    /// `cryBTCUSD`, which is Deriv's name of a coin in dollars, tethered ones included.
    pub fn cry_symbol(&self) -> Option<String> {
        matches!(&*self.quote, "USD" | "USDT").then(|| format!("cry{}USD", self.base))
    }

    /// `frxEURUSD`, which is Deriv's name of two currencies.
    pub fn frx_symbol(&self) -> String {
        format!("frx{}{}", self.base, self.quote)
    }
}

/// `BTC/USDT`, as the hub has it.
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.quote)
    }
}

fn upper(text: &str) -> Box<str> {
    text.chars().flat_map(char::to_uppercase).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let pair = Pair::parse(text).map(|pair| pair.to_string());
        assert_eq!(pair.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn spellings_of_one_pair() {
        for text in ["BTCUSDT", "btcusdt", "BtcUsdt", "BTC-USDT", "btc-usdt", "BTC/USDT"] {
            check(text, Some("BTC/USDT"));
        }
        let pair = Pair::parse("BTC/USDT").unwrap();
        assert_eq!((pair.base(), pair.quote()), ("BTC", "USDT"));
        let spellings = [pair.symbol(), pair.stream_symbol(), pair.dashed(), pair.cry_symbol().unwrap()];
        assert_eq!(spellings, ["BTCUSDT", "btcusdt", "BTC-USDT", "cryBTCUSD"]);
        assert_eq!(&*pair.stream("depth20"), "btcusdt@depth20");
        assert_eq!(Pair::new("eur", "usd").unwrap().frx_symbol(), "frxEURUSD");
        assert_eq!(Pair::new("ETH", "BTC").unwrap().cry_symbol(), None);
        check("币安人生usdt", Some("币安人生/USDT"));
        check("1000SHIBUSDC", Some("1000SHIB/USDC"));
    }

    /// The longest quote wins, also where that may be wrong; a separator says it, and Deriv's names have three letters.
    #[test]
    fn the_longest_quote_wins() {
        check("BNBTUSD", Some("BNB/TUSD"));
        check("TUSDT", Some("T/USDT"));
        check("USDCUSDT", Some("USDC/USDT"));
        check("BTCFDUSD", Some("BTC/FDUSD"));
        check("DOTUSD", Some("DO/TUSD"));
        check("DOT/USD", Some("DOT/USD"));
        check("cryDOTUSD", Some("DOT/USD"));
        check("ETHBTC", Some("ETH/BTC"));
        check("USDT", None);
        check("TUSD", Some("T/USD"));
    }

    #[test]
    fn names_of_deriv_are_told_from_coins() {
        check("cryBTCUSD", Some("BTC/USD"));
        check("frxUSDJPY", Some("USD/JPY"));
        check("frxEURUSD", Some("EUR/USD"));
        check("cryusdt", Some("CRY/USDT"));
        check("CRYUSDT", Some("CRY/USDT"));
        check("cryUSDT", Some("CRY/USDT"));
        check("crybtcusd", Some("CRYBTC/USD"));
        check("frxUSD", Some("FRX/USD"));
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        let long = format!("{}/USDT", "X".repeat(NAME_BYTES_MAX));
        for text in [
            "",
            "BTC",
            "R_100",
            "1HZ100V",
            "BTC-",
            "/USDT",
            "BTC-USDT-SWAP",
            "BTC USDT",
            "btcusdt@trade",
            "\"/x",
            &long,
        ] {
            check(text, None);
        }
        check("btcusdt_261225", None);
    }

    proptest! {
        #[test]
        fn any_text_is_judged_and_read_back(text in "\\PC{0,12}|(cry|frx)?[A-Z]{0,6}(USDT?|BTC)?") {
            if let Some(pair) = Pair::parse(&text) {
                prop_assert_eq!(Pair::parse(&pair.to_string()), Some(pair.clone()));
                prop_assert_eq!(Pair::parse(&pair.dashed()), Some(pair));
            }
        }
    }
}
