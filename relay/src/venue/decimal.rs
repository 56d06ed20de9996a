//! Decimal numbers as scaled integers: what prices and sizes are computed in.
//!
//! `12.50` is 1250 units at scale 2. Nothing here touches floating point, so a sum is exact and every platform
//! writes the same bytes. The scale is kept: trailing zeros mean something to clients that compare text.

use std::cmp::Ordering;
use std::fmt;

/// Digits a number may have: what fits an i128 with room for a sum of many.
pub const DECIMAL_DIGITS_MAX: usize = 36;

const _: () = assert!(10i128.checked_pow(DECIMAL_DIGITS_MAX as u32).is_some());

/// A number and the count of its fractional digits. Equality is that of the value: `1.0` equals `1.00`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    units: i128,
    scale: u32,
}

impl Decimal {
    pub const fn new(units: i128, scale: u32) -> Decimal {
        assert!(scale as usize <= DECIMAL_DIGITS_MAX, "a scale has at most DECIMAL_DIGITS_MAX digits");
        Decimal { units, scale }
    }

    /// Reads plain notation (`-0.00100`); exponents, blanks and overlong numbers are none.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let pointless = digits.contains('.') && fraction.is_empty();
        if whole.is_empty() || pointless || whole.len() + fraction.len() > DECIMAL_DIGITS_MAX {
            return None;
        }
        let mut units: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            units = units * 10 + i128::from(digit - b'0');
        }
        Some(Decimal { units: if negative { -units } else { units }, scale: fraction.len() as u32 })
    }

    pub const fn units(self) -> i128 {
        self.units
    }

    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// The same value at another scale; none where digits would be lost or the number outgrows its type.
    pub fn at_scale(self, scale: u32) -> Option<Decimal> {
        if scale as usize > DECIMAL_DIGITS_MAX {
            return None;
        }
        let units = if scale >= self.scale {
            self.units.checked_mul(power(scale - self.scale))?
        } else {
            let divisor = power(self.scale - scale);
            if self.units % divisor != 0 {
                return None;
            }
            self.units / divisor
        };
        Some(Decimal { units, scale })
    }

    /// The sum, at the larger scale of the two.
    pub fn checked_add(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale.max(other.scale);
        let units = self.at_scale(scale)?.units.checked_add(other.at_scale(scale)?.units)?;
        Some(Decimal { units, scale })
    }

    /// The exact product, at the sum of the scales.
    pub fn checked_mul(self, other: Decimal) -> Option<Decimal> {
        let scale = self.scale + other.scale;
        if scale as usize > DECIMAL_DIGITS_MAX {
            return None;
        }
        Some(Decimal { units: self.units.checked_mul(other.units)?, scale })
    }

    /// The quotient with `scale` fractional digits, halves to even. None only if the quotient itself is too large.
    pub fn checked_div(self, other: Decimal, scale: u32) -> Option<Decimal> {
        if other.units == 0 || scale as usize > DECIMAL_DIGITS_MAX {
            return None;
        }
        let raise = scale + other.scale;
        let units = if raise >= self.scale {
            divide_raised(self.units, other.units, raise - self.scale)?
        } else {
            match other.units.checked_mul(power(self.scale - raise)) {
                Some(denominator) => divide_half_even(self.units, denominator),
                // More than 38 digits, of which nothing that was read is the half.
                None if self.units.unsigned_abs() <= 10u128.pow(DECIMAL_DIGITS_MAX as u32) => 0,
                None => return None,
            }
        };
        Some(Decimal { units, scale })
    }

    pub fn write(self, out: &mut Vec<u8>) {
        write_scaled(out, self.units, self.scale);
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.at_scale(scale), other.at_scale(scale)) {
            (Some(left), Some(right)) => left.units.cmp(&right.units),
            // Only the number with fewer fractional digits is multiplied, so it is the larger one by magnitude.
            (None, _) => self.units.cmp(&0),
            (_, None) => 0.cmp(&other.units),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// The quotient, rounded to the nearest integer and halves to the even one.
///
/// # Panics
/// When the denominator is zero.
pub fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    let down = numerator.div_euclid(denominator);
    let rest = numerator.rem_euclid(denominator).unsigned_abs();
    let up = if denominator < 0 { down - 1 } else { down + 1 };
    match (rest * 2).cmp(&denominator.unsigned_abs()) {
        Ordering::Less => down,
        Ordering::Greater => up,
        Ordering::Equal if down % 2 == 0 => down,
        Ordering::Equal => up,
    }
}

