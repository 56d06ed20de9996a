//! What a mixed fleet is told on the command line.

use super::judge::Rules;
use super::ledger::Tolerance;
use super::who::{DIALECTS, Dialect, Who};
use super::window::Grid;
use crate::market;
use crate::venue::schedule::{Pace, Schedule};
use anyhow::{Result, ensure};

#[derive(clap::Args)]
pub struct Args {
    /// The relay
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    pub url: String,
    /// Clients of each dialect
    #[arg(long, default_value_t = 1000)]
    pub clients: usize,
    #[arg(long, value_enum, value_delimiter = ',', default_value = "stream,hub,deriv,socketio")]
    pub dialects: Vec<Dialect>,
    /// Instruments, as `venue --pairs` has them; client i of a dialect gets instrument i mod pairs
    #[arg(long, default_value_t = 20)]
    pub pairs: u32,
    /// Events per second over all pairs, as the venue was told
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// The venue's `epoch_ns`, from its first line
    #[arg(long)]
    pub epoch_ns: u64,
    /// Connections opened per second
    #[arg(long, default_value_t = 2000.0)]
    pub ramp: f64,
    /// Seconds measured
    #[arg(long, default_value_t = 60.0)]
    pub duration: f64,
    /// The relay's realtime hub channel of one instrument; {base} is its base in lower case
    #[arg(long, default_value = "trade-{base}")]
    pub hub_channel: String,
    /// The relay's scheduled hub channel of all instruments
    #[arg(long, default_value = "board")]
    pub board: String,
    #[arg(long, default_value_t = 2000)]
    pub board_interval_ms: u64,
    /// So many of the hub's clients are subscribed to it, or all if they are fewer
    #[arg(long, default_value_t = 50)]
    pub watchers: usize,
    /// How far from its schedule a push may arrive
    #[arg(long, default_value_t = 200)]
    pub board_late_ms_max: u64,
    /// How many trades a scheduled push may be behind
    #[arg(long, default_value_t = 1)]
    pub board_events_behind_max: u64,
    /// How long a trade may take from the venue to where the relay samples: whether it counts to one second or the next
    #[arg(long, default_value_t = 100)]
    pub lag_ms_max: u64,
    /// The relay's process, to report what it spends
    #[arg(long)]
    pub relay_pid: Option<u32>,
    /// The run is invalid if the venue sent 1 % of the events later than this
    #[arg(long, default_value_t = 20.0)]
    pub late_ms_max: f64,
}

impl Args {
    pub fn check(&self) -> Result<()> {
        let pairs_max = market::PAIRS.len() as u32;
        ensure!((1..=pairs_max).contains(&self.pairs), "--pairs must be 1 to {pairs_max}");
        ensure!(self.rate > 0.0 && self.ramp > 0.0, "--rate and --ramp must be above 0");
        ensure!(self.duration >= 3.0, "--duration must be 3 s or more: whole seconds are judged");
        ensure!(self.clients >= self.pairs as usize, "--clients must be --pairs or more: each instrument needs one");
        ensure!(
            self.dialects.contains(&Dialect::Stream),
            "--dialects must have stream: the others are judged by what its clients are told"
        );
        let is_once = |dialect: &Dialect| self.dialects.iter().filter(|other| *other == dialect).count() == 1;
        ensure!(self.dialects.iter().all(is_once), "--dialects names one twice");
        let interval_ms = self.board_interval_ms;
        ensure!(
            interval_ms > 2 * self.board_late_ms_max && self.duration * 1000.0 >= 2.0 * interval_ms as f64,
            "--board-interval-ms must be above twice --board-late-ms-max, and below half of --duration"
        );
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        let needed = self.total() as u64 + 64;
        ensure!(needed <= limit, "{} connections need {needed} descriptors, limit {limit}", self.total());
        Ok(())
    }

    pub fn total(&self) -> usize {
        self.clients * self.dialects.len()
    }

    /// Dialects take turns, so that every moment of the ramp has all of them.
    pub fn who(&self, index: usize) -> Who {
        let (dialect, own) = (self.dialects[index % self.dialects.len()], index / self.dialects.len());
        let pair = (own % self.pairs as usize) as u32;
        Who { index, dialect, pair, watches: dialect == Dialect::Hub && own < self.watchers }
    }

    pub fn watchers(&self) -> usize {
        if self.dialects.contains(&Dialect::Hub) { self.watchers.min(self.clients) } else { 0 }
    }

    pub fn rules(&self) -> Rules {
        Rules {
            schedule: Schedule { epoch_ns: self.epoch_ns, topics: self.pairs, pace: Pace::Even { rate: self.rate } },
            grid: Grid { interval_ms: self.board_interval_ms, late_ms_max: self.board_late_ms_max },
            tolerance: Tolerance { lag_ms: self.lag_ms_max, events: self.board_events_behind_max },
        }
    }
}

const _: () = assert!(DIALECTS.len() == 4, "the default of --dialects names all");
