//! Answers: whole ones, and bodies that go on.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::net::shared::Shared;
use crate::wire::json::write_string;

pub type Body = UnsyncBoxBody<Bytes, Infallible>;
pub type Answer = Response<Body>;

pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

pub fn text(status: StatusCode, body: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", body.to_owned())
}

pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, "application/json", body)
}

pub fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(whole(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// An error as programs read it.
pub fn error(status: StatusCode, why: &str) -> Answer {
    let mut body = format!("{{\"code\":{},\"msg\":", status.as_u16()).into_bytes();
    write_string(why, &mut body);
    body.extend_from_slice(b"}\n");
    json(status, body)
}

/// Whoever was refused frees its place.
pub fn close_after(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The page one opens first.
pub fn index(shared: &Shared) -> Answer {
    let upstreams: Vec<&str> = shared.config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    let body = include_str!("index.html")
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{upstreams}", &upstreams.join(", "));
    answer(StatusCode::OK, "text/html; charset=utf-8", body)
}
