//! What the relay itself tells clients about a channel: what they missed, and how its data stands.

use super::deriv::notice as deriv;
use super::dialect::Dialect;
use super::hub::notice as hub;
use super::socketio;
use super::stream::notice as stream;

/// How a stream fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    Live,
    Recovering,
    Stale,
}

impl StreamState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Recovering => "recovering",
            Self::Stale => "stale",
        }
    }
}

/// Sent ahead of the next frame to those who asked with `?notices=1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    pub time_ms: u64,
    /// The channel's name.
    pub channel: &'a str,
    pub state: StreamState,
    /// Frames that were skipped, and the seqs of the first and the last of them.
    pub skipped: u64,
    pub from: u64,
    pub to: u64,
}

impl Notice<'_> {
    /// Appends it as the dialect has it. `head` is what the subscription puts before its messages, where it does.
    pub fn write(&self, dialect: Dialect, combined: bool, head: &[u8], out: &mut Vec<u8>) {
        match dialect {
            Dialect::Stream => stream::notice(self, combined, out),
            Dialect::Hub => hub::notice(self, out),
            Dialect::Deriv => deriv::notice(self, head, out),
            Dialect::SocketIo => self.socketio(out),
        }
    }

    fn socketio(&self, out: &mut Vec<u8>) {
        let Notice { time_ms, channel, state, skipped, from, to } = *self;
        let mut words = channel.split(' ');
        let class =
            if words.next() == Some("fiat") { socketio::event::Class::Fiat } else { socketio::event::Class::Crypto };
        let (base, name) = (words.next().unwrap_or_default(), words.next());
        socketio::reply::Notice { class, base, name, state, skipped, from, to, time_ms }.write(out);
    }

    /// The channel without the word that says what kind it is, as clients know it.
    pub(super) fn subject(&self) -> &str {
        self.channel.split(' ').nth(1).unwrap_or(self.channel)
    }
}
