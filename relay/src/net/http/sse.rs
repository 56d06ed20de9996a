//! Event streams: the channels of the stream dialect as an answer that goes on, for programs and proxies that know
//! nothing but HTTP.
//!
//! One task for each. It holds positions and one piece of text; the next piece is made when hyper has written that one,
//! so that a client which does not read costs no more and falls behind as any other.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use super::answer::{Answer, close_after, whole};
use super::hold::Listener;
use super::rest::not_stored;
use super::{Http, Long, Visit};
use crate::access::account::Entitlement;
use crate::fanout::follow::{After, Follower, Item, Step};
use crate::fanout::topics::Refused;
use crate::limits::SSE_CHUNK_BYTES_MAX;
use crate::wire::close::CloseReason;
use crate::wire::http::ip::IpKey;
use crate::wire::http::sse::{self as text, Ask, EventId, Last, RETRY_MS};
use crate::wire::http::target::Target;
use crate::wire::notice::Notice;

/// Proxies end answers that are silent for long.
const PING_INTERVAL_MAX: Duration = Duration::from_secs(15);

/// A client whose last piece took longer than this gets the newest instead of everything.
const BEHIND_AFTER: Duration = Duration::from_millis(250);

/// Between two looks at a publisher that is in the middle of something.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

impl Http {
    pub(super) fn event_stream(
        self: &Rc<Http>,
        request: &Request<Incoming>,
        target: &Target<'_>,
        visit: &Rc<Visit>,
        rights: &Entitlement,
    ) -> Answer {
        let last = request.headers().get("last-event-id").map(|id| id.to_str().unwrap_or("?"));
        let ask = match Ask::read(target, last, self.shared.config.profile) {
            Ok(ask) => ask,
            Err(why) => return self.deny(StatusCode::BAD_REQUEST, &why.to_string()),
        };
        if let Some(name) = ask.names.iter().find(|name| !rights.allows_topic(name.text())) {
            return self.deny_stream(name.text(), Refused::NotAllowed);
        }
        if request.method() == Method::HEAD {
            return event_answer(whole(""));
        }
        let client = match Client::open(self, &ask, self.payer(request, visit)) {
            Ok(client) => client,
            Err(refusal) => return *refusal,
        };
        let long = match self.seat(request, visit) {
            Ok(long) => long,
            Err(refusal) => return *refusal,
        };
        let (sender, receiver) = mpsc::channel(1);
        tokio::task::spawn_local(client.run(sender, long));
        event_answer(Pieces(receiver).boxed_unsync())
    }
}

/// When it ends, so does the connection: what else would it be for.
fn event_answer(body: super::answer::Body) -> Answer {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    close_after(not_stored(answer))
}

/// The body as hyper takes it.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Text on its way; the room it takes is free when hyper drops it, having written it.
struct Piece {
    text: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

struct Client {
    http: Rc<Http>,
    listener: Listener,
    follower: Follower,
    notices: bool,
    /// A stream that begins afresh has a comment of its own: the reason is not that of all.
    says_gaps: bool,
    /// It was slow, and has not caught up since.
    behind: bool,
    ends: Option<Instant>,
    /// What is to be sent next.
    text: Vec<u8>,
}

/// What follows when the text has been sent.
enum Next {
    /// Something may have come meanwhile.
    Look,
    /// Nothing, until there is news.
    Wait,
    Settle,
    End,
}

impl Client {
    fn open(http: &Rc<Http>, ask: &Ask, payer: Option<IpKey>) -> Result<Client, Box<Answer>> {
        let mut listener = Listener::new(http.shared.clone());
        let (mut channels, mut unknown, mut refused) = (Vec::new(), Vec::new(), None);
        for name in &ask.names {
            match listener.hold(name, payer) {
                Ok(channel) => channels.push(channel),
                Err(Refused::NoUpstream) => unknown.push(name.text()),
                Err(why) => refused = Some((name.text(), why)),
            }
        }
        if !unknown.is_empty() || refused.is_some() {
            return Err(Box::new(http.deny_streams(&unknown, refused)));
        }
        let mut text = Vec::new();
        text::retry(RETRY_MS, &mut text);
        let after = match ask.last {
            Last::Nothing => After::Nothing,
            Last::Id(EventId { epoch, .. }) if epoch != http.shared.holds.epoch => {
                text::comment("the relay was started anew since that id: the streams begin afresh", &mut text);
                After::Unknown
            }
            // Every id that was given away was told to the publishers before.
            Last::Id(EventId { stamp, .. }) if stamp > http.shared.topics.stamps().told() => {
                text::comment("the relay has not given that id yet: the streams begin afresh", &mut text);
                After::Unknown
            }
            Last::Id(EventId { stamp, .. }) => After::Stamp(stamp),
            Last::Alien => {
                text::comment("the id is none of this relay: the streams begin afresh", &mut text);
                After::Unknown
            }
        };
        let says_gaps = matches!(after, After::Stamp(_));
        let mut follower = Follower::default();
        channels.into_iter().for_each(|channel| follower.add(channel, after));
        let ends = http.shared.config.limits.lifetime.map(|lifetime| Instant::now() + lifetime);
        Ok(Client {
            http: http.clone(),
            listener,
            follower,
            notices: ask.notices,
            says_gaps,
            behind: false,
            ends,
            text,
        })
    }

