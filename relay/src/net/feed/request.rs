//! One small HTTP request of ours to a venue, and its answer.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::Target;
use super::dial::{DIAL_MAX, DialError, Trust, connect, secure};
use crate::limits::UPSTREAM_ANSWER_BYTES_MAX;

/// The headers that show a token: what Bitzoom wants, and what Binance does.
const API_KEY: &str = "x-mbx-apikey";

/// Asks, and waits for the whole answer.
pub async fn request(
    method: &Method,
    target: &Target,
    tls: Trust<'_>,
    token: &str,
) -> Result<(StatusCode, Bytes), DialError> {
    timeout(DIAL_MAX, request_unlimited(method, target, tls, token)).await.map_err(|_| DialError::TimedOut)?
}

async fn request_unlimited(
    method: &Method,
    target: &Target,
    tls: Trust<'_>,
    token: &str,
) -> Result<(StatusCode, Bytes), DialError> {
    let socket = connect(target).await?;
    if target.is_tls() {
        exchange(secure(socket, target, tls).await?, method, target, token).await
    } else {
        exchange(socket, method, target, token).await
    }
}

async fn exchange<S>(socket: S, method: &Method, target: &Target, token: &str) -> Result<(StatusCode, Bytes), DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let secret = |text: String| {
        let mut value = HeaderValue::try_from(text).map_err(|_| DialError::Token)?;
        value.set_sensitive(true);
        Ok::<_, DialError>(value)
    };
    let request = Request::builder()
        .method(method)
        .uri(target.path())
        .header(HOST, target.authority())
        .header(USER_AGENT, concat!("relay/", env!("CARGO_PKG_VERSION")))
        .header(AUTHORIZATION, secret(format!("Bearer {token}"))?)
        .header(API_KEY, secret(token.to_owned())?)
        .body(Empty::<Bytes>::new())
        .expect("a parsed target makes valid headers");
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let mut connection = std::pin::pin!(connection);
    let mut answered = std::pin::pin!(async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), UPSTREAM_ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|_| DialError::Body)?.to_bytes();
        Ok((status, body))
    });
    tokio::select! {
        answered = &mut answered => answered,
        // The connection may end with the last byte of the answer.
        ended = &mut connection => {
            ended?;
            answered.await
        }
    }
}
