//! From a url to an open WebSocket's byte streams.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS};
use hyper::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT};
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};

use super::Target;
use super::proxy::{self, Proxies, ProxyError};
use super::retry::retry_after;

/// The certificates we trust, needed for `wss` and `https`.
pub type Trust<'a> = Option<&'a Arc<ClientConfig>>;

/// From the lookup to the venue's 101.
pub(super) const DIAL_MAX: Duration = Duration::from_secs(10);
/// One address, when there are several: a dead one must not use up all of the time.
const ADDRESS_MAX: Duration = Duration::from_secs(3);

/// What the accept value is computed from (RFC 6455 section 1.3).
const WEBSOCKET_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("no answer within 10 s")]
    TimedOut,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no address of {host}: {source}")]
    Lookup { host: String, source: io::Error },
    #[error("no connection to {address}: {source}")]
    Tcp { address: SocketAddr, source: io::Error },
    #[error("no connection to {address} within {seconds} s")]
    Unanswered { address: SocketAddr, seconds: u64 },
    #[error("tls: {0}")]
    Tls(String),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("the name has no address")]
    NoAddress,
    #[error("wss without certificates to trust")]
    NoTls,
    #[error("the host is no name that a certificate could have")]
    ServerName,
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    #[error("http: {0}; does it want TLS there (wss:// or https://)?")]
    NotHttp(hyper::Error),
    #[error("the token cannot stand in a header")]
    Token,
    #[error("the request cannot be written")]
    Request,
    #[error("the answer's body is too long, or ended early")]
    Body,
    #[error("answered {status} instead of 101")]
    Status { status: StatusCode, retry_after_ms: Option<u64> },
    #[error("the answer's {0} header is wrong")]
    Header(HeaderName),
}

impl DialError {
    /// Of a connection without TLS. Who expects TLS answers what is no HTTP, or hangs up.
    pub(super) fn of_plain(error: DialError) -> DialError {
        match error {
            DialError::Http(error) if error.is_parse() || error.is_incomplete_message() => DialError::NotHttp(error),
            error => error,
        }
    }
}

pub(super) type ReadHalf = Box<dyn AsyncRead + Unpin>;
pub(super) type WriteHalf = Box<dyn AsyncWrite + Unpin>;

pub(super) struct Dialled {
    pub read: ReadHalf,
    pub write: WriteHalf,
    /// What was read behind the answer: the first frames.
    pub leftover: Bytes,
}

pub(super) async fn dial_target(target: &Target, tls: Trust<'_>) -> Result<Dialled, DialError> {
    timeout(DIAL_MAX, dial_unlimited(target, tls)).await.map_err(|_| DialError::TimedOut)?
}

async fn dial_unlimited(target: &Target, tls: Trust<'_>) -> Result<Dialled, DialError> {
    let socket = connect(target).await?;
    socket.set_nodelay(true)?;
    if !target.is_tls() {
        let (socket, leftover) = open::<TcpStream>(socket, target).await.map_err(DialError::of_plain)?;
        let (read, write) = socket.into_split();
        return Ok(Dialled { read: Box::new(read), write: Box::new(write), leftover });
    }
    let socket = secure(socket, target, tls).await?;
    let (socket, leftover) = open::<TlsStream<TcpStream>>(socket, target).await?;
    let (read, write) = tokio::io::split(socket);
    Ok(Dialled { read: Box::new(read), write: Box::new(write), leftover })
}

pub(super) async fn secure(
    socket: TcpStream,
    target: &Target,
    tls: Trust<'_>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let config = tls.cloned().ok_or(DialError::NoTls)?;
    let name = ServerName::try_from(target.host().to_owned()).map_err(|_| DialError::ServerName)?;
    TlsConnector::from(config).connect(name, socket).await.map_err(|error| DialError::Tls(plain(&error)))
}

/// What an operator can act on; the rest as rustls says it.
fn plain(error: &io::Error) -> String {
    use rustls::{CertificateError, Error};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is of nobody we trust (UnknownIssuer); ca_file adds an authority".to_owned()
        }
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "its certificate is out of date (Expired)".to_owned()
        }
        // HTTP and the like.
        Some(Error::InvalidMessage(_)) => format!("{error}; does it speak TLS there, or is it ws:// or http://?"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => format!("{error}; does it speak TLS there?"),
        _ => error.to_string(),
    }
}

/// To the venue, or through the proxy that the environment names.
pub(super) async fn connect(target: &Target) -> Result<TcpStream, DialError> {
    connect_by(proxy::environment(), target).await
}

async fn connect_by(proxies: &Proxies, target: &Target) -> Result<TcpStream, DialError> {
    let proxy = match proxies.on_the_way(target) {
        None => return reach(target.host(), target.port()).await,
        Some(choice) => choice.as_ref().map_err(ProxyError::clone)?,
    };
    let unreachable = |error: DialError| ProxyError::Unreachable { proxy: proxy.shown(), why: error.to_string() };
    let socket = reach(&proxy.host, proxy.port).await.map_err(unreachable)?;
    Ok(proxy.tunnel(socket, target).await?)
}

async fn reach(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let lookup = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> =
        lookup.map_err(|source| DialError::Lookup { host: host.to_owned(), source })?.collect();
    let limit = if addresses.len() > 1 { ADDRESS_MAX } else { DIAL_MAX };
    let mut failure = DialError::NoAddress;
    for address in addresses {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(source)) => failure = DialError::Tcp { address, source },
            Err(_) => failure = DialError::Unanswered { address, seconds: limit.as_secs() },
        }
    }
    Err(failure)
}

