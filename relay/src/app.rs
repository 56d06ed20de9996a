//! Every thread and every task of the relay, and the order in which they end.
//!
//! One thread for each shard; an upstream's task lives on the thread of a shard, or on one of `upstream_threads`. One
//! thread for the admin listener. The main thread waits for signals. At the end the shards tell their clients and
//! drain; the upstreams go on until the last shard is done; then the process exits.

mod catalog;
mod native;
mod upstreams;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use rand::TryRng as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::LocalSet;

use self::native::Native;
use self::upstreams::Way;
use crate::access::rate::Callers;
use crate::config::{Config, Source, Upstream};
use crate::fanout::log::Budget;
use crate::fanout::topics::{Bounds, Capacity, Demand, Route, Routed, Topics};
use crate::limits::{DESCRIPTORS_KEPT, GAPS_MAX, HUB_TEST_CALLERS_MAX};
use crate::market::Market;
use crate::market::catalog::Catalog;
use crate::market::topic::Topic;
use crate::metrics::Metrics;
use crate::net::accept::listeners;
use crate::net::admission::Admission;
use crate::net::clock::Clock;
use crate::net::http::hold::{self, Holds};
use crate::net::ingest::Ingest;
use crate::net::market::{self, Desk, Told};
use crate::net::shard::Shard;
use crate::net::shared::{Bell, Post, Shared};
use crate::net::users::{Users, sources};
use crate::net::{admin, poll, recorder, replay, sim, upstream};
use crate::record::writer::{Recorder, Recording};
use crate::venue::gap::Gaps;
use crate::venue::sim::{Fields, Sim};
use crate::wire::stream::name::Name;

/// What metrics call the market, which publishes as an upstream does.
const MARKET: &str = "market";
/// The same for what brings the user data of the accounts.
const USERS: &str = "users";

/// A relay that listens.
pub struct App {
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    admin: Option<TcpListener>,
    upstreams: Vec<Start>,
    market: UnboundedReceiver<Told>,
    users: (sources::Settings, UnboundedReceiver<Demand>),
    recording: Option<Recording>,
    runtime: Runtime,
    signals: Signals,
}

/// What an upstream's task starts with.
struct Start {
    way: Way,
    recorder: Option<Recorder>,
    demand: UnboundedReceiver<Demand>,
}

/// Where it can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// None where nobody is served.
    pub public: Option<SocketAddr>,
    pub admin: Option<SocketAddr>,
}

/// What the files that a configuration names say, and what its lists come to.
struct Known {
    /// One for each upstream.
    ways: Vec<Way>,
    native: Arc<Native>,
    catalog: Arc<Catalog>,
    users: sources::Settings,
}

impl Known {
    /// Reads files; takes no port and starts nothing.
    fn read(config: &Config) -> anyhow::Result<Known> {
        let way =
            |upstream: &Upstream| Way::of(config, upstream).with_context(|| format!("upstream {}", upstream.name));
        let ways = config.upstreams.iter().map(way).collect::<anyhow::Result<_>>()?;
        let native = Arc::new(Native::new(config)?);
        let catalog = Arc::new(catalog::catalog(config, native.clone())?);
        Ok(Known { ways, native, catalog, users: sources::settings(config)? })
    }
}

impl App {
    /// What can be wrong with a configuration that is sound as a text: all that [`App::bind`] looks at but the ports and
    /// where recordings go.
    pub fn check(config: &Config) -> anyhow::Result<()> {
        let Known { native, catalog, .. } = Known::read(config)?;
        // Nobody hears what is wanted.
        let senders = config.upstreams.iter().map(|_| unbounded_channel().0).collect();
        let topics =
            topics(config, route(config, native, catalog), senders, unbounded_channel().0, unbounded_channel().0);
        keep_always(config, &topics)
    }

