//! The Socket.IO dialect's one path: sessions opened, polled, posted to and upgraded.

use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, UPGRADE,
};
use hyper::{Request, StatusCode};
use tokio::sync::oneshot;

use super::answer::{Answer, answer, close_after, json, text};
use super::upgrade::Socket;
use super::{Http, Visit};
use crate::limits::BODY_TIMEOUT;
use crate::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::net::conn::Speaks;
use crate::net::shared::{Mail, Shared};
use crate::net::socketio::session::new_sid;
use crate::net::socketio::{Client, Letter, Probe};
use crate::wire::http::target::Target;
use crate::wire::socketio::cors::{self, Header, Origins};
use crate::wire::socketio::session::NOOP;
use crate::wire::socketio::sid::Sid;
use crate::wire::socketio::url::{self, Refusal, Transport};
use crate::wire::socketio::{polling, reply};

/// The pages that are let in, as this dialect has them.
pub(super) fn origins(shared: &Shared) -> Origins {
    match shared.config.edge.origins.as_slice() {
        [] => Origins::Any,
        origins => Origins::Listed(origins.iter().map(|origin| origin.as_str().into()).collect()),
    }
}

impl Http {
    /// Whatever comes to the path; every answer tells browsers who may read it, refusals as well.
    pub(super) async fn socketio(
        self: &Rc<Http>,
        request: Request<Incoming>,
        target: &Target<'_>,
        visit: &Rc<Visit>,
    ) -> Answer {
        let is_upgrade = asks_for_websocket(&request);
        let cors = match self.origins.admit(request.headers().get(ORIGIN).map(HeaderValue::as_bytes)) {
            Ok(cors) => cors,
            Err(refusal) => return self.refuse_socketio(refusal, is_upgrade),
        };
        let mut answer = if visit.refused || self.shared.is_draining() {
            self.unavailable(false)
        } else {
            match self.ask_socketio(request, target, visit, is_upgrade).await {
                Ok(answer) => answer,
                Err(refusal) => self.refuse_socketio(refusal, is_upgrade),
            }
        };
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            add(&mut answer, cors);
        }
        answer
    }

    async fn ask_socketio(
        self: &Rc<Http>,
        request: Request<Incoming>,
        target: &Target<'_>,
        visit: &Rc<Visit>,
        is_upgrade: bool,
    ) -> Result<Answer, Refusal> {
        match url::parse(target, request.method().as_str(), is_upgrade)? {
            url::Request::Open { transport: Transport::Polling, notices } => {
                Ok(self.open_polling(&request, visit, notices))
            }
            url::Request::Open { transport, notices } => {
                let config = &self.shared.config.socketio;
                let now_ms = self.shared.clock.now_ms();
                let client = Client::new(
                    new_sid(&self.shared, self.shard),
                    transport,
                    config.key_rule(),
                    now_ms,
                    &config.timing,
                );
                let socket = Socket::new(Speaks::SocketIo(Box::new(client)), notices);
                Ok(self.upgrade(request, visit, self.shard, socket))
            }
            url::Request::Upgrade(sid) => {
                self.ask_session(url::Request::Upgrade(sid), sid).await?;
                let socket = Socket::new(Speaks::SocketIoProbe(Box::new(Probe::new(sid))), false);
                Ok(self.upgrade(request, visit, usize::from(sid.shard()), socket))
            }
            url::Request::Poll(sid) => self.poll(sid, visit).await,
            url::Request::Post(sid) => self.post(request, sid).await,
            url::Request::Preflight => {
                let requested = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).map(HeaderValue::as_bytes);
                let mut answer = text(StatusCode::NO_CONTENT, "");
                add(&mut answer, cors::preflight(requested));
                Ok(answer)
            }
        }
    }

    /// A session counts as a connection as long as it lives.
    fn open_polling(self: &Rc<Http>, request: &Request<Incoming>, visit: &Visit, notices: bool) -> Answer {
        let Some(own) = visit.ticket.take() else {
            return self.refuse(StatusCode::BAD_REQUEST, "This connection has been upgraded already.\n");
        };
        let (ticket, is_one_too_many) = own.another(self.told_address(request, visit.peer));
        visit.ticket.set(Some(own));
        if is_one_too_many {
            return self.unavailable(false);
        }
        let sid = new_sid(&self.shared, self.shard);
        self.shared.send(self.shard, mail(Letter::Open { sid, ticket, notices }));
        let timing = &self.shared.config.socketio.timing;
        packets(reply::open(&sid.text(), Transport::Polling, timing, CLIENT_MESSAGE_BYTES_MAX))
    }

    async fn poll(self: &Rc<Http>, sid: Sid, visit: &Rc<Visit>) -> Result<Answer, Refusal> {
        let shard = self.shard_of(sid)?;
        let Some(_long) = self.stay(visit) else {
            let why = "Too many answers wait at once: limits.http_streams is reached. Try again later.\n";
            let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, why);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return Ok(close_after(answer));
        };
        let (sender, receiver) = oneshot::channel();
        self.shared.send(shard, mail(Letter::Poll { sid, answer: sender }));
        let mut waiting = Waiting { http: self.clone(), shard, sid, receiver };
        let body = (&mut waiting.receiver).await.map_err(|_| Refusal::UnknownSid)??;
        let answer = packets(body);
        Ok(if self.shared.is_draining() { close_after(answer) } else { answer })
    }

    async fn post(self: &Rc<Http>, request: Request<Incoming>, sid: Sid) -> Result<Answer, Refusal> {
        let shard = self.shard_of(sid)?;
        self.ask_session(url::Request::Post(sid), sid).await?;
        let mut posting = Posting { http: self.clone(), shard, sid, is_over: false };
        let body = Limited::new(request.into_body(), CLIENT_MESSAGE_BYTES_MAX).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                self.counters().socketio_too_large.one();
                let status = StatusCode::from_u16(polling::TOO_LARGE).unwrap_or(StatusCode::PAYLOAD_TOO_LARGE);
                return Ok(close_after(text(status, "")));
            }
            Ok(Err(_)) => return Err(Refusal::BadRequest),
            Err(_) => return Ok(close_after(text(StatusCode::REQUEST_TIMEOUT, ""))),
        };
        let (sender, receiver) = oneshot::channel();
        posting.is_over = true;
        self.shared.send(shard, mail(Letter::Posted { sid, body: Some(body), answer: Some(sender) }));
        receiver.await.map_err(|_| Refusal::UnknownSid)?;
        Ok(answer(StatusCode::OK, polling::POSTED_CONTENT_TYPE, polling::POSTED))
    }

    /// Asks the session's shard whether it takes such a request now.
    async fn ask_session(self: &Rc<Http>, request: url::Request, sid: Sid) -> Result<(), Refusal> {
        let shard = self.shard_of(sid)?;
        let (sender, receiver) = oneshot::channel();
        self.shared.send(shard, mail(Letter::Admit { request, sid, answer: sender }));
        receiver.await.map_err(|_| Refusal::UnknownSid)?
    }

    fn shard_of(&self, sid: Sid) -> Result<usize, Refusal> {
        let shard = usize::from(sid.shard());
        if shard < self.shared.shards.len() { Ok(shard) } else { Err(Refusal::UnknownSid) }
    }

    fn refuse_socketio(&self, refusal: Refusal, is_upgrade: bool) -> Answer {
        let counters = self.counters();
        let counter = match refusal {
            Refusal::UnknownTransport => &counters.socketio_unknown_transport,
            Refusal::UnknownSid => &counters.socketio_unknown_sid,
            Refusal::BadHandshakeMethod => &counters.socketio_bad_method,
            Refusal::BadRequest => &counters.socketio_bad_request,
            Refusal::Forbidden => &counters.socketio_forbidden,
            Refusal::UnsupportedProtocol => &counters.socketio_unsupported,
        };
        counter.one();
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        match is_upgrade {
            true => close_after(text(status, refusal.message())),
            false => json(status, refusal.body()),
        }
    }
}