/// The opening handshake (RFC 6455 section 4.1). No extension is offered.
async fn open<S>(socket: S, target: &Target) -> Result<(S, Bytes), DialError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let key = STANDARD.encode(nonce());
    let request = Request::get(target.path())
        .header(HOST, target.authority())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(USER_AGENT, concat!("relay/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .expect("a parsed target makes valid headers");

    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let mut connection = std::pin::pin!(connection.with_upgrades());
    let mut exchange = std::pin::pin!(async {
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let retry_after_ms = retry_after(response.headers(), SystemTime::now());
            return Err(DialError::Status { status: response.status(), retry_after_ms });
        }
        check_headers(response.headers(), &key)?;
        Ok(hyper::upgrade::on(response).await?)
    });
    // Both futures stay pinned here: whichever ends first, the other one goes on from where it was.
    let upgraded: Upgraded = tokio::select! {
        upgraded = &mut exchange => upgraded?,
        ended = &mut connection => {
            ended?;
            exchange.await?
        }
    };
    let parts = upgraded.downcast::<TokioIo<S>>().expect("hyper gives back the socket it was given");
    Ok((parts.io.into_inner(), parts.read_buf))
}

/// Different for every handshake, which is all it is for: caches must not answer it (RFC 6455 section 4.1).
fn nonce() -> [u8; 16] {
    let random = || RandomState::new().build_hasher().finish();
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&random().to_le_bytes());
    nonce[8..].copy_from_slice(&random().to_le_bytes());
    nonce
}

fn check_headers(headers: &HeaderMap, key: &str) -> Result<(), DialError> {
    let has_token = |name: &HeaderName, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    for (name, token) in [(UPGRADE, "websocket"), (CONNECTION, "upgrade")] {
        if !has_token(&name, token) {
            return Err(DialError::Header(name));
        }
    }
    if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|value| value.as_bytes() != accept(key).as_bytes()) {
        return Err(DialError::Header(SEC_WEBSOCKET_ACCEPT));
    }
    // None was offered, so whatever it is, the frames would not be what we think they are.
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(DialError::Header(SEC_WEBSOCKET_EXTENSIONS));
    }
    Ok(())
}

pub(super) fn accept(key: &str) -> String {
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(WEBSOCKET_GUID.as_bytes()).finalize();
    STANDARD.encode(digest)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::feed::fake::head_of;

    /// Every failure on the way says where it was.
    #[tokio::test]
    async fn failures_are_told_plainly() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let target = Target::exact(false, "127.0.0.1", closed.port(), "/");
        let direct = Proxies::read(|_| None);
        let error = connect_by(&direct, &target).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("no connection to {closed}: ")), "{error}");
        let nowhere = Target::exact(false, "venue.invalid", 80, "/");
        let error = connect_by(&direct, &nowhere).await.unwrap_err().to_string();
        assert!(error.starts_with("no address of venue.invalid: "), "{error}");
        let proxied = Proxies::read(|name| (name == "ALL_PROXY").then(|| closed.to_string()));
        let error = connect_by(&proxied, &nowhere).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("the proxy {closed} is not reached: no connection to {closed}")), "{error}");
    }

    /// The name of the venue is looked up by the proxy, not by us.
    #[tokio::test]
    async fn a_proxy_is_on_the_way() {
        use tokio::io::AsyncWriteExt;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxied = Proxies::read(|name| (name == "http_proxy").then(|| format!("http://{address}")));
        let served = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let head = head_of(&mut socket).await;
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            head
        };
        let venue = Target::exact(false, "venue.invalid", 80, "/");
        let (head, socket) = tokio::join!(served, connect_by(&proxied, &venue));
        socket.unwrap();
        assert!(head.starts_with("CONNECT venue.invalid:80 HTTP/1.1\r\n"), "{head}");
    }

    /// What an operator is told of a venue that answers these bytes and hangs up.
    async fn told(is_tls: bool, answer: &'static [u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::exact(is_tls, "127.0.0.1", listener.local_addr().unwrap().port(), "/");
        let roots = rustls::RootCertStore::empty();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        let served = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            // Nothing is left unread, or the end would be a reset.
            assert!(socket.read(&mut [0; 16 * 1024]).await.unwrap() > 0);
            socket.write_all(answer).await.unwrap();
        };
        let ((), dialled) = tokio::join!(served, dial_unlimited(&target, Some(&config)));
        dialled.err().expect("it is no venue").to_string()
    }

    /// A scheme that the port does not have is a slip that is easily made.
    #[tokio::test]
    async fn the_other_scheme_is_suggested() {
        for answer in [&b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..], b""] {
            let told = told(true, answer).await;
            assert!(told.starts_with("tls: ") && told.contains("does it speak TLS there"), "{told}");
        }
        // An alert: "unexpected message".
        for answer in [&b"\x15\x03\x03\x00\x02\x02\x0a"[..], b""] {
            let told = told(false, answer).await;
            assert!(
                told.starts_with("http: ") && told.ends_with("does it want TLS there (wss:// or https://)?"),
                "{told}"
            );
        }
        let refused = told(false, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(refused, "answered 400 Bad Request instead of 101");
    }

    #[test]
    fn the_accept_value_of_the_rfc() {
        assert_eq!(super::accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