    /// Takes the ports; after this nothing about the start can fail but the machine.
    pub fn bind(config: Config) -> anyhow::Result<App> {
        // A signal that comes from here on is answered by a drain.
        let runtime = runtime()?;
        let signals = runtime.block_on(async { Signals::new() })?;
        let descriptors = raise_file_limit();
        let connections_max = config.connections_max.unwrap_or(descriptors.saturating_sub(DESCRIPTORS_KEPT)).max(1);
        // `relay record` serves nobody.
        let listeners = if config.shards == 0 { Vec::new() } else { listeners(config.listen, config.shards)? };
        let admin = config.admin.map(|address| {
            let listener = TcpListener::bind(address)
                .with_context(|| format!("cannot listen on {address} (--admin takes another address, or \"off\")"))?;
            listener.set_nonblocking(true)?;
            anyhow::Ok(listener)
        });
        let Known { ways, native, catalog, users } = Known::read(&config)?;
        let (mut senders, mut upstreams) = (Vec::new(), Vec::new());
        for way in ways {
            let (sender, demand) = unbounded_channel();
            senders.push(sender);
            upstreams.push(Start { way, recorder: None, demand });
        }
        let (desk, market) = unbounded_channel();
        let names =
            config.upstreams.iter().zip(&upstreams).map(|(upstream, start)| (upstream.name.clone(), start.way.legs()));
        let names = names.chain([(MARKET.to_owned(), 0), (USERS.to_owned(), 0)]).collect::<Vec<_>>().into_iter();
        let (clock, metrics) = (Clock::new(), Metrics::new(config.shards, names));
        let (recording, recorders) = recorder::start(&config, clock, metrics.record.clone())?;
        for (start, recorder) in upstreams.iter_mut().zip(recorders) {
            start.recorder = recorder;
        }
        let (accounts, wanted) = unbounded_channel();
        let users = (users, wanted);
        let limits = &config.limits;
        let shared = Shared {
            clock,
            topics: topics(&config, route(&config, native, catalog.clone()), senders, desk.clone(), accounts),
            admission: Admission::new(
                connections_max,
                limits.connections_per_ip.unwrap_or(0) as usize,
                limits.exempt_loopback,
                config.access.accounts.iter().count(),
            ),
            metrics,
            gaps: Mutex::new(Gaps::new(GAPS_MAX)),
            bells: (0..config.shards + 2).map(|_| Bell::default()).collect(),
            shards: (0..config.shards).map(|_| Post::default()).collect(),
            holds: Holds::new(),
            desk: Desk::new(catalog, desk),
            users: Users::new(config.access.listen_key_lifetime),
            secret: secret()?,
            sids: AtomicU64::new(0),
            test_calls: Mutex::new(Callers::new(HUB_TEST_CALLERS_MAX)),
            draining: AtomicBool::new(false),
            config,
        };
        keep_always(&shared.config, &shared.topics)?;
        Ok(App {
            shared: Arc::new(shared),
            listeners,
            admin: admin.transpose()?,
            upstreams,
            market,
            users,
            recording,
            runtime,
            signals,
        })
    }

    pub fn addresses(&self) -> anyhow::Result<Addresses> {
        let admin = self.admin.as_ref().map(TcpListener::local_addr).transpose()?;
        let public = self.listeners.first().map(TcpListener::local_addr).transpose()?;
        Ok(Addresses { public, admin })
    }

    /// Runs until a signal says stop, or so much time has passed, and everybody has been told.
    pub fn run(mut self, time: Option<Duration>) -> anyhow::Result<()> {
        let recording = self.recording.take();
        let result = self.run_threads(time);
        // All that it was handed is in its queue by now.
        if let Some(recording) = recording {
            recording.finish();
        }
        result?;
        tracing::info!("stopped");
        Ok(())
    }

    fn run_threads(self, time: Option<Duration>) -> anyhow::Result<()> {
        let App { shared, listeners, admin, upstreams, market, users, recording: _, runtime, signals } = self;
        let mut upstreams: Vec<_> = upstreams.into_iter().enumerate().collect();
        // Where nobody is served, the main thread is what the upstreams wait for.
        let ends = Ends::new(shared.config.shards.max(1));
        let mut threads = Vec::new();
        let feeders = shared.config.upstream_threads;
        for thread in 0..feeders {
            let mine = take_share(&mut upstreams, thread, feeders);
            let (shared, shards) = (shared.clone(), ends.shards());
            let work = async move {
                start_upstreams(&shared, mine);
                shards.ended().await;
                Ok(())
            };
            threads.push(spawn(format!("upstream-{thread}"), &ends, move || work)?);
        }
        for (id, listener) in listeners.into_iter().enumerate() {
            let mine = take_share(&mut upstreams, id, shared.config.shards);
            let (shared, shards) = (shared.clone(), ends.shards());
            let work = move || async move {
                start_upstreams(&shared, mine);
                if id == 0 {
                    drop(tokio::task::spawn_local(hold::run(shared.clone())));
                }
                // A task beside the upstreams' tasks: what wakes it there is run next, without a look at the sockets.
                let result = tokio::task::spawn_local(Shard::new(id, shared.clone(), listener)?.run()).await?;
                shards.one_ended();
                shards.ended().await;
                result.context("the shard cannot go on")
            };
            threads.push(spawn(format!("shard-{id}"), &ends, work)?);
        }
        threads.push(start_market(&shared, market, &ends)?);
        threads.push(start_users(&shared, users, &ends)?);
        if let Some(listener) = admin {
            let shared = shared.clone();
            // It answers to the end; nobody waits for it.
            spawn("admin".into(), &ends, move || admin::serve(listener, shared))?;
        }
        runtime.block_on(wait_for_end(&shared, ends, signals, time));
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        Ok(())
    }
}

