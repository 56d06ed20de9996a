//! Reading the members that a message is made of. What comes out is the venue's own text.

use std::borrow::Cow;

use crate::venue::decimal::DECIMAL_DIGITS_MAX;
use crate::wire::json::{Object, Value, ValueKind, is_decimal};

/// The values of these keys; the last one where a key comes twice, none where it is null. `None` if the text is no
/// object, or not whole.
pub fn read<'a, const COUNT: usize>(text: &'a str, keys: [&str; COUNT]) -> Option<[Option<Value<'a>>; COUNT]> {
    let mut values = [None; COUNT];
    let mut object = Object::open(text)?;
    while let Some(member) = object.next().ok()? {
        let name = member.key();
        if let Some(index) = keys.iter().position(|key| *key == name) {
            values[index] = (member.value.kind != ValueKind::Null).then_some(member.value);
        }
    }
    Some(values)
}

/// The text of a string without escapes, which can be borrowed.
pub fn plain(value: Option<Value<'_>>) -> Option<&str> {
    let text = value.filter(|value| value.kind == ValueKind::String)?.text;
    let inner = &text[1..text.len() - 1];
    (!inner.contains('\\')).then_some(inner)
}

/// A string that is a decimal in plain notation.
pub fn decimal(value: Option<Value<'_>>) -> Option<&str> {
    plain(value).filter(|text| is_decimal(text))
}

/// The same, where nothing, `null` or an empty string says that there is none.
pub fn decimal_or_none(value: Option<Value<'_>>) -> Option<Option<&str>> {
    match value {
        None => Some(None),
        some if plain(some) == Some("") => Some(None),
        some => decimal(some).map(Some),
    }
}

/// A decimal that is a JSON number or a string; one with an exponent is written out.
pub fn number(value: Option<Value<'_>>) -> Option<Cow<'_, str>> {
    let value = value?;
    let text = if value.kind == ValueKind::Number { value.text } else { plain(Some(value))? };
    if is_decimal(text) { Some(Cow::Borrowed(text)) } else { written_out(text).map(Cow::Owned) }
}

/// An integer of at most 64 bits, as a JSON number or as a string.
pub fn integer(value: Option<Value<'_>>) -> Option<i64> {
    let value = value?;
    let text = if value.kind == ValueKind::Number { value.text } else { plain(Some(value))? };
    // `+1` would be taken too; it is no JSON number, and no venue writes it.
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// `1.08e-05` as `0.0000108`: every digit is kept, only the point moves. None for what is no number or would be
/// longer than we compute with.
fn written_out(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    if !is_decimal(mantissa) {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let digits_max = DECIMAL_DIGITS_MAX as i32;
    if all.len() > DECIMAL_DIGITS_MAX || point > digits_max || point <= all.len() as i32 - digits_max {
        return None;
    }
    let text = if point <= 0 {
        format!("0.{}{all}", "0".repeat(point.unsigned_abs() as usize))
    } else {
        let point = point as usize;
        let padded = format!("{all:0<point$}");
        let (whole, fraction) = padded.split_at(point);
        // Zeros in front are those of a mantissa below one.
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    };
    Some(format!("{sign}{text}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::venue::decimal::Decimal;

    fn check_number(text: &str, expected: Option<&str>) {
        let object = format!("{{\"v\":{text}}}");
        let [value] = read(&object, ["v"]).unwrap();
        assert_eq!(number(value).as_deref(), expected, "{text}");
    }

    /// Digits stay as they are; an exponent only moves the point.
    #[test]
    fn numbers_keep_their_digits() {
        for text in ["1558.590", "0.10", "-7", "12345678901234567890.123456789012345"] {
            check_number(text, Some(text));
            check_number(&format!("\"{text}\""), Some(text));
        }
        check_number("1.080e-05", Some("0.00001080"));
        check_number("5.938674704566297e-06", Some("0.000005938674704566297"));
        check_number("-1.5E+3", Some("-1500"));
        check_number("12.345e1", Some("123.45"));
        check_number("0.00123e2", Some("0.123"));
        check_number("0.00123e4", Some("12.3"));
        check_number("1e-400000000", None);
        check_number("1e400000000", None);
        check_number("1e99999999999", None);
        for text in ["\"\"", "\"1,5\"", "\"01\"", "\"NaN\"", "true", "[1]", "\"\\u0031\"", "\".5e1\"", "\"1ee1\""] {
            check_number(text, None);
        }
    }

    #[test]
    fn empty_strings_are_none() {
        let [value] = read(r#"{"v":""}"#, ["v"]).unwrap();
        assert_eq!((decimal_or_none(value), decimal(value)), (Some(None), None));
        assert_eq!(decimal_or_none(None), Some(None));
        let [value] = read(r#"{"v":"x"}"#, ["v"]).unwrap();
        assert_eq!(decimal_or_none(value), None);
        let [value] = read(r#"{"v":"1","v":null}"#, ["v"]).unwrap();
        assert_eq!(value, None);
    }

    #[test]
    fn integers_of_either_form() {
        let check = |text: &str, expected| {
            let object = format!("{{\"v\":{text}}}");
            let [value] = read(&object, ["v"]).unwrap();
            assert_eq!(integer(value), expected, "{text}");
        };
        check("-1", Some(-1));
        check("\"1765211445000\"", Some(1_765_211_445_000));
        check("9223372036854775807", Some(i64::MAX));
        for text in ["9223372036854775808", "1.0", "\"\"", "\"+1\"", "\"1 \"", "{}"] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "\\PC{0,12}|-?[0-9.]{1,9}[eE][-+]?[0-9]{1,3}") {
            if let Some(written) = written_out(&text) {
                prop_assert!(is_decimal(&written), "{text} became {written}");
                prop_assert!(Decimal::parse(&written).is_some());
            }
        }
    }
}
