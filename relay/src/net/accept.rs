//! The listeners, and what is done with a socket until its request is whole.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use anyhow::Context as _;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::clock::TICKS_PER_SECOND;
use super::conn::{Conn, INTEREST, Speaks, Stage};
use super::shard::{LISTENER, Shard};
use crate::config::{Edge, Forwarded};
use crate::fanout::slab::Slot;
use crate::limits::{NOTSENT_BYTES_MAX, REFUSED_AT_ONCE_MAX, REQUEST_HEAD_BYTES_MAX};
use crate::wire::http::ip::{IpKey, is_loopback};
use crate::wire::http::proxy::{self, Proxy};

/// Sockets accepted in a row before others get their share.
const ACCEPTS_AT_ONCE: usize = 256;

/// One listener for each shard on the same address. With port 0 the first one picks, and the others follow.
pub fn listeners(address: SocketAddr, shards: usize) -> anyhow::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // With SO_REUSEPORT a second relay would quietly share the port, so one bind without it has to succeed.
        bind(address, false).with_context(|| {
            format!("cannot listen on {address} (--listen takes another address; port 0 picks a free one)")
        })?;
    }
    let mut listeners = Vec::with_capacity(shards);
    let mut address = address;
    for _ in 0..shards {
        let listener = bind(address, true).with_context(|| format!("cannot listen on {address}"))?;
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn bind(address: SocketAddr, shared: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

impl Shard {
    /// Takes the sockets that wait, each as a connection without a request.
    pub(super) fn accept(&mut self) {
        if self.tick < self.accept_after {
            return;
        }
        for _ in 0..ACCEPTS_AT_ONCE {
            let Some(listener) = &self.listener else { return };
            let accepted = rustix::net::acceptfrom_with(
                listener,
                rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC,
            );
            match accepted {
                Ok((fd, peer)) => {
                    self.accept_pause = 0;
                    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                    self.admit(fd, peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip()));
                }
                Err(Errno::AGAIN) => return,
                // The client left before its turn came.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(error) => return self.pause_accept(error),
            }
        }
    }

    /// A failed accept would fail again at once: the listener waits, a little longer each time.
    fn pause_accept(&mut self, error: Errno) {
        self.shared.metrics.shards[self.id].counters.accept_errors.one();
        if self.accept_pause == 0 {
            tracing::warn!(%error, "accept failed, the listener pauses");
        }
        self.accept_pause = (self.accept_pause * 2).clamp(1, TICKS_PER_SECOND);
        self.accept_after = self.tick + self.accept_pause;
        self.listen(false);
    }

    /// The pause is over.
    pub(super) fn resume_accept(&mut self) {
        if self.accept_after != 0 && self.tick >= self.accept_after {
            self.accept_after = 0;
            self.listen(true);
        }
    }

    fn listen(&mut self, on: bool) {
        let Some(listener) = &self.listener else { return };
        let flags = if on { epoll::EventFlags::IN } else { epoll::EventFlags::empty() };
        if let Err(error) = epoll::modify(&self.epoll, listener, epoll::EventData::new_u64(LISTENER), flags) {
            tracing::error!(%error, "the listener cannot be watched");
        }
    }

    fn admit(&mut self, fd: OwnedFd, peer: IpAddr) {
        let counters = &self.shared.metrics.shards[self.id].counters;
        counters.accepted.one();
        let (ticket, mut refused) = self.shared.admission.enter(IpKey::from(peer), is_loopback(peer));
        if refused || self.drain.is_some() {
            refused = true;
            let over = self.shared.admission.connections().saturating_sub(self.shared.admission.connections_max());
            if over > REFUSED_AT_ONCE_MAX {
                // Too many even to be told; the counter tells.
                counters.refused_full.one();
                return;
            }
        }
        tune(&fd);
        let mut conn = Conn::new(fd, ticket, Speaks::Undecided, 0, self.tick);
        conn.stage = Stage::Head;
        conn.refused = refused;
        let slot = self.fanout.open(conn, false, false);
        // The set tells at once if the request is there already.
        self.watch(slot, INTEREST);
    }

    /// Looks whether the request is whole, without taking it: hyper will.
    pub(super) fn peek(&mut self, slot: Slot, ended: bool) {
        let Some(session) = self.fanout.session_mut(slot) else { return };
        let conn = &mut session.conn;
        let Some(fd) = &conn.fd else { return };
        let bytes = match rustix::net::recv(fd, &mut self.buffer[..REQUEST_HEAD_BYTES_MAX], RecvFlags::PEEK) {
            Ok((bytes, _)) => bytes,
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(_) => return self.remove_lost(slot),
        };
        let mut head = &self.buffer[..bytes];
        let mut is_long = bytes == REQUEST_HEAD_BYTES_MAX;
        if !conn.proxied && comes_by_proxy(&self.shared.config.edge, fd) {
            match proxy::parse(head) {
                Proxy::NeedMore if !is_long && !ended => return,
                Proxy::Header { len, source } => {
                    if rustix::net::recv(fd, &mut vec![0; len][..], RecvFlags::empty()).is_err() {
                        return self.remove_lost(slot);
                    }
                    conn.proxied = true;
                    if let Some(source) = source {
                        conn.ticket.set_ip(IpKey::from(source.ip()), is_loopback(source.ip()));
                    }
                    head = &self.buffer[len..bytes];
                    is_long = false;
                }
                Proxy::NeedMore | Proxy::Absent | Proxy::Invalid(_) => {
                    self.shared.metrics.shards[self.id].counters.refused_proxy.one();
                    return self.remove(slot);
                }
            }
        }
        if memchr::memmem::find(head, b"\r\n\r\n").is_some() || is_long {
            // A head that is too long goes to hyper as well, which says so to the client.
            conn.stage = Stage::Ready;
            self.ready.push_back(conn.key);
        } else if bytes == 0 || ended {
            self.remove_lost(slot);
        }
    }

    /// On shutdown: what the kernel has queued is taken and will be told 503.
    pub(super) fn take_backlog(&mut self) {
        self.accept_after = 0;
        for _ in 0..64 {
            self.accept();
        }
        self.listener = None;
    }
}

/// Whether the peer is one of our load balancers, which send a PROXY header first.
fn comes_by_proxy(edge: &Edge, fd: &OwnedFd) -> bool {
    if edge.forwarded != Some(Forwarded::ProxyProtocol) {
        return false;
    }
    let peer = SockRef::from(fd).peer_addr().ok().and_then(|peer| peer.as_socket());
    peer.is_some_and(|peer| edge.trusted_proxies.iter().any(|proxies| proxies.contains(peer.ip())))
}

/// Socket options of every client. They fail only on a socket that is already dead.
fn tune(fd: &OwnedFd) {
    let socket = SockRef::from(fd);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_notsent_lowat(NOTSENT_BYTES_MAX);
    let _ = socket.set_tcp_user_timeout(Some(std::time::Duration::from_secs(30)));
}
