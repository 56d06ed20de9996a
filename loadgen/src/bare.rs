//! The honest lower bound: what a fan-out costs when nothing is done but the sends.
//!
//! Subscribers connect to `/ws/<stream>`; their stream is pulled from the same venue a relay would pull it from, and every
//! event is framed once and given to one send() per subscriber. No queues, no checks, no limits: a subscriber that does
//! not read holds up all the others.

use crate::frame::{self, Sender};
use crate::handshake;
use crate::listen::{accept, listen};
use crate::poll::{Interest, Poller, Ready};
use crate::{Outcome, event, report};
use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags};
use rustix::net::SendFlags;
use serde_json::json;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

#[derive(clap::Args)]
pub struct Args {
    /// Where subscribers connect; port 0 chooses one, which the first line of stdout tells
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// The venue to pull from, host:port
    #[arg(long)]
    upstream: String,
    /// Put up to so many consecutive events of a stream into one send
    #[arg(long, default_value_t = 1)]
    coalesce: usize,
}

const LISTENER: u64 = u64::MAX;
const UPSTREAM: u64 = u64::MAX - 1;

enum Peer {
    /// Still sending its request.
    Handshake {
        socket: TcpStream,
        head: Vec<u8>,
    },
    Subscriber {
        socket: TcpStream,
        stream: usize,
    },
}

#[derive(Default)]
struct Stream {
    /// Tokens of the subscribers.
    subscribers: Vec<usize>,
}

struct Bare {
    coalesce: usize,
    poller: Poller,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    streams: Vec<Stream>,
    stream_by_name: HashMap<Vec<u8>, usize>,
    /// Names to subscribe upstream at the end of the turn.
    wanted: Vec<String>,
    /// Framed events of one stream that go out together.
    batch: Vec<u8>,
    batch_count: usize,
    batch_stream: usize,
}

pub fn run(args: &Args) -> Result<Outcome> {
    ensure!(args.coalesce > 0, "--coalesce must be at least 1");
    let (mut upstream, mut pulled) = connect(&args.upstream)?;
    let listener = listen(&args.listen)?;
    let mut bare = Bare {
        coalesce: args.coalesce,
        poller: Poller::new()?,
        peers: Vec::new(),
        free: Vec::new(),
        streams: Vec::new(),
        stream_by_name: HashMap::new(),
        wanted: Vec::new(),
        batch: Vec::new(),
        batch_count: 0,
        batch_stream: 0,
    };
    bare.poller.add(&listener, LISTENER, Interest::Read)?;
    bare.poller.add(&upstream, UPSTREAM, Interest::Read)?;
    report(&json!({"listening": listener.local_addr()?.to_string()}))?;
    let mut ready = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        bare.poller.wait(&mut ready, None)?;
        for &Ready { token, .. } in &ready {
            match token {
                LISTENER => bare.accept(&listener)?,
                UPSTREAM => {
                    let count = upstream.read(&mut buffer).context("reading from the venue")?;
                    ensure!(count > 0, "the venue closed the connection");
                    pulled.extend_from_slice(&buffer[..count]);
                    let taken = bare.publish_all(&pulled)?;
                    pulled.drain(..taken);
                }
                token => bare.serve(token as usize, &mut buffer),
            }
        }
        if !bare.wanted.is_empty() {
            let request = json!({"method": "SUBSCRIBE", "params": std::mem::take(&mut bare.wanted), "id": 1});
            let mut wire = Vec::new();
            frame::encode_client(&mut wire, frame::TEXT, request.to_string().as_bytes());
            upstream.write_all(&wire).context("subscribing at the venue")?;
        }
    }
}

/// A connection to the venue's combined endpoint, and what came behind its answer.
fn connect(address: &str) -> Result<(TcpStream, Vec<u8>)> {
    let mut socket = TcpStream::connect(address).with_context(|| format!("connecting to the venue at {address}"))?;
    socket.set_nodelay(true)?;
    socket.write_all(&handshake::request(address, "/stream"))?;
    let accept = handshake::accept_for(handshake::KEY);
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer)?;
        ensure!(count > 0, "the venue closed during the handshake");
        received.extend_from_slice(&buffer[..count]);
        match handshake::check_response(&received, &accept) {
            Ok(Some(length)) => return Ok((socket, received.split_off(length))),
            Ok(None) => {}
            Err(refused) => bail!("the venue refused the upgrade: {refused:?}"),
        }
    }
}