/// The system's randomness.
fn secret() -> anyhow::Result<u128> {
    let mut secret = [0; 16];
    rand::rngs::SysRng.try_fill_bytes(&mut secret).context("the system gives no random numbers")?;
    Ok(u128::from_ne_bytes(secret))
}

/// Raises the soft file limit to the hard one; returns what it is then.
fn raise_file_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "the file limit cannot be raised");
    }
    getrlimit(Resource::Nofile).current.map_or(1 << 20, |limit| limit as usize)
}

fn topics(
    config: &Config,
    route: Route,
    senders: Vec<UnboundedSender<Demand>>,
    desk: UnboundedSender<Told>,
    accounts: UnboundedSender<Demand>,
) -> Topics {
    let bounds = Bounds {
        // The market listens as a shard does, and so do HTTP requests.
        shards: config.shards + 2,
        topics_max: config.topics_max,
        unproven_per_client: config.limits.unproven_names_per_ip as usize,
    };
    let capacity = |upstream: &Upstream| match upstream.source {
        Source::Sim { .. } | Source::Rest(_) | Source::Replay { .. } => {
            Capacity { slots: config.topics_max, unproven: config.topics_max }
        }
        _ => {
            let slots = upstream.room();
            // A part of very little is still something, or nothing could ever prove itself.
            Capacity { slots, unproven: (slots * config.limits.unproven_percent as usize / 100).max(1) }
        }
    };
    let derived = Capacity { slots: config.topics_max, unproven: config.topics_max };
    let capacities = config.upstreams.iter().map(capacity).chain([derived.clone(), derived]).collect();
    let budget = Arc::new(Budget::new(config.log_bytes_max as usize));
    // The receivers live as long as the upstream's task; at the end of the process nobody needs to know.
    let tell = move |upstream: usize, demand| match senders.get(upstream) {
        Some(sender) => drop(sender.send(demand)),
        None if upstream == senders.len() => drop(desk.send(Told::Demand(demand))),
        None => drop(accounts.send(demand)),
    };
    Topics::new(bounds, budget, capacities, route, Box::new(tell))
}

/// Streams that are held without a client.
fn keep_always(config: &Config, topics: &Topics) -> anyhow::Result<()> {
    for name in config.upstreams.iter().flat_map(|upstream| &upstream.always) {
        // What the relay alone has a name for, such as `r_100@tick`, may be held as well.
        let (text, kind) = match market::internal_kind(name) {
            Some(kind) => (name.clone(), kind),
            None => {
                let name = Name::parse(name, config.profile).with_context(|| format!("always: {name}"))?;
                (name.text().to_owned(), name.kind())
            }
        };
        topics.keep(&text, kind).with_context(|| format!("always: {text}"))?;
    }
    Ok(())
}

/// What an upstream carries goes there, what can be made of it to the market, which comes after the upstreams. Symbols
/// they are known not to have go nowhere. After the market comes what brings the accounts' data.
fn route(config: &Config, native: Arc<Native>, catalog: Arc<Catalog>) -> Route {
    let (strict, market) = (config.strict, config.upstreams.len());
    Box::new(move |name| {
        // No client can type such a name: it has a blank. A live listen key is the way to it.
        if name.starts_with("user ") {
            return Routed::To(market + 1);
        }
        if let Some(at) = native.carrier(name).filter(|_| !name.contains(' ')) {
            return Routed::To(at);
        }
        match Topic::parse(name).is_some_and(|topic| catalog.knows(&topic)) {
            true => Routed::To(market),
            false if strict || name.contains(' ') || !native.is_matched(name) => Routed::Refused,
            false => Routed::Nowhere,
        }
    })
}

fn new_sim(source: &Source, start_ms: u64) -> Option<Sim> {
    let Source::Sim { seed, full } = source else { return None };
    Some(Sim::new(*seed, if *full { Fields::Full } else { Fields::Document }, start_ms))
}

fn take_share<T>(upstreams: &mut Vec<(usize, T)>, part: usize, parts: usize) -> Vec<(usize, T)> {
    upstreams.extract_if(.., |(at, _)| *at % parts == part).collect()
}

