//! The way out through an HTTP proxy, if the environment names one.
//!
//! `HTTPS_PROXY` is for `wss` and `https`, `HTTP_PROXY` for `ws` and `http`, `ALL_PROXY` for both where they say nothing,
//! `NO_PROXY` for whom none is used; lower case goes before upper case. Every connection is a tunnel (CONNECT), as
//! WebSockets want it (RFC 6455 section 4.1). This machine itself is never reached through a proxy.

use std::net::IpAddr;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Target;
use crate::limits::PROXY_ANSWER_BYTES_MAX;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("{0} is not the url of a proxy, like http://user:password@host:3128")]
    NotAUrl(&'static str),
    #[error("{name} names a proxy of the kind {scheme}, only http is understood")]
    Scheme { name: &'static str, scheme: String },
    #[error("the proxy {proxy} is not reached: {why}")]
    Unreachable { proxy: String, why: String },
    #[error("the proxy {0} wants other credentials (407)")]
    Credentials(String),
    #[error("the proxy {proxy} makes no connection to {target}: {answer}")]
    Refused { proxy: String, target: String, answer: String },
    #[error("the proxy {0} does not answer as a proxy does")]
    Answer(String),
}

/// One proxy. What is shown of it is without its credentials.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub host: String,
    pub port: u16,
    authorization: Option<String>,
}

type Choice = Option<Result<Proxy, ProxyError>>;

/// What the environment says.
pub(super) struct Proxies {
    tls: Choice,
    plain: Choice,
    exempt: Vec<Exempt>,
}

enum Exempt {
    All,
    /// A domain with everything below it, and maybe only one port.
    Domain(String, Option<u16>),
    Network(IpAddr, u32),
}

/// Read once: the environment does not change.
pub(super) fn environment() -> &'static Proxies {
    static PROXIES: OnceLock<Proxies> = OnceLock::new();
    PROXIES.get_or_init(|| Proxies::read(|name| std::env::var(name).ok()))
}

impl Proxies {
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |lower: &str, upper: &str| {
            let said = variable(lower).or_else(|| variable(upper));
            said.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let proxy = |lower, upper: &'static str| value(lower, upper).map(|text| Proxy::parse(upper, &text));
        let all = proxy("all_proxy", "ALL_PROXY");
        let exempt = value("no_proxy", "NO_PROXY").unwrap_or_default();
        Self {
            tls: proxy("https_proxy", "HTTPS_PROXY").or_else(|| all.clone()),
            plain: proxy("http_proxy", "HTTP_PROXY").or(all),
            exempt: exempt.split([',', ' ']).filter(|text| !text.is_empty()).map(Exempt::parse).collect(),
        }
    }

    /// The proxy on the way there, if there is one; an error if it is not to be understood.
    pub fn on_the_way(&self, target: &Target) -> Option<&Result<Proxy, ProxyError>> {
        let choice = if target.is_tls() { &self.tls } else { &self.plain };
        let host = target.host();
        let is_here =
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_exempt = || self.exempt.iter().any(|exempt| exempt.has(host, target.port()));
        choice.as_ref().filter(|_| !is_here && !is_exempt())
    }
}

impl Proxy {
    fn parse(name: &'static str, text: &str) -> Result<Self, ProxyError> {
        let not_a_url = || ProxyError::NotAUrl(name);
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = text.parse().map_err(|_| not_a_url())?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if scheme != "http" {
            return Err(ProxyError::Scheme { name, scheme: scheme.to_owned() });
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(not_a_url)?;
        let credentials = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let authorization = match credentials {
            Some((credentials, _)) => {
                let plain = percent_decoded(credentials).ok_or_else(not_a_url)?;
                Some(format!("Basic {}", STANDARD.encode(plain)))
            }
            None => None,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(80), authorization })
    }

    pub fn shown(&self) -> String {
        authority(&self.host, self.port)
    }

