//! Answers to calls. Each repeats the request, its `req_id` and its `passthrough`.

use super::id::SubscriptionId;
use super::reject::Reject;
use super::request::{Echo, Style};
use crate::limits::{DERIV_CALLS_PER_HOUR, DERIV_CALLS_PER_MINUTE};
use crate::wire::json::{self, append};

/// The answer that clients keep their connection alive with.
pub fn ping(echo: &Echo, out: &mut Vec<u8>) {
    answer(echo, "ping", out, |out| out.extend_from_slice(b"\"pong\""));
}

pub fn time(echo: &Echo, now_s: u64, out: &mut Vec<u8>) {
    answer(echo, "time", out, |out| append(out, format_args!("{now_s}")));
}

/// Rows come as JSON objects, joined by commas.
pub fn active_symbols(echo: &Echo, rows: &[u8], out: &mut Vec<u8>) {
    answer(echo, "active_symbols", out, |out| {
        out.push(b'[');
        out.extend_from_slice(rows);
        out.push(b']');
    });
}

/// The value is `{"prices":[…],"times":[…]}` or a list of candles. With an id, pushes follow.
pub fn history(
    echo: &Echo,
    style: Style,
    value: &[u8],
    pip_size: u32,
    subscribed: Option<&SubscriptionId>,
    out: &mut Vec<u8>,
) {
    let (msg_type, key) = match style {
        Style::Ticks => ("history", "history"),
        Style::Candles => ("candles", "candles"),
    };
    open(Some(echo), out);
    append(out, format_args!("\"msg_type\":\"{msg_type}\",\"{key}\":"));
    out.extend_from_slice(value);
    append(out, format_args!(",\"pip_size\":{pip_size}"));
    close(subscribed, out);
}

/// 1 where a subscription ended, 0 where there was none.
pub fn forget(echo: &Echo, existed: bool, out: &mut Vec<u8>) {
    answer(echo, "forget", out, |out| out.push(if existed { b'1' } else { b'0' }));
}

/// The ids of the subscriptions that ended.
pub fn forget_all<'a>(echo: &Echo, ids: impl IntoIterator<Item = &'a SubscriptionId>, out: &mut Vec<u8>) {
    answer(echo, "forget_all", out, |out| {
        out.push(b'[');
        for (index, id) in ids.into_iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
            out.extend_from_slice(id);
            out.push(b'"');
        }
        out.push(b']');
    });
}

/// What we are and what we allow. The venue's spelling is kept, mistakes included. We have one budget for all calls, so
/// each of the venue's shows it; of proposals there are none.
pub fn website_status(echo: &Echo, subscribed: Option<&SubscriptionId>, out: &mut Vec<u8>) {
    let rest = format!("\"hourly\":{DERIV_CALLS_PER_HOUR},\"minutely\":{DERIV_CALLS_PER_MINUTE}");
    open(Some(echo), out);
    append(
        out,
        format_args!(
            "\"msg_type\":\"website_status\",\"website_status\":{{\"api_call_limits\":{{\
             \"max_proposal_subscription\":{{\"applies_to\":\"subscribing to proposal concurrently\",\"max\":0}},\
             \"max_requestes_general\":{{\"applies_to\":\"rest of calls\",{rest}}},\
             \"max_requests_outcome\":{{\"applies_to\":\"portfolio, statement and proposal_open_contract\",{rest}}},\
             \"max_requests_pricing\":{{\"applies_to\":\"proposal and proposal_open_contract\",{rest}}}}},\
             \"currencies_config\":{{}},\"site_status\":\"up\",\"supported_languages\":[\"EN\"]}}"
        ),
    );
    close(subscribed, out);
}

/// An error. Without an echo there was no request that could be read.
pub fn error(echo: Option<&Echo>, msg_type: &str, reject: &Reject, out: &mut Vec<u8>) {
    open(echo, out);
    append(out, format_args!("\"error\":{{\"code\":\"{}\",\"message\":", reject.code.name()));
    json::write_string(&reject.message, out);
    if let Some(details) = &reject.details {
        out.extend_from_slice(b",\"details\":{");
        for (index, (field, problem)) in details.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::write_string(field, out);
            out.push(b':');
            json::write_string(problem, out);
        }
        out.push(b'}');
    }
    append(out, format_args!("}},\"msg_type\":\"{msg_type}\"}}"));
}

