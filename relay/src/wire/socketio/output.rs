//! What a session asks of its caller, and why sessions end.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::packet::{Broken, Event};
use crate::wire::close::CloseReason;

/// What the caller has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// A packet for the client over its transport.
    Send(Cow<'static, str>),
    /// A packet for the socket that probes.
    Reply(&'static str),
    /// The socket that probes is closed; the session goes on by polling.
    CloseProbe,
    /// The waiting poll is answered at once: with what there is, else with [`super::session::NOOP`].
    ReleasePoll,
    /// From here the second socket is the transport.
    Upgraded,
    /// The client wants to come in: `accept` or `refuse`. An empty key is none.
    Connect {
        api_key: Option<Cow<'a, str>>,
    },
    Event(Event<'a>),
    /// An event with binary data, which none of ours has: all of it arrived, and this acknowledgement is waited for.
    Binary {
        ack: Option<Box<str>>,
    },
    /// The client left: its subscriptions end, and it may come back.
    Leave,
    /// The session is over. A poll that waits gets [`super::session::CLOSE`], a WebSocket a close frame without a code.
    Close(End),
}

/// At most two at a time: neither needs memory of its own.
pub type Outputs<'a> = SmallVec<[Output<'a>; 2]>;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    #[error("the client closed")]
    Client,
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("a ping from a client: only the server pings")]
    ClientPing,
    #[error("a packet that its namespace is not ready for")]
    Namespace,
    #[error("binary data that no packet announced, or text where it was due")]
    Attachments,
    #[error("two polls, or two posts, at the same time")]
    Overlap,
    #[error("pings stayed unanswered")]
    PongTimeout,
    #[error("nobody came in before the connect timeout")]
    ConnectTimeout,
}

impl End {
    /// The row of the table of closes that it counts under.
    pub const fn reason(self) -> CloseReason {
        match self {
            Self::Client => CloseReason::Normal,
            Self::PongTimeout => CloseReason::PongTimeout,
            Self::ConnectTimeout => CloseReason::ConnectTimeout,
            _ => CloseReason::Protocol,
        }
    }
}
