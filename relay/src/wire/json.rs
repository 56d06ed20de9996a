//! A small validating JSON reader: RFC 8259 in one pass, without building a tree.
//!
//! Values come out as slices of the text, so what a venue sent is passed on as it was written.
//! Numbers keep their digits; lone surrogate escapes are valid text and only fail when such a string is decoded.
//! Error texts and positions are those of `serde_json`, because venues answer with them.

mod scan;
mod string;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use self::scan::{Fail, Scanner};
pub use self::string::{append, unescape, write_string};

/// Arrays and objects inside each other; deeper text is refused.
pub const DEPTH_MAX: u32 = 128;

/// Why a text is not JSON, and where: both count from 1, a column is a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at line {line} column {column}")]
pub struct JsonError {
    pub line: usize,
    pub column: usize,
    pub kind: JsonErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    #[error("invalid unicode code point")]
    NotUtf8,
    #[error("EOF while parsing a list")]
    EndInArray,
    #[error("EOF while parsing an object")]
    EndInObject,
    #[error("EOF while parsing a string")]
    EndInString,
    #[error("EOF while parsing a value")]
    EndInValue,
    #[error("expected value")]
    ExpectedValue,
    #[error("expected ident")]
    ExpectedIdent,
    #[error("expected `:`")]
    ExpectedColon,
    #[error("expected `,` or `]`")]
    ExpectedArrayCommaOrEnd,
    #[error("expected `,` or `}}`")]
    ExpectedObjectCommaOrEnd,
    #[error("key must be a string")]
    ExpectedKey,
    #[error("invalid number")]
    InvalidNumber,
    #[error("invalid escape")]
    InvalidEscape,
    #[error("control character (\\u0000-\\u001F) found while parsing a string")]
    ControlCharacter,
    #[error("trailing characters")]
    TrailingCharacters,
    #[error("recursion limit exceeded")]
    TooDeep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// One value as it stands in the text, without the space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    pub kind: ValueKind,
    pub text: &'a str,
    /// Where the value ends in the text that is being read.
    pub end: usize,
}

impl<'a> Value<'a> {
    /// The string this value stands for; `None` for other kinds and for lone surrogates.
    pub fn string(&self) -> Option<Cow<'a, str>> {
        match self.kind {
            ValueKind::String => unescape(&self.text[1..self.text.len() - 1]),
            _ => None,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match self.kind {
            ValueKind::Bool => Some(self.text == "true"),
            _ => None,
        }
    }
}

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// What stands between the quotes, escapes as written.
    raw_key: &'a str,
    escaped: bool,
    pub value: Value<'a>,
}

impl<'a> Member<'a> {
    /// The key; one that stands for no text is given as it was written.
    pub fn key(&self) -> Cow<'a, str> {
        let key = if self.escaped { unescape(self.raw_key) } else { None };
        key.unwrap_or(Cow::Borrowed(self.raw_key))
    }
}

/// The members of an object, one after the other. The text is validated on the way: it is whole and well-formed
/// only when `next` has said `None`.
#[derive(Debug)]
pub struct Object<'a> {
    scanner: Scanner<'a>,
    place: Place,
}

impl<'a> Object<'a> {
    /// `None` if the text does not start an object; `validate` then says whether it is JSON at all.
    pub fn open(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let opens = scanner.open(b'{');
        opens.then_some(Self { scanner, place: Place::Start })
    }

    #[allow(clippy::should_implement_trait)] // An iterator of results invites `flatten`, which would hide errors.
    pub fn next(&mut self) -> Result<Option<Member<'a>>, JsonError> {
        self.step().map_err(|fail| self.scanner.error(fail))
    }

    /// The next member if its value is no array and no object; else nothing is read of that value, and no more can be
    /// had here. For who looks for a number near the beginning of a long text.
    pub fn next_scalar(&mut self) -> Result<Option<Member<'a>>, JsonError> {
        let step = self.place.enter(&mut self.scanner, true).and_then(|more| match more {
            true => self.scanner.key().map(Some),
            false => Ok(None),
        });
        let Some((raw_key, escaped)) = step.map_err(|fail| self.scanner.error(fail))? else { return Ok(None) };
        if self.scanner.opens() {
            self.place = Place::Done { end: self.scanner.at() };
            return Ok(None);
        }
        let value = self.scanner.value(1).map_err(|fail| self.scanner.error(fail))?;
        Ok(Some(Member { raw_key, escaped, value }))
    }

    /// Where the object ends in the text, once `next` has said `None`.
    pub fn end(&self) -> usize {
        match self.place {
            Place::Done { end } => end,
            Place::Start | Place::Inside => self.scanner.at(),
        }
    }

    fn step(&mut self) -> Result<Option<Member<'a>>, Fail> {
        if !self.place.enter(&mut self.scanner, true)? {
            return Ok(None);
        }
        let (raw_key, escaped) = self.scanner.key()?;
        let value = self.scanner.value(1)?;
        Ok(Some(Member { raw_key, escaped, value }))
    }
}

/// The elements of an array; the rules are those of [`Object`].
#[derive(Debug)]
pub struct Array<'a> {
    scanner: Scanner<'a>,
    place: Place,
}

impl<'a> Array<'a> {
    /// `None` if the text does not start an array.
    pub fn open(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let opens = scanner.open(b'[');
        opens.then_some(Self { scanner, place: Place::Start })
    }

    #[allow(clippy::should_implement_trait)] // As for objects.
    pub fn next(&mut self) -> Result<Option<Value<'a>>, JsonError> {
        self.step().map_err(|fail| self.scanner.error(fail))
    }

    fn step(&mut self) -> Result<Option<Value<'a>>, Fail> {
        if !self.place.enter(&mut self.scanner, false)? {
            return Ok(None);
        }
        self.scanner.value(1).map(Some)
    }
}

/// Where a reader of members or elements stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Start,
    Inside,
    Done { end: usize },
}

impl Place {
    /// Moves to the next member or element; false at the end of the text.
    fn enter(&mut self, scanner: &mut Scanner<'_>, in_object: bool) -> Result<bool, Fail> {
        let more = match *self {
            Place::Start => !scanner.close_if_empty(in_object)?,
            Place::Inside => scanner.comma_or_end(in_object)?,
            Place::Done { .. } => return Ok(false),
        };
        if more {
            *self = Place::Inside;
            return Ok(true);
        }
        *self = Place::Done { end: scanner.at() };
        scanner.finish()?;
        Ok(false)
    }
}

/// What JSON takes as a number, without an exponent.
pub fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(are_digits)
}

/// Whether these bytes are one complete JSON text.
pub fn validate(bytes: &[u8]) -> Result<(), JsonError> {
    let text = utf8(bytes)?;
    let mut scanner = Scanner::new(text);
    let checked = scanner.value(0).and_then(|_| scanner.finish());
    checked.map_err(|fail| scanner.error(fail))
}

/// The bytes as text; the position of an error is the first byte that is no UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str, JsonError> {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => {
            let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
            let (line, column) = position(bytes, valid + 1);
            Err(JsonError { line, column, kind: JsonErrorKind::NotUtf8 })
        }
    }
}

/// Line and column after `consumed` bytes, which may be one more than there are.
pub fn position(text: &[u8], consumed: usize) -> (usize, usize) {
    let before = &text[..consumed.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    (line, consumed - line_start)
}
