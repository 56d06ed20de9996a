//! Who may come in by a request, and the requests about listen keys.

use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use rand::TryRng as _;

use super::answer::{Answer, close_after, json};
use super::{Http, Visit};
use crate::access::account::Entitlement;
use crate::access::carry::{Carried, carried};
use crate::access::refusal::{self, Refusal};
use crate::access::rest::{self, Route};
use crate::limits::{BODY_TIMEOUT, FORM_BYTES_MAX};
use crate::wire::dialect::Dialect;
use crate::wire::http::ip::{IpKey, is_loopback};
use crate::wire::http::target::Target;

impl Http {
    /// What the client of a request may, if it may speak one of these dialects; else the refusal in the words of the
    /// first of them. Every path that gives data away calls this.
    #[allow(clippy::result_large_err)] // once for a request that is refused
    pub(in crate::net) fn admit<B>(
        &self,
        request: &Request<B>,
        visit: &Visit,
        dialects: &[Dialect],
    ) -> Result<Entitlement, Answer> {
        let uri = request.uri().to_string();
        let Ok(target) = Target::parse(&uri) else {
            return Err(self.refuse(StatusCode::BAD_REQUEST, "The request target is not valid.\n"));
        };
        let (_, is_loopback) = self.client(request, visit);
        let carried = carried(headers(request.headers()).into_iter(), &target);
        carried.admit(&self.shared.config.access.accounts, dialects, is_loopback, false).map_err(|why| {
            self.counters().refused_key.one();
            refused(&refusal::upgrade(dialects.first().copied().unwrap_or(Dialect::Stream), why))
        })
    }

    /// Refuses a key that is no good, also where none is needed.
    #[allow(clippy::result_large_err)] // as above
    pub(super) fn judge<B>(&self, request: &Request<B>, visit: &Visit) -> Result<(), Answer> {
        let uri = request.uri().to_string();
        let headers = headers(request.headers());
        let brings_key =
            Target::parse(&uri).is_ok_and(|target| carried(headers.into_iter(), &target) != Carried::Nothing);
        if brings_key { self.admit(request, visit, &[Dialect::Stream]).map(drop) } else { Ok(()) }
    }

    /// The client as limits see it, and whether it is this machine itself: what a proxy of ours says counts.
    pub(in crate::net) fn client<B>(&self, request: &Request<B>, visit: &Visit) -> (IpKey, bool) {
        match self.told_address(request, visit.peer) {
            Some(ip) => (IpKey::from(ip), is_loopback(ip)),
            None => visit.client,
        }
    }

    /// The answer to one connection too many of an account.
    pub(super) fn too_many_of_account(&self, dialect: Dialect) -> Answer {
        self.counters().refused_account.one();
        refused(&refusal::too_many_connections(dialect))
    }

    /// A request about listen keys.
    pub(super) async fn listen(
        self: &Rc<Http>,
        request: Request<Incoming>,
        target: &Target<'_>,
        route: Route,
        visit: &Visit,
    ) -> Answer {
        let (ip, is_loopback) = self.client(&request, visit);
        let (head, body) = request.into_parts();
        // What is longer is no form of ours; that it is too long is said only where a form is needed.
        let body = Limited::new(body, FORM_BYTES_MAX).collect();
        let Ok(body) = tokio::time::timeout(BODY_TIMEOUT, body).await else {
            return self.refuse(StatusCode::REQUEST_TIMEOUT, "The request's body did not come in time.\n");
        };
        let body = body.map_or_else(|_| Bytes::from_static(&[b' '; FORM_BYTES_MAX + 1]), |body| body.to_bytes());
        let mut random = [0; 128];
        if head.method == hyper::Method::POST
            && let Err(error) = rand::rngs::SysRng.try_fill_bytes(&mut random)
        {
            tracing::error!(%error, "the system gives no random numbers, so there are no listen keys");
            return json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"code":500,"msg":"Internal error"}"#);
        }
        let listed = headers(&head.headers);
        let request = rest::Request {
            route,
            method: head.method.as_str(),
            target,
            body: &body,
            carried: carried(listed.iter().copied(), target),
            ip,
            is_exempt: is_loopback && self.shared.config.limits.exempt_loopback,
        };
        let rest::Answer { status, headers, body } = self.shared.answer_listen(&request, random);
        if status == 401 || status == 403 {
            self.counters().refused_key.one();
        }
        let mut answer = json(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                answer.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        answer
    }
}

fn headers(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

fn refused(refusal: &Refusal) -> Answer {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN);
    let mut answer = close_after(json(status, refusal.body));
    for (name, value) in refusal.headers {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}
