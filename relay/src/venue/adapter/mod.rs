//! What differs from venue to venue: where its streams are, how they are asked for, what its messages say.
//!
//! Inside the relay a stream has its name in the stream dialect (`btcusdt@trade`) and its payload in that dialect's
//! shape. An adapter translates both ways. It holds no socket, no clock and no list of what is wanted: that is the
//! manager's. A [`Conversation`] is one life of one connection, with what has to be remembered on it.
//!
//! Names that only the relay knows, for what the dialect has no stream for:
//!
//! | name | payload |
//! |---|---|
//! | `r_100@tick` | a price of Deriv's, as `market::decode` reads it |
//! | `btcusdt@book` | a book with its chain: `{"e":"bookSnapshot"\|"bookUpdate","E":ms,"s":S,"pu":n,"u":n,"b":[[px,qty]],"a":[[px,qty]]}` |
//! | `btcusdt@snapshot` | the body of a REST book, as the venue sends it: `{"lastUpdateId":n,"bids":[…],"asks":[…]}` |

pub mod binance;
pub mod bitzoom;
pub mod deriv;
mod field;
pub mod kind;
pub mod limits;
pub mod names;
pub mod okx;
mod requests;
pub mod socketio;
pub mod stream;
pub mod talk;

/// One venue's dialect.
pub trait Adapter {
    /// The kinds of connection, each with a pool of its own. At least one.
    fn lanes(&self) -> &[Lane];

    /// The lane that carries a stream; none if the venue does not have it as it is.
    fn lane_of(&self, stream: &str) -> Option<usize>;

    /// A connection of that lane begins.
    fn converse(&self, lane: usize) -> Box<dyn Conversation>;
}

/// A kind of connection: Binance's futures have `/public` and `/market`, OKX has `public` and `business`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// For logs and metrics. Empty where there is only one.
    pub name: &'static str,
    /// Path and query, after the host of the configured URL.
    pub path: Box<str>,
}

/// What is said on one connection, from its first message to its end.
pub trait Conversation {
    /// Said before anything else, once the connection stands. Requests then wait for [`Said::Ready`].
    fn hello(&mut self) -> Option<String> {
        None
    }

    /// One message that asks for streams. Its answer repeats `id`, or names the streams.
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String;

    /// One message that ends streams.
    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String;

    /// How the connection is asked whether it lives.
    fn ping(&mut self) -> Ping {
        Ping::Frame
    }

    /// Reads one message and says what it means, in order. It must be valid UTF-8 and complete, or it is [`Said::Invalid`].
    fn decode(&mut self, message: &[u8], now_ms: u64, said: &mut dyn FnMut(Said<'_>));
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ping {
    /// A WebSocket PING.
    Frame,
    /// A message of the venue's own.
    Text(String),
}

/// What a message means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// Data of a stream, both in our dialect.
    Data {
        stream: &'a str,
        payload: &'a [u8],
    },
    /// A whole request is granted. Without an id: the oldest.
    Ack {
        id: Option<u64>,
    },
    /// A whole request is refused, or what is left of it where streams were answered by themselves.
    Error {
        id: Option<u64>,
        code: i64,
        msg: &'a str,
    },
    /// One stream of a request is granted: to be held, or ended.
    Granted {
        stream: &'a str,
    },
    /// One stream is refused, whatever became of the others of its request.
    Refused {
        stream: &'a str,
        msg: &'a str,
    },
    /// The book of a stream has lost its chain and has to be asked for again, alone.
    Broken {
        stream: &'a str,
    },
    /// The venue is ready for requests.
    Ready,
    /// To be sent before any request, within the limit of messages.
    Answer(&'a str),
    /// The venue is about to end this connection: make another, then leave this one.
    Shutdown,
    /// The venue ends or refuses the conversation as a whole.
    End {
        msg: &'a str,
    },
    /// Understood, and nothing follows from it but that the connection lives.
    Other,
    Invalid(Invalid),
}

/// Why nothing could be made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    NotUtf8,
    NotJson,
    /// Data without a stream's name.
    NoStreamName,
    /// Of a known kind, with a field missing or of another type.
    Malformed,
}
