//! Writes JSON objects key by key. Every text written is the venue's own and needs no escapes.

use crate::venue::decimal::write_scaled;

pub struct Json<'a> {
    pub out: &'a mut Vec<u8>,
}

impl Json<'_> {
    /// Begins an element or a key: a comma unless it is the first.
    pub fn next(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }

    pub fn open(&mut self, bracket: u8) {
        self.next();
        self.out.push(bracket);
    }

    pub fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
    }

    pub fn key(&mut self, key: &str) {
        self.next();
        self.quote(key);
        self.out.push(b':');
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quote(value);
    }

    pub fn integer(&mut self, key: &str, value: i128) {
        self.number(key, value, 0);
    }

    pub fn number(&mut self, key: &str, units: i128, scale: u32) {
        self.key(key);
        write_scaled(self.out, units, scale);
    }

    /// A number as text.
    pub fn decimal(&mut self, key: &str, units: i128, scale: u32) {
        self.key(key);
        self.out.push(b'"');
        write_scaled(self.out, units, scale);
        self.out.push(b'"');
    }

    pub fn null(&mut self, key: &str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }

    fn quote(&mut self, text: &str) {
        debug_assert!(
            !text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\'),
            "{text:?} needs no escape"
        );
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }
}
