//! Times and shares as people write them: `250ms`, `5s`, `2m`, `24h`, `25%`.

use anyhow::{Context, Result, bail};

/// Milliseconds.
pub fn parse_ms(text: &str) -> Result<u64> {
    let split = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_ms = match unit {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => bail!("'{text}' must be a time such as 250ms, 5s, 2m or 24h"),
    };
    let number: f64 =
        number.parse().with_context(|| format!("'{text}' must be a time such as 250ms, 5s, 2m or 24h"))?;
    Ok((number * unit_ms) as u64)
}

/// What clap reports.
pub fn parse_argument(text: &str) -> Result<u64, String> {
    parse_ms(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, ms) in [("250ms", 250), ("5s", 5000), ("1.5s", 1500), ("2m", 120_000), ("24h", 86_400_000)] {
            assert_eq!(parse_ms(text).unwrap(), ms, "{text}");
        }
        for wrong in ["", "5", "s", "5 s", "-1s", "1..2s", "5d"] {
            assert!(parse_ms(wrong).is_err(), "{wrong}");
        }
    }
}
