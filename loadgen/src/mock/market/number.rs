//! Decimal text of whole numbers of 10^-8.

pub const ONE: u64 = 100_000_000;

/// With so many digits behind the point (8 at most); what is finer is cut off.
pub fn fixed(value: u128, digits: usize) -> String {
    let (whole, fraction) = (value / u128::from(ONE), value % u128::from(ONE));
    let fraction = format!("{fraction:08}");
    match digits {
        0 => whole.to_string(),
        digits => format!("{whole}.{}", &fraction[..digits.min(8)]),
    }
}

/// As short as it goes, as OKX writes.
pub fn short(value: u128) -> String {
    let text = fixed(value, 8);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// With a sign.
pub fn signed(value: i128, digits: usize) -> String {
    let text = fixed(value.unsigned_abs(), digits);
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value < 0 && !is_zero { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digits are the number's own: nothing is rounded, and zero has no sign.
    #[test]
    fn texts() {
        assert_eq!(fixed(4_215_050_000_000, 8), "42150.50000000");
        assert_eq!(fixed(4_215_050_000_000, 2), "42150.50");
        assert_eq!(fixed(123, 8), "0.00000123");
        assert_eq!(fixed(ONE.into(), 0), "1");
        assert_eq!(short(4_215_050_000_000), "42150.5");
        assert_eq!(short(u128::from(ONE) * 100), "100");
        assert_eq!((signed(-150_000_000, 3), signed(-1, 2)), ("-1.500".to_owned(), "0.00".to_owned()));
    }
}
