//! Which instrument of OKX's a symbol of ours is: `btcusdt` is `BTC-USDT`, `btcusdt-swap` is `BTC-USDT-SWAP`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::venue::decimal::Decimal;
use crate::venue::quote;

#[derive(Debug, PartialEq, Eq)]
pub struct Instrument {
    /// `BTC-USDT`, as OKX writes it.
    pub id: Box<str>,
    /// `BTCUSDT`, as payloads have it; in stream names it is in lower case.
    pub symbol: Box<str>,
    /// What one contract is worth: sizes of derivatives are counted in contracts. None for spot.
    pub contract_value: Option<Decimal>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    #[error("{0:?} is no instrument of OKX's: write btcusdt, BTC-USDT, or BTC-USDT-SWAP=0.01")]
    NoInstrument(String),
    #[error("{0:?} is a derivative: add what one contract is worth, as in BTC-USDT-SWAP=0.01")]
    NoContractValue(String),
    #[error("{first} and {second} have the same symbol {symbol:?}")]
    Ambiguous { symbol: String, first: Box<str>, second: Box<str> },
}

/// A listed symbol as stream names have it: `BTC-USDT-SWAP=0.01` is `btcusdt-swap`.
pub fn stream_symbol(text: &str) -> Result<String, SymbolError> {
    Instrument::parse(text).map(|instrument| instrument.symbol.to_ascii_lowercase())
}

/// What is listed, and rules for what is not.
#[derive(Debug, Default)]
pub struct Instruments {
    /// By their symbols in stream names.
    listed: HashMap<Box<str>, Arc<Instrument>>,
}

impl Instruments {
    /// Of a list such as `btcusdt`, `BTC-USDT`, `BTC-USDT-SWAP=0.01`, in either case.
    pub fn new<'a>(list: impl IntoIterator<Item = &'a str>) -> Result<Instruments, SymbolError> {
        let mut listed = HashMap::new();
        for text in list {
            let instrument = Instrument::parse(text)?;
            let symbol = instrument.symbol.to_ascii_lowercase();
            match listed.entry(symbol.as_str().into()) {
                Entry::Vacant(entry) => {
                    entry.insert(Arc::new(instrument));
                }
                Entry::Occupied(entry) if **entry.get() != instrument => {
                    let first = entry.get().id.clone();
                    return Err(SymbolError::Ambiguous { symbol, first, second: instrument.id });
                }
                Entry::Occupied(_) => {}
            }
        }
        Ok(Instruments { listed })
    }

    /// The instrument of a symbol as stream names have it. One that is not listed can only be spot, parted at a known
    /// quote currency: what a contract is worth cannot be guessed.
    pub fn find(&self, symbol: &str) -> Option<Arc<Instrument>> {
        if let Some(instrument) = self.listed.get(symbol) {
            return Some(instrument.clone());
        }
        let is_lower = symbol.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        is_lower.then(|| spot(&symbol.to_ascii_uppercase()).map(Arc::new))?
    }
}

impl Instrument {
    fn parse(text: &str) -> Result<Instrument, SymbolError> {
        let wrong = || SymbolError::NoInstrument(text.to_owned());
        let (id, value) = match text.split_once('=') {
            Some((id, value)) => (id, Some(Decimal::parse(value).filter(|value| value.units() > 0).ok_or_else(wrong)?)),
            None => (text, None),
        };
        let id = id.to_ascii_uppercase();
        let parts: Vec<&str> = id.split('-').collect();
        if !parts.iter().all(|part| is_name(part)) {
            return Err(wrong());
        }
        match (parts.as_slice(), value) {
            ([name], None) => spot(name).ok_or_else(wrong),
            ([base, quote], None) => {
                Ok(Instrument { symbol: format!("{base}{quote}").into(), id: id.into(), contract_value: None })
            }
            ([base, quote, rest @ ..], Some(value)) if !rest.is_empty() => {
                let symbol = format!("{base}{quote}-{}", rest.join("-"));
                Ok(Instrument { symbol: symbol.into(), id: id.into(), contract_value: Some(value) })
            }
            ([_, _, _, ..], None) => Err(SymbolError::NoContractValue(text.to_owned())),
            _ => Err(wrong()),
        }
    }
}

fn spot(name: &str) -> Option<Instrument> {
    let (base, quote) = quote::split(name)?;
    Some(Instrument { id: format!("{base}-{quote}").into(), symbol: name.into(), contract_value: None })
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: &[&str], symbol: &str, expected: Option<&str>) {
        let instruments = Instruments::new(listed.iter().copied()).unwrap();
        let found = instruments.find(symbol);
        assert_eq!(found.as_ref().map(|instrument| &*instrument.id), expected, "{symbol} among {listed:?}");
        assert!(found.is_none_or(|found| found.symbol.to_ascii_lowercase() == symbol));
    }

    #[test]
    fn symbols_are_parted_at_the_quote() {
        check(&[], "btcusdt", Some("BTC-USDT"));
        check(&[], "ethbtc", Some("ETH-BTC"));
        check(&[], "dotusd", Some("DO-TUSD"));
        for symbol in ["", "btc", "usdt", "btcusdt-swap", "BTCUSDT", "r_100", "币usdt", "!ticker"] {
            check(&[], symbol, None);
        }
    }

    #[test]
    fn the_list_wins() {
        check(&["DOT-USD"], "dotusd", Some("DOT-USD"));
        check(&["dot-usd", "DOT-USD"], "dotusd", Some("DOT-USD"));
        check(&["btcusdt"], "btcusdt", Some("BTC-USDT"));
        check(&["BTC-USDT-SWAP=0.01"], "btcusdt-swap", Some("BTC-USDT-SWAP"));
        check(&["BTC-USDT-SWAP=0.01"], "btcusdt", Some("BTC-USDT"));
        check(&["BTC-USD-261225=100"], "btcusd-261225", Some("BTC-USD-261225"));
        for (text, symbol) in [("BTC-USDT", "btcusdt"), ("btcusdt", "btcusdt"), ("btc-usdt-swap=0.01", "btcusdt-swap")]
        {
            assert_eq!(stream_symbol(text).as_deref(), Ok(symbol));
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let check = |list: &[&str], expected| assert_eq!(Instruments::new(list.iter().copied()).unwrap_err(), expected);
        for text in
            ["", "BTC", "-USDT", "BTC-", "BTC/USDT", "BTC-USDT=1", "BTC-USDT-SWAP=0", "BTC-USDT-SWAP=x", "币-USDT"]
        {
            check(&[text], SymbolError::NoInstrument(text.to_owned()));
        }
        check(&["BTC-USDT-SWAP"], SymbolError::NoContractValue("BTC-USDT-SWAP".to_owned()));
        let error = Instruments::new(["dotusd", "DOT-USD"]).unwrap_err();
        assert_eq!(error.to_string(), "DO-TUSD and DOT-USD have the same symbol \"dotusd\"");
    }
}
