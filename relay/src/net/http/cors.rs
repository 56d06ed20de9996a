//! What pages of other origins may read: everything under `/api`, event streams, and `/ws/test`.

use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, HeaderValue, ORIGIN,
    VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use super::Http;
use super::answer::{Answer, close_after, error, whole};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");

/// Whether a path is one that programs ask: its errors are JSON, and pages of other origins may ask it too.
pub(super) fn is_api(path: &str) -> bool {
    let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below("/api") || below("/fapi") || below("/sse") || below("/ws/test")
}

/// What is to be added to the answer.
#[derive(Default)]
pub(super) struct Cors {
    allowed: Option<HeaderValue>,
    varies: bool,
}

impl Cors {
    pub fn on(self, mut answer: Answer) -> Answer {
        let headers = answer.headers_mut();
        if let Some(allowed) = self.allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After, Allow"));
        }
        if self.varies {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        answer
    }
}

impl Http {
    /// What the answer to this request needs, and the answer itself if nothing else is to be asked.
    pub(super) fn cors(&self, request: &Request<Incoming>, path: &str) -> (Cors, Option<Answer>) {
        if !is_api(path) {
            return (Cors::default(), None);
        }
        let origins = &self.shared.config.edge.origins;
        let is_welcome = self.origin_is_welcome(request);
        let allowed = match request.headers().get(ORIGIN) {
            _ if origins.is_empty() => Some(HeaderValue::from_static("*")),
            origin if is_welcome => origin.cloned(),
            _ => None,
        };
        let cors = Cors { allowed, varies: !origins.is_empty() };
        if !is_welcome {
            self.counters().refused_origin.one();
            let refusal = error(StatusCode::FORBIDDEN, "This Origin is not on the list of edge.origins");
            return (cors, Some(close_after(refusal)));
        }
        (cors, (request.method() == Method::OPTIONS).then(|| preflight(request)))
    }
}

fn preflight(request: &Request<Incoming>) -> Answer {
    let mut answer = Response::new(whole(""));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    if let Some(asked) = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        headers.insert(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    answer
}
