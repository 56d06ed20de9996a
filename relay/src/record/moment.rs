//! Moments in UTC as text: for the names of files, and for lists.

use crate::wire::time;

/// `2026-11-20T16:53:01.250Z`, from nanoseconds since 1970; what is below a millisecond is not shown.
pub fn show(at_ns: u64) -> String {
    let mut quoted = Vec::new();
    time::write(at_ns / 1_000_000, &mut quoted);
    String::from_utf8_lossy(&quoted).trim_matches('"').to_owned()
}

/// `20261120T165301Z`: sorts as it passes, and fits into a file's name.
pub fn compact(at_ns: u64) -> String {
    let text = show(at_ns);
    let seconds = text.split('.').next().unwrap_or_default();
    seconds.replace(['-', ':'], "") + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc() {
        let at_ns = 1_795_193_581_250_999_999;
        assert_eq!(show(at_ns), "2026-11-20T16:53:01.250Z");
        assert_eq!(compact(at_ns), "20261120T165301Z");
        assert_eq!((show(0), compact(0)), ("1970-01-01T00:00:00.000Z".into(), "19700101T000000Z".into()));
        show(u64::MAX);
    }
}
