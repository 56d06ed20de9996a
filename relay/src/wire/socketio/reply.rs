//! What a client gets: complete Engine.IO packets, and the parts that pushes are made of.

use super::event::{Class, Problem};
use super::session::Timing;
use super::url::Transport;
use crate::wire::json::{self, append};
use crate::wire::notice::StreamState;

/// The answer to a CONNECT without a good key.
pub const UNAUTHORIZED: &str = r#"44{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#;

/// Between an acknowledgement's or a push's parts and their end.
pub const ONE_SUFFIX: &[u8] = b"]";
pub const LIST_SUFFIX: &[u8] = b"]]";

/// What went wrong, in one word for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    BadRequest,
    UnknownEvent,
    /// There is no such currency or symbol.
    NotFound,
    /// It exists, and has no price now.
    Unavailable,
    TooManySubscriptions,
    RateLimited,
    /// The api-key does not allow it.
    Forbidden,
}

impl ErrorCode {
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::UnknownEvent => "UNKNOWN_EVENT",
            Self::NotFound => "NOT_FOUND",
            Self::Unavailable => "UNAVAILABLE",
            Self::TooManySubscriptions => "TOO_MANY_SUBSCRIPTIONS",
            Self::RateLimited => "RATE_LIMITED",
            Self::Forbidden => "FORBIDDEN",
        }
    }
}

/// The open packet. Only a session that polls has something to upgrade to.
pub fn open(sid: &str, transport: Transport, timing: &Timing, payload_bytes_max: usize) -> String {
    let upgrades = match transport {
        Transport::Polling => "\"websocket\"",
        Transport::WebSocket => "",
    };
    let Timing { ping_interval_ms, ping_timeout_ms, .. } = timing;
    format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[{upgrades}],\"pingInterval\":{ping_interval_ms},\
         \"pingTimeout\":{ping_timeout_ms},\"maxPayload\":{payload_bytes_max}}}"
    )
}

/// The answer to a CONNECT. No `pid`: the connection is not recovered, its subscriptions start anew.
pub fn connected(socket_sid: &str) -> String {
    format!("40{{\"sid\":\"{socket_sid}\"}}")
}

pub fn unknown_namespace(namespace: &str) -> String {
    format!("44{namespace},{{\"message\":\"Invalid namespace\"}}")
}

/// Appends an acknowledgement with its one argument, which is JSON: a row, or an array of rows.
pub fn ack(id: &str, argument: &[u8], out: &mut Vec<u8>) {
    append(out, format_args!("43{id}["));
    out.extend_from_slice(argument);
    out.push(b']');
}

/// Appends the acknowledgement of a subscription, which answers by pushes.
pub fn ack_ok(id: &str, out: &mut Vec<u8>) {
    ack(id, br#"{"ok":true}"#, out);
}

/// Appends the acknowledgement of a question without data.
pub fn ack_nothing(id: &str, out: &mut Vec<u8>) {
    ack(id, b"[]", out);
}

pub fn ack_error(id: &str, problem: Problem, out: &mut Vec<u8>) {
    append(out, format_args!("43{id}[{{\"error\":{{\"code\":\"{}\",\"message\":", problem.code.name()));
    json::write_string(problem.message, out);
    out.extend_from_slice(b"}}]");
}

/// Appends the event that tells of a bad wish which waits for no acknowledgement.
pub fn error(event: &str, problem: Problem, out: &mut Vec<u8>) {
    out.extend_from_slice(b"42[\"error\",{\"event\":");
    json::write_string(event, out);
    append(out, format_args!(",\"code\":\"{}\",\"message\":", problem.code.name()));
    json::write_string(problem.message, out);
    out.extend_from_slice(b"}]");
}

/// What goes before the one row of a push, and [`ONE_SUFFIX`] after it.
pub const fn one_prefix(class: Class) -> &'static [u8] {
    match class {
        Class::Fiat => b"42[\"currency\",",
        Class::Crypto => b"42[\"crypto\",",
    }
}

/// What goes before the rows of a push, and [`LIST_SUFFIX`] after them.
pub const fn list_prefix(class: Class) -> &'static [u8] {
    match class {
        Class::Fiat => b"42[\"currency\",[",
        Class::Crypto => b"42[\"crypto\",[",
    }
}

/// One price. The text is the venue's own, or the quotient of two such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub base: &'a str,
    /// The currency or the symbol.
    pub name: &'a str,
    pub price: &'a str,
    pub time_ms: u64,
    /// No venue said this price: it is a cross rate.
    pub is_computed: bool,
}

/// Appends `{"base":"USD","currency":"EUR","price":"0.92150","timestamp":1765211445123}`, with `symbol` for `currency`
/// where it is a coin; a computed price has `"computed":true` behind that.
pub fn write_row(class: Class, row: &Row<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"base\":");
    json::write_string(row.base, out);
    append(out, format_args!(",\"{}\":", class.field()));
    json::write_string(row.name, out);
    out.extend_from_slice(b",\"price\":");
    json::write_string(row.price, out);
    append(out, format_args!(",\"timestamp\":{}", row.time_ms));
    out.extend_from_slice(if row.is_computed { b",\"computed\":true}" } else { b"}" });
}

