//! What the relay itself tells clients of the stream dialect.

use super::wrap;
use crate::wire::json::{self, append};
use crate::wire::notice::Notice;

/// Appends a notice. It names its stream itself, so that raw clients can tell; combined ones get it in the wrapper of
/// that stream.
pub fn notice(notice: &Notice<'_>, combined: bool, out: &mut Vec<u8>) {
    let Notice { time_ms, channel, state, skipped, from, to } = *notice;
    wrapped(combined.then_some(channel), out, |out| {
        append(out, format_args!("{{\"e\":\"relayNotice\",\"E\":{time_ms},\"stream\":"));
        json::write_string(channel, out);
        let state = state.name();
        append(out, format_args!(",\"state\":\"{state}\",\"skipped\":{skipped},\"from\":{from},\"to\":{to}}}"));
    });
}

/// Appends the notice that frames before `start` were missed and nobody can say how many.
pub fn gap(notice: &Notice<'_>, start: u64, combined: bool, out: &mut Vec<u8>) {
    let Notice { time_ms, channel, state, .. } = *notice;
    wrapped(combined.then_some(channel), out, |out| {
        append(out, format_args!("{{\"e\":\"relayNotice\",\"E\":{time_ms},\"stream\":"));
        json::write_string(channel, out);
        append(out, format_args!(",\"state\":\"{}\",\"skipped\":null,\"from\":null,\"to\":", state.name()));
        match start.checked_sub(1) {
            Some(to) => append(out, format_args!("{to}}}")),
            None => out.extend_from_slice(b"null}"),
        }
    });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::notice::StreamState;

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }

    #[test]
    fn notices_read_as_documented() {
        let channel = "btcusdt@trade";
        let missed = Notice { time_ms: 9, channel, state: StreamState::Live, skipped: 3, from: 4, to: 6 };
        let raw = r#"{"e":"relayNotice","E":9,"stream":"btcusdt@trade","state":"live","skipped":3,"from":4,"to":6}"#;
        check(|out| notice(&missed, false, out), raw);
        check(|out| notice(&missed, true, out), &format!(r#"{{"stream":"btcusdt@trade","data":{raw}}}"#));
    }

    #[test]
    fn an_expired_key_is_named() {
        let raw = r#"{"e":"listenKeyExpired","E":9,"listenKey":"k1"}"#;
        check(|out| listen_key_expired(9, "k1", false, out), raw);
        check(|out| listen_key_expired(9, "k1", true, out), &format!(r#"{{"stream":"k1","data":{raw}}}"#));
    }

    #[test]
    fn a_gap_has_no_number() {
        let missed = Notice { time_ms: 9, channel: "s@trade", state: StreamState::Stale, skipped: 0, from: 0, to: 0 };
        let raw = r#"{"e":"relayNotice","E":9,"stream":"s@trade","state":"stale","skipped":null,"from":null,"to":"#;
        check(|out| gap(&missed, 7, false, out), &format!("{raw}6}}"));
        check(|out| gap(&missed, 0, false, out), &format!("{raw}null}}"));
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
