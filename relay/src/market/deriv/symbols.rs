//! What Deriv symbols are: the rows of `active_symbols`.

use super::price::Price;
use crate::wire::deriv::request::is_symbol;
use crate::wire::json::append;

/// One symbol's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub symbol: Box<str>,
    pub display_name: String,
    /// Fractional digits of its prices.
    pub pip_size: u32,
    class: Class,
    /// What its price counts.
    quoted: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Index,
    MajorPair,
    MinorPair,
    Crypto,
}

struct Market {
    name: &'static str,
    display_name: &'static str,
    submarket: &'static str,
    submarket_display_name: &'static str,
    symbol_type: &'static str,
    exchange: &'static str,
}

/// Synthetic indices: symbol, name, fractional digits.
const INDICES: [(&str, &str, u32); 6] = [
    ("R_10", "Volatility 10 Index", 3),
    ("R_25", "Volatility 25 Index", 3),
    ("R_50", "Volatility 50 Index", 4),
    ("R_75", "Volatility 75 Index", 4),
    ("R_100", "Volatility 100 Index", 2),
    ("1HZ100V", "Volatility 100 (1s) Index", 2),
];

const MAJORS: [&str; 8] = ["AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "NZD", "USD"];

const CRYPTO_PIP_SIZE: u32 = 3;

/// The row of a symbol of a known kind: an index by its name, `frx` and two currencies, `cry`, a coin and a currency. Who
/// knows better how many digits its prices have says so, that rows and ticks agree.
pub fn row(symbol: &str, pip_size: Option<u32>) -> Option<Row> {
    let (display_name, usual_pip_size, class, quoted) = if let Some(index) = INDICES.iter().find(|row| row.0 == symbol)
    {
        (index.1.to_owned(), index.2, Class::Index, "USD")
    } else {
        let (kind, pair) = symbol.split_at_checked(3).filter(|_| is_symbol(symbol))?;
        let (base, quoted) = pair.split_at_checked(pair.len().checked_sub(3)?)?;
        let class = match kind {
            "cry" if !base.is_empty() => Class::Crypto,
            "frx" if base.len() == 3 && MAJORS.contains(&base) && MAJORS.contains(&quoted) => Class::MajorPair,
            "frx" if base.len() == 3 => Class::MinorPair,
            _ => return None,
        };
        let usual_pip_size = match class {
            Class::Crypto => CRYPTO_PIP_SIZE,
            _ if quoted == "JPY" => 3,
            _ => 5,
        };
        (format!("{base}/{quoted}"), usual_pip_size, class, quoted)
    };
    let pip_size = pip_size.unwrap_or(usual_pip_size);
    Some(Row { symbol: symbol.into(), display_name, pip_size, class, quoted: quoted.into() })
}

impl Class {
    const fn market(self) -> Market {
        match self {
            Self::Index => Market {
                name: "synthetic_index",
                display_name: "Derived",
                submarket: "random_index",
                submarket_display_name: "Continuous Indices",
                symbol_type: "stockindex",
                exchange: "RANDOM",
            },
            Self::MajorPair => Market {
                name: "forex",
                display_name: "Forex",
                submarket: "major_pairs",
                submarket_display_name: "Major Pairs",
                symbol_type: "forex",
                exchange: "FOREX",
            },
            Self::MinorPair => {
                Market { submarket: "minor_pairs", submarket_display_name: "Minor Pairs", ..Self::MajorPair.market() }
            }
            Self::Crypto => Market {
                name: "cryptocurrency",
                display_name: "Cryptocurrencies",
                submarket: "non_stable_coin",
                submarket_display_name: "Cryptocurrencies",
                symbol_type: "stockindex",
                exchange: "CRYPTOCURRENCY",
            },
        }
    }
}

impl Row {
    /// Appends the row of `active_symbols: brief`.
    pub fn write_brief(&self, out: &mut Vec<u8>) {
        self.write_start(out);
        out.push(b'}');
    }

    /// Appends the row of `active_symbols: full`. The spot is what the product answers to `Question::Spot`; without one
    /// it is left out.
    pub fn write_full(&self, spot: Option<&[u8]>, out: &mut Vec<u8>) {
        self.write_start(out);
        let (exchange, quoted) = (self.class.market().exchange, &self.quoted);
        append(
            out,
            format_args!(
                ",\"delay_amount\":0,\"exchange_name\":\"{exchange}\",\"intraday_interval_minutes\":5,\
                 \"quoted_currency_symbol\":\"{quoted}\""
            ),
        );
        if let Some(spot) = spot {
            out.push(b',');
            out.extend_from_slice(spot);
        }
        out.push(b'}');
    }

    /// Names are letters and digits, so none needs escapes.
    fn write_start(&self, out: &mut Vec<u8>) {
        let Market { name, display_name, submarket, submarket_display_name, symbol_type, .. } = self.class.market();
        let Self { symbol, display_name: own_name, pip_size, .. } = self;
        append(
            out,
            format_args!(
                "{{\"allow_forward_starting\":1,\"display_name\":\"{own_name}\",\"display_order\":1,\
                 \"exchange_is_open\":1,\"is_trading_suspended\":0,\"market\":\"{name}\",\
                 \"market_display_name\":\"{display_name}\",\"pip\":"
            ),
        );
        crate::venue::decimal::write_scaled(out, 1, *pip_size);
        append(
            out,
            format_args!(
                ",\"subgroup\":\"none\",\"subgroup_display_name\":\"None\",\"submarket\":\"{submarket}\",\
                 \"submarket_display_name\":\"{submarket_display_name}\",\"symbol\":\"{symbol}\",\
                 \"symbol_type\":\"{symbol_type}\""
            ),
        );
    }
}

/// Appends the members of a full row that change, without braces.
pub(super) fn write_spot(quote: Price, epoch_s: u64, now_s: u64, out: &mut Vec<u8>) {
    let (age_s, text) = (now_s.saturating_sub(epoch_s), quote.text());
    append(out, format_args!("\"spot\":{text},\"spot_age\":\"{age_s}\",\"spot_time\":\"{}\"", date_time(epoch_s)));
}

/// `2025-12-08 16:30:45`, UTC.
fn date_time(epoch_s: u64) -> String {
    const DAY_S: u64 = 86_400;
    // Days of the proleptic Gregorian calendar, counted in years that start in March, eras of 400 of them.
    let days = epoch_s / DAY_S + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let second = epoch_s % DAY_S;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json(write: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn rows_are_as_recorded() {
        let fixture = include_str!("../../../testdata/deriv/payloads.json");
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        let rows = fixture["active_symbols_brief"]["active_symbols"].as_array().unwrap();
        assert_eq!(rows.len(), 4);
        for expected in rows {
            let row = row(expected["symbol"].as_str().unwrap(), None).unwrap();
            assert_eq!(json(|out| row.write_brief(out)), *expected);
        }
    }

    #[test]
    fn a_full_row_has_more() {
        let row = row("frxUSDJPY", None).unwrap();
        let spot = |out: &mut Vec<u8>| write_spot(Price::parse("151.5", 3).unwrap(), 1765211445, 1765211447, out);
        let mut members = Vec::new();
        spot(&mut members);
        let full = json(|out| row.write_full(Some(&members), out));
        assert_eq!(full["spot"].to_string(), "151.5");
        assert_eq!(full["spot_time"], "2025-12-08 16:30:45");
        assert_eq!(full["spot_age"], "2");
        assert_eq!(full["quoted_currency_symbol"], "JPY");
        assert_eq!(full["pip"].to_string(), "0.001");
        assert!(json(|out| row.write_full(None, out)).get("spot").is_none());
    }

    #[test]
    fn kinds_are_told_by_their_names() {
        let submarket = |symbol| row(symbol, None).map(|row| row.class.market().submarket);
        for (symbol, ..) in INDICES {
            assert_eq!(submarket(symbol), Some("random_index"), "{symbol}");
        }
        assert_eq!(submarket("frxEURUSD"), Some("major_pairs"));
        assert_eq!(submarket("frxUSDTRY"), Some("minor_pairs"));
        assert_eq!(submarket("cryDOGEUSD"), Some("non_stable_coin"));
        assert_eq!(row("cryDOGEUSD", Some(5)).unwrap().display_name, "DOGE/USD");
        assert_eq!(json(|out| row("cryDOGEUSD", Some(5)).unwrap().write_brief(out))["pip"].to_string(), "0.00001");
        for unknown in ["R_12312312", "frx", "frxEUR", "frxEURUSDT", "cryUSD", "cry币USD", "xxxEURUSD", "", "R_"] {
            assert_eq!(row(unknown, None), None, "{unknown}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (epoch_s, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(date_time(epoch_s), expected);
        }
    }

    proptest! {
        #[test]
        fn any_name_is_judged(symbol in "(cry|frx|R_)?\\PC{0,8}") {
            if let Some(row) = row(&symbol, None) {
                json(|out| row.write_full(None, out));
            }
        }
    }
}
