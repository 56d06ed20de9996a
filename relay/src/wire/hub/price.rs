//! The message of every channel.

use crate::wire::{json, time};

/// One instrument's price at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceUpdate<'a> {
    /// The channel's name.
    pub connector_id: &'a str,
    pub exchange: &'a str,
    /// `BTC/USDT`.
    pub instrument: &'a str,
    /// A JSON number with the digits of its source. Never null: the documented page formats it without a look.
    pub price: &'a str,
    pub time_ms: u64,
    /// When the value came, where `time_ms` is that of the push.
    pub source_time_ms: Option<u64>,
    /// JSON text.
    pub data: &'a [u8],
}

impl PriceUpdate<'_> {
    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        debug_assert!(is_number(self.price), "a price is a JSON number, not {:?}", self.price);
        out.extend_from_slice(b"{\"type\":\"price_update\",\"connector_id\":");
        json::write_string(self.connector_id, out);
        out.extend_from_slice(b",\"exchange\":");
        json::write_string(self.exchange, out);
        out.extend_from_slice(b",\"instrument\":");
        json::write_string(self.instrument, out);
        out.extend_from_slice(b",\"price\":");
        out.extend_from_slice(self.price.as_bytes());
        out.extend_from_slice(b",\"timestamp\":");
        time::write(self.time_ms, out);
        if let Some(source_time_ms) = self.source_time_ms {
            out.extend_from_slice(b",\"source_timestamp\":");
            time::write(source_time_ms, out);
        }
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(self.data);
        out.push(b'}');
    }
}

/// Whether a venue's text can stand as a JSON number as it is.
pub fn is_number(text: &str) -> bool {
    let starts = text.starts_with(|char: char| char == '-' || char.is_ascii_digit());
    // A validated number ends in a digit unless blanks follow it.
    starts && text.ends_with(|char: char| char.is_ascii_digit()) && json::validate(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_json() {
        for text in ["0", "-0.5", "42150.50", "5.938674704566297e-06", "1E+3", "77671"] {
            assert!(is_number(text), "{text:?}");
        }
        for text in
            ["", "-", "null", ".5", "5.", "007", "+1", " 1", "1 ", "1,2", "\"1\"", "NaN", "0x1", "[1", "1]", "٣"]
        {
            assert!(!is_number(text), "{text:?}");
        }
    }

    #[test]
    fn the_time_of_the_source_is_said_where_it_differs() {
        let update = PriceUpdate {
            connector_id: "a",
            exchange: "b",
            instrument: "C/D",
            price: "1.50",
            time_ms: 1000,
            source_time_ms: Some(999),
            data: b"{}",
        };
        let mut out = Vec::new();
        update.write(&mut out);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            r#"{"type":"price_update","connector_id":"a","exchange":"b","instrument":"C/D","price":1.50,"timestamp":"1970-01-01T00:00:01.000Z","source_timestamp":"1970-01-01T00:00:00.999Z","data":{}}"#
        );
    }
}