/// Sent ahead of the next push to those who asked with `?notices=1`: what they missed of a subscription, and how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    pub class: Class,
    pub base: &'a str,
    /// `None` for a subscription to all.
    pub name: Option<&'a str>,
    pub state: StreamState,
    /// Changes that were skipped, and the seqs of the first and the last of them.
    pub skipped: u64,
    pub from: u64,
    pub to: u64,
    pub time_ms: u64,
}

impl Notice<'_> {
    pub fn write(&self, out: &mut Vec<u8>) {
        append(out, format_args!("42[\"notice\",{{\"event\":\"{}\",\"base\":", self.class.event()));
        json::write_string(self.base, out);
        if let Some(name) = self.name {
            append(out, format_args!(",\"{}\":", self.class.field()));
            json::write_string(name, out);
        }
        let Self { skipped, from, to, time_ms, .. } = self;
        let state = self.state.name();
        append(out, format_args!(",\"state\":\"{state}\",\"skipped\":{skipped},\"from\":{from},\"to\":{to}"));
        append(out, format_args!(",\"timestamp\":{time_ms}}}]"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        let json = expected.trim_start_matches(|char: char| char.is_ascii_digit());
        serde_json::from_str::<serde_json::Value>(json).unwrap();
    }

    const PROBLEM: Problem = Problem { code: ErrorCode::BadRequest, message: "base is required" };

    #[test]
    fn acks_have_one_argument() {
        check(|out| ack("0", b"[]", out), "430[[]]");
        check(|out| ack_ok("18446744073709551616", out), r#"4318446744073709551616[{"ok":true}]"#);
        check(|out| ack_nothing("7", out), "437[[]]");
        check(
            |out| ack_error("1", PROBLEM, out),
            r#"431[{"error":{"code":"BAD_REQUEST","message":"base is required"}}]"#,
        );
    }

    #[test]
    fn errors_name_the_event() {
        check(
            |out| error("fiat/onlyListen", PROBLEM, out),
            r#"42["error",{"event":"fiat/onlyListen","code":"BAD_REQUEST","message":"base is required"}]"#,
        );
        check(
            |out| error("\"x", PROBLEM, out),
            r#"42["error",{"event":"\"x","code":"BAD_REQUEST","message":"base is required"}]"#,
        );
    }

    #[test]
    fn rows_keep_the_text_of_a_price() {
        let row = Row { base: "USD", name: "EUR", price: "0.92150", time_ms: 1765211445123, is_computed: false };
        check(
            |out| write_row(Class::Fiat, &row, out),
            r#"{"base":"USD","currency":"EUR","price":"0.92150","timestamp":1765211445123}"#,
        );
        let row = Row { name: "BT\"C", is_computed: true, ..row };
        check(
            |out| write_row(Class::Crypto, &row, out),
            r#"{"base":"USD","symbol":"BT\"C","price":"0.92150","timestamp":1765211445123,"computed":true}"#,
        );
    }

    #[test]
    fn pushes_are_whole_with_their_ends() {
        for (class, event) in [(Class::Fiat, "currency"), (Class::Crypto, "crypto")] {
            assert_eq!(class.event(), event);
            check(|out| *out = [one_prefix(class), b"{}", ONE_SUFFIX].concat(), &format!(r#"42["{event}",{{}}]"#));
            check(
                |out| *out = [list_prefix(class), b"{},{}", LIST_SUFFIX].concat(),
                &format!(r#"42["{event}",[{{}},{{}}]]"#),
            );
        }
    }

    #[test]
    fn notices_name_the_subscription() {
        let notice = Notice {
            class: Class::Fiat,
            base: "USD",
            name: Some("EUR"),
            state: StreamState::Live,
            skipped: 3,
            from: 4,
            to: 6,
            time_ms: 9,
        };
        check(
            |out| notice.write(out),
            r#"42["notice",{"event":"currency","base":"USD","currency":"EUR","state":"live","skipped":3,"from":4,"to":6,"timestamp":9}]"#,
        );
        let notice = Notice { class: Class::Crypto, name: None, state: StreamState::Stale, ..notice };
        check(
            |out| notice.write(out),
            r#"42["notice",{"event":"crypto","base":"USD","state":"stale","skipped":3,"from":4,"to":6,"timestamp":9}]"#,
        );
    }

    #[test]
    fn the_open_packet_announces_what_holds() {
        let timing = Timing::default();
        assert_eq!(
            open("S", Transport::Polling, &timing, 65536),
            r#"0{"sid":"S","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}"#
        );
        assert!(open("S", Transport::WebSocket, &timing, 1).contains(r#""upgrades":[],"#));
    }
}
