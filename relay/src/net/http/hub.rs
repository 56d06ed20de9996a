//! `POST /ws/test`: a text to everybody who speaks hub.

use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, close_after, json, text};
use super::{Http, Visit};
use crate::limits::BODY_TIMEOUT;
use crate::net::shared::Mail;
use crate::wire::dialect::Dialect;
use crate::wire::http::ip::IpKey;
use crate::wire::hub::test_call::{self, BODY_BYTES_MAX, TestCallError};
use crate::wire::rate::Limit;
use crate::wire::ws::encode::{self, Opcode};

impl Http {
    /// Pages of other origins have been judged before, and may ask by OPTIONS.
    pub(super) async fn test(self: &Rc<Http>, request: Request<Incoming>, visit: &Visit) -> Answer {
        if !self.shared.config.hub.test {
            return text(StatusCode::NOT_FOUND, "Test calls are switched off (hub.test = false).\n");
        }
        if request.method() != Method::POST {
            let mut answer = close_after(text(StatusCode::METHOD_NOT_ALLOWED, "Only POST is for this path.\n"));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
            return answer;
        }
        self.test_call(request, visit).await
    }

    async fn test_call(self: &Rc<Http>, request: Request<Incoming>, visit: &Visit) -> Answer {
        if let Err(refusal) = self.admit(&request, visit, &[Dialect::Hub]) {
            return refusal;
        }
        let (ip, _) = self.client(&request, visit);
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
        let limit = Limit { most: limit as usize, window_ms: 1000 };
        calls.take(ip, limit, self.shared.clock.now_ms()).is_ok()
    }
}

async fn message(request: Request<Incoming>) -> Result<String, TestCallError> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = tokio::time::timeout(BODY_TIMEOUT, body).await.map_err(|_| TestCallError::InvalidJson)?;
    test_call::message(&body.map_err(|_| TestCallError::TooBig)?.to_bytes())
}
