//! A stream's name, as the dialect asks for it and as its rows name it.

use crate::wire::json::write_string;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Fiat,
    Crypto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    OnlyListen,
    OnlyAck,
    AllListen,
    AllAck,
}

/// One price. Names are in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub class: Class,
    pub base: Box<str>,
    pub name: Box<str>,
}

/// Letters of a currency, and how Deriv's names of pairs begin.
const CURRENCY_LETTERS: usize = 3;
const FOREX: &str = "frx";

impl Wish {
    pub fn parse(stream: &str, bases: &[Box<str>]) -> Option<Wish> {
        let (symbol, kind) = stream.split_once('@')?;
        match kind {
            "tick" => {
                let pair = symbol.strip_prefix(FOREX)?;
                let is_pair = pair.len() == 2 * CURRENCY_LETTERS && pair.bytes().all(|byte| byte.is_ascii_alphabetic());
                let (base, name) = is_pair.then(|| pair.split_at(CURRENCY_LETTERS))?;
                Some(Wish::new(Class::Fiat, base, name))
            }
            "trade" => {
                let symbol = symbol.to_uppercase();
                let base = bases.iter().find(|base| symbol.len() > base.len() && symbol.ends_with(&***base))?;
                let name = symbol.strip_suffix(&**base)?;
                Some(Wish::new(Class::Crypto, base, name))
            }
            _ => None,
        }
    }

    pub fn new(class: Class, base: &str, name: &str) -> Wish {
        Wish { class, base: base.to_uppercase().into(), name: name.to_uppercase().into() }
    }

    pub fn stream(&self) -> String {
        let (base, name) = (self.base.to_lowercase(), self.name.to_lowercase());
        match self.class {
            Class::Fiat => format!("{FOREX}{base}{name}@tick"),
            Class::Crypto => format!("{name}{base}@trade"),
        }
    }

    /// The packet that asks, for an acknowledgement with this id if any.
    pub fn packet(&self, mode: Mode, ack: Option<u64>) -> String {
        let mut out = b"42".to_vec();
        if let Some(ack) = ack {
            out.extend_from_slice(ack.to_string().as_bytes());
        }
        out.push(b'[');
        write_string(&self.event(mode), &mut out);
        out.extend_from_slice(b",{\"base\":");
        write_string(&self.base, &mut out);
        if matches!(mode, Mode::OnlyListen | Mode::OnlyAck) {
            out.extend_from_slice(match self.class {
                Class::Fiat => b",\"currency\":".as_slice(),
                Class::Crypto => b",\"symbol\":",
            });
            write_string(&self.name, &mut out);
        }
        out.extend_from_slice(b"}]");
        String::from_utf8(out).expect("made of strings")
    }

    pub fn event(&self, mode: Mode) -> String {
        let class = match self.class {
            Class::Fiat => "fiat",
            Class::Crypto => "crypto",
        };
        let mode = match mode {
            Mode::OnlyListen => "onlyListen",
            Mode::OnlyAck => "onlyAck",
            Mode::AllListen => "allListen",
            Mode::AllAck => "allAck",
        };
        format!("{class}/{mode}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_prices_in_a_base() {
        let bases = ["USDT".into(), "USD".into()];
        let check = |stream: &str, expected: Option<(Class, &str, &str)>| {
            let wish = Wish::parse(stream, &bases);
            let found = wish.as_ref().map(|wish| (wish.class, &*wish.base, &*wish.name));
            assert_eq!(found, expected, "{stream}");
            if let Some(wish) = wish {
                assert_eq!(wish.stream(), stream);
            }
        };
        check("frxeurusd@tick", Some((Class::Fiat, "EUR", "USD")));
        check("btcusd@trade", Some((Class::Crypto, "USD", "BTC")));
        check("btcusdt@trade", Some((Class::Crypto, "USDT", "BTC")));
        for stream in ["r_100@tick", "frxeur@tick", "usd@trade", "ethbtc@trade", "btcusd@ticker", "btcusd", "@trade"] {
            check(stream, None);
        }
    }
}
