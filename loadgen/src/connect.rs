//! Connecting a fleet from one machine: sockets that do not wait, spread over the loopback's addresses.

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};

/// Above this many connections between two addresses connect() itself gets slow: its search for a free port is linear.
pub const PER_SOURCE_MAX: usize = 12_000;

/// Begins the connection of a client, by its place in the fleet. A receive buffer is set before the window is agreed.
pub fn connect(address: SocketAddr, index: usize, receive_bytes: Option<usize>) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).context("a socket (out of descriptors?)")?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let source = index / PER_SOURCE_MAX;
    if source > 0 && address.ip().is_loopback() {
        let source = Ipv4Addr::new(127, 0, 0, u8::try_from(source + 1).context("too many connections")?);
        socket.bind(&SocketAddr::V4(SocketAddrV4::new(source, 0)).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
            Err(error).with_context(|| format!("connecting to {address}"))
        }
        _ => Ok(socket.into()),
    }
}
