//! What the relay itself tells clients of the stream dialect.

use std::io::Write;

use super::wrap;
use crate::wire::json;

/// How a stream fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    Live,
    Recovering,
    Stale,
}

impl StreamState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Recovering => "recovering",
            Self::Stale => "stale",
        }
    }
}

/// Sent ahead of the next frame to those who asked with `?notices=1`: what they missed of a stream, and how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    pub time_ms: u64,
    pub stream: &'a str,
    pub state: StreamState,
    /// Frames that were skipped, and the seqs of the first and the last of them.
    pub skipped: u64,
    pub from: u64,
    pub to: u64,
}

impl Notice<'_> {
    /// Appends the notice. It names its stream itself, so that raw clients can tell; combined ones get it in the
    /// wrapper of that stream.
    pub fn write(&self, combined: bool, out: &mut Vec<u8>) {
        wrapped(combined.then_some(self.stream), out, |out| {
            append(out, format_args!("{{\"e\":\"relayNotice\",\"E\":{},\"stream\":", self.time_ms));
            json::write_string(self.stream, out);
            let Self { skipped, from, to, .. } = self;
            let state = self.state.name();
            append(out, format_args!(",\"state\":\"{state}\",\"skipped\":{skipped},\"from\":{from},\"to\":{to}}}"));
        });
    }
}

/// Appends the word that the server is about to stop: reconnect now, whatever you subscribed to.
pub fn server_shutdown(time_ms: u64, combined: bool, out: &mut Vec<u8>) {
    wrapped(combined.then_some("!serverShutdown"), out, |out| {
        append(out, format_args!("{{\"e\":\"serverShutdown\",\"E\":{time_ms}}}"));
    });
}

/// Appends the last word to the owner of a listen key that ran out.
pub fn listen_key_expired(time_ms: u64, key: &str, combined: bool, out: &mut Vec<u8>) {
    wrapped(combined.then_some(key), out, |out| {
        append(out, format_args!("{{\"e\":\"listenKeyExpired\",\"E\":{time_ms},\"listenKey\":"));
        json::write_string(key, out);
        out.push(b'}');
    });
}

fn wrapped(stream: Option<&str>, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    match stream {
        None => payload(out),
        Some(stream) => {
            wrap::prefix(stream, out);
            payload(out);
            out.extend_from_slice(wrap::SUFFIX);
        }
    }
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }

    #[test]
    fn notices_read_as_documented() {
        let stream = "btcusdt@trade";
        let notice = Notice { time_ms: 9, stream, state: StreamState::Live, skipped: 3, from: 4, to: 6 };
        let raw = r#"{"e":"relayNotice","E":9,"stream":"btcusdt@trade","state":"live","skipped":3,"from":4,"to":6}"#;
        check(|out| notice.write(false, out), raw);
        check(|out| notice.write(true, out), &format!(r#"{{"stream":"btcusdt@trade","data":{raw}}}"#));
    }

    #[test]
    fn an_expired_key_is_named() {
        let raw = r#"{"e":"listenKeyExpired","E":9,"listenKey":"k1"}"#;
        check(|out| listen_key_expired(9, "k1", false, out), raw);
        check(|out| listen_key_expired(9, "k1", true, out), &format!(r#"{{"stream":"k1","data":{raw}}}"#));
    }

    #[test]
    fn shutdown_has_the_venues_form() {
        check(|out| server_shutdown(1765211450000, false, out), r#"{"e":"serverShutdown","E":1765211450000}"#);
        check(
            |out| server_shutdown(1765211450000, true, out),
            r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1765211450000}}"#,
        );
    }
}
