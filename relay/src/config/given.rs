//! One value somebody gave, and where: the same for the file, the environment and the flags.

use std::fmt;

/// A value under its key. Of several for one key the last one given wins: file, then variable, then flag.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub key: String,
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// From a flag or a variable, where everything is text.
    Typed(String),
    Text(String),
    Integer(i128),
    Boolean(bool),
    List(Vec<Given>),
    Table(Vec<Given>),
    /// A fraction, a date or a huge number, which no setting is; as it was written.
    Other(String),
}

/// In the order problems are reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The whole file.
    File,
    Line(usize),
    /// As it would be exported: `RELAY_SHARDS=4`.
    Variable(String),
    /// As it was typed: `--shards 4`.
    Flag(String),
}

/// Longer values are cut in messages.
const SHOWN_CHARS_MAX: usize = 60;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Typed(text) | Value::Text(text) if text.chars().count() > SHOWN_CHARS_MAX => {
                let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                write!(f, "{start:?}…")
            }
            Value::Typed(text) | Value::Text(text) => write!(f, "{text:?}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::List(_) => f.write_str("[…]"),
            Value::Table(_) => f.write_str("{…}"),
            Value::Other(text) => f.write_str(text),
        }
    }
}
