//! The sockets of all clients, in one epoll set.

use super::connection::{Common, Connection, Phase};
use super::tally::{Role, Tally};
use crate::clock::now_ns;
use crate::connect::connect;
use crate::frame;
use crate::handshake;
use crate::poll::{Interest, Poller, Ready};
use anyhow::Result;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Kept small, so that it is the relay that notices a slow reader, not the kernel that hides it.
const SLOW_BUFFER_BYTES: usize = 16 * 1024;

struct Client {
    socket: TcpStream,
    state: Connection,
    /// Bytes a slow reader may still take.
    allowance: usize,
}

pub struct Fleet<'a> {
    address: SocketAddr,
    common: &'a Common,
    path: &'a dyn Fn(usize) -> (String, Vec<u32>),
    host: String,
    pub tally: Tally,
    poller: Poller,
    ready: Vec<Ready>,
    buffer: Vec<u8>,
    clients: Vec<Option<Client>>,
    /// Connections that are not open yet.
    pub pending: usize,
}

impl<'a> Fleet<'a> {
    /// `path` tells the target and the topics of the client at an index.
    pub fn new(
        address: SocketAddr,
        common: &'a Common,
        path: &'a dyn Fn(usize) -> (String, Vec<u32>),
        clients: usize,
        tally: Tally,
    ) -> Result<Self> {
        Ok(Self {
            address,
            common,
            path,
            host: address.to_string(),
            tally,
            poller: Poller::new()?,
            ready: Vec::new(),
            buffer: vec![0; 256 * 1024],
            clients: (0..clients).map(|_| None).collect(),
            pending: 0,
        })
    }

    /// Starts a connection at an index, in place of the one that may be there.
    pub fn open(&mut self, index: usize, role: Role) -> Result<()> {
        self.drop_client(index);
        let (_, topics) = (self.path)(index);
        let receive_bytes = matches!(role, Role::Slow | Role::Stuck).then_some(SLOW_BUFFER_BYTES);
        let socket = connect(self.address, index, receive_bytes)?;
        self.poller.add(&socket, index as u64, Interest::Write)?;
        let state = Connection::new(role, topics.into_iter());
        self.clients[index] = Some(Client { socket, state, allowance: 0 });
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
        let Some(client) = &mut self.clients[index] else {
            return Ok(());
        };
        if client.state.phase == Phase::Connecting {
            if event.hangup {
                let error = client.socket.take_error()?.map_or("hung up".to_owned(), |error| error.to_string());
                *self.tally.refused.entry(error).or_default() += 1;
                self.drop_client(index);
                return Ok(());
            }
            if event.writable {
                let (target, _) = (self.path)(index);
                // A request is far smaller than an empty socket buffer.
                let sent = client.socket.write(&handshake::request(&self.host, &target));
                client.state.phase = Phase::Upgrading;
                self.poller.modify(&client.socket, event.token, Interest::Read)?;
                if sent.is_err() {
                    self.drop_client(index);
                }
            }
            return Ok(());
        }
        let limit = match client.state.role {
            Role::Slow | Role::Stuck if client.state.phase == Phase::Open && !event.hangup => {
                return Ok(());
            }
            _ => self.buffer.len(),
        };
        self.read(index, limit);
        Ok(())
    }

    /// Reads once, up to `limit` bytes.
    fn read(&mut self, index: usize, limit: usize) -> usize {
        let Some(client) = &mut self.clients[index] else {
            return 0;
        };
        let limit = limit.min(self.buffer.len());
        let count = match client.socket.read(&mut self.buffer[..limit]) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return 0;
            }
            Err(_) => 0,
        };
        if count == 0 {
            self.drop_client(index);
            return 0;
        }
        let upgrading = client.state.phase == Phase::Upgrading;
        let mut reply = Vec::new();
        client.state.receive(&self.buffer[..count], self.common, &mut self.tally, now_ns(), &mut reply);
        if !reply.is_empty() {
            // Replies are a few bytes; a socket that cannot take them is about to end anyway.
            let _ = client.socket.write(&reply);
        }
        if upgrading && client.state.phase != Phase::Upgrading {
            self.pending -= 1;
            if matches!(client.state.role, Role::Slow | Role::Stuck) {
                // It reads by its own clock from now on.
                let _ = self.poller.modify(&client.socket, index as u64, Interest::End);
            }
        }
        if client.state.phase == Phase::Done {
            self.drop_client(index);
        }
        count
    }

    /// Lets every slow reader take `bytes` more.
    pub fn read_slowly(&mut self, bytes: usize) {
        for index in 0..self.clients.len() {
            let Some(client) = &mut self.clients[index] else {
                continue;
            };
            if client.state.role != Role::Slow || client.state.phase != Phase::Open {
                continue;
            }
            client.allowance = (client.allowance + bytes).min(bytes * 10);
            let allowance = client.allowance;
            let taken = self.read(index, allowance);
            if let Some(client) = &mut self.clients[index] {
                client.allowance = allowance - taken;
            }
        }
    }

    /// Ends a connection from our side, politely or by just going.
    pub fn leave(&mut self, index: usize, politely: bool) {
        let Some(client) = &mut self.clients[index] else {
            return;
        };
        if client.state.phase == Phase::Open {
            if politely {
                let mut wire = Vec::new();
                frame::encode_client(&mut wire, frame::CLOSE, &1000u16.to_be_bytes());
                let _ = client.socket.write(&wire);
                client.state.phase = Phase::Closing;
                let _ = self.poller.modify(&client.socket, index as u64, Interest::Read);
                return;
            }
            client.state.phase = Phase::Done;
        }
        self.drop_client(index);
    }

    fn drop_client(&mut self, index: usize) {
        let Some(client) = self.clients[index].take() else {
            return;
        };
        match client.state.phase {
            Phase::Connecting | Phase::Upgrading => {
                self.pending -= 1;
                self.tally.group(client.state.role).failed += 1;
            }
            Phase::Open => self.tally.group(client.state.role).resets += 1,
            Phase::Closing | Phase::Done => {}
        }
    }

    pub fn is_gone(&self, index: usize) -> bool {
        self.clients[index].is_none()
    }

    /// What is left of the connections, with their indices.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.clients.iter().flatten().map(|client| &client.state)
    }

    pub fn open_count(&self, role: Role) -> usize {
        self.connections().filter(|connection| connection.role == role && connection.phase == Phase::Open).count()
    }
}