fn start_upstreams(shared: &Arc<Shared>, upstreams: Vec<(usize, Start)>) {
    for (at, Start { way, recorder, demand }) in upstreams {
        let mut ingest = Ingest::new(shared.clone(), at);
        ingest.set_numbers(upstream::numbers(&shared.config.upstreams[at]));
        let task = match way {
            Way::Sim => {
                let source = &shared.config.upstreams[at].source;
                let sim = new_sim(source, shared.clock.calendar_ms()).expect("it is the built-in venue");
                tokio::task::spawn_local(sim::run(sim, ingest, demand))
            }
            Way::Venue(settings) => tokio::task::spawn_local(upstream::run(*settings, recorder, ingest, demand)),
            Way::Replay(settings) => tokio::task::spawn_local(replay::run(settings, ingest, demand)),
            Way::Poll(settings) => tokio::task::spawn_local(poll::run(*settings, ingest, demand)),
        };
        // It ends with its thread.
        drop(task);
    }
}

/// On a thread of its own: what clients ask about the past may take a while, and no shard is to wait for it.
fn start_market(
    shared: &Arc<Shared>,
    told: UnboundedReceiver<Told>,
    ends: &Ends,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let (shared, shards) = (shared.clone(), ends.shards());
    let work = move || async move {
        let ingest = Ingest::new(shared.clone(), shared.config.upstreams.len());
        let market = Market::new(shared.desk.catalog.clone());
        drop(tokio::task::spawn_local(market::run(shared.clone(), market, ingest, told)));
        shards.ended().await;
        Ok(())
    };
    spawn("market".into(), ends, work)
}

/// Apart from the shards: what an account did before the start is told over when somebody comes to listen.
fn start_users(
    shared: &Arc<Shared>,
    (settings, demand): (sources::Settings, UnboundedReceiver<Demand>),
    ends: &Ends,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let (shared, shards) = (shared.clone(), ends.shards());
    let work = move || async move {
        let ingest = Ingest::new(shared.clone(), shared.config.upstreams.len() + 1);
        drop(tokio::task::spawn_local(sources::run(shared.clone(), settings, ingest, demand)));
        shards.ended().await;
        Ok(())
    };
    spawn("users".into(), ends, work)
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// A thread with a runtime of its own, and the tasks that never leave it.
fn spawn<F, W>(name: String, ends: &Ends, work: W) -> anyhow::Result<JoinHandle<anyhow::Result<()>>>
where
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>>,
{
    let ended = ends.thread.clone();
    let start = move || {
        let result = runtime().and_then(|runtime| LocalSet::new().block_on(&runtime, work()));
        ended.notify_one();
        result
    };
    std::thread::Builder::new().name(name).spawn(start).context("cannot start a thread")
}

/// The signals that stop the relay.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits for a signal, has everybody told, and waits for them. A second signal does not wait.
async fn wait_for_end(shared: &Shared, ends: Ends, mut signals: Signals, time: Option<Duration>) {
    let is_served = shared.config.shards > 0;
    let mut time = std::pin::pin!(async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    });
    loop {
        tokio::select! {
            name = signals.next() => {
                if shared.is_draining() {
                    tracing::warn!(signal = name, "second signal, exiting at once");
                    std::process::exit(130);
                }
                let connections = shared.admission.connections();
                tracing::info!(signal = name, connections, drain = ?shared.config.drain, "stopping");
                shared.drain();
                if !is_served {
                    ends.shards.one_ended();
                }
            }
            () = &mut time, if !is_served && !shared.is_draining() => {
                tracing::info!("the time is over, stopping");
                shared.drain();
                ends.shards.one_ended();
            }
            () = ends.thread.notified() => return,
        }
    }
}

/// How threads learn that others have ended. Nobody looks at intervals: an idle relay is to cost nothing.
struct Ends {
    shards: Shards,
    /// Rung by each thread when it ends.
    thread: Arc<Notify>,
}

impl Ends {
    fn new(shards: usize) -> Ends {
        Ends { shards: Shards { running: watch::Sender::new(shards) }, thread: Arc::default() }
    }

    fn shards(&self) -> Shards {
        self.shards.clone()
    }
}

/// The shards that have not drained yet.
#[derive(Clone)]
struct Shards {
    running: watch::Sender<usize>,
}

impl Shards {
    fn one_ended(&self) {
        self.running.send_modify(|running| *running -= 1);
    }

    async fn ended(&self) {
        let mut running = self.running.subscribe();
        // The sender is this one's own.
        running.wait_for(|running| *running == 0).await.expect("a sender lives");
    }
}