/// An answer's beginning: what it repeats, and a comma.
pub(super) fn open(echo: Option<&Echo>, out: &mut Vec<u8>) {
    out.push(b'{');
    let Some(echo) = echo else {
        return;
    };
    let request = Some(&echo.text).filter(|text| !text.is_empty());
    let parts = [("echo_req", request), ("req_id", echo.req_id.as_ref()), ("passthrough", echo.passthrough.as_ref())];
    for (key, text) in parts {
        if let Some(text) = text {
            append(out, format_args!("\"{key}\":{text},"));
        }
    }
}

/// A subscription's name, and a comma.
pub(super) fn subscription(id: &SubscriptionId, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"subscription\":{\"id\":\"");
    out.extend_from_slice(id);
    out.extend_from_slice(b"\"},");
}

fn close(subscribed: Option<&SubscriptionId>, out: &mut Vec<u8>) {
    if let Some(id) = subscribed {
        out.push(b',');
        subscription(id, out);
        out.pop();
    }
    out.push(b'}');
}

/// An answer whose value has the method's name.
fn answer(echo: &Echo, method: &str, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    open(Some(echo), out);
    append(out, format_args!("\"msg_type\":\"{method}\",\"{method}\":"));
    value(out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }

    fn echo() -> Echo {
        Echo { text: "{\"x\":1}".into(), req_id: Some("7".into()), passthrough: Some("{\"a\":[]}".into()) }
    }

    const OPEN: &str = r#"{"echo_req":{"x":1},"req_id":7,"passthrough":{"a":[]},"#;

    #[test]
    fn answers_repeat_what_was_asked() {
        check(|out| time(&echo(), 1765211445, out), &format!(r#"{OPEN}"msg_type":"time","time":1765211445}}"#));
        check(|out| forget_all(&echo(), [], out), &format!(r#"{OPEN}"msg_type":"forget_all","forget_all":[]}}"#));
        let (first, second) = ([b'a'; 36], [b'b'; 36]);
        let ids = format!(r#"["{}","{}"]"#, "a".repeat(36), "b".repeat(36));
        check(
            |out| forget_all(&echo(), [&first, &second], out),
            &format!(r#"{OPEN}"msg_type":"forget_all","forget_all":{ids}}}"#),
        );
        check(
            |out| active_symbols(&echo(), b"{},{}", out),
            &format!(r#"{OPEN}"msg_type":"active_symbols","active_symbols":[{{}},{{}}]}}"#),
        );
        // The document's own bytes.
        let seed = Echo { text: "{\"ping\":1}".into(), ..Echo::default() };
        check(|out| ping(&seed, out), r#"{"echo_req":{"ping":1},"msg_type":"ping","ping":"pong"}"#);
    }

    #[test]
    fn errors_name_their_fields() {
        let check = |reject: Reject, expected: &str| {
            let expected = format!(r#"{OPEN}"error":{{{expected}}},"msg_type":"ticks"}}"#);
            check(|out| error(Some(&echo()), "ticks", &reject, out), &expected);
        };
        check(
            Reject::rate_limit("ticks"),
            r#""code":"RateLimit","message":"You have reached the rate limit for ticks.""#,
        );
        check(
            Reject::input_validation(vec![("b".into(), "x\"".into()), ("a".into(), "y".into())], None),
            r#""code":"InputValidationFailed","message":"Input validation failed: a, b","details":{"a":"y","b":"x\""}"#,
        );
        check(
            Reject::input_validation(vec![("a".into(), "y".into())], Some("Properties not allowed: z.".into())),
            r#""code":"InputValidationFailed","message":"Input validation failed: a, Properties not allowed: z.","details":{"a":"y"}"#,
        );
    }

    /// The limits that are told are the limits that hold.
    #[test]
    fn the_status_tells_our_limits() {
        let mut out = Vec::new();
        website_status(&echo(), Some(&[b'a'; 36]), &mut out);
        let status: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let fixture = include_str!("../../../testdata/deriv/payloads.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let theirs = &fixture["website_status_limits"]["api_call_limits"];
        let ours = &status["website_status"]["api_call_limits"];
        assert_eq!(ours["max_requestes_general"]["minutely"], 220);
        assert_eq!(ours["max_requestes_general"]["hourly"], 14400);
        for (group, limits) in theirs.as_object().unwrap() {
            let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&ours[group]), keys(limits), "{group}");
        }
        assert_eq!(status["subscription"]["id"], "a".repeat(36));
    }
}
