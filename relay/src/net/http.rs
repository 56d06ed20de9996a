//! HTTP on the public port: the upgrade, and a page for whoever opens it in a browser.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::admission::Ticket;
use super::conn::Dialect;
use super::shard::Opening;
use super::shared::{Mail, Shared};
use crate::config::Forwarded;
use crate::limits::REQUEST_HEAD_BYTES_MAX;
use crate::metrics::ShardCounters;
use crate::wire::http::forwarded;
use crate::wire::http::handshake;
use crate::wire::http::ip::{IpKey, is_loopback};
use crate::wire::http::target::Target;
use crate::wire::stream::url::{self, Entry, Url};

/// What the HTTP tasks of one shard share.
pub struct Http {
    shared: Arc<Shared>,
    shard: usize,
    /// Requests in work, by address.
    places: RefCell<HashMap<IpKey, usize>>,
}

/// A request that is whole and waits to be read.
pub struct Waiting {
    pub ticket: Ticket,
    /// It is one too many: whatever it asks, the answer is 503.
    pub refused: bool,
    /// Our own end of the connection knows the peer; a proxy may know better.
    pub peer: IpAddr,
    pub place: Place,
    /// Set while it has been answered and stays connected.
    pub idle: Rc<Cell<bool>>,
}

/// A place among the requests of one address; given back when dropped.
pub struct Place {
    http: Rc<Http>,
    ip: IpKey,
}

type Answer = Response<Full<Bytes>>;

impl Http {
    pub fn new(shared: Arc<Shared>, shard: usize) -> Rc<Http> {
        Rc::new(Http { shared, shard, places: RefCell::default() })
    }

    pub fn places(&self, ip: IpKey) -> usize {
        self.places.borrow().get(&ip).copied().unwrap_or(0)
    }

    pub fn take_place(self: &Rc<Http>, ip: IpKey) -> Place {
        *self.places.borrow_mut().entry(ip).or_default() += 1;
        Place { http: self.clone(), ip }
    }

    fn counters(&self) -> &ShardCounters {
        &self.shared.metrics.shards[self.shard].counters
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.http.places.borrow_mut();
        if let Some(count) = places.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                places.remove(&self.ip);
            }
        }
    }
}

