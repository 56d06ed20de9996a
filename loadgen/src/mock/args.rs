//! What a mock venue is told on the command line.

use super::fault::KINDS;
use super::fault::scenario::Scenario;
use super::kind::Kind;
use super::rules::Rules;
use super::span::parse_argument;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

/// Market names of a venue that is told none.
const SYMBOLS: [&str; 6] = ["btcusdt", "ethusdt", "bnbusdt", "solusdt", "xrpusdt", "dogeusdt"];
const MORE_MAX: u32 = 5000;

#[derive(clap::Args)]
#[command(after_long_help = format!(
    "Faults: POST {{\"kind\":…}} to /fault of the control port, or list them in a file (--faults).\n\
     Kinds: {}.\n\
     Keys of every kind: for (\"5s\"), connections (\"all\", \"one\", \"25%\" or a number), streams ([\"*@trade\"]), percent, count.\n\
     Of some: how (corrupt), bytes_per_second (slow), code and reason (close), status and retry_after (http), after (shutdown).\n\
     GET /truth tells what was sent and what was kept back, DELETE /fault and /fault/N end faults. See docs/mock-venues.md.",
    KINDS.join(", ")
))]
pub struct Args {
    /// Where to listen, for WebSockets and REST; port 0 chooses one, which the first line of stdout tells
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Where faults are taken and the truth is told
    #[arg(long, default_value = "127.0.0.1:0")]
    pub control: String,
    /// What is traded, such as btcusdt,ethusdt. Default: six pairs, or what the venue is known for
    #[arg(long, value_delimiter = ',')]
    pub symbols: Vec<String>,
    /// So many more pairs, called s0usdt, s1usdt, …
    #[arg(long, default_value_t = 0)]
    pub more: u32,
    /// Trades per second of each symbol
    #[arg(long, default_value_t = 5.0)]
    pub rate: f64,
    /// The same seed makes the same market and the same random faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The market's first millisecond of the Unix epoch. Default: now. Two venues with the same are the same market
    #[arg(long)]
    pub epoch_ms: Option<u64>,
    /// A file (TOML) that schedules faults
    #[arg(long)]
    pub faults: Option<PathBuf>,
    /// Where the truth is written at the end
    #[arg(long)]
    pub truth: Option<PathBuf>,
    /// Serve TLS; a test CA is written there as ca.pem
    #[arg(long)]
    pub tls_dir: Option<PathBuf>,
    /// End after so long, such as 30s. Exits with 3 if a limit was broken
    #[arg(long, value_parser = parse_argument)]
    pub duration: Option<u64>,
    /// A connection's life. Default: the venue's
    #[arg(long, value_parser = parse_argument)]
    pub life: Option<u64>,
    /// Between pings. Default: the venue's
    #[arg(long, value_parser = parse_argument)]
    pub ping_every: Option<u64>,
    /// How long a pong may take. Default: the venue's
    #[arg(long, value_parser = parse_argument)]
    pub pong_within: Option<u64>,
    /// Messages of a client per rolling second; 0 for no limit. Default: the venue's
    #[arg(long)]
    pub messages_per_second: Option<usize>,
    /// Default: the venue's; 0 for no limit
    #[arg(long)]
    pub streams_per_connection: Option<usize>,
    /// How often the documents of `rest` are made anew
    #[arg(long, value_parser = parse_argument, default_value = "10s")]
    pub documents_every: u64,
    /// No limits at all
    #[arg(long)]
    pub no_limits: bool,
}

impl Args {
    pub fn check(&self) -> Result<()> {
        ensure!(self.rate > 0.0 && self.rate <= 1000.0, "--rate must be above 0 and at most 1000");
        ensure!(self.documents_every > 0, "--documents-every must be above 0");
        ensure!(self.more <= MORE_MAX, "--more must be at most {MORE_MAX}");
        Ok(())
    }

    pub fn names(&self, kind: Kind) -> Vec<String> {
        let known: &[&str] = kind.symbols().unwrap_or(&SYMBOLS);
        let mut names = self.symbols.clone();
        if names.is_empty() {
            names.extend(known.iter().map(|name| (*name).to_owned()));
        }
        names.extend((0..self.more).map(|index| format!("s{index}usdt")));
        names
    }

    pub fn rules(&self, kind: Kind) -> Rules {
        let mut rules = kind.rules();
        if self.no_limits {
            rules =
                Rules { ping_every_ms: rules.ping_every_ms, pong_within_ms: rules.pong_within_ms, ..Rules::default() };
        }
        if let Some(count) = self.messages_per_second {
            rules.messages = (count > 0).then_some(super::rules::Limit { count, window_ms: 1000 });
        }
        if let Some(count) = self.streams_per_connection {
            rules.streams_per_connection = (count > 0).then_some(count);
        }
        rules.life_ms = self.life.or(rules.life_ms);
        rules.ping_every_ms = self.ping_every.or(rules.ping_every_ms);
        rules.pong_within_ms = self.pong_within.unwrap_or(rules.pong_within_ms);
        rules
    }

    pub fn scenario(&self) -> Result<Scenario> {
        let Some(path) = &self.faults else {
            return Ok(Scenario::default());
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Scenario::parse(&text).with_context(|| format!("{}", path.display()))
    }
}
