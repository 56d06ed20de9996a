//! Listening with room for a whole fleet: the standard library queues 128, and a connect beyond that waits a second.

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};

const BACKLOG: i32 = 4096;

/// A non-blocking listener at `host:port`.
pub fn listen(address: &str) -> Result<TcpListener> {
    let parsed: SocketAddr = address.parse().with_context(|| format!("'{address}' must be an address and a port"))?;
    let socket = Socket::new(Domain::for_address(parsed), Type::STREAM, None)?;
    // A venue that was killed comes back to the same address at once.
    socket.set_reuse_address(true)?;
    socket.bind(&parsed.into()).with_context(|| format!("binding {address}"))?;
    socket.listen(BACKLOG).with_context(|| format!("listening on {address}"))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The next connection, non-blocking and without Nagle's delay; `None` if there is none now.
pub fn accept(listener: &TcpListener) -> Result<Option<TcpStream>> {
    let socket = match listener.accept() {
        Ok((socket, _)) => socket,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error).context("accepting"),
    };
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    Ok(Some(socket))
}