    /// Asks the proxy for a connection to the target.
    pub async fn tunnel(&self, mut socket: TcpStream, target: &Target) -> Result<TcpStream, ProxyError> {
        let place = authority(target.host(), target.port());
        let unreachable =
            |error: std::io::Error| ProxyError::Unreachable { proxy: self.shown(), why: error.to_string() };
        socket.write_all(self.request(&place).as_bytes()).await.map_err(unreachable)?;
        let mut head = Vec::new();
        // Byte by byte: what comes behind the head is the venue's.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= PROXY_ANSWER_BYTES_MAX {
                return Err(ProxyError::Answer(self.shown()));
            }
            head.push(socket.read_u8().await.map_err(unreachable)?);
        }
        match status(&head) {
            Some(200..=299) => Ok(socket),
            Some(407) => Err(ProxyError::Credentials(self.shown())),
            Some(_) => {
                let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
                let answer = String::from_utf8_lossy(line).into_owned();
                Err(ProxyError::Refused { proxy: self.shown(), target: place, answer })
            }
            None => Err(ProxyError::Answer(self.shown())),
        }
    }

    fn request(&self, place: &str) -> String {
        let authorization = match &self.authorization {
            Some(value) => format!("Proxy-Authorization: {value}\r\n"),
            None => String::new(),
        };
        let agent = concat!("relay/", env!("CARGO_PKG_VERSION"));
        format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: {agent}\r\n{authorization}\r\n")
    }
}

impl Exempt {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Self::Network(address, if address.is_ipv4() { 32 } else { 128 });
        }
        if let Some((Ok(address), Ok(bits))) = text.split_once('/').map(|(ip, bits)| (ip.parse(), bits.parse())) {
            return Self::Network(address, bits);
        }
        let (domain, port) = match text.rsplit_once(':').map(|(domain, port)| (domain, port.parse())) {
            Some((domain, Ok(port))) => (domain, Some(port)),
            _ => (text, None),
        };
        let domain = domain.trim_start_matches('*').trim_start_matches('.');
        Self::Domain(domain.to_ascii_lowercase(), port)
    }

    fn has(&self, host: &str, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Network(network, bits) => host.parse().is_ok_and(|address| is_within(address, *network, *bits)),
            Self::Domain(domain, only) => {
                let host = host.to_ascii_lowercase();
                let above = host.strip_suffix(domain.as_str());
                only.is_none_or(|only| only == port)
                    && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let shift = 32 - bits.min(32);
            u64::from(address.to_bits()) >> shift == u64::from(network.to_bits()) >> shift
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let shift = 128 - bits.min(128);
            let part = |address: u128| address.checked_shr(shift).unwrap_or(0);
            part(address.to_bits()) == part(network.to_bits())
        }
        _ => false,
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The code of an answer's first line.
fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|&byte| byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok().filter(|code| (100..1_000).contains(code))
}

