//! Event streams over HTTP: what is asked for, and the text that answers (the HTML standard, section 9.2).
//!
//! Each frame is one message, so that `EventSource.onmessage` gets it: its data is what a combined client of the stream
//! dialect gets. Its id says which frames of all the streams came before.

use std::fmt;
use std::io::Write as _;

use crate::limits::URL_NAMES_MAX;
use crate::wire::close::CloseReason;
use crate::wire::http::target::Target;
use crate::wire::json;
use crate::wire::notice::Notice;
use crate::wire::stream::name::{Name, Profile};
use crate::wire::stream::{notice, wrap};

/// How long clients wait before they come back.
pub const RETRY_MS: u64 = 1000;

/// What a request wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Each once.
    pub names: Vec<Name>,
    pub notices: bool,
    pub last: Last,
}

/// Where a client says that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    Nothing,
    Id(EventId),
    /// None of our ids.
    Alien,
}

/// What stands in `id:`. Stamps mean something within one run of the relay only, which the epoch names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    pub epoch: u64,
    pub stamp: u64,
}

/// Answered 400: a stream of events cannot tell it later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAsk {
    #[error("No streams: /sse?streams=btcusdt@trade/ethusdt@trade")]
    NoNames,
    #[error("{count} streams in the URL, limit {URL_NAMES_MAX}")]
    TooManyNames { count: usize },
    #[error("Invalid stream: {}", .0.join(", "))]
    BadNames(Vec<String>),
}

impl Ask {
    /// Reads the query, and the header `Last-Event-ID`, which says more recent things than the query of a URL that a
    /// client connects to again and again.
    pub fn read(target: &Target<'_>, header: Option<&str>, profile: Profile) -> Result<Ask, BadAsk> {
        let streams = target.value("streams").unwrap_or_default();
        let texts = || streams.split(['/', ',']).filter(|text| !text.is_empty());
        match texts().count() {
            0 => return Err(BadAsk::NoNames),
            count if count > URL_NAMES_MAX => return Err(BadAsk::TooManyNames { count }),
            _ => {}
        }
        let (mut names, mut bad) = (Vec::<Name>::new(), Vec::new());
        for text in texts() {
            match Name::parse(text, profile) {
                Ok(name) if names.contains(&name) => {}
                Ok(name) => names.push(name),
                Err(_) => bad.push(text.to_owned()),
            }
        }
        if !bad.is_empty() {
            return Err(BadAsk::BadNames(bad));
        }
        let query = target.value("last_event_id");
        let last = header.filter(|id| !id.is_empty()).or(query.as_deref()).unwrap_or_default();
        let last = match (last, EventId::parse(last)) {
            ("", _) => Last::Nothing,
            (_, Some(id)) => Last::Id(id),
            (_, None) => Last::Alien,
        };
        Ok(Ask { names, notices: target.value("notices").is_some_and(|value| value == "1"), last })
    }
}

impl EventId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<EventId> {
        let (epoch, stamp) = text.split_once('-')?;
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if epoch.len() != 16 || !is_plain(epoch) || !is_plain(stamp) {
            return None;
        }
        Some(EventId { epoch: u64::from_str_radix(epoch, 16).ok()?, stamp: stamp.parse().ok()? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.stamp)
    }
}

/// About what a frame takes, line breaks in it aside.
pub fn frame_bytes(stream: &str, payload: &[u8]) -> usize {
    stream.len() + payload.len() + 80
}

/// Appends a frame.
pub fn frame(id: EventId, stream: &str, payload: &[u8], out: &mut Vec<u8>) {
    append(out, format_args!("id: {id}\ndata: "));
    wrap::prefix(stream, out);
    lines(payload, out);
    out.extend_from_slice(wrap::SUFFIX);
    out.extend_from_slice(b"\n\n");
}

/// Appends what clients that ask for notices are told, as a message without an id.
pub fn told(notice: &Notice<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    notice::notice(notice, true, out);
    out.extend_from_slice(b"\n\n");
}

/// Appends the notice that something was missed, and that nobody can say how much; data goes on at `start`.
pub fn told_gap(notice: &Notice<'_>, start: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    notice::gap(notice, start, true, out);
    out.extend_from_slice(b"\n\n");
}

/// Appends a comment, which programs do not see; people with curl do.
pub fn comment(text: &str, out: &mut Vec<u8>) {
    for line in text.split(['\r', '\n']) {
        append(out, format_args!(": {line}\n"));
    }
    out.push(b'\n');
}

/// Appends how long to wait before coming back.
pub fn retry(ms: u64, out: &mut Vec<u8>) {
    append(out, format_args!("retry: {ms}\n\n"));
}

/// Appends why the stream ends, as an event of the type `error`.
pub fn error(reason: CloseReason, stream: &str, out: &mut Vec<u8>) {
    append(out, format_args!("event: error\ndata: {{\"code\":{},\"msg\":", reason.code()));
    json::write_string(reason.text(), out);
    out.extend_from_slice(b",\"stream\":");
    json::write_string(stream, out);
    out.extend_from_slice(b"}\n\n");
}

