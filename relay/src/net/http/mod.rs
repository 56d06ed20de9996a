//! HTTP on the public port: upgrades to WebSocket, requests that are answered at once, and answers that stay open.
//!
//! A connection is served by one task. While it is at work it has one of the places for handshakes; an answer that
//! stays open (a poll that waits, a stream of events) gives that up for one of the places of its own kind.

mod access;
mod answer;
mod cors;
mod gaps;
pub mod hold;
mod hub;
mod place;
mod rest;
mod socketio;
mod sse;
mod upgrade;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{HeaderValue, ORIGIN, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use self::answer::{Answer, close_after, error, index, text};
use self::cors::is_api;
pub use self::place::{Long, Phase, Place, Progress};
use super::admission::Ticket;
use super::shared::Shared;
use crate::access::rest::Route;
use crate::config::Forwarded;
use crate::limits::REQUEST_HEAD_BYTES_MAX;
use crate::metrics::ShardCounters;
use crate::wire::deriv::url as deriv;
use crate::wire::http::forwarded;
use crate::wire::http::ip::IpKey;
use crate::wire::http::target::Target;
use crate::wire::socketio::cors::Origins;
use crate::wire::socketio::url as currency;

/// What the HTTP tasks of one shard share.
pub struct Http {
    pub(super) shared: Arc<Shared>,
    pub(super) shard: usize,
    /// Requests in work, by address.
    places: RefCell<HashMap<IpKey, usize>>,
    /// Answers that stay open.
    longs: Cell<usize>,
    /// Pages that may read what the Socket.IO dialect answers.
    origins: Origins,
}

/// A request that is whole and waits to be read.
pub struct Waiting {
    pub ticket: Ticket,
    /// It is one too many: whatever it asks, the answer is 503.
    pub refused: bool,
    /// Our own end of the connection knows the peer; a proxy may know better.
    pub peer: IpAddr,
    pub place: Place,
    pub progress: Rc<Progress>,
}

/// One connection while it speaks HTTP.
pub(super) struct Visit {
    pub ticket: Cell<Option<Ticket>>,
    refused: bool,
    peer: IpAddr,
    /// The client's address as the connection has it, and whether it is this machine itself.
    client: (IpKey, bool),
    place: Cell<Option<Place>>,
    progress: Rc<Progress>,
    /// Ends the connection, whatever hyper still has for it.
    cut: tokio::sync::Notify,
}

impl Http {
    pub fn new(shared: Arc<Shared>, shard: usize) -> Rc<Http> {
        let origins = socketio::origins(&shared);
        Rc::new(Http { shared, shard, places: RefCell::default(), longs: Cell::new(0), origins })
    }

