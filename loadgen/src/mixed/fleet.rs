//! The sockets of all clients, in one epoll set.

use super::client::{Client, Common, Phase};
use super::judge::{Judge, Seen};
use super::violations::Kind;
use super::who::Who;
use super::window::Now;
use crate::clock::now_ns;
use crate::connect::connect;
use crate::frame;
use crate::handshake;
use crate::poll::{Interest, Poller, Ready};
use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

struct Slot {
    socket: TcpStream,
    client: Client,
}

pub struct Fleet {
    address: SocketAddr,
    host: String,
    common: Common,
    pub judge: Judge,
    pairs: u32,
    poller: Poller,
    ready: Vec<Ready>,
    buffer: Vec<u8>,
    /// The index is the client's token.
    slots: Vec<Option<Slot>>,
    /// Connections that are not open yet.
    pub pending: usize,
}

pub fn now() -> Now {
    let wall = clock_gettime(ClockId::Realtime);
    Now { ns: now_ns(), wall_ns: wall.tv_sec.cast_unsigned() * crate::clock::SECOND_NS + wall.tv_nsec.cast_unsigned() }
}

impl Fleet {
    pub fn new(address: SocketAddr, common: Common, judge: Judge, clients: usize) -> Result<Self> {
        let pairs = judge.rules.schedule.topics;
        Ok(Self {
            address,
            host: address.to_string(),
            common,
            judge,
            pairs,
            poller: Poller::new()?,
            ready: Vec::new(),
            buffer: vec![0; 256 * 1024],
            slots: (0..clients).map(|_| None).collect(),
            pending: 0,
        })
    }

    pub fn open(&mut self, who: Who) -> Result<()> {
        let socket = connect(self.address, who.index, None)?;
        self.poller.add(&socket, who.index as u64, Interest::Write)?;
        self.slots[who.index] = Some(Slot { socket, client: Client::new(who, self.pairs) });
        self.pending += 1;
        Ok(())
    }

    /// Waits for up to `timeout` and serves what is ready.
    pub fn turn(&mut self, timeout: Duration) -> Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(&mut ready, Some(timeout))?;
        for &event in &ready {
            self.serve(event)?;
        }
        self.ready = ready;
        Ok(())
    }

    fn serve(&mut self, event: Ready) -> Result<()> {
        let index = event.token as usize;
        let Some(slot) = &mut self.slots[index] else {
            return Ok(());
        };
        if slot.client.phase != Phase::Connecting {
            self.read(index);
            return Ok(());
        }
        if event.hangup {
            let who = slot.client.who;
            let error = slot.socket.take_error()?.map_or("hung up".to_owned(), |error| error.to_string());
            self.judge.violations.note(Kind::Refused, || format!("{who}: {error}"));
            self.end(index);
        } else if event.writable {
            // A request is far smaller than an empty socket buffer.
            let sent = slot.socket.write(&handshake::request(&self.host, &slot.client.target()));
            slot.client.phase = Phase::Upgrading;
            self.poller.modify(&slot.socket, event.token, Interest::Read)?;
            if sent.is_err() {
                self.lose(index);
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize) {
        let Some(slot) = &mut self.slots[index] else {
            return;
        };
        let count = match slot.socket.read(&mut self.buffer) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            Err(_) => 0,
        };
        if count == 0 {
            return self.lose(index);
        }
        let was_upgrading = slot.client.phase == Phase::Upgrading;
        let mut reply = Vec::new();
        slot.client.receive(&self.buffer[..count], &mut self.common, &mut self.judge, now(), &mut reply);
        // What a client says is a few bytes; a socket that cannot take them is about to end anyway.
        let is_lost = !reply.is_empty() && slot.socket.write(&reply).is_err();
        if was_upgrading && slot.client.phase != Phase::Upgrading {
            self.pending -= 1;
        }
        if slot.client.phase == Phase::Done {
            self.slots[index] = None;
        } else if is_lost {
            self.lose(index);
        }
    }

    /// The other side went without a word.
    fn lose(&mut self, index: usize) {
        if let Some(slot) = &self.slots[index] {
            let who = slot.client.who;
            match slot.client.phase {
                Phase::Connecting | Phase::Upgrading => {
                    self.judge
                        .violations
                        .note(Kind::Refused, || format!("{who}: its connection ended before it was open"));
                }
                Phase::Open => {
                    self.judge.violations.note(Kind::Ended, || format!("{who}: its connection ended without CLOSE"))
                }
                Phase::Closing | Phase::Done => {}
            }
        }
        self.end(index);
    }

    fn end(&mut self, index: usize) {
        if let Some(slot) = self.slots[index].take()
            && matches!(slot.client.phase, Phase::Connecting | Phase::Upgrading)
        {
            self.pending -= 1;
        }
    }

    /// Everybody says goodbye.
    pub fn leave(&mut self) {
        for slot in self.slots.iter_mut().flatten().filter(|slot| slot.client.phase == Phase::Open) {
            let mut wire = Vec::new();
            frame::encode_client(&mut wire, frame::CLOSE, &1000u16.to_be_bytes());
            slot.client.phase = Phase::Closing;
            // A socket that takes no more has ended, which the next read tells.
            let _ = slot.socket.write(&wire);
        }
    }

    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.slots.iter().flatten().map(|slot| &slot.client)
    }

    /// Judges what only the end can tell.
    pub fn settle(&mut self, dialects: &[super::who::Dialect]) {
        let clients = self.slots.iter().flatten().filter(|slot| slot.client.phase == Phase::Open);
        let seen: Vec<(Who, &Seen)> = clients.map(|slot| (slot.client.who, &slot.client.seen)).collect();
        self.judge.settle(dialects, seen.into_iter());
    }
}
