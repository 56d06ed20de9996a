//! `POST /ws/test`: a text to everybody who speaks hub.

use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, ORIGIN, VARY};
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, close_after, json, text};
use super::{Http, Visit};
use crate::net::conn::Rate;
use crate::net::shared::Mail;
use crate::wire::http::ip::IpKey;
use crate::wire::hub::test_call::{self, BODY_BYTES_MAX, TestCallError};
use crate::wire::ws::encode::{self, Opcode};

/// Addresses whose calls are counted at once; beyond that the counts start over.
const ADDRESSES_MAX: usize = 10_000;

/// What a page may send us from another origin.
const PREFLIGHT: [(&str, &str); 3] = [
    ("access-control-allow-methods", "POST"),
    ("access-control-allow-headers", "content-type"),
    ("access-control-max-age", "600"),
];

impl Http {
    /// A call, or a browser's question whether its page may make one.
    pub(super) async fn test(self: &Rc<Http>, request: Request<Incoming>, visit: &Visit) -> Answer {
        if !self.shared.config.hub.test {
            return text(StatusCode::NOT_FOUND, "Test calls are switched off (hub.test = false).\n");
        }
        if !self.origin_is_welcome(&request) {
            self.counters().refused_origin.one();
            return close_after(text(StatusCode::FORBIDDEN, "This Origin is not on the list of edge.origins.\n"));
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let mut answer = if request.method() == Method::OPTIONS {
            let mut answer = text(StatusCode::NO_CONTENT, "");
            for (name, value) in PREFLIGHT {
                answer.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            answer
        } else {
            self.test_call(request, visit).await
        };
        if let Some(origin) = origin {
            answer.headers_mut().insert("access-control-allow-origin", origin);
        }
        answer.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
        answer
    }

    async fn test_call(self: &Rc<Http>, request: Request<Incoming>, visit: &Visit) -> Answer {
        let ip = IpKey::from(self.client_address(&request, visit));
        let now_ms = self.shared.clock.calendar_ms();
        let read = match self.may_test(ip) {
            true => message(request).await,
            false => Err(TestCallError::TooMany),
        };
        let mut body = Vec::new();
        match read {
            Ok(text) => {
                let mut broadcast = Vec::new();
                test_call::broadcast(&text, now_ms, &mut broadcast);
                let mut frame = Vec::new();
                encode::frame(Opcode::Text, &broadcast, &mut frame);
                let frame = Bytes::from(frame);
                for shard in 0..self.shared.shards.len() {
                    self.shared.send(shard, Mail::TellHub(frame.clone()));
                }
                test_call::response(now_ms, &mut body);
                json(StatusCode::OK, body)
            }
            Err(error) => {
                self.counters().refused_test_calls.one();
                error.write(now_ms, &mut body);
                json(StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST), body)
            }
        }
    }

    /// So many calls of an address in any second.
    fn may_test(&self, ip: IpKey) -> bool {
        let Some(limit) = self.shared.config.hub.test_per_second else { return true };
        let mut calls = self.shared.test_calls.lock().expect("a panic ends the process");
        if calls.len() >= ADDRESSES_MAX {
            calls.clear();
        }
        let rate = calls.entry(ip).or_insert_with(|| Rate::new(limit as usize));
        rate.allows(self.shared.clock.now_ms())
    }
}

async fn message(request: Request<Incoming>) -> Result<String, TestCallError> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    test_call::message(&body.map_err(|_| TestCallError::TooBig)?.to_bytes())
}
