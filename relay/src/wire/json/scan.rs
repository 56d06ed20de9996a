//! One pass over the grammar of RFC 8259.

use super::words;
use super::{DEPTH_MAX, JsonError, JsonErrorKind, Value, ValueKind, position};

/// An error and the number of bytes read when it was found.
#[derive(Clone, Copy, Debug)]
pub struct Fail {
    kind: JsonErrorKind,
    consumed: usize,
}

#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// The arrays and objects around the place we read at: one bit each, set for an object.
struct Nesting {
    objects: u128,
    depth: u32,
    depth_max: u32,
}

const _: () = assert!(DEPTH_MAX <= u128::BITS);

impl Nesting {
    /// False when the limit is reached.
    fn push(&mut self, object: bool) -> bool {
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        self.depth <= self.depth_max
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn error(&self, fail: Fail) -> JsonError {
        let (line, column) = position(self.text.as_bytes(), fail.consumed);
        JsonError { line, column, kind: fail.kind }
    }

    /// Steps into an array or object if that is what comes first.
    pub fn open(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let opens = self.peek() == Some(bracket);
        self.at += usize::from(opens);
        opens
    }

    /// Whether an array or an object comes first.
    pub fn opens(&mut self) -> bool {
        self.skip_space();
        matches!(self.peek(), Some(b'{' | b'['))
    }

    /// After an opening bracket: steps over the closing one if it follows at once.
    #[inline]
    pub fn close_if_empty(&mut self, in_object: bool) -> Result<bool, Fail> {
        self.skip_space();
        match self.peek() {
            Some(b'}') if in_object => self.at += 1,
            Some(b']') if !in_object => self.at += 1,
            Some(_) => return Ok(false),
            None => return Err(self.fail_at_peek(end_inside(in_object))),
        }
        Ok(true)
    }

    /// After a member or element: true if another one follows.
    #[inline]
    pub fn comma_or_end(&mut self, in_object: bool) -> Result<bool, Fail> {
        self.skip_space();
        let more = match self.peek() {
            Some(b',') => true,
            Some(b'}') if in_object => false,
            Some(b']') if !in_object => false,
            Some(_) if in_object => {
                return Err(self.fail_at_peek(JsonErrorKind::ExpectedObjectCommaOrEnd));
            }
            Some(_) => return Err(self.fail_at_peek(JsonErrorKind::ExpectedArrayCommaOrEnd)),
            None => return Err(self.fail_at_peek(end_inside(in_object))),
        };
        self.at += 1;
        Ok(more)
    }

    /// A key and its colon; gives what stands between the quotes, and whether there are escapes in it.
    #[inline]
    pub fn key(&mut self) -> Result<(&'a str, bool), Fail> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.at += 1,
            Some(_) => return Err(self.fail_at_peek(JsonErrorKind::ExpectedKey)),
            None => return Err(self.fail_at_peek(JsonErrorKind::EndInObject)),
        }
        let start = self.at;
        let escaped = self.string_rest()?;
        let key = &self.text[start..self.at - 1];
        self.skip_space();
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(self.fail_at_peek(JsonErrorKind::ExpectedColon)),
            None => return Err(self.fail_at_peek(JsonErrorKind::EndInObject)),
        }
        Ok((key, escaped))
    }

    /// A value of any kind; `depth` arrays and objects are around it.
    #[inline]
    pub fn value(&mut self, depth: u32) -> Result<Value<'a>, Fail> {
        self.skip_space();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => {
                self.nested(depth)?;
                ValueKind::Object
            }
            Some(b'[') => {
                self.nested(depth)?;
                ValueKind::Array
            }
            _ => self.scalar()?,
        };
        Ok(Value { kind, text: &self.text[start..self.at], end: self.at })
    }

    /// Nothing but space may follow.
    pub fn finish(&mut self) -> Result<(), Fail> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fail_at_peek(JsonErrorKind::TrailingCharacters)),
        }
    }

    /// An array or object with all it holds. A loop, so that hostile depth costs no stack.
    fn nested(&mut self, depth: u32) -> Result<(), Fail> {
        let mut nesting = Nesting { objects: 0, depth: 0, depth_max: DEPTH_MAX - depth };
        loop {
            self.skip_space();
            let opened = match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let in_object = bracket == b'{';
                    if !nesting.push(in_object) {
                        return Err(self.fail_at_peek(JsonErrorKind::TooDeep));
                    }
                    self.at += 1;
                    !self.close_if_empty(in_object)?
                }
                _ => {
                    self.scalar()?;
                    if self.comma_or_end(nesting.in_object())? {
                        if nesting.in_object() {
                            self.key()?;
                        }
                        continue;
                    }
                    false
                }
            };
            if !opened && !self.close(&mut nesting)? {
                return Ok(());
            }
            if nesting.in_object() {
                self.key()?;
            }
        }
    }

    /// After a closing bracket: leaves what ended until something goes on; false at the end of it all.
    fn close(&mut self, nesting: &mut Nesting) -> Result<bool, Fail> {
        loop {
            nesting.pop();
            if nesting.depth == 0 {
                return Ok(false);
            }
            if self.comma_or_end(nesting.in_object())? {
                return Ok(true);
            }
        }
    }

    #[inline]
    fn scalar(&mut self) -> Result<ValueKind, Fail> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string_rest()?;
                Ok(ValueKind::String)
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(ValueKind::Number)
            }
            Some(b't') => self.literal("true", ValueKind::Bool),
            Some(b'f') => self.literal("false", ValueKind::Bool),
            Some(b'n') => self.literal("null", ValueKind::Null),
            Some(_) => Err(self.fail_at_peek(JsonErrorKind::ExpectedValue)),
            None => Err(self.fail_at_peek(JsonErrorKind::EndInValue)),
        }
    }

    fn literal(&mut self, word: &str, kind: ValueKind) -> Result<ValueKind, Fail> {
        for expected in word.bytes() {
            match self.peek() {
                Some(byte) if byte == expected => self.at += 1,
                Some(_) => return Err(self.fail_at_peek(JsonErrorKind::ExpectedIdent)),
                None => return Err(self.fail_at_peek(JsonErrorKind::EndInValue)),
            }
        }
        Ok(kind)
    }

    fn number(&mut self) -> Result<(), Fail> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.skip_digits(),
            _ => return Err(self.fail_at_peek(JsonErrorKind::InvalidNumber)),
        }
        if let Some(b'0'..=b'9') = self.peek() {
            return Err(self.fail_at_peek(JsonErrorKind::InvalidNumber));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fail> {
        let start = self.at;
        self.skip_digits();
        if self.at == start {
            return Err(self.fail_at_peek(JsonErrorKind::InvalidNumber));
        }
        Ok(())
    }

    fn skip_digits(&mut self) {
        self.at += words::digits(&self.text.as_bytes()[self.at..]);
    }

    /// The rest of a string, its closing quote included; says whether there was an escape in it.
    #[inline]
    fn string_rest(&mut self) -> Result<bool, Fail> {
        let mut escaped = false;
        loop {
            self.at += words::plain(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => {
                    return Err(Fail { kind: JsonErrorKind::ControlCharacter, consumed: self.at });
                }
                None => {
                    return Err(Fail { kind: JsonErrorKind::EndInString, consumed: self.at });
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fail> {
        self.at += 1;
        let rest = &self.text.as_bytes()[self.at..];
        let length = match rest.first() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u') => 5,
            Some(_) => return Err(self.fail_at_peek(JsonErrorKind::InvalidEscape)),
            None => {
                return Err(Fail { kind: JsonErrorKind::EndInString, consumed: self.text.len() });
            }
        };
        let Some(escape) = rest.get(1..length) else {
            return Err(Fail { kind: JsonErrorKind::EndInString, consumed: self.text.len() });
        };
        self.at += length;
        if !escape.iter().all(u8::is_ascii_hexdigit) {
            return Err(Fail { kind: JsonErrorKind::InvalidEscape, consumed: self.at });
        }
        Ok(())
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            // One comparison in the common case: venues send no space.
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return;
            }
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The byte we look at is the one that is wrong; at the end of the text it is the end.
    fn fail_at_peek(&self, kind: JsonErrorKind) -> Fail {
        Fail { kind, consumed: (self.at + 1).min(self.text.len()) }
    }
}

fn end_inside(in_object: bool) -> JsonErrorKind {
    if in_object { JsonErrorKind::EndInObject } else { JsonErrorKind::EndInArray }
}