    pub(super) fn counters(&self) -> &ShardCounters {
        &self.shared.metrics.shards[self.shard].counters
    }
}

/// One connection's HTTP, until it is upgraded or over.
pub async fn serve(http: Rc<Http>, stream: TcpStream, waiting: Waiting) {
    let Waiting { ticket, refused, peer, place, progress } = waiting;
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
    let keepalive = http.shared.config.limits.keepalive;
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(keepalive).max_buf_size(REQUEST_HEAD_BYTES_MAX);
    let cut = tokio::sync::Notify::new();
    let client = (ticket.ip(), ticket.is_loopback());
    let place = Cell::new(Some(place));
    let visit = Visit { ticket: Cell::new(Some(ticket)), refused, peer, client, place, progress, cut };
    let visit = Rc::new(visit);
    let watched = visit.clone();
    let service = service_fn(|request| {
        let (http, visit) = (http.clone(), visit.clone());
        async move {
            http.set(&visit, Phase::Busy);
            let answer = http.answer(request, &visit).await;
            if answer.status() != StatusCode::SWITCHING_PROTOCOLS && visit.progress.phase() == Phase::Busy {
                http.set(&visit, Phase::Idle);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    tokio::select! {
        // Errors here are the client's: it left, or what it sent is no HTTP; hyper has answered as far as possible.
        _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades() => {}
        () = watched.cut.notified() => {}
    }
}

impl Http {
    async fn answer(self: &Rc<Http>, request: Request<Incoming>, visit: &Rc<Visit>) -> Answer {
        self.counters().http_requests.one();
        let target = request.uri().to_string();
        let target = Target::parse(&target);
        // Browsers are to read its refusals as well.
        if let Ok(target) = &target
            && currency::is_path(&target.path(), &self.shared.config.socketio.path)
        {
            return self.socketio(request, target, visit).await;
        }
        // As it is routed: an escape in it changes nothing.
        let path = target.as_ref().map_or(request.uri().path().into(), Target::path);
        let (cors, answer) = self.cors(&request, &path);
        let answer = match (answer, target) {
            (Some(answer), _) => answer,
            (None, Ok(target)) => self.route(request, &target, visit).await,
            (None, Err(_)) => self.refuse(StatusCode::BAD_REQUEST, "The request target is not valid.\n"),
        };
        cors.on(answer)
    }

    async fn route(self: &Rc<Http>, request: Request<Incoming>, target: &Target<'_>, visit: &Rc<Visit>) -> Answer {
        let is_api = is_api(&target.path());
        if visit.refused || self.shared.is_draining() {
            return self.unavailable(is_api);
        }
        if let Some(answer) = self.rest(&request, target, visit).await {
            return answer;
        }
        match &*target.path() {
            "/" => index(&self.shared),
            // Anybody else there asks for a WebSocket: `test` is no stream's name, so it is as good as `/ws`.
            "/ws/test" if request.method() == Method::POST || request.method() == Method::OPTIONS => {
                self.test(request, visit).await
            }
            _ if let Some(route) = Route::of(target) => self.listen(request, target, route, visit).await,
            _ if deriv::is_deriv(target) => self.open_deriv(request, target, visit),
            path if is_api && path != "/ws/test" => self.deny(
                StatusCode::NOT_FOUND,
                "Nothing is here: /api/v1/snapshot/<stream>, /api/v1/topics, /api/v1/gaps, /sse",
            ),
            _ => self.open_socket(request, target, visit),
        }
    }

    fn unavailable(&self, is_api: bool) -> Answer {
        let (counter, why) = if self.shared.is_draining() {
            (&self.counters().refused_drain, "The relay is stopping; another one is there already or soon.\n")
        } else {
            (&self.counters().refused_full, "The relay is full: connections_max is reached. Try again later.\n")
        };
        counter.one();
        let mut answer = match is_api {
            true => error(StatusCode::SERVICE_UNAVAILABLE, why.trim_end()),
            false => text(StatusCode::SERVICE_UNAVAILABLE, why),
        };
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        close_after(answer)
    }

    fn refuse(&self, status: StatusCode, why: &str) -> Answer {
        self.counters().refused_request.one();
        close_after(text(status, why))
    }

    /// Without a list every page may connect, and who sends no Origin is no page.
    fn origin_is_welcome(&self, request: &Request<Incoming>) -> bool {
        let origins = &self.shared.config.edge.origins;
        let Some(origin) = request.headers().get(ORIGIN) else { return true };
        origins.is_empty() || origin.to_str().is_ok_and(|origin| origins.iter().any(|one| one.matches(origin)))
    }

    /// The client's address, if the peer is one of our proxies and says it.
    fn told_address<B>(&self, request: &Request<B>, peer: IpAddr) -> Option<IpAddr> {
        let edge = &self.shared.config.edge;
        let Some(Forwarded::Header(name)) = &edge.forwarded else { return None };
        if !edge.trusted_proxies.iter().any(|proxies| proxies.contains(peer)) {
            return None;
        }
        let lines: Vec<&str> = request.headers().get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
        forwarded::client_ip(lines.into_iter(), 1)
    }
}
