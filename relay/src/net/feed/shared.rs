//! What the tasks of one upstream share: the manager and the sink.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use super::{Decode, Decoded, DropReason, FeedEvent, Sink};
use crate::venue::manager::{Conn, Loss, Manager, Reply, TopicId};

const NS_PER_MS: u64 = 1_000_000;

pub(super) struct Shared<S> {
    pub manager: RefCell<Manager>,
    sink: RefCell<S>,
    decode: Decode,
    /// The manager may have something to do.
    pub news: Notify,
    has_news: Cell<bool>,
    /// Reasons logged already, per connection slot and life: a state is worth a line, a frame is not.
    logged: RefCell<Vec<(Conn, DropReason)>>,
}

impl<S: Sink> Shared<S> {
    pub fn new(manager: Manager, sink: S, decode: Decode) -> Rc<Self> {
        Rc::new(Self {
            manager: RefCell::new(manager),
            sink: RefCell::new(sink),
            decode,
            news: Notify::new(),
            has_news: Cell::new(false),
            logged: RefCell::new(Vec::new()),
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

    /// One whole text message.
    pub fn message(&self, conn: Conn, text: &[u8], read_ns: u64) {
        // The clock was read at the socket; once per read is enough for deadlines.
        let now = read_ns / NS_PER_MS;
        self.sink.borrow_mut().received(conn.index, text, read_ns);
        match (self.decode)(text) {
            Decoded::Data { stream, data } => {
                let id = self.sink.borrow_mut().frame(&stream, data, read_ns);
                match id {
                    Some(id) => self.data(TopicId(id), now),
                    None => self.dropped(conn, DropReason::UnknownTopic),
                }
            }
            Decoded::Ack { id } => self.reply(conn, id, Reply::Ok, now),
            Decoded::Error { id, code, msg } => {
                tracing::warn!(conn = conn.index, ?id, code, msg = &*msg, "the venue refused a request");
                self.reply(conn, id, Reply::Error { code, msg: &msg }, now);
            }
            Decoded::Shutdown => self.lost(conn, Loss::Shutdown),
            Decoded::NoStreamName => self.dropped(conn, DropReason::NoStreamName),
            Decoded::NotJson => self.dropped(conn, DropReason::NotJson),
            Decoded::Other => {}
        }
    }

    pub fn pinged(&self, conn: Conn, payload: &[u8]) {
        let now = self.now_ms();
        self.manager.borrow_mut().pinged(conn, payload, now);
        self.has_news.set(true);
    }

    pub fn dropped(&self, conn: Conn, reason: DropReason) {
        self.event(FeedEvent::Dropped { reason });
        // Frames that were under way when their topic ended are no news.
        let mut logged = self.logged.borrow_mut();
        if reason != DropReason::UnknownTopic && !logged.contains(&(conn, reason)) {
            logged.push((conn, reason));
            tracing::warn!(conn = conn.index, ?reason, "upstream messages are dropped");
        }
    }

    pub fn connected(&self, conn: Conn) {
        let now = self.now_ms();
        self.logged.borrow_mut().retain(|(other, _)| other.index != conn.index);
        self.event(FeedEvent::Connected { conn: conn.index });
        self.manager.borrow_mut().connected(conn, now);
        self.news.notify_one();
    }

    pub fn lost(&self, conn: Conn, why: Loss) {
        let now = self.now_ms();
        self.manager.borrow_mut().lost(conn, why, now);
        self.news.notify_one();
    }

    /// The socket has nothing more for now, or others shall have their turn.
    pub fn end_of_read(&self, conn: Conn) {
        self.sink.borrow_mut().flush();
        let now = self.now_ms();
        self.manager.borrow_mut().heard(conn, now);
        if self.has_news.take() {
            self.news.notify_one();
        }
    }

    fn data(&self, id: TopicId, now: u64) {
        let mut manager = self.manager.borrow_mut();
        manager.data(id, now);
        if manager.has_actions() {
            self.has_news.set(true);
        }
    }

    fn reply(&self, conn: Conn, id: Option<u64>, reply: Reply<'_>, now: u64) {
        self.manager.borrow_mut().acked(conn, id, reply, now);
        self.has_news.set(true);
    }
}
