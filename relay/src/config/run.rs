//! What we run with: every setting as its type, validated together.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::access::{self, Access};
use super::args::{Args, Verb};
use super::deriv::{self, Deriv};
use super::edge::{self, Edge};
use super::file::File;
use super::given::Place;
use super::hub::{self, Hub};
use super::limits::{self, Limits};
use super::problem::{Problems, Reason};
use super::profile::Profile;
use super::record::{self, Need, Record};
use super::section::Section;
use super::settings::SectionName;
use super::socketio::{self, SocketIo};
use super::upstream::{self, Upstream};
use super::value::{address, choice, count, duration, or_off, size, switch};
use crate::limits::EVENT_BYTES_KEPT;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub listen: SocketAddr,
    /// `None`: off.
    pub admin: Option<SocketAddr>,
    /// 1 to 62, and 0 for `relay record`, which has no clients.
    pub shards: usize,
    /// 0: the shards read upstreams themselves.
    pub upstream_threads: usize,
    pub profile: Profile,
    pub strict: bool,
    pub echo: bool,
    /// `None`: the process's file limit − 256, which only the process knows.
    pub connections_max: Option<usize>,
    pub topics_max: usize,
    pub log_bytes_max: u64,
    pub stale_after: Duration,
    /// Zero: no waiting.
    pub flush_interval: Duration,
    pub drain: Duration,
    pub log: LevelFilter,
    pub log_format: LogFormat,
    pub limits: Limits,
    pub edge: Edge,
    pub deriv: Deriv,
    pub socketio: SocketIo,
    pub access: Access,
    /// At least one. The first with a matching pattern takes a stream.
    pub upstreams: Vec<Upstream>,
    pub hub: Hub,
    pub record: Option<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

pub const SHARDS_MAX: usize = 62;

const LOG_FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];
const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

impl Config {
    /// Merges what was typed with the file and validates the whole.
    pub(super) fn resolve(args: Args, file: File, cores: usize, mut problems: Problems) -> Result<Config, Problems> {
        let given = file.top.into_iter().chain(args.top).collect();
        let mut top = Section::new(SectionName::Top, Place::File, given, &mut problems);
        let listen = top.value("listen", loopback(8000), address);
        let admin = top.value("admin", Some(loopback(8001)), or_off(address));
        // Port 0 is a free one, a different one each time.
        if admin == Some(listen) && listen.port() != 0 {
            let text = format!("listen and admin are both {listen}; they need an address each");
            top.conflict("admin", &["listen"], Reason::conflict(text));
        }
        let profile = top.value("profile", Profile::default(), choice(&Profile::ALL.map(|it| (it.name(), it))));
        let mut config = Config {
            listen,
            admin,
            shards: top.value("shards", cores.clamp(1, SHARDS_MAX), count(1..=SHARDS_MAX)),
            upstream_threads: top.value("upstream_threads", 0, count(0..=SHARDS_MAX)),
            profile,
            strict: top.value("strict", false, switch),
            echo: top.value("echo", false, switch),
            connections_max: top.value("connections_max", None, |value| count(1..=10_000_000)(value).map(Some)),
            topics_max: top.value("topics_max", 100_000, count(1..=10_000_000)),
            log_bytes_max: top.value("log_bytes_max", 1 << 30, size(EVENT_BYTES_KEPT as u64..=1 << 40)),
            stale_after: top.value("stale_after", 10 * SECOND, duration(Duration::ZERO..=24 * HOUR)),
            flush_interval: top.value("flush_interval", Duration::ZERO, duration(Duration::ZERO..=SECOND)),
            drain: top.value("drain", 5 * SECOND, duration(Duration::ZERO..=10 * MINUTE)),
            log: top.value("log", LevelFilter::INFO, choice(&LEVELS)),
            log_format: top.value("log_format", LogFormat::Text, choice(&LOG_FORMATS)),
            limits: limits::read(profile, file.limits.into_iter().chain(args.limits).collect(), &mut problems),
            edge: edge::read(file.edge, &mut problems),
            deriv: deriv::read(file.deriv, &mut problems),
            socketio: socketio::read(file.socketio, &mut problems),
            access: access::read(file.access, file.accounts, &mut problems),
            upstreams: upstream::read(file.upstreams, args.upstreams, &mut problems),
            hub: hub::read(file.hub, file.hub_channels, &mut problems),
            record: None,
        };
        let recorded = file.record.into_iter().chain(args.record).collect();
        let need = if args.verb == Verb::Record { Need::Always } else { Need::IfAsked };
        config.record = record::read(recorded, &config.upstreams, need, &mut problems);
        if args.verb == Verb::Record {
            (config.shards, config.upstream_threads) = (0, config.upstream_threads.max(1));
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
