//! Where the accounts' user data comes from: a source for each account that somebody listens to, and none for others.
//!
//! A source writes through a [`Sink`], which knows one account's channel and no other.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use foldhash::fast::RandomState;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_rustls::rustls::ClientConfig;

use super::feed::{self, Venue};
use crate::access::user::UserSink;
use crate::config::{Config, Source as Upstream};
use crate::fanout::topics::Demand;
use crate::limits::USER_LINGER;
use crate::net::feed::tls;
use crate::net::ingest::{Ingest, Link};
use crate::net::shared::Shared;
use crate::venue::sim::account::{self, Account};
use crate::venue::sim::past::Past;
use crate::wire::notice::StreamState;

/// The shortest pause between two looks at the built-in venue.
const PAUSE: Duration = Duration::from_millis(10);

/// What the sources need, read before anything starts.
pub struct Settings {
    past: Past,
    accounts: HashMap<String, Known, RandomState>,
}

/// An account of the configuration.
struct Known {
    name: String,
    /// Where its data comes from, if not from the built-in venue.
    venue: Option<Arc<Venue>>,
}

/// Reads the files, so that a slip in one is told at the start.
pub fn settings(config: &Config) -> anyhow::Result<Settings> {
    let seed = config.upstreams.iter().find_map(|upstream| match upstream.source {
        Upstream::Sim { seed, .. } => Some(seed),
        _ => None,
    });
    let access = &config.access;
    let trust: Option<Arc<ClientConfig>> =
        match access.user_streams.iter().any(|stream| stream.url.tls() || stream.rest_url.tls()) {
            true => Some(tls::config(None)?),
            false => None,
        };
    let mut accounts = HashMap::default();
    for (id, account) in access.accounts.iter() {
        let stream = access.user_streams.iter().find(|stream| stream.account == id);
        let venue = stream.map(|stream| {
            feed::token(&stream.token_file).with_context(|| format!("account {}", account.name))?;
            anyhow::Ok(Arc::new(Venue::new(&account.name, stream, trust.clone())))
        });
        let known = Known { name: account.name.clone(), venue: venue.transpose()? };
        accounts.insert(UserSink::of(id).channel(), known);
    }
    Ok(Settings { past: Past::new(seed.unwrap_or(1)), accounts })
}

/// The way into one account's channel.
pub struct Sink {
    ingest: Rc<RefCell<Ingest>>,
    id: u32,
    channel: Box<str>,
}

impl Sink {
    /// Publishes an event. A source that outlived its channel writes nowhere, whoever has the number now.
    pub fn publish(&self, payload: &[u8]) {
        let mut ingest = self.ingest.borrow_mut();
        if ingest.channel_name(self.id) == &*self.channel {
            let now_ns = ingest.now_ns();
            ingest.derived(self.id, 0, payload, now_ns);
            ingest.flush();
        }
    }

    /// How the stream stands.
    pub fn set_condition(&self, condition: StreamState) {
        let mut ingest = self.ingest.borrow_mut();
        if ingest.channel_name(self.id) == &*self.channel {
            ingest.set_condition(self.id, condition);
            ingest.flush();
        }
    }

    pub fn count(&self, count: impl FnOnce(&crate::metrics::UpstreamCounters)) {
        count(self.ingest.borrow().counters());
    }
}

/// What brings one account's data.
enum Source {
    Sim { account: Box<Account>, sink: Sink },
    Feed(AbortHandle),
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Source::Feed(task) = self {
            task.abort();
        }
    }
}

/// Until the relay ends.
pub async fn run(shared: Arc<Shared>, settings: Settings, ingest: Ingest, mut demand: UnboundedReceiver<Demand>) {
    let ingest = Rc::new(RefCell::new(ingest));
    ingest.borrow_mut().connection(0, Link::Up);
    let mut runner = Runner { settings, ingest, sources: HashMap::default() };
    let work = async {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let due_ms = runner.next_due();
            let wait = due_ms.saturating_sub(runner.calendar_ms()).min(60_000);
            tokio::select! {
                asked = demand.recv() => {
                    let Some(asked) = asked else { return };
                    runner.take(asked);
                }
                () = tokio::time::sleep(Duration::from_millis(wait).max(PAUSE)), if due_ms != u64::MAX => runner.poll(),
                _ = second.tick() => {
                    runner.let_go();
                    runner.ingest.borrow_mut().tick();
                }
            }
        }
    };
    tokio::join!(work, super::expire(&shared));
}

struct Runner {
    settings: Settings,
    ingest: Rc<RefCell<Ingest>>,
    /// By the number of the account's channel.
    sources: HashMap<u32, Held, RandomState>,
}

struct Held {
    source: Source,
    /// When its last listener left. It is kept for a while: who comes right back costs the venue nothing.
    left: Option<Instant>,
}

impl Runner {
    fn calendar_ms(&self) -> u64 {
        self.ingest.borrow().calendar_ms()
    }

    fn take(&mut self, demand: Demand) {
        let asked = self.ingest.borrow_mut().demand(demand);
        match asked {
            Some((id, channel, true)) => match self.sources.get_mut(&id) {
                // Wanted again before it was let go.
                Some(held) => held.left = None,
                None => {
                    let source = self.source(id, &channel.name);
                    self.sources.insert(id, Held { source, left: None });
                }
            },
            Some((id, _, false)) => {
                if let Some(held) = self.sources.get_mut(&id) {
                    held.left = Some(Instant::now());
                }
            }
            None => {}
        }
    }

    /// Ends what nobody came back for.
    fn let_go(&mut self) {
        let over = |held: &Held| held.left.is_some_and(|left| left.elapsed() >= USER_LINGER);
        let ids: Vec<u32> = self.sources.iter().filter(|(_, held)| over(held)).map(|(id, _)| *id).collect();
        for id in ids {
            // Somebody may be on the way to it; then that is told next.
            if self.ingest.borrow_mut().released(id) {
                self.sources.remove(&id);
            }
        }
    }

    fn source(&self, id: u32, channel: &str) -> Source {
        let sink = Sink { ingest: self.ingest.clone(), id, channel: channel.into() };
        match self.settings.accounts.get(channel) {
            Some(Known { venue: Some(venue), .. }) => {
                Source::Feed(tokio::task::spawn_local(feed::run(venue.clone(), sink)).abort_handle())
            }
            Some(Known { name, venue: None }) => self.sim(name, sink),
            // Without accounts in the configuration each token is one, and its digest is its name.
            None => self.sim(channel, sink),
        }
    }

    fn sim(&self, name: &str, sink: Sink) -> Source {
        let account = Account::at(&self.settings.past, name, account::ROUND_MS, self.calendar_ms());
        Source::Sim { account: Box::new(account), sink }
    }

    fn next_due(&self) -> u64 {
        let due = self.sources.values().filter_map(|held| match &held.source {
            Source::Sim { account, .. } => Some(account.next_due()),
            Source::Feed(_) => None,
        });
        due.min().unwrap_or(u64::MAX)
    }

    fn poll(&mut self) {
        let now_ms = self.calendar_ms();
        for held in self.sources.values_mut() {
            if let Source::Sim { account, sink } = &mut held.source {
                account.poll(now_ms, &mut |payload| sink.publish(payload));
            }
        }
    }
}
