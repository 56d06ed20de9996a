//! The loop that carries out what the manager decides.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::connection::{self, Handle};
use super::shared::Shared;
use super::writer::Outgoing;
use super::{Demand, FeedEvent, Settings, Sink, Target};
use crate::venue::adapter::{Conversation, Ping};
use crate::venue::manager::{Action, Conn, Method, Pool, TopicId};

/// Demands taken in before their consequences are carried out.
const DEMANDS_PER_TURN: usize = 1_024;
/// How long goodbyes may take at the end.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
/// `next_due` may be "never"; tokio's clock has an end.
const SLEEP_MAX_MS: u64 = 3_600_000;

/// Holds one upstream until `shutdown`. Runs on a `LocalSet`; nothing of it is `Send`.
pub async fn run(
    settings: Settings,
    mut mailbox: UnboundedReceiver<Demand>,
    sink: impl Sink + 'static,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let lanes = settings.adapter.lanes();
    let pool = Pool::new(&settings.manager, lanes.len(), settings.seed);
    let targets = lanes.iter().map(|lane| settings.target.at(&lane.path)).collect();
    let shared = Shared::new(pool, sink);
    let mut driver = Driver { shared, settings, targets, handles: BTreeMap::new(), tasks: JoinSet::new() };
    driver.want_always();
    let mut demands = Vec::new();
    let mut is_mailbox_open = true;
    loop {
        let sleep_ms = driver.turn();
        // All of these are cancel-safe: none has taken anything when it loses.
        tokio::select! {
            () = &mut shutdown => break,
            count = mailbox.recv_many(&mut demands, DEMANDS_PER_TURN), if is_mailbox_open => {
                is_mailbox_open = count > 0;
                driver.take_demands(&mut demands);
            }
            () = driver.shared.news.notified() => {}
            Some(ended) = driver.tasks.join_next() => rethrow(ended),
            () = tokio::time::sleep(Duration::from_millis(sleep_ms)) => {}
        }
    }
    driver.say_goodbye().await;
}

struct Driver<S> {
    shared: Rc<Shared<S>>,
    settings: Settings,
    /// Of each lane.
    targets: Vec<Target>,
    handles: BTreeMap<usize, Handle>,
    tasks: JoinSet<()>,
}

