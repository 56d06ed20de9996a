//! A feed with a recording sink, in front of the fake venue.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

use super::fake::{Peer, Venue};
use super::{Conn, Demand, FeedEvent, Settings, Sink, Target, manager, run};
use crate::venue::adapter::Adapter;
use crate::venue::adapter::stream::Stream;
use crate::venue::backoff::Shape;

/// What the sink was told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Frame(String, String),
    Flush,
    Event(FeedEvent),
}

struct Recorder {
    told: Rc<RefCell<Vec<Told>>>,
    brought: Rc<RefCell<Vec<(String, usize)>>>,
    recorded: Rc<RefCell<Vec<String>>>,
    start: Instant,
}

impl Sink for Recorder {
    fn frame(&mut self, conn: Conn, stream: &str, data: &[u8], read_ns: u64) -> Option<u32> {
        assert!(read_ns <= self.now_ns());
        let data = String::from_utf8(data.to_vec()).expect("checked by the feed");
        self.brought.borrow_mut().push((data.clone(), conn.index));
        self.told.borrow_mut().push(Told::Frame(stream.to_owned(), data));
        stream.strip_prefix('s').and_then(|id| id.parse().ok())
    }

    fn flush(&mut self) {
        self.told.borrow_mut().push(Told::Flush);
    }

    fn event(&mut self, event: FeedEvent) {
        self.told.borrow_mut().push(Told::Event(event));
    }

    fn received(&mut self, conn: usize, text: &[u8], _: u64) {
        self.recorded.borrow_mut().push(format!("{conn}: {}", String::from_utf8_lossy(text)));
    }

    fn asked(&mut self, conn: usize, id: u64, names: &[&str]) {
        self.recorded.borrow_mut().push(format!("{conn} asks {id} {}", names.join(" ")));
    }

    fn ended(&mut self, conn: usize, id: u64, names: &[&str]) {
        self.recorded.borrow_mut().push(format!("{conn} ends {id} {}", names.join(" ")));
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn calendar_ms(&self) -> u64 {
        1_700_000_000_000
    }
}

pub(super) struct World {
    pub venue: Venue,
    pub demand: mpsc::UnboundedSender<Demand>,
    pub told: Rc<RefCell<Vec<Told>>>,
    /// Payloads, and the connections they came on.
    pub brought: Rc<RefCell<Vec<(String, usize)>>>,
    /// What a recording would have.
    pub recorded: Rc<RefCell<Vec<String>>>,
    pub shutdown: oneshot::Sender<()>,
    pub feed: tokio::task::JoinHandle<()>,
}

impl World {
    pub async fn start() -> Self {
        let venue = Venue::start().await;
        let url = format!("ws://{}/ws", venue.address);
        Self::start_with(venue, &url, None)
    }

    pub fn start_with(venue: Venue, url: &str, tls: Option<Arc<ClientConfig>>) -> Self {
        let adapter = Arc::new(Stream::new(Target::parse(url).expect("a url").path()));
        Self::speaking(venue, url, tls, adapter, manager::Settings::default())
    }

    /// With another venue's adapter. Waits are short, whatever the settings say.
    pub fn speaking(
        venue: Venue,
        url: &str,
        tls: Option<Arc<ClientConfig>>,
        adapter: Arc<dyn Adapter + Send + Sync>,
        settings: manager::Settings,
    ) -> Self {
        let target = Target::parse(url).expect("a url");
        let backoff = Shape { first_ms: 20, ..Shape::default() };
        let manager = manager::Settings { gather_ms: 5, linger_ms: 20, backoff, overlap_ms: 20, ..settings };
        let settings = Settings { target, adapter, tls, manager, always: Vec::new(), seed: 1 };
        let (demand, mailbox) = mpsc::unbounded_channel();
        let (shutdown, stop) = oneshot::channel::<()>();
        let told = Rc::new(RefCell::new(Vec::new()));
        let brought = Rc::new(RefCell::new(Vec::new()));
        let recorded = Rc::new(RefCell::new(Vec::new()));
        let (told_too, brought_too) = (Rc::clone(&told), Rc::clone(&brought));
        let sink =
            Recorder { told: told_too, brought: brought_too, recorded: Rc::clone(&recorded), start: Instant::now() };
        let stop = async move { stop.await.unwrap_or(()) };
        let feed = tokio::task::spawn_local(run(settings, mailbox, sink, stop));
        Self { venue, demand, told, brought, recorded, shutdown, feed }
    }

    pub fn want(&self, id: u32) {
        self.demand.send(Demand::Want { id, name: format!("s{id}").into() }).expect("the feed runs");
    }

    /// A connection that holds `s1`.
    pub async fn connected() -> (Self, Peer) {
        let world = Self::start().await;
        world.want(1);
        let mut peer = world.venue.accept(b"").await;
        peer.subscribe(r#""s1""#, 1).await;
        (world, peer)
    }

    pub async fn until(&self, what: impl Fn(&Told) -> bool) {
        let seen = async {
            while !self.told.borrow().iter().any(&what) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = timeout(Duration::from_secs(5), seen).await;
        assert!(seen.is_ok(), "not told in time: {:?}", self.told.borrow());
    }

    pub async fn until_event(&self, event: FeedEvent) {
        self.until(|told| *told == Told::Event(event.clone())).await;
    }

    pub async fn until_frame(&self, payload: &str) {
        self.until(|told| matches!(told, Told::Frame(_, data) if data == payload)).await;
    }

    pub fn brought_by(&self, payload: &str) -> Option<usize> {
        self.brought.borrow().iter().find(|(data, _)| data == payload).map(|&(_, conn)| conn)
    }

    pub fn count(&self, event: &FeedEvent) -> usize {
        self.told.borrow().iter().filter(|told| **told == Told::Event(event.clone())).count()
    }
}

pub(super) fn on_a_shard(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
