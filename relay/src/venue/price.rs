//! A bare price, from a source that says nothing else, as the messages of the stream dialect that can hold one.
//!
//! What the other dialects are made of reads trades of pairs (`btcusdt@trade`) and ticks of currencies
//! (`frxeurusd@tick`), so a price can be had as either. A trade of it has the quantity 0, and no id: none was told.

use std::borrow::Cow;

use crate::wire::json::{append, write_string};

/// How far an exponent may move the point, and how long a number may be. Real prices have under 30 digits.
const EXPONENT_MAX: u32 = 40;
const TEXT_BYTES_MAX: usize = 64;

/// How Deriv's names of currency pairs begin.
const FOREX: &str = "frx";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Trade,
    Tick,
}

impl Shape {
    /// The kind of a stream's name that has this shape.
    pub fn parse(kind: &str) -> Option<Shape> {
        match kind {
            "trade" => Some(Shape::Trade),
            "tick" => Some(Shape::Tick),
            _ => None,
        }
    }

    /// Appends the message. The price is plain; the symbol that of the stream's name.
    pub fn write(self, symbol: &str, price: &str, time_ms: u64, out: &mut Vec<u8>) {
        let name = match self {
            Shape::Trade => "trade",
            Shape::Tick => "tick",
        };
        append(out, format_args!("{{\"e\":\"{name}\",\"E\":{time_ms},\"s\":"));
        write_string(&upper(symbol), out);
        match self {
            Shape::Trade => append(out, format_args!(",\"p\":\"{price}\",\"q\":\"0\",\"T\":{time_ms}}}")),
            Shape::Tick => {
                let digits = price.split_once('.').map_or(0, |(_, fraction)| fraction.len());
                append(out, format_args!(",\"p\":\"{price}\",\"b\":\"{price}\",\"a\":\"{price}\",\"d\":{digits}}}"));
            }
        }
    }
}

/// As payloads have symbols: `BTCUSDT`, but `frxEURUSD`.
fn upper(symbol: &str) -> String {
    match symbol.strip_prefix(FOREX) {
        Some(pair) => FOREX.to_owned() + &pair.to_uppercase(),
        None => symbol.to_uppercase(),
    }
}

/// The symbol without what tells that it is of currencies: `eurusd`.
pub fn bare(symbol: &str) -> &str {
    symbol.strip_prefix(FOREX).filter(|pair| pair.len() == 6).unwrap_or(symbol)
}

/// A JSON number without an exponent: as it was written if it has none, else with its point moved, all digits kept.
pub fn plain(text: &str) -> Option<Cow<'_, str>> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return is_plain(text).then_some(Cow::Borrowed(text));
    };
    let exponent = exponent.parse::<i32>().ok().filter(|exponent| exponent.unsigned_abs() <= EXPONENT_MAX)?;
    if !is_plain(mantissa) {
        return None;
    }
    let (sign, number) = match mantissa.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", mantissa),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut digits = format!("{whole}{fraction}");
    let point = whole.len() as i32 + exponent;
    if point <= 0 {
        digits.insert_str(0, &"0".repeat(1 + point.unsigned_abs() as usize));
    }
    let point = point.max(1) as usize;
    let missing = point.saturating_sub(digits.len());
    digits.push_str(&"0".repeat(missing));
    let (whole, fraction) = digits.split_at(point);
    let zeros = whole.bytes().take(whole.len() - 1).take_while(|digit| *digit == b'0').count();
    let point = if fraction.is_empty() { "" } else { "." };
    Some(Cow::Owned(format!("{sign}{}{point}{fraction}", &whole[zeros..])))
}

fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(are_digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exponents_move_the_point_and_nothing_else() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(plain(text).as_deref(), expected, "{text}");
        check("42150.50", Some("42150.50"));
        check("0.00100000", Some("0.00100000"));
        check("-3.25", Some("-3.25"));
        check("5.938674704566297e-06", Some("0.000005938674704566297"));
        check("7.82e-11", Some("0.0000000000782"));
        check("1e3", Some("1000"));
        check("1.50E+1", Some("15.0"));
        check("1.50e2", Some("150"));
        check("-0.59e1", Some("-5.9"));
        check("12e-1", Some("1.2"));
        check("12e-2", Some("0.12"));
        check("0e5", Some("0"));
        for text in ["", "-", "1.", ".5", "01", "1,000", "1e", "1e41", "1e-99999999999", "NaN", "0x1", "1 ", "--1"] {
            check(text, None);
        }
        check(&"1".repeat(65), None);
    }

    #[test]
    fn a_price_reads_as_a_trade_and_as_a_tick() {
        let check = |shape: Shape, symbol, expected: &str| {
            let mut out = Vec::new();
            shape.write(symbol, "1.0850", 1_765_211_445_000, &mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        };
        let trade = r#"{"e":"trade","E":1765211445000,"s":"BTCUSD","p":"1.0850","q":"0","T":1765211445000}"#;
        check(Shape::Trade, "btcusd", trade);
        let tick = r#"{"e":"tick","E":1765211445000,"s":"frxEURUSD","p":"1.0850","b":"1.0850","a":"1.0850","d":4}"#;
        check(Shape::Tick, "frxeurusd", tick);
    }

    proptest! {
        /// The value stays what it was, as far as a float can tell.
        #[test]
        fn values_are_kept(mantissa in "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,8})?", exponent in -40i32..40) {
            let text = format!("{mantissa}e{exponent}");
            let moved: f64 = plain(&text).unwrap().parse().unwrap();
            let value: f64 = text.parse().unwrap();
            prop_assert!((moved - value).abs() <= value.abs() * 1e-12, "{} {}", text, moved);
        }

        #[test]
        fn any_text_is_judged(text in "\\PC{0,70}") {
            let _ = plain(&text);
        }
    }
}
