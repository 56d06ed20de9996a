//! `[socketio]`: where the Socket.IO dialect is served, and the waits that its clients are told.

use std::time::Duration;

use super::given::{Given, Place};
use super::problem::{Problems, Reason};
use super::section::Section;
use super::settings::SectionName;
use super::value::{duration, parsed, switch};
use crate::wire::socketio::session::{KeyRule, Timing};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIo {
    /// With or without a slash at its end; both are served.
    pub path: String,
    pub require_key: bool,
    pub timing: Timing,
}

impl SocketIo {
    pub fn key_rule(&self) -> KeyRule {
        if self.require_key { KeyRule::Required } else { KeyRule::Optional }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The first segments of the other dialects' paths.
const TAKEN: [&str; 8] = ["ws", "stream", "sse", "echo", "websockets", "api", "fapi", ""];

pub(super) fn read(given: Vec<Given>, problems: &mut Problems) -> SocketIo {
    let mut section = Section::new(SectionName::SocketIo, Place::File, given, problems);
    let usual = Timing::default();
    let path = section.value("path", "/currency/".to_owned(), parsed(read_path));
    let require_key = section.value("require_key", true, switch);
    let mut wait = |key, usual_ms| {
        let wait = section.value(key, Duration::from_millis(usual_ms), duration(SECOND..=HOUR));
        // An hour fits.
        wait.as_millis() as u64
    };
    let ping_interval_ms = wait("ping_interval", usual.ping_interval_ms);
    let ping_timeout_ms = wait("ping_timeout", usual.ping_timeout_ms);
    SocketIo { path, require_key, timing: Timing { ping_interval_ms, ping_timeout_ms, ..usual } }
}

fn read_path(text: &str) -> Result<String, Reason> {
    let expected = || Reason::must(r#"a path such as "/currency/""#);
    // What a path may have without an escape (RFC 3986 section 3.3), so that requests are compared as they are written.
    let letter = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    let segments = text.strip_prefix('/').ok_or_else(expected)?;
    if text.contains("//") || !text.chars().all(letter) {
        return Err(expected());
    }
    match segments.split('/').next().filter(|first| TAKEN.contains(first)) {
        None => Ok(text.to_owned()),
        Some("") => Err(expected()),
        Some(first) => Err(Reason::must(format!("a path that is nobody else's; /{first} is another protocol's"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_that_no_other_dialect_has() {
        let check = |text, expected| assert_eq!(read_path(text).is_ok(), expected, "{text:?}");
        for good in ["/currency/", "/currency", "/socket.io/", "/a/b/", "/wsx"] {
            check(good, true);
        }
        for bad in [
            "",
            "/",
            "//",
            "currency",
            "/ws",
            "/ws/",
            "/stream",
            "/sse",
            "/websockets/v3",
            "/api/v1",
            "/a?b",
            "/a b",
            "/é",
        ] {
            check(bad, false);
        }
    }
}
