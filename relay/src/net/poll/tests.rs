//! A source on port 0, asked over real sockets.

use std::future::Future;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::*;
use crate::limits::POLL_BODY_BYTES_MAX;
use crate::venue::poll::format::Format;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Frame(String, String),
    Event(Event),
}

struct Recorder {
    told: UnboundedSender<Told>,
    start: Instant,
}

impl Shelf for Recorder {
    fn publish(&mut self, stream: &str, payload: &[u8], _: u64) {
        let payload = String::from_utf8(payload.to_vec()).unwrap();
        self.told.send(Told::Frame(stream.to_owned(), payload)).unwrap();
    }

    fn flush(&mut self) {}

    fn event(&mut self, event: Event) {
        self.told.send(Told::Event(event)).unwrap();
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

struct World {
    listener: TcpListener,
    wishes: UnboundedSender<Demand>,
    told: UnboundedReceiver<Told>,
}

impl World {
    async fn start() -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (wishes, mailbox) = unbounded_channel();
        let (sender, told) = unbounded_channel();
        let key = (HeaderName::from_static("x-cg-demo-api-key"), HeaderValue::from_static("k"));
        let poller =
            poll::Settings { linger_ms: 1, stale_ms: 60_000, ..poll::Settings::new(Format::Coingecko).every(20) };
        let target = Target::exact(false, "127.0.0.1", port, "/");
        let settings = Settings::new(target, None, vec![key], poller);
        let shelf = Recorder { told: sender, start: Instant::now() };
        tokio::task::spawn_local(drive(settings, shelf, mailbox));
        World { listener, wishes, told }
    }

    fn want(&self, id: u32, name: &str) {
        self.wishes.send(Demand::Want { id, name: name.into() }).unwrap();
    }

    async fn accept(&self) -> TcpStream {
        in_time(self.listener.accept()).await.unwrap().0
    }

    async fn next(&mut self) -> Told {
        in_time(self.told.recv()).await.unwrap()
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), what).await.expect("in time")
}

/// The head of the next request.
async fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time(socket.read_u8()).await.expect("a request"));
    }
    String::from_utf8(head).unwrap()
}

async fn answer(socket: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
    socket.write_all(text.as_bytes()).await.unwrap();
}

fn on_a_shard(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

const GLOBAL: &str = "coingecko@global";
const BODY: &str = r#"{"data":{}}"#;

fn frame() -> Told {
    Told::Frame(GLOBAL.to_owned(), BODY.to_owned())
}

/// One connection carries one request after the other, with our key and the validators of the answer before; an
/// unwanted stream ends.
#[test]
fn a_connection_is_kept() {
    on_a_shard(async {
        let mut world = World::start().await;
        world.want(3, GLOBAL);
        let mut socket = world.accept().await;
        let first = head(&mut socket).await;
        assert!(first.starts_with("GET /api/v3/global HTTP/1.1\r\n"), "{first}");
        assert!(first.contains("x-cg-demo-api-key: k\r\n") && !first.contains("if-none-match"), "{first}");
        answer(&mut socket, "200 OK", "etag: \"7\"\r\n", BODY).await;
        assert_eq!(world.next().await, frame());
        assert_eq!(world.next().await, Told::Event(Event::Changed(Change::Up)));
        let second = head(&mut socket).await;
        assert!(second.contains("if-none-match: \"7\"\r\n"), "{second}");
        socket.write_all(b"HTTP/1.1 304 Not Modified\r\netag: \"7\"\r\n\r\n").await.unwrap();
        assert_eq!(world.next().await, frame());
        world.wishes.send(Demand::Unwant { id: 3 }).unwrap();
        loop {
            match world.next().await {
                Told::Event(Event::Released(3)) => break,
                // A request may have been under way.
                other => assert_eq!(other, frame()),
            }
        }
    });
}

/// A connection that the source ended costs nothing but a new one.
#[test]
fn a_closed_connection_is_made_anew() {
    on_a_shard(async {
        let mut world = World::start().await;
        world.want(3, GLOBAL);
        for round in 0..3 {
            let mut socket = world.accept().await;
            head(&mut socket).await;
            answer(&mut socket, "200 OK", "connection: close\r\n", BODY).await;
            drop(socket);
            assert_eq!(world.next().await, frame());
            if round == 0 {
                assert_eq!(world.next().await, Told::Event(Event::Changed(Change::Up)));
            }
        }
    });
}

/// What goes wrong is told, and tried again.
#[test]
fn trouble_is_told_and_passes() {
    on_a_shard(async {
        let mut world = World::start().await;
        world.want(3, GLOBAL);
        world.want(4, "btcusdt@trade");
        let msg = "the source has no such stream".to_owned();
        assert_eq!(world.next().await, Told::Event(Event::Refused { id: 4, msg }));
        world.wishes.send(Demand::Unwant { id: 4 }).unwrap();
        assert_eq!(world.next().await, Told::Event(Event::Released(4)));
        // Ended without an answer.
        let mut socket = world.accept().await;
        head(&mut socket).await;
        drop(socket);
        assert_eq!(world.next().await, Told::Event(Event::Failed));
        assert!(matches!(world.next().await, Told::Event(Event::Changed(Change::Failing { .. }))));
        // A body beyond the limit.
        let mut socket = world.accept().await;
        head(&mut socket).await;
        let start = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", POLL_BODY_BYTES_MAX + 1);
        socket.write_all(start.as_bytes()).await.unwrap();
        let _ = socket.write_all(&vec![b' '; POLL_BODY_BYTES_MAX + 1]).await;
        drop(socket);
        assert_eq!(world.next().await, Told::Event(Event::Failed));
        let mut socket = world.accept().await;
        head(&mut socket).await;
        answer(&mut socket, "429 Too Many Requests", "retry-after: 1\r\n", "").await;
        assert_eq!(world.next().await, Told::Event(Event::Failed));
        let limited = Change::Limited { status: 429, wait_ms: 1_000 };
        assert_eq!(world.next().await, Told::Event(Event::Changed(limited)));
        head(&mut socket).await;
        answer(&mut socket, "200 OK", "", BODY).await;
        assert_eq!(world.next().await, frame());
        assert_eq!(world.next().await, Told::Event(Event::Changed(Change::Up)));
    });
}
