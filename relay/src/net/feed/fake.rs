//! A venue on port 0 that does what a test tells it, byte by byte.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Role, WebSocket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::dial::{ReadHalf, WriteHalf, accept};
use super::inlet::Inlet;

/// What the relay sent. `Gone` is the end of its connection, with or without a close frame before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close,
    Gone,
}

pub(super) struct Venue {
    pub listener: TcpListener,
    pub address: SocketAddr,
}

impl Venue {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Self { listener, address }
    }

    /// The next connection, with `behind` in the same write as the answer to its handshake.
    pub async fn accept(&self, behind: &[u8]) -> Peer {
        self.accept_with_head(behind).await.0
    }

    /// The same with what was asked for.
    pub async fn accept_with_head(&self, behind: &[u8]) -> (Peer, String) {
        let (socket, head) = self.request().await;
        let (read, write) = socket.into_split();
        (Peer::new(Box::new(read), Box::new(write), &accept(key_of(&head)), behind).await, head)
    }

    /// The same, with an accept value of another key.
    pub async fn accept_wrongly(&self) -> Peer {
        let (socket, _) = self.request().await;
        let (read, write) = socket.into_split();
        Peer::new(Box::new(read), Box::new(write), &accept("another"), b"").await
    }

    /// The same over TLS; the name that the relay asked for comes with it.
    pub async fn accept_tls(&self, tls: Arc<ServerConfig>) -> (Peer, Option<String>) {
        let (socket, _) = self.listener.accept().await.expect("accepted");
        let mut socket = TlsAcceptor::from(tls).accept(socket).await.expect("trusted");
        let name = socket.get_ref().1.server_name().map(str::to_owned);
        let head = head_of(&mut socket).await;
        let (read, write) = tokio::io::split(socket);
        let accept = accept(key_of(&head));
        (Peer::new(Box::new(read), Box::new(write), &accept, b"").await, name)
    }

    pub async fn request(&self) -> (TcpStream, String) {
        let accepted = timeout(Duration::from_secs(5), self.listener.accept()).await;
        let (mut socket, _) = accepted.expect("dialled in time").expect("accepted");
        let head = head_of(&mut socket).await;
        (socket, head)
    }

    pub async fn nobody_comes_for(&self, ms: u64) -> bool {
        // Waits for the absence of something: only time can show it.
        timeout(Duration::from_millis(ms), self.listener.accept()).await.is_err()
    }
}

pub(super) async fn head_of(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let count = socket.read_buf(&mut head).await.expect("a request");
        assert!(count > 0, "the request is complete");
    }
    String::from_utf8(head).expect("text")
}

fn key_of(head: &str) -> &str {
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix("sec-websocket-key: ")).expect("a key")
}

pub(super) struct Peer {
    write: WriteHalf,
    got: mpsc::UnboundedReceiver<Got>,
}

impl Peer {
    async fn new(read: ReadHalf, mut write: WriteHalf, accept: &str, behind: &[u8]) -> Self {
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .into_bytes();
        answer.extend_from_slice(behind);
        write.write_all(&answer).await.expect("answered");
        write.flush().await.expect("answered");
        let (sender, got) = mpsc::unbounded_channel();
        tokio::task::spawn_local(async move {
            let inlet = Inlet::new(read, Bytes::new(), Rc::new(Cell::new(false)));
            let mut socket = WebSocket::after_handshake(inlet, Role::Server);
            socket.set_auto_pong(false);
            socket.set_auto_close(false);
            while let Ok(frame) = socket.read_frame().await {
                let payload = frame.payload.to_vec();
                let got = match frame.opcode {
                    OpCode::Ping => Got::Ping,
                    OpCode::Pong => Got::Pong(payload),
                    OpCode::Close => Got::Close,
                    _ => Got::Text(String::from_utf8(payload).expect("text")),
                };
                let _ = sender.send(got);
            }
            let _ = sender.send(Got::Gone);
        });
        Self { write, got }
    }

    pub async fn next(&mut self) -> Got {
        let got = timeout(Duration::from_secs(5), self.got.recv()).await;
        got.expect("the relay sends in time").expect("not after the end")
    }

    pub async fn expect(&mut self, text: &str) {
        assert_eq!(self.next().await, Got::Text(text.to_owned()));
    }

    /// Takes the SUBSCRIBE and acknowledges it.
    pub async fn subscribe(&mut self, names: &str, id: u64) {
        self.expect(&format!(r#"{{"method":"SUBSCRIBE","params":[{names}],"id":{id}}}"#)).await;
        self.send(&text(&format!(r#"{{"result":null,"id":{id}}}"#))).await;
    }

    /// All bytes in one write.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.expect("sent");
        self.write.flush().await.expect("sent");
    }

    /// An end without a goodbye.
    pub fn cut(self) {}
}

pub(super) fn frame(is_final: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::new(is_final, opcode, None, payload.into()).write(&mut bytes).to_vec()
}

pub(super) fn text(payload: &str) -> Vec<u8> {
    frame(true, OpCode::Text, payload.as_bytes())
}

pub(super) fn data(stream: &str, payload: &str) -> Vec<u8> {
    text(&format!(r#"{{"stream":"{stream}","data":{payload}}}"#))
}
