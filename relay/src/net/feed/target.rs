//! Where an upstream is: its url, parsed once.

use hyper::Uri;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    #[error("upstream url {0:?} is not a url")]
    NotAUrl(String),
    #[error("upstream url {0:?} needs the scheme ws or wss")]
    Scheme(String),
    #[error("upstream url {0:?} has no host")]
    NoHost(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    is_tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// The combined endpoint of the url: a path that ends in `/stream` is kept, `/ws` becomes `/stream`, and any other
    /// (`/market`, or none) gets it appended. Only there does every payload name its stream.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::NotAUrl(url.to_owned()))?;
        let is_tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(TargetError::Scheme(url.to_owned())),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| TargetError::NoHost(url.to_owned()))?;
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let base = uri.path().trim_end_matches('/');
        let base = base.strip_suffix("/stream").or_else(|| base.strip_suffix("/ws")).unwrap_or(base);
        let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
        Ok(Self { is_tls, host: host.to_owned(), port, path: format!("{base}/stream{query}") })
    }

    /// Exactly this place. An IPv6 address comes without brackets.
    pub fn exact(is_tls: bool, host: &str, port: u16, path: &str) -> Self {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Self { is_tls, host, port, path: path.to_owned() }
    }

    /// The same host, elsewhere on it.
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// For the lookup and the certificate: an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query of the request.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The `Host` header: without the port where it is the scheme's own.
    pub fn authority(&self) -> String {
        let default = if self.is_tls { 443 } else { 80 };
        if self.port == default { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_the_combined_endpoint() {
        let table = [
            ("ws://localhost:9000/stream", "localhost", 9000, "/stream", "localhost:9000"),
            ("wss://stream.binance.com", "stream.binance.com", 443, "/stream", "stream.binance.com"),
            ("wss://stream.binance.com:9443/ws", "stream.binance.com", 9443, "/stream", "stream.binance.com:9443"),
            ("wss://fstream.binance.com/market", "fstream.binance.com", 443, "/market/stream", "fstream.binance.com"),
            (
                "wss://fstream.binance.com/public/ws/",
                "fstream.binance.com",
                443,
                "/public/stream",
                "fstream.binance.com",
            ),
            ("ws://h/stream?timeUnit=MICROSECOND", "h", 80, "/stream?timeUnit=MICROSECOND", "h"),
            ("ws://[::1]:80/", "::1", 80, "/stream", "[::1]"),
        ];
        for (url, host, port, path, authority) in table {
            let target = Target::parse(url).expect(url);
            let found = (target.host(), target.port(), target.path(), target.authority());
            assert_eq!(found, (host, port, path, authority.to_owned()), "{url}");
        }
        for url in ["http://host/", "host/path", "stream.binance.com", "ws://", ""] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
