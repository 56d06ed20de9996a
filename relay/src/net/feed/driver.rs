//! The loop that carries out what the manager decides.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::connection::{self, Handle};
use super::shared::Shared;
use super::writer::Outgoing;
use super::{Decode, Demand, FeedEvent, Settings, Sink};
use crate::venue::manager::{Action, Conn, Manager, TopicId};

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
    decode: Decode,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let manager = Manager::new(settings.manager.clone(), settings.seed);
    let shared = Shared::new(manager, sink, decode);
    let mut driver = Driver { shared, settings: Rc::new(settings), handles: BTreeMap::new(), tasks: JoinSet::new() };
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
    settings: Rc<Settings>,
    handles: BTreeMap<usize, Handle>,
    tasks: JoinSet<()>,
}

impl<S: Sink + 'static> Driver<S> {
    fn want_always(&self) {
        let now = self.shared.now_ms();
        let mut manager = self.shared.manager.borrow_mut();
        for (id, name) in &self.settings.always {
            manager.always(TopicId(*id), name, now);
        }
    }

    fn take_demands(&self, demands: &mut Vec<Demand>) {
        let now = self.shared.now_ms();
        let mut manager = self.shared.manager.borrow_mut();
        for demand in demands.drain(..) {
            match demand {
                Demand::Want { id, name } => manager.want(TopicId(id), &name, now),
                Demand::Unwant { id } => manager.unwant(TopicId(id), now),
            }
        }
    }

    /// Lets the manager decide and carries it out. How long it may sleep then.
    fn turn(&mut self) -> u64 {
        let now = self.shared.now_ms();
        self.shared.manager.borrow_mut().tick(now);
        loop {
            let action = self.shared.manager.borrow_mut().poll();
            let Some(action) = action else { break };
            self.carry_out(action);
        }
        let due = self.shared.manager.borrow().next_due(now);
        due.saturating_sub(now).min(SLEEP_MAX_MS)
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Dial { conn } => {
                let handle = connection::start(&mut self.tasks, &self.shared, &self.settings, conn);
                self.handles.insert(conn.index, handle);
            }
            Action::Send { conn, text } => self.send(conn, Outgoing::Text(text)),
            Action::Ping { conn } => self.send(conn, Outgoing::Ping),
            Action::Pong { conn, payload } => self.send(conn, Outgoing::Pong(payload)),
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
            Action::Live(id) => self.shared.event(FeedEvent::TopicLive(id.0)),
            Action::Lost(id) => self.shared.event(FeedEvent::TopicLost(id.0)),
            Action::Stale(id) => self.shared.event(FeedEvent::TopicStale(id.0)),
            Action::Released(id) => self.shared.event(FeedEvent::Released(id.0)),
            Action::GaveUp(id) => self.shared.event(FeedEvent::GaveUp(id.0)),
            Action::Refused { id, msg } => self.shared.event(FeedEvent::Refused { id: id.0, msg }),
            Action::NoRoom(id) => self.shared.event(FeedEvent::NoRoom(id.0)),
        }
    }

    fn send(&self, conn: Conn, outgoing: Outgoing) {
        if let Some(handle) = self.handles.get(&conn.index).filter(|handle| handle.conn == conn) {
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