/// Line breaks may stand between the tokens of JSON; each line of data has its own field.
fn lines(payload: &[u8], out: &mut Vec<u8>) {
    let mut rest = payload;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\ndata: ");
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn append(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what is written to it");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::notice::StreamState;

    fn read(target: &str, header: Option<&str>) -> Result<Ask, BadAsk> {
        Ask::read(&Target::parse(target).unwrap(), header, Profile::Bitzoom)
    }

    fn names(target: &str) -> Vec<String> {
        read(target, None).unwrap().names.iter().map(|name| name.text().to_owned()).collect()
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_are_parted_by_slashes_or_commas() {
        for target in [
            "/sse?streams=a@trade/b@depth5",
            "/sse?streams=a@trade,b@depth5",
            "/sse?streams=a%40trade%2Fb@depth5/",
            "/sse?notices=1&streams=A@trade,a@trade/b@depth5",
        ] {
            assert_eq!(names(target), ["a@trade", "b@depth5"], "{target}");
        }
    }

    #[test]
    fn what_cannot_be_had_is_said_at_once() {
        let check = |target: &str, expected: &str| assert_eq!(read(target, None).unwrap_err().to_string(), expected);
        check("/sse", "No streams: /sse?streams=btcusdt@trade/ethusdt@trade");
        check("/sse?streams=/,", "No streams: /sse?streams=btcusdt@trade/ethusdt@trade");
        check("/sse?streams=a@trade/b/c@depth7", "Invalid stream: b, c@depth7");
        let many = vec!["a@trade"; URL_NAMES_MAX + 1].join(",");
        check(&format!("/sse?streams={many}"), "201 streams in the URL, limit 200");
    }

    #[test]
    fn the_last_id_is_in_the_header_or_in_the_query() {
        let id = EventId { epoch: 0xab, stamp: 17 };
        assert_eq!(id.to_string(), "00000000000000ab-17");
        let check = |target: &str, header, last| assert_eq!(read(target, header).unwrap().last, last, "{target}");
        let (plain, query) = ("/sse?streams=a@trade", "/sse?streams=a@trade&last_event_id=00000000000000ab-9");
        check(plain, None, Last::Nothing);
        check(plain, Some(""), Last::Nothing);
        check(plain, Some("00000000000000ab-17"), Last::Id(id));
        check(query, None, Last::Id(EventId { stamp: 9, ..id }));
        check(query, Some("00000000000000ab-17"), Last::Id(id));
        for alien in ["7", "ab-17", "00000000000000ab-", "00000000000000ab-+1", "+0000000000000ab-1", "é-1"] {
            check(plain, Some(alien), Last::Alien);
        }
    }

    #[test]
    fn frames_read_as_documented() {
        let id = EventId { epoch: 1, stamp: 2 };
        let text = written(|out| frame(id, "a@trade", b"{\"p\":\"1\",\n\"q\":2}", out));
        let expected =
            "id: 0000000000000001-2\ndata: {\"stream\":\"a@trade\",\"data\":{\"p\":\"1\",\ndata: \"q\":2}}\n\n";
        assert_eq!(text, expected);
        assert!(frame_bytes("a@trade", b"{\"p\":\"1\",\"q\":2}") >= text.len() - "\ndata: ".len());
        assert_eq!(written(|out| retry(1000, out)), "retry: 1000\n\n");
        assert_eq!(written(|out| comment("ping", out)), ": ping\n\n");
        assert_eq!(
            written(|out| error(CloseReason::TooSlow, "a@trade", out)),
            "event: error\ndata: {\"code\":1013,\"msg\":\"Too slow, please reconnect\",\"stream\":\"a@trade\"}\n\n"
        );
    }

    #[test]
    fn notices_are_messages_without_an_id() {
        let notice = Notice { time_ms: 9, channel: "a@trade", state: StreamState::Live, skipped: 3, from: 4, to: 6 };
        let text = written(|out| told(&notice, out));
        assert!(text.starts_with("data: {\"stream\":\"a@trade\",\"data\":{\"e\":\"relayNotice\""), "{text}");
        let text = written(|out| told_gap(&notice, 7, out));
        let expected = "\"state\":\"live\",\"skipped\":null,\"from\":null,\"to\":6}}\n\n";
        assert!(text.ends_with(expected), "{text}");
    }

    proptest! {
        /// Any payload is one event, and its lines give back the payload but for the kind of its line breaks.
        #[test]
        fn a_payload_stays_one_event(payload in "[a-c\r\n:]{0,40}") {
            let text = written(|out| frame(EventId { epoch: 1, stamp: 2 }, "s", payload.as_bytes(), out));
            let body = text.strip_suffix("\n\n").unwrap();
            prop_assert!(!body.contains("\n\n") && !body.contains('\r'));
            let data: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            let data = data.join("\n");
            let inner = data.strip_prefix("{\"stream\":\"s\",\"data\":").unwrap().strip_suffix('}').unwrap();
            prop_assert_eq!(inner, payload.replace('\r', "\n"));
        }

        #[test]
        fn any_request_is_judged(streams in "\\PC{0,60}", id in "\\PC{0,40}") {
            if let Ok(target) = Target::parse(&format!("/sse?streams={streams}")) {
                let _ = Ask::read(&target, Some(&id), Profile::Binance);
            }
        }

        #[test]
        fn ids_are_read_as_they_are_written(epoch in any::<u64>(), stamp in any::<u64>()) {
            let id = EventId { epoch, stamp };
            prop_assert_eq!(EventId::parse(&id.to_string()), Some(id));
        }
    }
}
