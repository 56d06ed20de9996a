//! From a request to a WebSocket connection of a shard.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;

use super::answer::{Answer, close_after, json, text, whole};
use super::{Http, Visit};
use crate::access::account::Entitlement;
use crate::net::conn::Speaks;
use crate::net::deriv::Client;
use crate::net::shard::Opening;
use crate::net::shared::Mail;
use crate::wire::deriv::url as deriv;
use crate::wire::dialect::Dialect;
use crate::wire::http::handshake;
use crate::wire::http::ip::{IpKey, is_loopback};
use crate::wire::http::target::Target;
use crate::wire::stream::url::{self, Entry, Url};

impl Http {
    /// The stream dialect's paths, and whatever is none.
    pub(super) fn open_socket(
        self: &Rc<Http>,
        request: Request<Incoming>,
        target: &Target<'_>,
        visit: &Rc<Visit>,
    ) -> Answer {
        let profile = self.shared.config.profile;
        let (entry, echo) = if target.path() == "/echo" && self.shared.config.echo {
            (Ok(Url { entry: Entry::Plain, combined: false, notices: false }), true)
        } else {
            (url::parse(target, profile), false)
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
        let (names, bad) = match entry {
            Entry::Plain | Entry::NotStream => (Vec::new(), Vec::new()),
            Entry::Raw(names, bad) | Entry::Combined(names, bad) => (names, bad),
            Entry::ListenKey(key) => return self.open_user(request, &key, combined, notices, visit),
        };
        let speaks = match (echo, names.is_empty() && bad.is_empty() && !combined) {
            (true, _) => Speaks::Echo,
            (false, true) => Speaks::Undecided,
            (false, false) => Speaks::Stream,
        };
        let dialects: &[Dialect] = match speaks {
            Speaks::Undecided => &[Dialect::Stream, Dialect::Hub],
            _ => &[Dialect::Stream],
        };
        let rights = match self.admit(&request, visit, dialects) {
            Ok(rights) => rights,
            Err(refusal) => return refusal,
        };
        let socket = Socket { speaks, combined, notices, names, bad, rights };
        self.upgrade(request, visit, self.shard, socket)
    }

    /// A user data stream. Its listen key stands for the account's API key; one that comes as well has to be good.
    fn open_user(
        self: &Rc<Http>,
        request: Request<Incoming>,
        key: &str,
        combined: bool,
        notices: bool,
        visit: &Rc<Visit>,
    ) -> Answer {
        if let Err(refusal) = self.check_upgrade(&request) {
            return refusal;
        }
        let Some(opened) = self.shared.open_user(key) else {
            self.counters().refused_listen_key.one();
            return close_after(json(StatusCode::UNAUTHORIZED, r#"{"code":401,"msg":"Unauthorized"}"#));
        };
        if let Err(refusal) = self.judge(&request, visit) {
            return refusal;
        }
        let rights = self.shared.config.access.accounts.entitlement(opened.topic.account());
        let speaks = Speaks::User(Box::new(vec![opened]));
        let socket = Socket { combined, rights, ..Socket::new(speaks, notices) };
        self.upgrade(request, visit, self.shard, socket)
    }

    /// The Deriv dialect's one path.
    pub(super) fn open_deriv(
        self: &Rc<Http>,
        request: Request<Incoming>,
        target: &Target<'_>,
        visit: &Rc<Visit>,
    ) -> Answer {
        let url = match deriv::parse(target) {
            Ok(url) => url,
            Err(error) => return self.refuse(StatusCode::UNAUTHORIZED, &format!("{error}\n")),
        };
        let rights = match self.admit(&request, visit, &[Dialect::Deriv]) {
            Ok(rights) => rights,
            Err(refusal) => return refusal,
        };
        let client = Client::new(self.shared.config.deriv.app_ids.allow(url.app_id));
        let socket = Socket { rights, ..Socket::new(Speaks::Deriv(Box::new(client)), url.notices) };
        self.upgrade(request, visit, self.shard, socket)
    }

    /// Answers an upgrade and hands the socket to a shard, if nothing is against it.
    pub(in crate::net) fn upgrade(
        self: &Rc<Http>,
        mut request: Request<Incoming>,
        visit: &Rc<Visit>,
        shard: usize,
        socket: Socket,
    ) -> Answer {
        let accept = match self.check_upgrade(&request) {
            Ok(accept) => accept,
            Err(refusal) => return refusal,
        };
        let Some(mut ticket) = visit.ticket.take() else {
            return self.refuse(StatusCode::BAD_REQUEST, "This connection has been upgraded already.\n");
        };
        if let Some(ip) = self.told_address(&request, visit.peer) {
            ticket.set_ip(IpKey::from(ip), is_loopback(ip));
        }
        if !ticket.take_account(&socket.rights) {
            return self.too_many_of_account(socket.speaks.dialect());
        }
        if socket.speaks.is_stream() && !ticket.take_place() {
            self.counters().refused_ip.one();
            return close_after(json(
                StatusCode::TOO_MANY_REQUESTS,
                r#"{"code":429,"msg":"Too many connections from this address"}"#,
            ));
        }
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::task::spawn_local(take_back(self.clone(), upgraded, shard, ticket, socket));
        let mut answer = Response::new(whole(Bytes::new()));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        answer
    }

    /// Whether this is an upgrade that may be granted; the value of `Sec-WebSocket-Accept`, or the refusal.
    #[allow(clippy::result_large_err)] // Once for each request, and the refusal is what is answered.
    fn check_upgrade(&self, request: &Request<Incoming>) -> Result<HeaderValue, Answer> {
        let version = match request.version() {
            Version::HTTP_10 => (1, 0),
            _ => (1, 1),
        };
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let upgrade = handshake::upgrade(request.method().as_str(), version, headers)
            .map_err(|refusal| self.refuse_upgrade(&refusal))?;
        if !self.origin_is_welcome(request) {
            self.counters().refused_origin.one();
            let why = "This Origin is not on the list of edge.origins.\n";
            return Err(close_after(text(StatusCode::FORBIDDEN, why)));
        }
        Ok(HeaderValue::try_from(upgrade.accept).expect("base64 is a valid header value"))
    }

    fn refuse_upgrade(&self, refusal: &handshake::Refusal) -> Answer {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = self.refuse(status, &format!("{}\n", refusal.text));
        for (name, value) in refusal.headers {
            answer.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        answer
    }
}

/// What a connection will be once it is upgraded.
pub(in crate::net) struct Socket {
    pub speaks: Speaks,
    pub combined: bool,
    pub notices: bool,
    pub names: Vec<crate::wire::stream::name::Name>,
    pub bad: Vec<String>,
    pub rights: Entitlement,
}

impl Socket {
    /// One that subscribes to nothing by its URL and may do everything.
    pub fn new(speaks: Speaks, notices: bool) -> Socket {
        let (names, bad, rights) = (Vec::new(), Vec::new(), Entitlement::default());
        Socket { speaks, combined: false, notices, names, bad, rights }
    }
}

/// Waits until hyper let the socket go, then gives it to the shard as plain data.
async fn take_back(
    http: Rc<Http>,
    upgraded: hyper::upgrade::OnUpgrade,
    shard: usize,
    ticket: crate::net::admission::Ticket,
    socket: Socket,
) {
    // The client left before the answer was written: the ticket goes with this task.
    let Ok(upgraded) = upgraded.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<tokio::net::TcpStream>>() else {
        tracing::error!("an upgraded connection is not the socket it came on");
        return;
    };
    let Ok(stream) = parts.io.into_inner().into_std() else { return };
    let fd: OwnedFd = stream.into();
    let Socket { speaks, combined, notices, names, bad, .. } = socket;
    let opening = Opening { fd, ticket, speaks, combined, notices, names, bad, early: parts.read_buf };
    http.shared.send(shard, Mail::Open(Box::new(opening)));
}
