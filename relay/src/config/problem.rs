//! What is wrong with a configuration, all of it at once.

use std::fmt;

use super::given::{Given, Place, Value};

/// Why a value was refused: what is allowed instead, as the end of "the value must be …" where it can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not of the allowed kind or range.
    #[error("must be {0}")]
    Must(String),
    /// Not in a closed set.
    #[error("must be one of {allowed}{}", did_you_mean(near))]
    NotOneOf { allowed: String, near: Option<String> },
    #[error("unknown {what}{}", did_you_mean(near))]
    Unknown { what: &'static str, near: Option<String> },
    /// A key of another section.
    #[error("belongs {0}")]
    Misplaced(String),
    /// Sound alone, but not together with something else.
    #[error("{0}")]
    Conflict(String),
    /// The file is not TOML, or not readable.
    #[error("{0}")]
    File(String),
}

impl Reason {
    pub(super) fn must(be: impl Into<String>) -> Reason {
        Reason::Must(be.into())
    }

    pub(super) fn conflict(text: impl Into<String>) -> Reason {
        Reason::Conflict(text.into())
    }
}

fn did_you_mean(near: &Option<String>) -> String {
    match near {
        Some(near) => format!("; did you mean {near}?"),
        None => String::new(),
    }
}

#[derive(Debug)]
struct Problem {
    place: Place,
    /// `limits.drain = 5`; empty where the place says it already, as flags do.
    subject: String,
    reason: Reason,
}

/// Every problem found, in the order a reader goes: the file by line, the environment, the flags.
#[derive(Debug, Default)]
pub(super) struct Problems {
    file: String,
    found: Vec<Problem>,
    /// The file says things we could not read, so what seems missing or in conflict may not be.
    pub file_unread: bool,
}

impl Problems {
    pub fn of_file(file: String) -> Problems {
        Problems { file, ..Problems::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A problem with a value.
    pub fn value(&mut self, section: &str, given: &Given, reason: Reason) {
        let path = path(section, &given.key);
        let subject = match (&given.place, &given.value) {
            (Place::Variable(_) | Place::Flag(_), _) => String::new(),
            (_, Value::Table(_)) => path,
            _ if is_secret(given) => format!("{path} = (not shown)"),
            (_, value) => format!("{path} = {value}"),
        };
        self.found.push(Problem { place: given.place.clone(), subject, reason });
    }

    /// A problem with a section, or with the file.
    pub fn at(&mut self, place: Place, subject: impl Into<String>, reason: Reason) {
        self.found.push(Problem { place, subject: subject.into(), reason });
    }
}

/// A key that was put into the file by mistake does not go into a log as well.
fn is_secret(given: &Given) -> bool {
    let is_key = |text: &str| text.starts_with(crate::access::key::PREFIX);
    given.key.contains("key") || matches!(&given.value, Value::Typed(text) | Value::Text(text) if is_key(text))
}

pub(super) fn path(section: &str, key: &str) -> String {
    match section {
        "" => key.to_owned(),
        section => format!("{section}.{key}"),
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut found: Vec<&Problem> = self.found.iter().collect();
        found.sort_by(|a, b| a.place.cmp(&b.place));
        let count = match found.len() {
            1 => "one problem".to_owned(),
            count => format!("{count} problems"),
        };
        writeln!(f, "relay: {count} in the configuration")?;
        for problem in found {
            match &problem.place {
                Place::File => write!(f, "  {}: ", self.file)?,
                Place::Line(line) => write!(f, "  {}:{line}: ", self.file)?,
                Place::Variable(text) | Place::Flag(text) => write!(f, "  {text}: ")?,
            }
            if !problem.subject.is_empty() {
                write!(f, "{}: ", problem.subject)?;
            }
            writeln!(f, "{}", problem.reason)?;
        }
        writeln!(f, "hint: `relay --help` describes every flag and key")
    }
}
