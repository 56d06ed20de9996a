//! How Deriv spells a symbol that stream names have in lower case: `r_100` is `R_100`, `frxeurusd` is `frxEURUSD`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What stands in front in lower case: currency pairs, coins, and step indices.
const PREFIXES: [&str; 3] = ["frx", "cry", "stp"];

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    #[error("{0:?} is no symbol of Deriv's: 2 to 30 letters, digits and underscores")]
    NoSymbol(String),
    #[error("{first} and {second} are one symbol in lower case")]
    Ambiguous { first: Box<str>, second: Box<str> },
}

/// What is listed, and rules for what is not.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Deriv's spelling by that of stream names.
    listed: HashMap<Box<str>, Box<str>>,
}

impl Symbols {
    /// A listed symbol is spelled as it is written, unless it has no capital: then as the rules say.
    pub fn new<'a>(list: impl IntoIterator<Item = &'a str>) -> Result<Symbols, SymbolError> {
        let mut listed: HashMap<Box<str>, Box<str>> = HashMap::new();
        for text in list {
            let lower = text.to_ascii_lowercase();
            if !is_symbol(&lower) {
                return Err(SymbolError::NoSymbol(text.to_owned()));
            }
            let spelled: Box<str> = if lower == text { by_rule(&lower).into() } else { text.into() };
            match listed.entry(lower.into()) {
                Entry::Vacant(entry) => {
                    entry.insert(spelled);
                }
                Entry::Occupied(entry) if *entry.get() != spelled => {
                    return Err(SymbolError::Ambiguous { first: entry.get().clone(), second: spelled });
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(Symbols { listed })
    }

    /// Deriv's spelling of a symbol as stream names have it; none if it can be no symbol.
    pub fn find(&self, lower: &str) -> Option<Box<str>> {
        if let Some(spelled) = self.listed.get(lower) {
            return Some(spelled.clone());
        }
        let has_capitals = lower.bytes().any(|byte| byte.is_ascii_uppercase());
        (is_symbol(lower) && !has_capitals).then(|| by_rule(lower).into())
    }
}

/// Capitals, but for the prefixes.
fn by_rule(lower: &str) -> String {
    let prefix = PREFIXES.into_iter().find(|prefix| lower.starts_with(prefix)).unwrap_or_default();
    format!("{prefix}{}", lower[prefix.len()..].to_ascii_uppercase())
}

/// `^\w{2,30}$`, as the venue checks it.
fn is_symbol(text: &str) -> bool {
    (2..=30).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: &[&str], lower: &str, expected: Option<&str>) {
        let symbols = Symbols::new(listed.iter().copied()).unwrap();
        assert_eq!(symbols.find(lower).as_deref(), expected, "{lower} among {listed:?}");
    }

    #[test]
    fn capitals_follow_rules() {
        for symbol in ["R_100", "1HZ100V", "frxEURUSD", "cryBTCUSD", "stpRNG", "BOOM1000", "JD10", "OTC_SPC", "WLDAUD"]
        {
            check(&[], &symbol.to_ascii_lowercase(), Some(symbol));
        }
        for lower in ["R_100", "frxEURUSD", "r", "", "btc-usdt", "币币", "r 100", "!arr", &"x".repeat(31)] {
            check(&[], lower, None);
        }
    }

    /// A name that breaks the rules is listed.
    #[test]
    fn the_list_wins() {
        check(&["stepRNG"], "steprng", Some("stepRNG"));
        check(&[], "steprng", Some("STEPRNG"));
        check(&["FRXX"], "frxx", Some("FRXX"));
        check(&["frxeurusd", "frxEURUSD"], "frxeurusd", Some("frxEURUSD"));
        assert_eq!(Symbols::new(["R/1"]).unwrap_err(), SymbolError::NoSymbol("R/1".to_owned()));
        let error = Symbols::new(["stepRNG", "STEPrng"]).unwrap_err();
        assert_eq!(error.to_string(), "stepRNG and STEPrng are one symbol in lower case");
    }
}
