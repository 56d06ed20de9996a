//! What the tasks of one upstream share: the managers of its lanes and the sink.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use super::connection::Talk;
use super::{DropReason, FeedEvent, Sink};
use crate::venue::adapter::{Invalid, Said};
use crate::venue::manager::{Conn, Loss, Manager, Method, Pool, Reply, TopicId};

const NS_PER_MS: u64 = 1_000_000;

/// When a read of the socket returned, by both clocks. Read once per read.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub monotonic_ns: u64,
    pub calendar_ms: u64,
}

pub(super) struct Shared<S> {
    pub pool: RefCell<Pool>,
    sink: RefCell<S>,
    /// The manager may have something to do.
    pub news: Notify,
    has_news: Cell<bool>,
}

impl<S: Sink> Shared<S> {
    pub fn new(pool: Pool, sink: S) -> Rc<Self> {
        Rc::new(Self {
            pool: RefCell::new(pool),
            sink: RefCell::new(sink),
            news: Notify::new(),
            has_news: Cell::new(false),
        })
    }

    pub fn now_ns(&self) -> u64 {
        self.sink.borrow().now_ns()
    }

    pub fn now_ms(&self) -> u64 {
        self.now_ns() / NS_PER_MS
    }

    pub fn event(&self, event: FeedEvent) {
        self.sink.borrow_mut().event(event);
    }

    /// What the conversation was told to ask for, or to end.
    pub fn requested(&self, conn: Conn, method: Method, id: u64, names: &[&str]) {
        let mut sink = self.sink.borrow_mut();
        match method {
            Method::Subscribe => sink.asked(conn.index, id, names),
            Method::Unsubscribe => sink.ended(conn.index, id, names),
        }
    }

    pub fn now(&self) -> Moment {
        let sink = self.sink.borrow();
        Moment { monotonic_ns: sink.now_ns(), calendar_ms: sink.calendar_ms() }
    }

    /// One whole text message.
    pub fn message(&self, conn: Conn, talk: &Talk, text: &[u8], at: Moment) {
        self.sink.borrow_mut().received(conn.index, text, at.monotonic_ns);
        talk.borrow_mut().decode(text, at.calendar_ms, &mut |said| self.said(conn, said, at.monotonic_ns));
    }

    fn said(&self, conn: Conn, said: Said<'_>, read_ns: u64) {
        // The clock was read at the socket; once per read is enough for deadlines.
        let now = read_ns / NS_PER_MS;
        match said {
            Said::Data { stream, payload } => {
                let id = self.sink.borrow_mut().frame(conn, stream, payload, read_ns);
                match id {
                    Some(id) => self.data(conn, TopicId(id), now),
                    None => self.dropped(DropReason::UnknownTopic),
                }
            }
            Said::Ack { id } => self.reply(conn, id, Reply::Ok, now),
            Said::Error { id, code, msg } => {
                self.event(FeedEvent::Denied { conn: conn.index, code, msg: msg.to_owned() });
                self.reply(conn, id, Reply::Error { code, msg }, now);
            }
            Said::Granted { stream } => self.tell(conn, |manager| manager.granted(conn, stream, now)),
            Said::Refused { stream, msg } => self.tell(conn, |manager| manager.denied(conn, stream, msg, now)),
            Said::Broken { stream } => self.tell(conn, |manager| manager.broken(conn, stream, now)),
            Said::Ready => self.tell(conn, |manager| manager.ready(conn)),
            Said::Answer(text) => self.tell(conn, |manager| manager.answer(conn, text, now)),
            Said::Shutdown => self.tell(conn, |manager| manager.announced(conn, now)),
            Said::End { msg } => self.lost(conn, Loss::Ended(msg.to_owned())),
            Said::Other => {}
            Said::Invalid(invalid) => self.dropped(invalid.into()),
        }
    }

    pub fn pinged(&self, conn: Conn, payload: &[u8]) {
        let now = self.now_ms();
        self.tell(conn, |manager| manager.pinged(conn, payload, now));
    }

    pub fn dropped(&self, reason: DropReason) {
        self.event(FeedEvent::Dropped { reason });
    }

    pub fn connected(&self, conn: Conn, talk: &Talk) {
        let now = self.now_ms();
        let lane = self.pool.borrow().lane_of(conn);
        self.event(FeedEvent::Connected { conn: conn.index, lane });
        let mut pool = self.pool.borrow_mut();
        let manager = pool.of(conn);
        manager.connected(conn, now);
        if let Some(text) = talk.borrow_mut().hello() {
            manager.greeted(conn, text, now);
        }
        self.news.notify_one();
    }

    pub fn lost(&self, conn: Conn, why: Loss) {
        let now = self.now_ms();
        self.pool.borrow_mut().of(conn).lost(conn, why, now);
        self.news.notify_one();
    }

    /// The socket has nothing more for now, or others shall have their turn.
    pub fn end_of_read(&self, conn: Conn) {
        self.sink.borrow_mut().flush();
        let now = self.now_ms();
        self.pool.borrow_mut().of(conn).heard(conn, now);
        if self.has_news.take() {
            self.news.notify_one();
        }
    }

    fn data(&self, conn: Conn, id: TopicId, now: u64) {
        let mut pool = self.pool.borrow_mut();
        let manager = pool.of(conn);
        manager.data(id, now);
        if manager.has_actions() {
            self.has_news.set(true);
        }
    }

    fn reply(&self, conn: Conn, id: Option<u64>, reply: Reply<'_>, now: u64) {
        self.tell(conn, |manager| manager.acked(conn, id, reply, now));
    }

    fn tell(&self, conn: Conn, what: impl FnOnce(&mut Manager)) {
        what(self.pool.borrow_mut().of(conn));
        self.has_news.set(true);
    }
}

impl From<Invalid> for DropReason {
    fn from(invalid: Invalid) -> Self {
        match invalid {
            Invalid::NotUtf8 => Self::NotUtf8,
            Invalid::NotJson => Self::NotJson,
            Invalid::NoStreamName => Self::NoStreamName,
            Invalid::Malformed => Self::Malformed,
        }
    }
}
