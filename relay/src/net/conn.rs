//! One client's connection: plain data, and how its socket is written.

use std::io::IoSlice;
use std::os::fd::OwnedFd;

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::admission::Ticket;
use super::clock::{Clock, Tick};
use super::socketio;
use crate::fanout::core::{Outlet, Wrote};
use crate::fanout::slab::Slot;
use crate::metrics::Stages;
use crate::wire::dialect::Dialect;
use crate::wire::hub::errors::ErrorTimes;
use crate::wire::rate::Rate;
use crate::wire::ws::decode::Decoder;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Accepted; its request is not whole yet.
    Head,
    /// Its request is whole; it waits for hyper.
    Ready,
    /// Upgraded.
    Open,
    /// A CLOSE has been sent or is to be; what still comes is thrown away.
    Closing,
    /// Nothing more is written; it waits for the peer's end.
    Shut,
}

/// What the messages of a connection mean, and what is kept for that.
pub enum Speaks {
    Stream,
    /// `/ws` until its first message says what it is; it counts as stream.
    Undecided,
    /// Stream, with the user data streams it reads.
    User(Box<Vec<super::users::Opened>>),
    Echo,
    /// With the times of its last errors.
    Hub(Option<Box<ErrorTimes>>),
    Deriv(Box<super::deriv::Client>),
    SocketIo(Box<socketio::Client>),
    /// A second socket of a session that is polled.
    SocketIoProbe(Box<socketio::Probe>),
}

impl Speaks {
    pub fn is_stream(&self) -> bool {
        matches!(self, Speaks::Stream | Speaks::Undecided | Speaks::User(_))
    }

    /// Whose words a refusal of such a connection has.
    pub fn dialect(&self) -> Dialect {
        match self {
            Speaks::Stream | Speaks::Undecided | Speaks::User(_) | Speaks::Echo => Dialect::Stream,
            Speaks::Hub(_) => Dialect::Hub,
            Speaks::Deriv(_) => Dialect::Deriv,
            Speaks::SocketIo(_) | Speaks::SocketIoProbe(_) => Dialect::SocketIo,
        }
    }
}

// In this order: the descriptor beside the session's marks, since a delivery reads both.
#[repr(C)]
pub struct Conn {
    /// A session that is polled has no socket.
    pub fd: Option<OwnedFd>,
    /// Epoll tells when it can be written.
    pub armed: bool,
    pub stage: Stage,
    /// Not read, because it does not take our answers.
    pub paused: bool,
    /// Its PROXY header has been read.
    pub proxied: bool,
    /// It is too many: its request is answered 503.
    pub refused: bool,
    /// Questions to the market whose answer is on its way; it comes to this shard, so the connection stays here.
    pub asked: u16,
    /// Slot and generation, as epoll knows it.
    pub key: u64,
    pub ticket: Ticket,
    pub speaks: Speaks,
    pub decoder: Decoder,
    pub rate: Option<Box<Rate>>,
    /// When the stage began.
    pub since: Tick,
    /// When the client was last heard as its dialect demands (a pong).
    pub heard: Tick,
    pub pinged: Tick,
}

/// A client may send so many messages in any stretch of this length.
pub const MESSAGES_WINDOW_MS: u64 = 1000;

pub fn key(slot: Slot, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(slot)
}

pub fn slot_of(key: u64) -> (Slot, u32) {
    (key as u32, (key >> 32) as u32)
}

impl Conn {
    /// One that has just been accepted or upgraded.
    pub fn new(fd: OwnedFd, ticket: Ticket, speaks: Speaks, message_bytes_max: usize, now: Tick) -> Conn {
        Conn { fd: Some(fd), ..Conn::without_socket(ticket, speaks, message_bytes_max, now) }
    }

    /// One that may get a socket later.
    pub fn without_socket(ticket: Ticket, speaks: Speaks, message_bytes_max: usize, now: Tick) -> Conn {
        Conn {
            fd: None,
            armed: false,
            stage: Stage::Open,
            paused: false,
            proxied: false,
            refused: false,
            asked: 0,
            key: 0,
            ticket,
            speaks,
            decoder: Decoder::new(message_bytes_max),
            rate: None,
            since: now,
            heard: now,
            pinged: now,
        }
    }
}

/// What an established client is waited for.
pub const INTEREST: epoll::EventFlags =
    epoll::EventFlags::IN.union(epoll::EventFlags::RDHUP).union(epoll::EventFlags::ET);

/// Writes to sockets.
pub struct Edge<'a> {
    pub epoll: &'a OwnedFd,
    pub clock: Clock,
    pub stages: &'a mut Stages,
    /// Sessions whose waiting poll has got something.
    pub due: &'a mut Vec<u64>,
}

impl Outlet for Edge<'_> {
    type Conn = Conn;

    fn write(&mut self, _slot: Slot, conn: &mut Conn, parts: &[IoSlice<'_>]) -> Wrote {
        let Some(fd) = &conn.fd else { return conn.keep(parts, self.due) };
        // A write never waits and never raises a signal.
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let taken = loop {
            let result = match parts {
                [one] => rustix::net::send(fd, one, flags),
                many => rustix::net::sendmsg(fd, many, &mut SendAncillaryBuffer::default(), flags),
            };
            match result {
                Ok(taken) => break taken,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS) => break 0,
                Err(_) => return Wrote::Gone,
            }
        };
        if taken < total && !conn.armed {
            // The change makes epoll look again, so a socket that emptied meanwhile is told at once.
            let data = epoll::EventData::new_u64(conn.key);
            if epoll::modify(self.epoll, fd, data, INTEREST | epoll::EventFlags::OUT).is_err() {
                return Wrote::Gone;
            }
            conn.armed = true;
        }
        Wrote::Bytes(taken)
    }

    fn first_write(&mut self, stamps_ns: &[u64]) {
        let now = self.clock.now_ns();
        for stamp in stamps_ns {
            self.stages.first_write.saturating_record(now.saturating_sub(*stamp));
        }
    }

    fn last_write(&mut self, stamps_ns: &[u64]) {
        let now = self.clock.now_ns();
        for stamp in stamps_ns {
            self.stages.last_write.saturating_record(now.saturating_sub(*stamp));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle client costs in the slab; the whole promise is checked by a measurement.
    #[test]
    fn a_connection_is_small() {
        assert!(
            size_of::<crate::fanout::session::Session<Conn>>() <= 160,
            "{}",
            size_of::<crate::fanout::session::Session<Conn>>()
        );
    }
}
