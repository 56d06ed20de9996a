//! GET requests to one place, one after the other on connections that stay open.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

use super::Target;
use super::dial::{DIAL_MAX, DialError, connect, secure};
use crate::limits::POLL_BODY_BYTES_MAX;

/// A source's answer.
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Runs on a shard's own tasks.
pub struct Client {
    target: Target,
    tls: Option<Arc<ClientConfig>>,
    /// With every request: keys.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Open, and without a request. As many as there were requests at once.
    idle: RefCell<Vec<Sender>>,
}

type Sender = SendRequest<Empty<Bytes>>;

impl Client {
    pub fn new(target: Target, tls: Option<Arc<ClientConfig>>, headers: Vec<(HeaderName, HeaderValue)>) -> Client {
        Client { target, tls, headers, idle: RefCell::default() }
    }

    /// Asks, and waits for the whole answer, ten seconds at most.
    pub async fn get(&self, path: &str, headers: &[(&'static str, Box<str>)]) -> Result<Answered, DialError> {
        timeout(DIAL_MAX, self.get_unlimited(path, headers)).await.map_err(|_| DialError::TimedOut)?
    }

    async fn get_unlimited(&self, path: &str, headers: &[(&'static str, Box<str>)]) -> Result<Answered, DialError> {
        while let Some(mut sender) = self.take_idle() {
            // The source may have ended it meanwhile; a GET may be asked twice.
            if sender.ready().await.is_ok()
                && let Ok(response) = sender.send_request(self.request(path, headers)?).await
            {
                return self.read(response, sender).await;
            }
        }
        let mut sender = self.dial().await?;
        let response = sender.send_request(self.request(path, headers)?).await.map_err(|error| {
            let error = DialError::Http(error);
            if self.target.is_tls() { error } else { DialError::of_plain(error) }
        })?;
        self.read(response, sender).await
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|sender| !sender.is_closed());
        idle.pop()
    }

    async fn read(&self, response: Response<hyper::body::Incoming>, sender: Sender) -> Result<Answered, DialError> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, POLL_BODY_BYTES_MAX).collect().await.map_err(|_| DialError::Body)?.to_bytes();
        if !sender.is_closed() {
            self.idle.borrow_mut().push(sender);
        }
        Ok(Answered { status: head.status, headers: head.headers, body })
    }

    fn request(&self, path: &str, headers: &[(&'static str, Box<str>)]) -> Result<Request<Empty<Bytes>>, DialError> {
        let mut request = Request::get(path)
            .header(HOST, self.target.authority())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("relay/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, &**value);
        }
        // A validator of the source's own that cannot stand in a header, or a path that is none.
        request.body(Empty::new()).map_err(|_| DialError::Request)
    }

    async fn dial(&self) -> Result<Sender, DialError> {
        let socket = connect(&self.target).await?;
        socket.set_nodelay(true)?;
        match self.target.is_tls() {
            true => open(secure(socket, &self.target, self.tls.as_ref()).await?).await,
            false => open(socket).await,
        }
    }
}

/// The connection is a task of its own, which ends with the last sender or with the socket.
async fn open<S>(socket: S) -> Result<Sender, DialError>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::task::spawn_local(async move {
        // Whoever waits for an answer is told.
        let _ = connection.await;
    });
    Ok(sender)
}
