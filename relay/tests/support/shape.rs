//! Compares what came with what was recorded: ids, times and prices are samples there, words and keys are not.

use serde_json::Value;

/// The same keys, the same types, and the same words.
#[track_caller]
pub fn same(recorded: &Value, got: &Value) {
    compare(recorded, got, &mut String::from("$"), got);
}

#[track_caller]
fn compare(recorded: &Value, got: &Value, path: &mut String, whole: &Value) {
    match (recorded, got) {
        (Value::Object(recorded), Value::Object(got)) => {
            let keys = |object: &serde_json::Map<String, Value>| {
                let mut keys: Vec<String> = object.keys().cloned().collect();
                keys.sort_unstable();
                keys
            };
            assert_eq!(keys(recorded), keys(got), "the keys of {path} in {whole}");
            for (key, value) in recorded {
                let len = path.len();
                path.push('.');
                path.push_str(key);
                compare(value, &got[key], path, whole);
                path.truncate(len);
            }
        }
        (Value::Array(recorded), Value::Array(got)) => {
            assert_eq!(recorded.len(), got.len(), "the length of {path} in {whole}");
            for (recorded, got) in recorded.iter().zip(got) {
                compare(recorded, got, path, whole);
            }
        }
        (Value::Number(_), Value::Number(_)) => {}
        (Value::String(recorded), Value::String(got)) if is_sample(recorded) => {
            assert!(is_sample(got), "{path} in {whole}: {got:?} where {recorded:?} was recorded");
        }
        _ => assert_eq!(recorded, got, "{path} in {whole}"),
    }
}

/// A decimal, an id or a time.
fn is_sample(text: &str) -> bool {
    let is_id = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    text.parse::<f64>().is_ok() || is_id || is_time(text)
}

/// ISO-8601 in UTC, with milliseconds.
pub fn is_time(text: &str) -> bool {
    let form = "0000-00-00T00:00:00.000Z";
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(got, form)| match form {
            b'0' => got.is_ascii_digit(),
            form => got == form,
        })
}

/// Milliseconds since the epoch of such a time.
pub fn time_ms(text: &str) -> u64 {
    assert!(is_time(text), "{text} is no time");
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().expect("digits");
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days since 1970 of a date in the Gregorian calendar, years beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60_000 + number(17, 19) * 1000 + number(20, 23)
}