/// A poll that waits. What it was given and could not hand on goes back to the session: its client is gone.
struct Waiting {
    http: Rc<Http>,
    shard: usize,
    sid: Sid,
    receiver: oneshot::Receiver<Result<Vec<u8>, Refusal>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(Ok(packets)) = self.receiver.try_recv()
            && packets != NOOP.as_bytes()
        {
            self.http.shared.send(self.shard, mail(Letter::Unread { sid: self.sid, packets }));
        }
    }
}

/// A post under way. If its client leaves, the session may have another.
struct Posting {
    http: Rc<Http>,
    shard: usize,
    sid: Sid,
    is_over: bool,
}

impl Drop for Posting {
    fn drop(&mut self) {
        if !self.is_over {
            self.http.shared.send(self.shard, mail(Letter::Posted { sid: self.sid, body: None, answer: None }));
        }
    }
}

fn mail(letter: Letter) -> Mail {
    Mail::SocketIo(Box::new(letter))
}

fn packets(body: impl Into<Bytes>) -> Answer {
    let mut answer = answer(StatusCode::OK, polling::CONTENT_TYPE, body);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn add(answer: &mut Answer, headers: impl IntoIterator<Item = Header>) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}

fn asks_for_websocket(request: &Request<Incoming>) -> bool {
    let is_websocket = |token: &str| token.trim().eq_ignore_ascii_case("websocket");
    let lines = request.headers().get_all(UPGRADE).into_iter();
    lines.filter_map(|line| line.to_str().ok()).any(|line| line.split(',').any(is_websocket))
}