    /// Until the client leaves, is too slow, or the relay stops.
    async fn run(mut self, sender: mpsc::Sender<Bytes>, long: Long) {
        let limits = &self.http.shared.config.limits;
        let (ping, patience) = (limits.ping_interval.min(PING_INTERVAL_MAX), limits.write_timeout);
        let room = Arc::new(Semaphore::new(1));
        loop {
            let asked = Instant::now();
            let permit = tokio::select! {
                permit = room.clone().acquire_owned() => permit.expect("it is never closed"),
                () = sender.closed() => return,
                () = tokio::time::sleep(patience) => {
                    // What hyper cannot write it would hold on to.
                    self.http.counters().http_stalled.one();
                    return long.cut();
                }
            };
            self.behind |= asked.elapsed() > BEHIND_AFTER;
            let next = self.compose();
            if !self.text.is_empty() {
                let text = std::mem::take(&mut self.text);
                self.http.counters().http_stream_bytes.add(text.len() as u64);
                if sender.send(Bytes::from_owner(Piece { text, _room: permit })).await.is_err() {
                    return;
                }
            }
            match next {
                Next::Look => tokio::task::yield_now().await,
                Next::Settle => tokio::time::sleep(SETTLE_PAUSE).await,
                Next::Wait => tokio::select! {
                    () = self.listener.news() => {}
                    () = tokio::time::sleep(ping) => text::comment("ping", &mut self.text),
                    () = sender.closed() => return,
                    () = sleep_until(self.ends) => {}
                },
                Next::End => break,
            }
        }
        // No more is to come; the place stays taken until the last piece is out.
        drop(sender);
        if tokio::time::timeout(patience, room.acquire()).await.is_err() {
            self.http.counters().http_stalled.one();
            long.cut();
        }
    }

    /// Not everybody is to come back at once: the next relay may just be starting.
    fn spread_ms(&self, is_draining: bool) -> u64 {
        let most = if is_draining { self.http.shared.config.drain.as_millis() as u64 } else { 0 };
        RandomState::new().hash_one(()) % (most + 1)
    }

    /// Makes the next piece of text.
    fn compose(&mut self) -> Next {
        let is_draining = self.http.shared.is_draining();
        if is_draining || self.ends.is_some_and(|ends| Instant::now() >= ends) {
            let why = if is_draining { "the relay stops" } else { "the lifetime of a connection is over" };
            text::comment(&format!("{why}, come back"), &mut self.text);
            text::retry(RETRY_MS + self.spread_ms(is_draining), &mut self.text);
            return Next::End;
        }
        let Client { http, follower, notices, says_gaps, behind, text, .. } = self;
        let mut composer = Composer {
            epoch: http.shared.holds.epoch,
            calendar_ms: http.shared.clock.calendar_ms(),
            notices: *notices,
            says_gaps: *says_gaps,
            text,
            delivered: 0,
            skipped: 0,
        };
        let step = follower.read(http.shared.topics.stamps(), *behind, &mut |item| composer.take(item));
        http.counters().http_delivered.add(composer.delivered);
        http.counters().http_skipped.add(composer.skipped);
        if text.capacity() > text.len() + text.len() / 2 {
            text.shrink_to_fit();
        }
        match step {
            Step::CaughtUp => {
                *behind = false;
                Next::Wait
            }
            Step::More => Next::Look,
            Step::Unsettled => Next::Settle,
            Step::TooSlow(stream) => {
                http.counters().http_too_slow.one();
                text::error(CloseReason::TooSlow, &stream, text);
                Next::End
            }
        }
    }
}

/// Writes items until a piece is full.
struct Composer<'a> {
    epoch: u64,
    calendar_ms: u64,
    notices: bool,
    says_gaps: bool,
    text: &'a mut Vec<u8>,
    delivered: u64,
    skipped: u64,
}

impl Composer<'_> {
    fn take(&mut self, item: Item<'_>) -> bool {
        let needed = match item {
            Item::Frame { name, payload, .. } => text::frame_bytes(name, payload),
            // A comment and a notice.
            Item::Skipped { name, .. } | Item::Gap { name, .. } | Item::Condition { name, .. } => 300 + 3 * name.len(),
        };
        if !self.text.is_empty() && self.text.len() + needed > SSE_CHUNK_BYTES_MAX {
            return false;
        }
        let notice = |channel, state| Notice { time_ms: self.calendar_ms, channel, state, skipped: 0, from: 0, to: 0 };
        match item {
            Item::Frame { name, stamp, payload } => {
                self.delivered += 1;
                text::frame(EventId { epoch: self.epoch, stamp }, name, payload, self.text);
            }
            Item::Skipped { name, state, from, to } => {
                let skipped = to - from + 1;
                self.skipped += skipped;
                if self.notices {
                    text::told(&Notice { skipped, from, to, ..notice(name, state) }, self.text);
                }
            }
            Item::Gap { name, state, start } => {
                if self.says_gaps {
                    text::comment(&format!("{name} begins afresh: its log does not reach back to that id"), self.text);
                }
                if self.notices {
                    text::told_gap(&notice(name, state), start, self.text);
                }
            }
            Item::Condition { name, state, position } if self.notices => {
                text::told(&Notice { from: position, to: position, ..notice(name, state) }, self.text);
            }
            Item::Condition { .. } => {}
        }
        true
    }
}

async fn sleep_until(ends: Option<Instant>) {
    match ends {
        Some(ends) => tokio::time::sleep_until(ends).await,
        None => std::future::pending().await,
    }
}