/// `numerator * 10^digits / denominator`, halves to even. The numerator as a whole may be larger than its type.
fn divide_raised(numerator: i128, denominator: i128, digits: u32) -> Option<i128> {
    if let Some(numerator) = checked_power(digits).and_then(|power| numerator.checked_mul(power)) {
        return Some(divide_half_even(numerator, denominator));
    }
    // By hand, digit after digit, on magnitudes: halves to even are the same on either side of zero.
    let divisor = denominator.unsigned_abs();
    let mut quotient = numerator.unsigned_abs() / divisor;
    let mut rest = numerator.unsigned_abs() % divisor;
    for _ in 0..digits {
        rest = rest.checked_mul(10)?;
        quotient = quotient.checked_mul(10)?.checked_add(rest / divisor)?;
        rest %= divisor;
    }
    // The rest is below the divisor, which is at most 2^127, so that twice the rest fits.
    let up = match (rest * 2).cmp(&divisor) {
        Ordering::Less => 0,
        Ordering::Equal => quotient % 2,
        Ordering::Greater => 1,
    };
    let units = i128::try_from(quotient.checked_add(up)?).ok()?;
    Some(if (numerator < 0) == (denominator < 0) { units } else { -units })
}

/// Appends `units` with `scale` fractional digits: 5 units at scale 3 are `0.005`.
pub fn write_scaled(out: &mut Vec<u8>, units: i128, scale: u32) {
    // A sign, 39 digits, a point, and zeros in front of a small number.
    let mut text = [b'0'; 48];
    let mut start = text.len();
    let mut rest = units.unsigned_abs();
    let mut written = 0;
    while rest > u128::from(u64::MAX) {
        put_digit(&mut text, &mut start, (rest % 10) as u8, &mut written, scale);
        rest /= 10;
    }
    // Nearly every number fits 64 bits, where division is several times cheaper.
    let mut rest = rest as u64;
    while rest > 0 || written <= scale {
        put_digit(&mut text, &mut start, (rest % 10) as u8, &mut written, scale);
        rest /= 10;
    }
    if units < 0 {
        start -= 1;
        text[start] = b'-';
    }
    out.extend_from_slice(&text[start..]);
}

/// Appends an integer.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    write_scaled(out, i128::from(value), 0);
}

fn put_digit(text: &mut [u8; 48], start: &mut usize, digit: u8, written: &mut u32, scale: u32) {
    if *written == scale && scale > 0 {
        *start -= 1;
        text[*start] = b'.';
    }
    *start -= 1;
    text[*start] = b'0' + digit;
    *written += 1;
}

fn power(exponent: u32) -> i128 {
    10i128.pow(exponent)
}

