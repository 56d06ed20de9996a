//! What a request to the Socket.IO path asks for, or the error it is answered with.

use super::sid::Sid;
use crate::wire::http::target::Target;

/// Where a session's packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Polling,
    WebSocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new session. By polling its open packet is the body, by WebSocket the first message.
    Open { transport: Transport, notices: bool },
    /// GET: wait for packets.
    Poll(Sid),
    /// POST: bring packets.
    Post(Sid),
    /// A WebSocket for a session that polls.
    Upgrade(Sid),
    /// OPTIONS: a browser asks first.
    Preflight,
}

/// The errors of the reference server, with its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    UnknownTransport,
    UnknownSid,
    BadHandshakeMethod,
    BadRequest,
    Forbidden,
    UnsupportedProtocol,
}

impl Refusal {
    pub const CONTENT_TYPE: &str = "application/json";

    pub const fn status(self) -> u16 {
        if matches!(self, Self::Forbidden) { 403 } else { 400 }
    }

    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The whole body where a WebSocket was asked for, as plain text and before any 101.
    pub const fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedProtocol => "Unsupported protocol version",
        }
    }

    /// The body otherwise.
    pub fn body(self) -> String {
        format!("{{\"code\":{},\"message\":\"{}\"}}", self.code(), self.message())
    }
}

/// Whether a path is the configured one; a slash at the end of either means nothing.
pub fn is_path(path: &str, configured: &str) -> bool {
    let configured = configured.strip_suffix('/').unwrap_or(configured);
    path.strip_prefix(configured).is_some_and(|rest| rest.is_empty() || rest == "/")
}

/// Judges a request in the reference server's order: transport, session, method, protocol version. `is_upgrade` says
/// that it asks to become a WebSocket. Whether a session of that id lives is the caller's to find out.
pub fn parse(target: &Target<'_>, method: &str, is_upgrade: bool) -> Result<Request, Refusal> {
    if method == "OPTIONS" {
        return Ok(Request::Preflight);
    }
    let transport = match target.value("transport").as_deref() {
        Some("polling") => Transport::Polling,
        Some("websocket") => Transport::WebSocket,
        _ => return Err(Refusal::UnknownTransport),
    };
    let is_possible = is_upgrade == (transport == Transport::WebSocket);
    if let Some(sid) = target.value("sid").filter(|sid| !sid.is_empty()) {
        let sid = Sid::parse(&sid).ok_or(Refusal::UnknownSid)?;
        return match (transport, method) {
            _ if !is_possible => Err(Refusal::BadRequest),
            (Transport::WebSocket, "GET") => Ok(Request::Upgrade(sid)),
            (Transport::Polling, "GET") => Ok(Request::Poll(sid)),
            (Transport::Polling, "POST") => Ok(Request::Post(sid)),
            _ => Err(Refusal::BadRequest),
        };
    }
    if method != "GET" {
        return Err(Refusal::BadHandshakeMethod);
    }
    if !is_possible {
        return Err(Refusal::BadRequest);
    }
    // What names no version speaks the third.
    if target.value("EIO").as_deref() != Some("4") {
        return Err(Refusal::UnsupportedProtocol);
    }
    let notices = target.value("notices").is_some_and(|value| value == "1");
    Ok(Request::Open { transport, notices })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(method: &str, query: &str, is_upgrade: bool, expected: Result<Request, Refusal>) {
        let target = format!("/currency/?{query}");
        let read = parse(&Target::parse(&target).unwrap(), method, is_upgrade);
        assert_eq!(read, expected, "{method} {query} {is_upgrade}");
    }

    #[test]
    fn a_slash_at_the_end_means_nothing() {
        for configured in ["/currency", "/currency/"] {
            assert!(is_path("/currency", configured) && is_path("/currency/", configured));
            for other in ["/currencyx", "/currency/x", "/currency//", "/", "", "/x/currency/"] {
                assert!(!is_path(other, configured), "{other}");
            }
        }
        assert!(is_path("/", "/"));
    }

    #[test]
    fn requests_are_told_apart() {
        let sid = Sid::new(3, [7; 16]);
        let with_sid = |transport: &str| format!("EIO=4&transport={transport}&t=x&sid={}", sid.text());
        let open = |transport| Ok(Request::Open { transport, notices: false });
        check("GET", "EIO=4&transport=polling&t=x", false, open(Transport::Polling));
        check("GET", "EIO=4&transport=websocket", true, open(Transport::WebSocket));
        check("GET", "EIO=4&transport=websocket&sid=", true, open(Transport::WebSocket));
        let noticed = Ok(Request::Open { transport: Transport::WebSocket, notices: true });
        check("GET", "EIO=4&transport=websocket&notices=1", true, noticed);
        check("GET", &with_sid("polling"), false, Ok(Request::Poll(sid)));
        check("POST", &with_sid("polling"), false, Ok(Request::Post(sid)));
        check("GET", &with_sid("websocket"), true, Ok(Request::Upgrade(sid)));
        check("OPTIONS", "", false, Ok(Request::Preflight));
    }

    #[test]
    fn the_first_thing_wrong_is_answered() {
        let sid = Sid::new(3, [7; 16]).text();
        check("POST", "EIO=3&transport=foo&sid=nope", true, Err(Refusal::UnknownTransport));
        check("GET", "EIO=4&transport=webtransport", false, Err(Refusal::UnknownTransport));
        check("POST", "EIO=3&transport=polling&sid=nope", true, Err(Refusal::UnknownSid));
        check("POST", "EIO=3&transport=websocket", false, Err(Refusal::BadHandshakeMethod));
        check("HEAD", "EIO=4&transport=polling", false, Err(Refusal::BadHandshakeMethod));
        check("GET", "EIO=3&transport=websocket", false, Err(Refusal::BadRequest));
        check("GET", "EIO=4&transport=polling", true, Err(Refusal::BadRequest));
        check("GET", "EIO=3&transport=websocket", true, Err(Refusal::UnsupportedProtocol));
        check("DELETE", &format!("EIO=4&transport=polling&sid={sid}"), false, Err(Refusal::BadRequest));
        check("GET", &format!("EIO=4&transport=websocket&sid={sid}"), false, Err(Refusal::BadRequest));
        check("GET", &format!("EIO=4&transport=polling&sid={sid}"), true, Err(Refusal::BadRequest));
    }

    #[test]
    fn codes_are_the_reference_servers() {
        assert_eq!(Refusal::Forbidden.body(), r#"{"code":4,"message":"Forbidden"}"#);
        assert_eq!(Refusal::Forbidden.status(), 403);
        assert_eq!(Refusal::UnsupportedProtocol.body(), r#"{"code":5,"message":"Unsupported protocol version"}"#);
        assert_eq!(Refusal::UnsupportedProtocol.status(), 400);
    }

    proptest! {
        #[test]
        fn any_query_is_judged(query in "((EIO|transport|sid|t)=(4|polling|websocket|[a-z0-9%]{0,4})&?){0,5}", is_upgrade: bool) {
            let target = format!("/currency/?{query}");
            if let Ok(target) = Target::parse(&target) {
                let _ = parse(&target, "GET", is_upgrade);
                let _ = parse(&target, "POST", is_upgrade);
            }
        }
    }
}
