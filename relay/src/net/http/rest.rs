//! Snapshots and lists over plain HTTP, and what their answers have in common with event streams.

use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, close_after, error, json};
use super::hold::Listener;
use super::{Http, Long, Visit};
use crate::access::account::Entitlement;
use crate::fanout::channel::Channel;
use crate::fanout::topics::{Refused, Row};
use crate::limits::{TOPIC_ROWS_AT_ONCE, TOPIC_ROWS_MAX};
use crate::wire::dialect::Dialect;
use crate::wire::http::ip::{IpKey, is_loopback};
use crate::wire::http::target::Target;
use crate::wire::json::write_string;
use crate::wire::stream::name::Name;

/// How long the first frame of a stream is waited for.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(3);

/// Rows of a list when nobody says how many.
const ROWS: usize = 1000;

impl Http {
    /// The answer to what is asked below `/api/v1` and `/sse`; none if the path is another one.
    pub(super) async fn rest(
        self: &Rc<Http>,
        request: &Request<Incoming>,
        target: &Target<'_>,
        visit: &Rc<Visit>,
    ) -> Option<Answer> {
        let path = target.path();
        let path = path.trim_end_matches('/');
        let stream = match path {
            "/api/v1/topics" | "/api/v1/gaps" | "/sse" | "/api/v1/snapshot" => None,
            _ => Some(path.strip_prefix("/api/v1/snapshot/")?),
        };
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Some(self.only_get());
        }
        let rights = match self.admit(request, visit, &[Dialect::Stream]) {
            Ok(rights) => rights,
            Err(refusal) => return Some(refusal),
        };
        Some(match (path, stream) {
            ("/api/v1/topics", _) => self.topics(target, &rights).await,
            ("/api/v1/gaps", _) => self.missed(target, &rights),
            ("/sse", _) => self.event_stream(request, target, visit, &rights),
            (_, stream) => self.snapshot(stream.unwrap_or_default(), request, visit, &rights).await,
        })
    }

    /// The newest frame of a stream.
    async fn snapshot(
        self: &Rc<Http>,
        stream: &str,
        request: &Request<Incoming>,
        visit: &Rc<Visit>,
        rights: &Entitlement,
    ) -> Answer {
        let Ok(name) = Name::parse(stream, self.shared.config.profile) else {
            return self.deny(StatusCode::BAD_REQUEST, &format!("Invalid stream: {stream}"));
        };
        if !rights.allows_topic(name.text()) {
            return self.deny_stream(name.text(), Refused::NotAllowed);
        }
        let mut listener = Listener::new(self.shared.clone());
        let channel = match listener.hold(&name, self.payer(request, visit)) {
            Ok(channel) => channel,
            Err(why) => return self.deny_stream(name.text(), why),
        };
        if let Some(answer) = self.newest(&channel) {
            return answer;
        }
        // From here on it is one of those who wait.
        let _long = match self.seat(request, visit) {
            Ok(long) => long,
            Err(refusal) => return *refusal,
        };
        let deadline = tokio::time::Instant::now() + SNAPSHOT_WAIT;
        let answer = loop {
            tokio::select! {
                () = listener.news() => {}
                () = tokio::time::sleep_until(deadline) => {
                    self.counters().http_timeouts.one();
                    let why = format!("No data of {} within {} s", name.text(), SNAPSHOT_WAIT.as_secs());
                    break error(StatusCode::GATEWAY_TIMEOUT, &why);
                }
            }
            if let Some(answer) = self.newest(&channel) {
                break answer;
            }
            if self.shared.is_draining() {
                break self.unavailable(true);
            }
        };
        self.free_place(visit);
        answer
    }

    /// The newest frame of a channel as an answer, if there is one.
    fn newest(&self, channel: &Channel) -> Option<Answer> {
        let mut cursor = loop {
            let head = channel.log.head().checked_sub(1)?;
            // The writer may trim between the two; then there is a newer frame.
            if let Ok(cursor) = channel.log.cursor(head) {
                break cursor;
            }
        };
        let record = cursor.next()?;
        let mut body = Vec::with_capacity(record.payload.len() + 256);
        body.extend_from_slice(b"{\"stream\":");
        write_string(&channel.name, &mut body);
        let (seq, time, state) = (record.seq, self.shared.calendar_ms(record.stamp_ns), channel.condition().name());
        append(&mut body, format_args!(",\"seq\":{seq},\"time\":{time},\"state\":\"{state}\",\"data\":"));
        body.extend_from_slice(record.payload);
        body.extend_from_slice(b"}\n");
        Some(not_stored(json(StatusCode::OK, body)))
    }

    /// The names that the relay knows now, a page at a time.
    async fn topics(&self, target: &Target<'_>, rights: &Entitlement) -> Answer {
        let number = |name: &str, default| match target.value(name) {
            Some(value) => value.parse::<u32>().map_err(|_| format!("{name} must be a number")),
            None => Ok(default),
        };
        let (limit, after) = match (number("limit", ROWS as u32), number("after", 0)) {
            (Ok(limit), Ok(after)) => (limit as usize, after),
            (Err(why), _) | (_, Err(why)) => return self.deny(StatusCode::BAD_REQUEST, &why),
        };
        if !(1..=TOPIC_ROWS_MAX).contains(&limit) {
            return self.deny(StatusCode::BAD_REQUEST, &format!("limit must be 1 to {TOPIC_ROWS_MAX}"));
        }
        let prefix = target.value("prefix").unwrap_or_default();
        let mut body = b"{\"topics\":[".to_vec();
        let (mut count, mut next) = (0, Some(after));
        // The table is read in pieces: nobody else waits for long, and other work of this thread comes in between.
        while let Some(from) = next
            && count < limit
        {
            let (rows, more) = self.shared.topics.rows(from, TOPIC_ROWS_AT_ONCE);
            next = more;
            // User data is nobody else's business, its name included.
            let is_shown =
                |name: &str| !name.starts_with("user ") && name.starts_with(&*prefix) && rights.allows_topic(name);
            for row in rows.iter().filter(|row| is_shown(&row.channel.name)) {
                if count == limit {
                    next = Some(row.channel.id);
                    break;
                }
                if count > 0 {
                    body.push(b',');
                }
                self.write_row(row, &mut body);
                count += 1;
            }
            tokio::task::yield_now().await;
        }
        match next {
            Some(next) => append(&mut body, format_args!("],\"next\":{next}}}\n")),
            None => body.extend_from_slice(b"],\"next\":null}\n"),
        }
        not_stored(json(StatusCode::OK, body))
    }

    fn write_row(&self, row: &Row, out: &mut Vec<u8>) {
        let Row { channel, upstream, readers, proven } = row;
        let shared = &self.shared;
        out.extend_from_slice(b"{\"name\":");
        write_string(&channel.name, out);
        let (dialect, kind) = (channel.dialect.name(), channel.kind.name());
        append(out, format_args!(",\"dialect\":\"{dialect}\",\"kind\":\"{kind}\",\"upstream\":"));
        match upstream {
            // After the upstreams comes the market; the metrics know all their names.
            Some(upstream) => write_string(&shared.metrics.upstreams[*upstream].name, out),
            None => out.extend_from_slice(b"null"),
        }
        let bit = |ear: usize| readers >> ear & 1 == 1;
        let shards = (0..shared.shards.len()).filter(|shard| bit(*shard)).count();
        let (market, http) = (bit(shared.market_ear()), bit(shared.http_ear()));
        let (state, seq) = (channel.condition().name(), channel.log.head());
        append(out, format_args!(",\"shards\":{shards},\"market\":{market},\"http\":{http},\"state\":\"{state}\""));
        append(out, format_args!(",\"seq\":{seq},\"time\":"));
        match channel.log.newest_stamp() {
            Some(stamp) => append(out, format_args!("{}", self.shared.calendar_ms(stamp))),
            None => out.extend_from_slice(b"null"),
        }
        append(out, format_args!(",\"proven\":{proven}}}"));
    }

    /// Who pays for names that had no data yet.
    pub(super) fn payer(&self, request: &Request<Incoming>, visit: &Visit) -> Option<IpKey> {
        if let Some(ip) = self.told_address(request, visit.peer) {
            let is_exempt = self.shared.config.limits.exempt_loopback && is_loopback(ip);
            return (!is_exempt).then(|| IpKey::from(ip));
        }
        let ticket = visit.ticket.take()?;
        let payer = (!ticket.is_exempt()).then(|| ticket.ip());
        visit.ticket.set(Some(ticket));
        payer
    }

    /// A place for an answer that takes its time: one of the address's connections, and one of the answers that stay.
    pub(super) fn seat(self: &Rc<Http>, request: &Request<Incoming>, visit: &Rc<Visit>) -> Result<Long, Box<Answer>> {
        if let Some(mut ticket) = visit.ticket.take() {
            if let Some(ip) = self.told_address(request, visit.peer) {
                ticket.set_ip(IpKey::from(ip), is_loopback(ip));
            }
            let has_place = ticket.take_place();
            visit.ticket.set(Some(ticket));
            if !has_place {
                self.counters().refused_ip.one();
                let why = "Too many connections from this address";
                return Err(Box::new(retry_later(error(StatusCode::TOO_MANY_REQUESTS, why))));
            }
        }
        self.stay(visit).ok_or_else(|| {
            self.free_place(visit);
            let why = "Too many answers stay open (limits.http_streams), try again later";
            Box::new(retry_later(error(StatusCode::SERVICE_UNAVAILABLE, why)))
        })
    }

    /// Gives the place among the address's connections back.
    pub(super) fn free_place(&self, visit: &Visit) {
        if let Some(mut ticket) = visit.ticket.take() {
            ticket.leave_place();
            visit.ticket.set(Some(ticket));
        }
    }

    /// Refuses what is wrong about a request.
    pub(super) fn deny(&self, status: StatusCode, why: &str) -> Answer {
        self.counters().refused_request.one();
        error(status, why)
    }

    /// Says why a stream cannot be had.
    pub(super) fn deny_stream(&self, name: &str, why: Refused) -> Answer {
        self.counters().refused(why);
        let text = format!("{why}: {name}");
        match why {
            Refused::NoUpstream => error(StatusCode::NOT_FOUND, &text),
            Refused::NotAllowed => error(StatusCode::FORBIDDEN, &text),
            Refused::TooManyUnproven => retry_later(error(StatusCode::TOO_MANY_REQUESTS, &text)),
            Refused::UpstreamFull | Refused::TooManyTopics => {
                retry_later(error(StatusCode::SERVICE_UNAVAILABLE, &text))
            }
        }
    }

    /// The same when several were asked for: names that no upstream carries are wrong, the rest is a matter of room.
    pub(super) fn deny_streams(&self, unknown: &[&str], refused: Option<(&str, Refused)>) -> Answer {
        unknown.iter().for_each(|_| self.counters().refused(Refused::NoUpstream));
        match refused {
            Some((name, why)) if unknown.is_empty() => self.deny_stream(name, why),
            _ => error(StatusCode::BAD_REQUEST, &format!("{}: {}", Refused::NoUpstream, unknown.join(", "))),
        }
    }

    fn only_get(&self) -> Answer {
        let mut answer = close_after(self.deny(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are for this path"));
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
        answer
    }
}

/// A cache would give old data.
pub(super) fn not_stored(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn retry_later(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

pub(super) fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what is written to it");
}
