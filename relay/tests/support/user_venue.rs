//! A venue of user data streams: gives listen keys for tokens, and says on each token's streams what a test says.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::PATIENCE;
use super::frame::{self, TEXT};
use super::http;
use super::venue::accept;

#[derive(Clone)]
pub struct UserVenue {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// Each request as `POST token`.
    requests: Vec<String>,
    keys: HashMap<String, String>,
    streams: Vec<(String, TcpStream)>,
    /// Connections that ever were, by token.
    connected: HashMap<String, usize>,
}

impl UserVenue {
    pub fn start() -> UserVenue {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let venue = UserVenue { address, state: Arc::default() };
        let serving = venue.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let venue = serving.clone();
                std::thread::spawn(move || venue.serve(stream));
            }
        });
        venue
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        let Some(head) = http::read_head(&mut stream, &mut buffer) else { return };
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let mut words = head.split(' ');
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        if let Some(websocket_key) = header("sec-websocket-key") {
            let key = path.rsplit('/').next().expect("a path");
            let mut state = self.lock();
            let token = state.keys.iter().find(|(_, known)| *known == key).map(|(token, _)| token.clone());
            let token = token.expect("a key that was given");
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                accept(&websocket_key)
            );
            stream.write_all(answer.as_bytes()).expect("the relay reads");
            *state.connected.entry(token.clone()).or_default() += 1;
            state.streams.push((token, stream));
        } else {
            let token = header("authorization").expect("a token").strip_prefix("Bearer ").expect("a bearer").to_owned();
            let mut state = self.lock();
            state.requests.push(format!("{method} {token}"));
            let key = format!("key{}of{token}", state.requests.len());
            state.keys.insert(token, key.clone());
            let body = format!(r#"{{"code":0,"data":{{"listenKey":"{key}"}}}}"#);
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).expect("the relay reads");
        }
        self.state.1.notify_all();
    }

    /// Waits until the token's stream has been connected to so often.
    #[track_caller]
    pub fn until_connected(&self, token: &str, times: usize) {
        let few = |state: &mut State| state.connected.get(token).copied().unwrap_or(0) < times;
        let (_state, wait) =
            self.state.1.wait_timeout_while(self.lock(), PATIENCE, few).expect("nobody panics with it");
        assert!(!wait.timed_out(), "{token} is not connected {times} times");
    }

    /// Says a text on the token's newest stream.
    #[track_caller]
    pub fn send(&self, token: &str, text: &str) {
        let mut state = self.lock();
        let stream = state.streams.iter_mut().rev().find(|(found, _)| found == token);
        let (_, stream) = stream.expect("a stream of this token");
        stream.write_all(&frame::unmasked(0x80 | TEXT, text.as_bytes())).expect("the relay reads");
    }

    /// Ends the token's streams without a word.
    pub fn drop_streams(&self, token: &str) {
        for (_, stream) in self.lock().streams.extract_if(.., |(found, _)| found == token) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().expect("nobody panics with it")
    }
}
