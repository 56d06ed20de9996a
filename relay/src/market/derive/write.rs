//! Payloads as Binance writes them, key by key.

use crate::venue::decimal::{Decimal, write_integer};

pub struct Writer {
    pub text: Vec<u8>,
}

impl Writer {
    pub fn new() -> Writer {
        Writer { text: Vec::new() }
    }

    /// `{"e":"…","E":…`
    pub fn open(&mut self, event: &str, time_ms: i64) -> &mut Writer {
        self.text.clear();
        self.raw("{\"e\":\"").raw(event).raw("\"").integer("E", time_ms)
    }

    pub fn raw(&mut self, text: &str) -> &mut Writer {
        self.text.extend_from_slice(text.as_bytes());
        self
    }

    pub fn key(&mut self, key: &str) -> &mut Writer {
        self.raw(",\"").raw(key).raw("\":")
    }

    pub fn integer(&mut self, key: &str, value: i64) -> &mut Writer {
        self.key(key);
        write_integer(&mut self.text, value);
        self
    }

    /// Text without anything to escape, as it came out of such text.
    pub fn string(&mut self, key: &str, value: &str) -> &mut Writer {
        self.key(key).raw("\"").raw(value).raw("\"")
    }

    pub fn decimal(&mut self, key: &str, value: Decimal) -> &mut Writer {
        self.key(key).raw("\"");
        value.write(&mut self.text);
        self.raw("\"")
    }

    pub fn flag(&mut self, key: &str, value: bool) -> &mut Writer {
        self.key(key).raw(if value { "true" } else { "false" })
    }

    /// `[["price","quantity"],…]`
    pub fn levels<'a>(&mut self, key: &str, levels: impl Iterator<Item = (&'a str, &'a str)>) -> &mut Writer {
        self.key(key);
        write_levels(&mut self.text, levels);
        self
    }

    pub fn end(&mut self) -> &[u8] {
        self.text.push(b'}');
        &self.text
    }
}

pub fn write_levels<'a>(out: &mut Vec<u8>, levels: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push(b'[');
    for (index, (price, quantity)) in levels.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        for part in ["[\"", price, "\",\"", quantity, "\"]"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.push(b']');
}
