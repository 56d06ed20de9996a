//! Sockets around the [`World`]: accepting, upgrading, reading and writing.

use super::fault::Kind as FaultKind;
use super::http::{self, Reply};
use super::line::Lines;
use super::line::State;
use super::tls::Acceptors;
use super::world::World;
use super::writer::Writer;
use crate::frame::{self, Sender};
use crate::handshake;
use anyhow::Result;
use socket2::{SockRef, Socket};
use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, split};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a client may take to close after we did.
const LINGER: Duration = Duration::from_secs(1);
/// How often a frozen socket looks whether it may go on.
pub const THAW: Duration = Duration::from_millis(10);

/// The world and its clock, for every task.
#[derive(Clone)]
pub struct Venue {
    pub world: Rc<RefCell<World>>,
    pub clock: Clock,
    pub tls: Option<Rc<Acceptors>>,
}

/// Milliseconds of the Unix epoch that never go back.
#[derive(Clone, Copy)]
pub struct Clock {
    pub epoch_ms: u64,
    pub started: std::time::Instant,
}

impl Clock {
    pub fn now_ms(self) -> u64 {
        self.epoch_ms + self.started.elapsed().as_millis() as u64
    }
}

/// Takes connections for ever; while the venue refuses them, nobody listens at all.
pub async fn accept(venue: Venue, mut listener: TcpListener) -> Result<()> {
    let address = listener.local_addr()?.to_string();
    loop {
        let taking = tokio::net::TcpListener::from_std(listener)?;
        loop {
            if venue.world.borrow().refuses() {
                break;
            }
            if let Ok(Ok((stream, peer))) = timeout(THAW * 2, taking.accept()).await {
                tokio::task::spawn_local(serve(venue.clone(), stream, peer));
            }
        }
        drop(taking);
        while venue.world.borrow().refuses() {
            sleep(THAW).await;
        }
        listener = crate::listen::listen(&address)?;
    }
}

async fn serve(venue: Venue, stream: TcpStream, peer: SocketAddr) {
    // Frames go out as they are due; and a second handle, so that a reset is possible through TLS.
    let (_, Ok(socket)) = (stream.set_nodelay(true), SockRef::from(&stream).try_clone()) else {
        return;
    };
    let Some(tls) = venue.tls.clone() else {
        return talk(venue, stream, socket, peer).await;
    };
    let (fails, is_wrong) = {
        let faults = &venue.world.borrow().faults;
        (faults.is_active(|kind| *kind == FaultKind::TlsFail), faults.is_active(|kind| *kind == FaultKind::TlsWrong))
    };
    if fails {
        // Not TLS: what a broken middlebox answers to a hello.
        let mut stream = stream;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        return;
    }
    let acceptor = if is_wrong { &tls.wrong } else { &tls.good };
    if let Ok(Ok(stream)) = timeout(Duration::from_secs(10), acceptor.accept(stream)).await {
        talk(venue, stream, socket, peer).await;
    }
}

/// HTTP until there is an upgrade.
async fn talk(venue: Venue, mut stream: impl AsyncRead + AsyncWrite + Unpin, socket: Socket, peer: SocketAddr) {
    let mut buffer = Vec::new();
    while let Some(request) = http::read_request(&mut stream, &mut buffer).await {
        while venue.world.borrow().is_deaf() {
            sleep(THAW).await;
        }
        let now_ms = venue.clock.now_ms();
        let reply = match request.websocket_key() {
            Some(key) => match venue.world.borrow_mut().open(peer, &request.target, now_ms) {
                Ok(opened) => Err((opened, handshake::response(key))),
                Err(refused) => Ok(refused),
            },
            None if request.method == "GET" => Ok(venue.world.borrow_mut().rest(&request, peer, now_ms)),
            None => Ok(Reply::json(405, r#"{"code":-1000,"msg":"GET only"}"#)),
        };
        match reply {
            Ok(reply) => {
                if stream.write_all(&reply.encode()).await.is_err() {
                    return;
                }
            }
            Err(((id, lines), head)) => {
                if stream.write_all(&head).await.is_err() {
                    return venue.world.borrow_mut().gone(id, "gone before it stood", now_ms);
                }
                return converse(venue, stream, socket, id, lines, buffer).await;
            }
        }
    }
}

/// A WebSocket's life.
async fn converse(
    venue: Venue,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    socket: Socket,
    id: u64,
    lines: Lines,
    buffer: Vec<u8>,
) {
    let (mut reader, mut half) = split(stream);
    let state = Rc::clone(&lines.state);
    let mut writer = Writer::new(lines);
    let why = tokio::select! {
        why = read(&venue, &mut reader, &state, id, buffer) => Some(why),
        is_open = writer.run(&mut half) => (!is_open).then_some("the socket failed"),
        () = state.over.notified() => None,
    };
    if let Some(why) = why {
        let now_ms = venue.clock.now_ms();
        venue.world.borrow_mut().gone(id, why, now_ms);
    }
    if state.cut.get() {
        // Closing with nothing to linger for sends a reset.
        let _ = socket.set_linger(Some(Duration::ZERO));
        return;
    }
    // What a close has queued goes out, and the client may answer it: unread bytes would turn our end into a reset.
    let _ = timeout(LINGER, async {
        writer.run(&mut half).await;
        let _ = half.shutdown().await;
        let mut rest = [0; 4096];
        while reader.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    })
    .await;
}

/// Reads frames until the connection ends, and says how it did.
async fn read<S: AsyncRead>(
    venue: &Venue,
    reader: &mut ReadHalf<S>,
    state: &State,
    id: u64,
    mut buffer: Vec<u8>,
) -> &'static str {
    loop {
        while state.frozen.get() {
            sleep(THAW).await;
        }
        let mut start = 0;
        loop {
            match frame::decode(&buffer[start..], Sender::Client) {
                Ok(Some(frame)) => {
                    let mut payload = buffer[start..][frame.payload.clone()].to_vec();
                    start += frame.payload.end;
                    frame::apply_mask(
                        &mut payload,
                        frame.mask.expect("the decoder refuses unmasked frames of clients"),
                    );
                    let now_ms = venue.clock.now_ms();
                    venue.world.borrow_mut().receive(id, frame.opcode, &payload, now_ms);
                }
                Ok(None) => break,
                Err(_) => return "broke the protocol",
            }
        }
        buffer.drain(..start);
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return "closed by the client",
            Ok(_) => {}
            Err(_) => return "reset by the client",
        }
    }
}