fn checked_power(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text:?} is a decimal"))
    }

    /// What is read is written back unchanged, trailing zeros included.
    #[test]
    fn text_survives() {
        for text in ["0", "0.00", "1", "-1", "50000.00", "0.00100000", "-0.005", "12345678901234567890.123456789"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        let widest = "9".repeat(DECIMAL_DIGITS_MAX);
        assert_eq!(decimal(&widest).to_string(), widest);
        let finest = format!("0.{}1", "0".repeat(DECIMAL_DIGITS_MAX - 2));
        assert_eq!(decimal(&finest).to_string(), finest);
    }

    /// Anything but plain notation is refused.
    #[test]
    fn strangers_are_refused() {
        let overlong = "1".repeat(DECIMAL_DIGITS_MAX + 1);
        for text in ["", "-", ".", ".5", "5.", "1e5", "+1", " 1", "1 ", "1_000", "1.2.3", "٣", "--1", &overlong] {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
    }

    /// Sums keep the larger scale, products add scales, quotients round halves to even.
    #[test]
    fn arithmetic() {
        let sums = [("1.5", "2.25", "3.75"), ("0.10", "-0.1", "0.00"), ("99.995", "0.005", "100.000")];
        for (left, right, expected) in sums {
            assert_eq!(decimal(left).checked_add(decimal(right)).unwrap().to_string(), expected);
        }
        let products = [("101.00", "2", "202.00"), ("99.50", "0.5", "49.750"), ("-0.1", "0.1", "-0.01")];
        for (left, right, expected) in products {
            assert_eq!(decimal(left).checked_mul(decimal(right)).unwrap().to_string(), expected);
        }
        let quotients = [
            ("1", "3", 3, "0.333"),
            ("2", "3", 3, "0.667"),
            ("1", "8", 2, "0.12"),
            ("3", "8", 2, "0.38"),
            ("-1", "8", 2, "-0.12"),
            ("-3", "8", 2, "-0.38"),
            ("1", "-8", 2, "-0.12"),
            ("3", "-8", 2, "-0.38"),
            ("-2", "-3", 3, "0.667"),
            ("1.000", "0.5", 0, "2"),
            ("1.26", "1", 1, "1.3"),
        ];
        for (left, right, scale, expected) in quotients {
            let quotient = decimal(left).checked_div(decimal(right), scale).unwrap();
            assert_eq!(quotient.to_string(), expected, "{left} / {right}");
        }
        assert!(decimal("1").checked_div(decimal("0.0"), 2).is_none());
    }

    /// A quotient that fits is found, however large the numbers on the way to it.
    #[test]
    fn quotients_of_long_numbers() {
        let nines = "9".repeat(DECIMAL_DIGITS_MAX);
        let threes = "3".repeat(DECIMAL_DIGITS_MAX);
        let finest = format!("0.{}1", "0".repeat(DECIMAL_DIGITS_MAX - 2));
        let quotients = [
            (&*nines, &*threes, 10, "3.0000000000"),
            (&threes, &nines, 10, "0.3333333333"),
            (&format!("-{threes}"), "2000000000000000000000000000000000", 4, "-166.6667"),
            (&finest, &nines, 10, "0.0000000000"),
            ("12345678901234567890.123456789", "1234567890.1234567890123456789", 10, "10000000000.0000000000"),
        ];
        for (left, right, scale, expected) in quotients {
            let quotient = decimal(left).checked_div(decimal(right), scale).unwrap();
            assert_eq!(quotient.to_string(), expected, "{left} / {right}");
        }
        assert!(decimal(&nines).checked_div(decimal(&finest), 10).is_none());
    }

    /// Order is that of the value, whatever the scales.
    #[test]
    fn order() {
        let rising = ["-10", "-1.5", "-0.001", "0", "0.001", "0.01", "1.000", "1.001", "20"];
        for pair in rising.windows(2) {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{pair:?}");
        }
        assert_eq!(decimal("100.60"), decimal("100.600"));
        let huge = decimal(&"9".repeat(DECIMAL_DIGITS_MAX));
        let fine = decimal(&format!("1.{}", "0".repeat(20)));
        assert_eq!(huge.cmp(&fine), Ordering::Greater);
        assert_eq!(fine.cmp(&huge), Ordering::Less);
        assert!(Decimal::new(-huge.units(), 0) < fine);
    }

    /// A scale changes only where no digit is lost.
    #[test]
    fn scales() {
        assert_eq!(decimal("1.50").at_scale(1).unwrap().to_string(), "1.5");
        assert_eq!(decimal("1.5").at_scale(4).unwrap().to_string(), "1.5000");
        assert!(decimal("1.55").at_scale(1).is_none());
    }
}
