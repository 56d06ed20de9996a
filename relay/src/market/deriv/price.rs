//! A price small enough to keep thousands of.

use crate::venue::decimal::{DECIMAL_DIGITS_MAX, Decimal};

/// A decimal of 64 bits: more digits no instrument has.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    units: i64,
    scale: u8,
}

const _: () = assert!(DECIMAL_DIGITS_MAX <= u8::MAX as usize);

impl Price {
    /// Reads plain notation. The price gets `pip_size` fractional digits where that loses none, and keeps its own
    /// otherwise.
    pub fn parse(text: &str, pip_size: u32) -> Option<Price> {
        let own = Decimal::parse(text)?;
        let decimal = own.at_scale(pip_size).unwrap_or(own);
        Some(Price { units: decimal.units().try_into().ok()?, scale: decimal.scale().try_into().ok()? })
    }

    /// Fractional digits that say something: `0.34870000` has four.
    pub fn digits(self) -> u32 {
        let (mut units, mut digits) = (self.units, u32::from(self.scale));
        while digits > 0 && units % 10 == 0 {
            (units, digits) = (units / 10, digits - 1);
        }
        digits
    }

    /// Appends it as a JSON number.
    pub fn write(self, out: &mut Vec<u8>) {
        self.decimal().write(out);
    }

    /// With just `pip_size` fractional digits, halves rounded to even.
    pub fn fixed(self, pip_size: u32) -> String {
        let decimal = self.decimal();
        decimal.checked_div(Decimal::new(1, 0), pip_size).unwrap_or(decimal).to_string()
    }

    pub fn text(self) -> String {
        self.decimal().to_string()
    }

    pub fn max(self, other: Price) -> Price {
        if self.decimal() < other.decimal() { other } else { self }
    }

    pub fn min(self, other: Price) -> Price {
        if other.decimal() < self.decimal() { other } else { self }
    }

    fn decimal(self) -> Decimal {
        Decimal::new(i128::from(self.units), u32::from(self.scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_the_symbols_digits_where_none_is_lost() {
        let check = |text, pip_size, number: &str, fixed: &str| {
            let price = Price::parse(text, pip_size).unwrap();
            assert_eq!((price.text().as_str(), price.fixed(pip_size).as_str()), (number, fixed), "{text}");
        };
        check("1559.1", 2, "1559.10", "1559.10");
        check("95000.01000000", 3, "95000.010", "95000.010");
        check("1.084125", 5, "1.084125", "1.08412");
        check("1.084135", 5, "1.084135", "1.08414");
        check("-0.0", 2, "0.00", "0.00");
        // Would be no JSON as it stands.
        check("007", 0, "7", "7");
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in ["", "x", "1e5", "9223372036854775808", ".5"] {
            assert!(Price::parse(text, 0).is_none(), "{text}");
        }
        // Where the symbol's digits would not fit, its own do.
        assert_eq!(Price::parse("9223372036854775807", 0).unwrap().text(), "9223372036854775807");
    }

    #[test]
    fn zeros_at_the_end_say_nothing() {
        for (text, digits) in [("0.34870000", 4), ("2.1574", 4), ("95000.00", 0), ("0", 0), ("1.10", 1)] {
            assert_eq!(Price::parse(text, 2).unwrap().digits(), digits, "{text}");
        }
    }
}