/// One connection's HTTP, until it is upgraded or over.
pub async fn serve(http: Rc<Http>, stream: TcpStream, waiting: Waiting) {
    let Waiting { ticket, refused, peer, place, idle } = waiting;
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
    let ticket = Rc::new(Cell::new(Some(ticket)));
    let keepalive = http.shared.config.limits.keepalive;
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(keepalive).max_buf_size(REQUEST_HEAD_BYTES_MAX);
    let context = http.clone();
    let service = service_fn(move |request| {
        let answer = context.answer(request, &ticket, refused, peer);
        idle.set(answer.status() != StatusCode::SWITCHING_PROTOCOLS);
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    // Errors here are the client's: it left, or what it sent is no HTTP; hyper has answered as far as possible.
    let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    drop(place);
}

impl Http {
    fn answer(
        self: &Rc<Http>,
        mut request: Request<Incoming>,
        ticket: &Rc<Cell<Option<Ticket>>>,
        refused: bool,
        peer: IpAddr,
    ) -> Answer {
        self.counters().http_requests.one();
        if refused || self.shared.is_draining() {
            let (counter, why) = if self.shared.is_draining() {
                (&self.counters().refused_drain, "The relay is stopping; another one is there already or soon.\n")
            } else {
                (&self.counters().refused_full, "The relay is full: connections_max is reached. Try again later.\n")
            };
            counter.one();
            let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, why);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return close_after(answer);
        }
        let target = request.uri().to_string();
        let Ok(target) = Target::parse(&target) else {
            return self.refuse(StatusCode::BAD_REQUEST, "The request target is not valid.\n");
        };
        let path = target.path();
        if path == "/" {
            return index(&self.shared);
        }
        let profile = self.shared.config.profile;
        let (entry, dialect) = if path == "/echo" && self.shared.config.echo {
            (Ok(Url { entry: Entry::Plain, combined: false, notices: false }), Dialect::Echo)
        } else {
            (url::parse(&target, profile), Dialect::Stream)
        };
        let Url { entry, combined, notices } = match entry {
            Ok(Url { entry: Entry::NotStream, .. }) => {
                return text(
                    StatusCode::NOT_FOUND,
                    "Nothing is here. WebSocket: /ws, /ws/<stream>/<stream>, /stream?streams=<stream>/<stream>\n",
                );
            }
            Ok(url) => url,
            Err(error) => {
                self.counters().refused_names.one();
                return close_after(text(StatusCode::BAD_REQUEST, &format!("{error}\n")));
            }
        };
        let version = match request.version() {
            Version::HTTP_10 => (1, 0),
            _ => (1, 1),
        };
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let upgrade = match handshake::upgrade(request.method().as_str(), version, headers) {
            Ok(upgrade) => upgrade,
            Err(refusal) => return self.refuse_upgrade(&refusal),
        };
        if !self.origin_is_welcome(&request) {
            self.counters().refused_origin.one();
            return close_after(text(StatusCode::FORBIDDEN, "This Origin is not on the list of edge.origins.\n"));
        }
        let (names, bad) = match entry {
            Entry::Plain | Entry::NotStream => (Vec::new(), Vec::new()),
            Entry::Raw(names, bad) | Entry::Combined(names, bad) => (names, bad),
            Entry::ListenKey(_) => {
                // User data streams come later; until then no key is valid.
                self.counters().refused_listen_key.one();
                return close_after(json(StatusCode::UNAUTHORIZED, r#"{"code":401,"msg":"Unauthorized"}"#));
            }
        };
        let Some(mut ticket) = ticket.take() else {
            return self.refuse(StatusCode::BAD_REQUEST, "This connection has been upgraded already.\n");
        };
        if let Some(ip) = self.told_address(&request, peer) {
            ticket.set_ip(IpKey::from(ip), is_loopback(ip));
        }
        if dialect == Dialect::Stream && !ticket.take_place() {
            self.counters().refused_ip.one();
            return close_after(json(
                StatusCode::TOO_MANY_REQUESTS,
                r#"{"code":429,"msg":"Too many connections from this address"}"#,
            ));
        }
        let open = move |fd, early| Opening { fd, ticket, dialect, combined, notices, names, bad, early };
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::task::spawn_local(take_back(self.clone(), upgraded, open));
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let accept = HeaderValue::try_from(upgrade.accept).expect("base64 is a valid header value");
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        answer
    }
}

impl Http {
    fn refuse(&self, status: StatusCode, why: &str) -> Answer {
        self.counters().refused_request.one();
        close_after(text(status, why))
    }

    fn refuse_upgrade(&self, refusal: &handshake::Refusal) -> Answer {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = self.refuse(status, &format!("{}\n", refusal.text));
        for (name, value) in refusal.headers {
            answer.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        answer
    }

    /// Without a list every page may connect, and who sends no Origin is no page.
    fn origin_is_welcome(&self, request: &Request<Incoming>) -> bool {
        let origins = &self.shared.config.edge.origins;
        let Some(origin) = request.headers().get(ORIGIN) else { return true };
        origins.is_empty() || origin.to_str().is_ok_and(|origin| origins.iter().any(|one| one.matches(origin)))
    }

    /// The client's address, if the peer is one of our proxies and says it.
    fn told_address(&self, request: &Request<Incoming>, peer: IpAddr) -> Option<IpAddr> {
        let edge = &self.shared.config.edge;
        let Some(Forwarded::Header(name)) = &edge.forwarded else { return None };
        if !edge.trusted_proxies.iter().any(|proxies| proxies.contains(peer)) {
            return None;
        }
        let lines: Vec<&str> = request.headers().get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
        forwarded::client_ip(lines.into_iter(), 1)
    }
}

/// Waits until hyper let the socket go, then gives it to the shard as plain data.
async fn take_back(http: Rc<Http>, upgraded: hyper::upgrade::OnUpgrade, open: impl FnOnce(OwnedFd, Bytes) -> Opening) {
    // The client left before the answer was written: the ticket goes with the closure.
    let Ok(upgraded) = upgraded.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<tokio::net::TcpStream>>() else {
        tracing::error!("an upgraded connection is not the socket it came on");
        return;
    };
    let Ok(stream) = parts.io.into_inner().into_std() else { return };
    http.shared.shards[http.shard].send(Mail::Open(Box::new(open(stream.into(), parts.read_buf))));
}

fn text(status: StatusCode, body: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", body)
}

fn json(status: StatusCode, body: &str) -> Answer {
    answer(status, "application/json", body)
}

fn answer(status: StatusCode, kind: &'static str, body: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Whoever was refused frees its place.
fn close_after(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The page one opens first.
fn index(shared: &Shared) -> Answer {
    let upstreams: Vec<&str> = shared.config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    let body = include_str!("index.html")
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{upstreams}", &upstreams.join(", "));
    answer(StatusCode::OK, "text/html; charset=utf-8", &body)
}