impl<S: Sink + 'static> Driver<S> {
    fn want_always(&self) {
        let now = self.shared.now_ms();
        for (id, name) in &self.settings.always {
            match self.settings.adapter.lane_of(name) {
                Some(lane) => self.shared.pool.borrow_mut().always(TopicId(*id), name, lane, now),
                None => self.refuse(*id),
            }
        }
    }

    fn take_demands(&self, demands: &mut Vec<Demand>) {
        let now = self.shared.now_ms();
        for demand in demands.drain(..) {
            match demand {
                Demand::Want { id, name } => match self.settings.adapter.lane_of(&name) {
                    Some(lane) => self.shared.pool.borrow_mut().want(TopicId(id), &name, lane, now),
                    None => self.refuse(id),
                },
                Demand::Unwant { id } => self.shared.pool.borrow_mut().unwant(TopicId(id), now),
            }
        }
    }

    fn refuse(&self, id: u32) {
        self.shared.event(FeedEvent::Refused { id, msg: "the venue has no such stream".to_owned() });
    }

    /// Lets the manager decide and carries it out. How long it may sleep then.
    fn turn(&mut self) -> u64 {
        let now = self.shared.now_ms();
        self.shared.pool.borrow_mut().tick(now);
        loop {
            let action = self.shared.pool.borrow_mut().poll();
            let Some(action) = action else { break };
            self.carry_out(action);
        }
        let due = self.shared.pool.borrow().next_due(now);
        due.saturating_sub(now).min(SLEEP_MAX_MS)
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Dial { conn } => {
                let lane = self.shared.pool.borrow().lane_of(conn);
                let talk = self.settings.adapter.converse(lane);
                let place = connection::Place { target: self.targets[lane].clone(), tls: self.settings.tls.clone() };
                let handle = connection::start(&mut self.tasks, &self.shared, place, talk, conn);
                self.handles.insert(conn.index, handle);
            }
            Action::Request { conn, method, names, id } => self.request(conn, method, &names, id),
            Action::Say { conn, text } => self.say(conn, |_| Outgoing::Text(text)),
            Action::Ping { conn } => self.say(conn, |talk| match talk.ping() {
                Ping::Frame => Outgoing::Ping,
                Ping::Text(text) => Outgoing::Text(text),
            }),
            Action::Pong { conn, payload } => self.say(conn, |_| Outgoing::Pong(payload)),
            Action::Close { conn } => {
                self.handles.remove(&conn.index);
                self.shared.event(FeedEvent::Closed { conn: conn.index });
            }
            Action::Down { conn, why, retry_ms } => {
                self.handles.remove(&conn.index);
                self.shared.event(FeedEvent::Lost { conn: conn.index, why });
                self.shared.event(FeedEvent::Backoff { conn: conn.index, ms: retry_ms });
            }
            Action::Governed { conn } => self.shared.event(FeedEvent::Governed { conn: conn.index }),
            Action::Learned { conn, streams } => {
                self.shared.event(FeedEvent::Learned { conn: conn.index, streams });
            }
            Action::Blocked { ms, .. } => self.shared.event(FeedEvent::Blocked { ms }),
            Action::Unblocked { .. } => self.shared.event(FeedEvent::Unblocked),
            Action::Rotating { conn, why } => self.shared.event(FeedEvent::Rotating { conn: conn.index, why }),
            Action::Rotated { conn } => self.shared.event(FeedEvent::Rotated { conn: conn.index }),
            Action::Renewed(id) => self.shared.event(FeedEvent::Renewed(id.0)),
            Action::Live(id) => self.shared.event(FeedEvent::TopicLive(id.0)),
            Action::Lost(id) => self.shared.event(FeedEvent::TopicLost(id.0)),
            Action::Stale(id) => self.shared.event(FeedEvent::TopicStale(id.0)),
            Action::Released(id) => self.shared.event(FeedEvent::Released(id.0)),
            Action::GaveUp(id) => self.shared.event(FeedEvent::GaveUp(id.0)),
            Action::Refused { id, msg } => self.shared.event(FeedEvent::Refused { id: id.0, msg }),
            Action::NoRoom(id) => self.shared.event(FeedEvent::NoRoom(id.0)),
        }
    }

    fn request(&self, conn: Conn, method: Method, names: &[Arc<str>], id: u64) {
        let Some(handle) = self.handles.get(&conn.index).filter(|handle| handle.conn == conn) else { return };
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let text = match method {
            Method::Subscribe => handle.talk.borrow_mut().subscribe(&names, id),
            Method::Unsubscribe => handle.talk.borrow_mut().unsubscribe(&names, id),
        };
        self.shared.requested(conn, method, id, &names);
        if self.settings.manager.request_bytes_max.is_some_and(|max| text.len() > max) {
            self.shared.pool.borrow_mut().of(conn).too_long(conn, id);
            // What follows from that is due now.
            self.shared.news.notify_one();
            return;
        }
        self.say(conn, |_| Outgoing::Text(text));
    }

    fn say(&self, conn: Conn, compose: impl FnOnce(&mut dyn Conversation) -> Outgoing) {
        if let Some(handle) = self.handles.get(&conn.index).filter(|handle| handle.conn == conn) {
            let outgoing = compose(&mut **handle.talk.borrow_mut());
            // A writer that is gone has seen an error, which the reader sees as well.
            let _ = handle.queue.send(outgoing);
        }
    }

    /// Closes every connection and waits for the tasks, but not for long.
    async fn say_goodbye(&mut self) {
        self.handles.clear();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                rethrow(ended);
            }
        };
        if tokio::time::timeout(GOODBYE_MAX, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// A task that panicked takes the process with it: never half a relay.
fn rethrow(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