/// None if a `%` is followed by anything but two hexadecimal digits.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push((high * 16 + low) as u8);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::net::TcpListener;

    use super::super::fake::head_of;
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Proxies::read(find)
    }

    /// Which proxy is on the way to a url.
    fn check(variables: &[(&str, &str)], url: &str, expected: &str) {
        let target = Target::parse(url).expect(url);
        let proxies = proxies(variables);
        let found = match proxies.on_the_way(&target) {
            None => "none".to_owned(),
            Some(Ok(proxy)) => proxy.shown(),
            Some(Err(error)) => error.to_string(),
        };
        assert_eq!(found, expected, "{variables:?} {url}");
    }

    #[test]
    fn the_environment_names_the_way() {
        check(&[], "wss://venue.com", "none");
        check(&[("HTTPS_PROXY", "http://p:3128")], "wss://venue.com", "p:3128");
        check(&[("HTTPS_PROXY", "http://p:3128")], "ws://venue.com", "none");
        check(&[("HTTP_PROXY", "p")], "ws://venue.com", "p:80");
        check(&[("ALL_PROXY", "http://p:1"), ("HTTP_PROXY", "http://q:2/")], "wss://venue.com", "p:1");
        check(&[("ALL_PROXY", "http://p:1"), ("HTTP_PROXY", "http://q:2/")], "ws://venue.com", "q:2");
        check(&[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "http://q:2")], "wss://venue.com", "q:2");
        check(&[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "")], "wss://venue.com", "none");
        check(&[("HTTPS_PROXY", "http://[::2]:1")], "wss://venue.com", "[::2]:1");
        check(&[("ALL_PROXY", "http://p:1")], "ws://localhost:9000", "none");
        check(&[("ALL_PROXY", "http://p:1")], "ws://127.0.0.2:9000", "none");
        check(&[("ALL_PROXY", "http://p:1")], "ws://[::1]:9000", "none");
        let socks = "HTTPS_PROXY names a proxy of the kind socks5, only http is understood";
        check(&[("HTTPS_PROXY", "socks5://p:1")], "wss://venue.com", socks);
        let wrong = "HTTPS_PROXY is not the url of a proxy, like http://user:password@host:3128";
        check(&[("HTTPS_PROXY", "http://")], "wss://venue.com", wrong);
        check(&[("HTTPS_PROXY", "http://u:%zz@p")], "wss://venue.com", wrong);
    }

    #[test]
    fn some_are_reached_without() {
        let check = |exempt: &str, url: &str, is_exempt: bool| {
            let expected = if is_exempt { "none" } else { "p:1" };
            check(&[("ALL_PROXY", "http://p:1"), ("NO_PROXY", exempt)], url, expected);
        };
        check("*", "wss://venue.com", true);
        check("other.com, venue.com", "wss://stream.venue.com", true);
        check(".venue.com", "wss://venue.com", true);
        check("*.venue.com", "wss://stream.VENUE.com", true);
        check("venue.com", "wss://myvenue.com", false);
        check("venue.com:443", "wss://venue.com:9443", false);
        check("venue.com:9443", "wss://venue.com:9443", true);
        check("10.0.0.0/8", "ws://10.1.2.3", true);
        check("10.0.0.0/8", "ws://11.1.2.3", false);
        check("0.0.0.0/0", "ws://11.1.2.3", true);
        check("10.0.0.1", "ws://10.0.0.1", true);
        check("fd00::/8", "ws://[fd12::1]", true);
        check("::/0", "ws://[fd12::1]", true);
        check("fd00::/8", "ws://[fe80::1]", false);
    }

    /// Answers once, and gives back what was asked.
    async fn ask(proxy: &str, answer: &'static [u8]) -> (String, Result<TcpStream, ProxyError>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let proxy = Proxy::parse("ALL_PROXY", proxy).expect("a proxy");
        let served = async {
            let (mut socket, _) = listener.accept().await.expect("accepted");
            let head = head_of(&mut socket).await;
            socket.write_all(answer).await.expect("answered");
            head
        };
        let asked = async {
            let socket = TcpStream::connect(address).await.expect("connected");
            proxy.tunnel(socket, &Target::parse("wss://venue.com").expect("a url")).await
        };
        tokio::join!(served, asked)
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_with_credentials_and_loses_no_byte() {
        let (head, tunnel) =
            ask("http://me:p%40ss@p:1", b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nab").await;
        assert!(head.starts_with("CONNECT venue.com:443 HTTP/1.1\r\nHost: venue.com:443\r\n"), "{head}");
        assert!(head.contains("\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n"), "{head}");
        let mut behind = [0; 2];
        tunnel.expect("a tunnel").read_exact(&mut behind).await.expect("bytes");
        assert_eq!(&behind, b"ab");
    }

    #[tokio::test]
    async fn a_refusal_is_told_without_the_password() {
        let said = async |answer| ask("http://me:secret@p:1", answer).await.1.expect_err("refused").to_string();
        let text = said(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
        assert_eq!(text, "the proxy p:1 makes no connection to venue.com:443: HTTP/1.1 403 Forbidden");
        let text = said(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
        assert_eq!(text, "the proxy p:1 wants other credentials (407)");
        let text = said(b"SSH-2.0-OpenSSH\r\n\r\n").await;
        assert_eq!(text, "the proxy p:1 does not answer as a proxy does");
        assert!(said(b"HTTP/1.1 200").await.starts_with("the proxy p:1 is not reached: "));
        let endless: &'static [u8] = vec![b'x'; 2 * PROXY_ANSWER_BYTES_MAX].leak();
        assert_eq!(said(endless).await, "the proxy p:1 does not answer as a proxy does");
    }

    proptest! {
        #[test]
        fn any_text_is_judged(url in any::<String>(), exempt in any::<String>(), head in any::<Vec<u8>>(), bits: u32) {
            let proxies = proxies(&[("ALL_PROXY", &url), ("NO_PROXY", &exempt)]);
            proxies.on_the_way(&Target::parse("wss://venue.com").unwrap());
            status(&head);
            is_within("10.0.0.1".parse().unwrap(), "10.0.0.0".parse().unwrap(), bits);
            is_within("::1".parse().unwrap(), "::".parse().unwrap(), bits);
        }
    }
}
