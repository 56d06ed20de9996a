//! What the manager and the one who drives it say to each other.

use std::sync::Arc;

/// The caller's number for a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub u32);

/// One life of one connection. What an earlier life still has to say is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conn {
    pub index: usize,
    pub life: u32,
}

/// Why a connection ended, or did not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    #[error("not connected: {0}")]
    NotConnected(String),
    /// The venue answered the handshake with another status than 101.
    #[error("refused: answered {status} instead of 101{}", retry_after(*retry_after_ms))]
    Refused { status: u16, retry_after_ms: Option<u64> },
    /// The venue ends or refuses the conversation by a message.
    #[error("ended by the venue: {0:?}")]
    Ended(String),
    #[error("closed by the venue: {code} {reason:?}")]
    Closed { code: u16, reason: String },
    #[error("broken: {0}")]
    Broken(String),
    #[error("no reply to a request in time")]
    NoReply,
    #[error("silent, also after a ping")]
    Silent,
    #[error("the venue announced its shutdown")]
    Shutdown,
}

fn retry_after(ms: Option<u64>) -> String {
    ms.map_or(String::new(), |ms| format!(", retry after {} s", ms / 1_000))
}

/// The venue's answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    Ok,
    Error { code: i64, msg: &'a str },
}

/// Why a connection is replaced while it still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The venue is about to cut it at its age.
    Age,
    /// The venue announced it.
    Notice,
    /// Many of its streams are silent, and others of their kind are not.
    Silence,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Subscribe,
    Unsubscribe,
}

/// What the caller has to do, or to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Dial {
        conn: Conn,
    },
    /// One message that asks for streams, or ends them. Its answer repeats `id`.
    Request {
        conn: Conn,
        method: Method,
        names: Vec<Arc<str>>,
        id: u64,
    },
    Ping {
        conn: Conn,
    },
    /// A text that the venue waits for: our greeting, or an answer.
    Say {
        conn: Conn,
        text: String,
    },
    Pong {
        conn: Conn,
        payload: Vec<u8>,
    },
    /// Nothing needs this connection any more, whether it still lives or not.
    Close {
        conn: Conn,
    },
    /// The connection is over, whether it still lives or not, and dialled again after `retry_ms` if it is still needed
    /// then.
    Down {
        conn: Conn,
        why: Loss,
        retry_ms: u64,
    },
    /// Something due had to wait for the message limit.
    Governed {
        conn: Conn,
    },
    /// The venue refuses us: nothing is dialled for so long.
    Blocked {
        conn: Conn,
        ms: u64,
    },
    /// It takes us again.
    Unblocked {
        conn: Conn,
    },
    /// Another connection takes over its streams, without a gap.
    Rotating {
        conn: Conn,
        why: Rotation,
    },
    /// A connection's end is over, and its streams are on the other one.
    Rotated {
        conn: Conn,
    },
    /// The venue takes fewer streams on this connection than configured.
    Learned {
        conn: Conn,
        streams: usize,
    },

    /// Data came, for the first time or again.
    Live(TopicId),
    /// The stream is ended and asked for again, alone: its chain is broken, or it went silent.
    Renewed(TopicId),
    /// The stream was live and its connection is gone: data will be missing.
    Lost(TopicId),
    /// Lost for long, or without data for longer than is usual.
    Stale(TopicId),
    /// Nothing holds it upstream any more; its number is free.
    Released(TopicId),
    /// Silent since it was asked for, and no longer wanted unless wanted again. `unwant` is answered by `Released`.
    GaveUp(TopicId),
    /// The venue does not take this name. `unwant` is answered by `Released`.
    Refused {
        id: TopicId,
        msg: String,
    },
    /// All slots are taken. It stays queued as long as it is wanted.
    NoRoom(TopicId),
}