impl Bare {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        while let Some(socket) = accept(listener)? {
            let index = self.free.pop().unwrap_or_else(|| {
                self.peers.push(None);
                self.peers.len() - 1
            });
            self.poller.add(&socket, index as u64, Interest::Read)?;
            self.peers[index] = Some(Peer::Handshake { socket, head: Vec::new() });
        }
        Ok(())
    }

    fn serve(&mut self, index: usize, buffer: &mut [u8]) {
        let Some(peer) = &mut self.peers[index] else {
            return;
        };
        let (Peer::Handshake { socket, .. } | Peer::Subscriber { socket, .. }) = peer;
        let count = match socket.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        match peer {
            // All a subscriber may say is goodbye, and it gets its CLOSE back as far as a lower bound goes.
            Peer::Subscriber { socket, .. } if count > 0 => {
                let _ = socket.write(&[0x80 | frame::CLOSE, 0]);
            }
            Peer::Handshake { head, .. } if count > 0 => {
                head.extend_from_slice(&buffer[..count]);
                match handshake::parse_request(head) {
                    Ok(None) => return,
                    Ok(Some((request, _))) if self.upgrade(index, &request) => return,
                    Ok(Some(_)) | Err(_) => {}
                }
            }
            _ => {}
        }
        self.drop_peer(index);
    }

    fn upgrade(&mut self, index: usize, request: &handshake::Request) -> bool {
        let (Some(name), Some(key)) = (request.target.strip_prefix("/ws/"), &request.key) else {
            return false;
        };
        let Some(Peer::Handshake { mut socket, .. }) = self.peers[index].take() else {
            return false;
        };
        if socket.write(&handshake::response(key)).is_err() {
            return false;
        }
        let stream = *self.stream_by_name.entry(name.as_bytes().to_vec()).or_insert_with(|| {
            self.wanted.push(name.to_owned());
            self.streams.push(Stream::default());
            self.streams.len() - 1
        });
        self.streams[stream].subscribers.push(index);
        self.peers[index] = Some(Peer::Subscriber { socket, stream });
        true
    }

    fn drop_peer(&mut self, index: usize) {
        if let Some(Peer::Subscriber { stream, .. }) = self.peers[index].take() {
            self.streams[stream].subscribers.retain(|&subscriber| subscriber != index);
        }
        self.free.push(index);
    }

    /// Fans out every whole frame of `pulled` and returns how many bytes that were.
    fn publish_all(&mut self, pulled: &[u8]) -> Result<usize> {
        let mut start = 0;
        loop {
            let frame = match frame::decode(&pulled[start..], Sender::Server) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(reason) => bail!("the venue broke the protocol: {reason}"),
            };
            let payload = &pulled[start..][frame.payload.clone()];
            start += frame.payload.end;
            let Some((name, event)) = event::unwrap_combined(payload) else {
                continue;
            };
            let Some(&stream) = self.stream_by_name.get(name) else {
                continue;
            };
            if self.batch_count == self.coalesce || (self.batch_count > 0 && self.batch_stream != stream) {
                self.send_batch();
            }
            self.batch_stream = stream;
            self.batch_count += 1;
            frame::encode_server(&mut self.batch, frame::TEXT, event);
        }
        self.send_batch();
        Ok(start)
    }

    fn send_batch(&mut self) {
        if self.batch_count == 0 {
            return;
        }
        for &subscriber in &self.streams[self.batch_stream].subscribers {
            if let Some(Peer::Subscriber { socket, .. }) = &self.peers[subscriber] {
                send_all(socket, &self.batch);
            }
        }
        self.batch.clear();
        self.batch_count = 0;
    }
}

/// Waits when the socket is full; a subscriber that is gone is dropped when its end is read.
fn send_all(socket: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::AGAIN) => {
                let mut socket = [PollFd::new(socket, PollFlags::OUT)];
                let _ = rustix::event::poll(&mut socket, None);
            }
            Err(_) => return,
        }
    }
}
