//! A venue of the stream dialect: acknowledges what is asked, sends what a test says, and can vanish and come back.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use socket2::SockRef;

use super::frame::{self, CLOSE, PING, PONG, TEXT};
use super::{PATIENCE, until};

pub struct Venue {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    links: Vec<Link>,
    accepted: usize,
    /// Every request as it came.
    requests: Vec<String>,
    /// Payloads of the answers to our pings.
    pongs: Vec<Vec<u8>>,
    /// What has been answered by an error instead of an acknowledgement.
    refused: BTreeSet<String>,
}

/// One connection of the relay.
struct Link {
    number: usize,
    stream: TcpStream,
    names: BTreeSet<String>,
}

impl Venue {
    pub fn start() -> Venue {
        let mut venue = Venue {
            address: "127.0.0.1:0".parse().expect("an address"),
            state: Arc::default(),
            listening: Arc::default(),
            thread: None,
        };
        venue.listen();
        venue
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Listens, again on the same port after `vanish`.
    pub fn listen(&mut self) {
        let mut listener = TcpListener::bind(self.address);
        if self.address.port() != 0 {
            until("the venue's port is free again", || {
                listener = TcpListener::bind(self.address);
                listener.is_ok()
            });
        }
        let listener = listener.expect("a port");
        self.address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("it can be set");
        let listening = Arc::new(AtomicBool::new(true));
        let (state, go_on) = (self.state.clone(), listening.clone());
        self.listening = listening;
        self.thread = Some(std::thread::spawn(move || {
            while go_on.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let state = state.clone();
                        std::thread::spawn(move || serve(stream, &state));
                    }
                    // Between two looks whether the test wants it to vanish.
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        }));
    }

    /// Drops every connection without a goodbye, and accepts no new one.
    pub fn vanish(&mut self) {
        self.stop_listening();
        self.drop_connections();
    }

    /// Drops every connection without a goodbye; the relay may dial again at once.
    pub fn drop_connections(&self) {
        for link in self.state().links.drain(..) {
            SockRef::from(&link.stream).set_linger(Some(Duration::ZERO)).expect("it can be set");
            let _ = link.stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Sends data of a stream on the connection that asked for it.
    #[track_caller]
    pub fn send(&self, name: &str, payload: &str) {
        self.send_text(name, &format!(r#"{{"stream":"{name}","data":{payload}}}"#));
    }

    /// Sends a text on the connection that asked for this stream.
    #[track_caller]
    pub fn send_text(&self, name: &str, text: &str) {
        self.send_bytes(name, &frame::unmasked(0x80 | TEXT, text.as_bytes()));
    }

    /// Sends bytes on the connection that asked for this stream.
    #[track_caller]
    pub fn send_bytes(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let link = state.links.iter_mut().find(|link| link.names.contains(name));
        link.unwrap_or_else(|| panic!("nobody asked for {name}")).stream.write_all(bytes).expect("the relay reads");
    }

    /// Waits until the relay has asked for a stream.
    #[track_caller]
    pub fn until_asked(&self, name: &str) {
        until(&format!("the relay asks for {name}"), || self.holds(name));
    }

    #[track_caller]
    pub fn until_let_go(&self, name: &str) {
        until(&format!("the relay lets {name} go"), || !self.holds(name));
    }

    pub fn holds(&self, name: &str) -> bool {
        self.state().links.iter().any(|link| link.names.contains(name))
    }

    /// All streams held, over all connections.
    pub fn names(&self) -> BTreeSet<String> {
        self.state().links.iter().flat_map(|link| link.names.clone()).collect()
    }

    pub fn connections(&self) -> usize {
        self.state().links.len()
    }

    /// Connections made, ever.
    pub fn accepted(&self) -> usize {
        self.state().accepted
    }

    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    pub fn pongs(&self) -> Vec<Vec<u8>> {
        self.state().pongs.clone()
    }

    /// How often a stream has been asked for.
    pub fn times_asked(&self, name: &str) -> usize {
        let quoted = format!("\"{name}\"");
        let requests = self.requests();
        requests.iter().filter(|text| text.contains(r#""SUBSCRIBE""#) && text.contains(&quoted)).count()
    }

    /// From now on a request with this name is answered by an error.
    pub fn refuse(&self, name: &str) {
        self.state().refused.insert(name.to_owned());
    }

    fn stop_listening(&mut self) {
        self.listening.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the venue's thread is well");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the venue's threads are well")
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.listening.store(false, Ordering::Relaxed);
    }
}

/// One connection, until its end.
fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    stream.set_nonblocking(false).expect("it can be set");
    stream.set_nodelay(true).expect("it can be set");
    stream.set_write_timeout(Some(PATIENCE)).expect("it can be set");
    let mut buffer = Vec::new();
    if handshake(&mut stream, &mut buffer).is_none() {
        return;
    }
    let number = {
        let mut state = state.lock().expect("the venue is well");
        state.accepted += 1;
        let number = state.accepted;
        let link = Link { number, stream: stream.try_clone().expect("a descriptor"), names: BTreeSet::new() };
        state.links.push(link);
        number
    };
    loop {
        while let Some((frame, len)) = frame::decode(&buffer) {
            buffer.drain(..len);
            let mut state = state.lock().expect("the venue is well");
            match frame.opcode {
                TEXT => answer(&mut state, number, String::from_utf8(frame.payload).expect("text")),
                PING => reply(&mut state, number, PONG, &frame.payload),
                PONG => state.pongs.push(frame.payload),
                CLOSE => reply(&mut state, number, CLOSE, &frame.payload),
                _ => {}
            }
        }
        let mut chunk = [0; 16 * 1024];
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => buffer.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    state.lock().expect("the venue is well").links.retain(|link| link.number != number);
}

fn handshake(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => buffer.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).expect("a head is text");
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let key = headers.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).expect("a key").1.trim();
    let accept = accept(key);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).ok()
}

/// What proves that a server read the key (RFC 6455 section 4.2.2).
pub fn accept(key: &str) -> String {
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    base64::engine::general_purpose::STANDARD.encode(digest)
}

fn answer(state: &mut State, number: usize, text: String) {
    let request: Value = serde_json::from_str(&text).expect("the relay asks in JSON");
    let names: Vec<String> = serde_json::from_value(request["params"].clone()).expect("names");
    let id = request["id"].clone();
    state.requests.push(text);
    if names.iter().any(|name| state.refused.contains(name)) {
        let error = format!(r#"{{"error":{{"code":2,"msg":"Invalid request: invalid stream"}},"id":{id}}}"#);
        return reply(state, number, TEXT, error.as_bytes());
    }
    if let Some(link) = state.links.iter_mut().find(|link| link.number == number) {
        match request["method"].as_str() {
            Some("SUBSCRIBE") => link.names.extend(names),
            Some("UNSUBSCRIBE") => link.names.retain(|name| !names.contains(name)),
            other => panic!("{other:?} is not asked of a venue"),
        }
    }
    reply(state, number, TEXT, format!(r#"{{"result":null,"id":{id}}}"#).as_bytes());
}

fn reply(state: &mut State, number: usize, opcode: u8, payload: &[u8]) {
    if let Some(link) = state.links.iter_mut().find(|link| link.number == number) {
        // Whoever asked may have left meanwhile.
        let _ = link.stream.write_all(&frame::unmasked(0x80 | opcode, payload));
    }
}
