//! A blocking client that can say anything, and tells in words what came back.

use crate::frame::{self, Sender};
use crate::handshake;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where clients come from, if it was asked for: limits by address are about that.
pub static SOURCE: OnceLock<IpAddr> = OnceLock::new();

pub struct Client {
    pub socket: TcpStream,
    received: Vec<u8>,
}

/// One thing the relay said. Events are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A reply without an error.
    Result,
    /// A reply with the error of this code; 0 if it has none we know.
    Error(i64),
    Close(u16),
    /// The connection ended in order.
    End,
    Reset,
    /// Bytes that are no WebSocket frame, such as a plain HTTP answer; its status.
    Http(u16),
    Broken(&'static str),
    Silence,
}

impl std::fmt::Display for Said {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Result => write!(out, "result"),
            Self::Error(code) => write!(out, "error {code}"),
            Self::Close(code) => write!(out, "close {code}"),
            Self::End => write!(out, "end"),
            Self::Reset => write!(out, "reset"),
            Self::Http(status) => write!(out, "http {status}"),
            Self::Broken(why) => write!(out, "broken: {why}"),
            Self::Silence => write!(out, "silence"),
        }
    }
}

impl Client {
    /// A connection on which nothing was said yet.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(source) = SOURCE.get() {
            socket.bind(&SocketAddr::new(*source, 0).into()).with_context(|| format!("binding to {source}"))?;
        }
        socket
            .connect_timeout(&address.into(), Duration::from_secs(5))
            .with_context(|| format!("connecting to {address}"))?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        Ok(Self { socket, received: Vec::new() })
    }

    pub fn upgrade(address: SocketAddr, target: &str) -> Result<Self> {
        let mut client = Self::connect(address)?;
        client.socket.write_all(&handshake::request(&address.to_string(), target))?;
        let accept = handshake::accept_for(handshake::KEY);
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            match handshake::check_response(&client.received, &accept) {
                Ok(Some(length)) => {
                    client.received.drain(..length);
                    return Ok(client);
                }
                Ok(None) => {}
                Err(refused) => bail!("the upgrade of {target} was refused: {refused:?}"),
            }
            if let Some(said) = client.read_until(end) {
                bail!("no answer to the upgrade of {target}: {said}");
            }
        }
    }

    /// Sends as far as the relay lets us: it may end the connection in the middle.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.set_write_timeout(Some(Duration::from_secs(3)));
        let _ = self.socket.write_all(bytes);
    }

    pub fn send_text(&mut self, text: &str) {
        let mut wire = Vec::new();
        frame::encode_client(&mut wire, frame::TEXT, text.as_bytes());
        self.send(&wire);
    }

    /// The next thing that is not an event, a ping or a notice.
    pub fn next(&mut self, patience: Duration) -> Said {
        let end = Instant::now() + patience;
        loop {
            match frame::decode(&self.received, Sender::Server) {
                Err(_) if self.received.starts_with(b"HTTP/1.1 ") => {
                    let status =
                        self.received.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                    return Said::Http(status.unwrap_or(0));
                }
                Err(why) => return Said::Broken(why),
                Ok(Some(frame)) => {
                    let payload: Vec<u8> = self.received[frame.payload.clone()].to_vec();
                    self.received.drain(..frame.payload.end);
                    match frame.opcode {
                        frame::CLOSE => return Said::Close(frame::close_code(&payload)),
                        frame::TEXT => {
                            if let Some(said) = reply(&payload) {
                                return said;
                            }
                        }
                        _ => {}
                    }
                }
                Ok(None) => {
                    if let Some(said) = self.read_until(end) {
                        return said;
                    }
                }
            }
        }
    }

    /// Everything said until the connection ends, falls silent, or `most` things were said.
    pub fn all(&mut self, patience: Duration, most: usize) -> Vec<Said> {
        let mut said = Vec::new();
        while said.len() < most {
            said.push(self.next(patience));
            if matches!(said.last(), Some(Said::End | Said::Reset | Said::Silence | Said::Http(_) | Said::Broken(_))) {
                break;
            }
        }
        said
    }

    fn read_until(&mut self, end: Instant) -> Option<Said> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(Said::Silence);
        }
        let _ = self.socket.set_read_timeout(Some(left));
        let mut buffer = [0; 16 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => Some(Said::End),
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                None
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Some(Said::Silence),
            Err(_) => Some(Said::Reset),
        }
    }
}

fn reply(payload: &[u8]) -> Option<Said> {
    let reply: Value = serde_json::from_slice(payload).ok()?;
    match (reply.get("error"), reply.get("result")) {
        (Some(error), _) => Some(Said::Error(error["code"].as_i64().unwrap_or(0))),
        (None, Some(_)) => Some(Said::Result),
        // The hub's way of saying it, where the message decided for that dialect.
        (None, None) if reply["type"] == "error" => Some(Said::Error(0)),
        _ => None,
    }
}
