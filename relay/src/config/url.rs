//! An address such as `ws://host:port/path?query`, split into what a connection needs.

use std::fmt;
use std::net::Ipv6Addr;

use super::problem::Reason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    kind: Kind,
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

/// What is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    WebSocket,
    Http,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::WebSocket => "a WebSocket URL",
            Kind::Http => "an HTTP URL",
        }
    }

    /// Without and with TLS.
    fn schemes(self) -> [&'static str; 2] {
        match self {
            Kind::WebSocket => ["ws", "wss"],
            Kind::Http => ["http", "https"],
        }
    }

    fn example(self) -> &'static str {
        match self {
            Kind::WebSocket => "wss://stream.bitzoom.com/ws",
            Kind::Http => "https://api.bitzoom.com/api/v1/listenKey",
        }
    }
}

impl Url {
    /// `ws` or `wss`.
    pub fn parse(text: &str) -> Result<Url, Reason> {
        Url::read(text, Kind::WebSocket)
    }

    /// `http` or `https`.
    pub fn parse_http(text: &str) -> Result<Url, Reason> {
        Url::read(text, Kind::Http)
    }

    fn read(text: &str, kind: Kind) -> Result<Url, Reason> {
        let words = kind.words();
        let expected = || Reason::must(format!("{words} such as {:?}", kind.example()));
        let (scheme, rest) = text.split_once("://").ok_or_else(expected)?;
        let at = kind.schemes().iter().position(|known| scheme.eq_ignore_ascii_case(known)).ok_or_else(expected)?;
        let tls = at == 1;
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains('#') {
            return Err(Reason::must(format!("{words} without spaces, #, or characters beyond ASCII")));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Reason::must(format!("{words} without a user and password")));
        }
        let (host, port) = split_port(authority).ok_or_else(expected)?;
        let port = match port {
            None if tls => 443,
            None => 80,
            Some(port) => {
                parse_port(port).ok_or_else(|| Reason::must(format!("{words} with a port from 1 to 65535")))?
            }
        };
        if !is_host(host) {
            return Err(expected());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Url { kind, tls, host: host.to_ascii_lowercase(), port, path: format!("{slash}{path}") })
    }

    pub fn tls(&self) -> bool {
        self.tls
    }

    /// A name or an address in lower case; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query: what the request line asks for. Starts with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the `Host` header says.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Whether the host is this domain or below it.
    pub(super) fn is_within(&self, domain: &str) -> bool {
        self.host.strip_suffix(domain).is_some_and(|start| start.is_empty() || start.ends_with('.'))
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return match rest {
            "" => Some((host, None)),
            rest => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

fn is_host(host: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let name = !host.is_empty() && host.bytes().all(letter) && !host.starts_with('.');
    name || host.parse::<Ipv6Addr>().is_ok()
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.kind.schemes()[usize::from(self.tls)];
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_what_a_connection_needs() {
        let check = |text, tls, host, port, path, authority| {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.tls(), url.host(), url.port(), url.path()), (tls, host, port, path), "{text}");
            assert_eq!(url.authority(), authority, "{text}");
        };
        check("ws://127.0.0.1:9001/stream", false, "127.0.0.1", 9001, "/stream", "127.0.0.1:9001");
        check("wss://Stream.Bitzoom.com/ws", true, "stream.bitzoom.com", 443, "/ws", "stream.bitzoom.com");
        check("WS://feed", false, "feed", 80, "/", "feed");
        check("ws://feed?a=b/c", false, "feed", 80, "/?a=b/c", "feed");
        check("ws://feed:80/x?a=1:2@3", false, "feed", 80, "/x?a=1:2@3", "feed");
        check("wss://feed:80", true, "feed", 80, "/", "feed:80");
        check("ws://[::1]:9001/ws", false, "::1", 9001, "/ws", "[::1]:9001");
        check("wss://[2001:db8::1]", true, "2001:db8::1", 443, "/", "[2001:db8::1]");
    }

    #[test]
    fn is_shown_as_it_is_dialled() {
        let check = |text, expected| assert_eq!(Url::parse(text).unwrap().to_string(), expected);
        check("WSS://Feed:443", "wss://feed/");
        check("ws://[::1]:9001/ws?a=b", "ws://[::1]:9001/ws?a=b");
    }

    #[test]
    fn http_is_another_kind() {
        let url = Url::parse_http("HTTPS://Api.bitzoom.com/api/v1/listenKey").unwrap();
        assert_eq!((url.tls(), url.port(), url.authority().as_str()), (true, 443, "api.bitzoom.com"));
        assert_eq!(url.to_string(), "https://api.bitzoom.com/api/v1/listenKey");
        assert_eq!(Url::parse_http("http://feed").unwrap().port(), 80);
        assert!(Url::parse_http("wss://feed/").is_err() && Url::parse("https://feed/").is_err());
        assert!(Url::parse_http("https://a:b@feed/").is_err());
    }

    #[test]
    fn refuses_what_cannot_be_dialled() {
        for text in [
            "",
            "feed",
            "http://feed/",
            "ws://",
            "ws:///path",
            "ws://feed:/",
            "ws://feed:0/",
            "ws://feed:+1/",
            "ws://feed:65536/",
            "ws://a:b@feed/",
            "ws://feed/#x",
            "ws://feed/a b",
            "ws://fe ed/",
            "ws://feed:1:2/",
            "ws://::1/",
            "ws://[feed]/",
            "ws://[::1]x/",
            "ws://fèed/",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_domain_ends_at_a_dot() {
        let check = |url, expected| assert_eq!(Url::parse(url).unwrap().is_within("binance.com"), expected, "{url}");
        check("wss://binance.com/", true);
        check("wss://stream.binance.com:9443/ws", true);
        check("wss://notbinance.com/", false);
        check("wss://binance.com.example/", false);
    }
}
