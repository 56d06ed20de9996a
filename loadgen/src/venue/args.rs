//! What a venue is told on the command line.

use super::names::Names;
use super::schedule::Slot;
use crate::event::{self, Kind, Mark, NameTemplate};
use crate::market;
use anyhow::{Result, ensure};

#[derive(clap::Args)]
pub struct Args {
    /// Where to listen; port 0 chooses one, which the first line of stdout tells
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Events per second over all topics. Default: 100, with --pairs 25 for each pair
    #[arg(long)]
    pub rate: Option<f64>,
    #[arg(long, default_value_t = 1)]
    pub topics: u32,
    /// What streams are called; {t} is the topic's number
    #[arg(long, default_value = "s{t}usdt@trade", value_parser = NameTemplate::parse)]
    pub name: NameTemplate,
    /// Instead of topics, be a market of so many pairs (20 at most), whose trades have prices that `mixed` verifies;
    /// other names stay silent
    #[arg(long, conflicts_with_all = ["topics", "name", "size", "kind"])]
    pub pairs: Option<u32>,
    /// Bytes of an event, without the combined wrapper
    #[arg(long, default_value_t = 200)]
    pub size: usize,
    #[arg(long, value_enum, default_value = "trade")]
    pub kind: Kind,
    /// So many events at once, instead of --rate
    #[arg(long, requires = "burst_gap")]
    pub burst: Option<u64>,
    /// Seconds from burst to burst
    #[arg(long)]
    pub burst_gap: Option<f64>,
    /// End after so many seconds and report; 0 never ends
    #[arg(long, default_value_t = 0.0)]
    pub duration: f64,
    /// Count more requests of one connection within a second as violations; 0 for no limit
    #[arg(long, default_value_t = 0)]
    pub messages_per_second: usize,
    /// CLOCK_MONOTONIC time of slot 0: a venue restarted with the same one continues its numbers. Default: now
    #[arg(long)]
    pub epoch_ns: Option<u64>,
    /// Shifts the schedule by seed microseconds, so that repeated runs do not beat against a relay's timers
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Events per second of each pair, unless something else is said.
const PAIR_RATE: f64 = 25.0;

impl Args {
    pub fn check(&self) -> Result<()> {
        ensure!(self.topics > 0 && self.topics < 1 << 24, "--topics must be 1 to 16777215");
        ensure!(self.rate() > 0.0, "--rate must be above 0");
        let pairs_max = market::PAIRS.len() as u32;
        ensure!(self.pairs.is_none_or(|pairs| (1..=pairs_max).contains(&pairs)), "--pairs must be 1 to {pairs_max}");
        ensure!(
            self.burst_gap.is_none_or(|gap| gap > 0.0) && self.burst != Some(0),
            "bursts need a size and a gap above 0"
        );
        Ok(())
    }

    pub fn rate(&self) -> f64 {
        self.rate.unwrap_or(self.pairs.map_or(100.0, |pairs| f64::from(pairs) * PAIR_RATE))
    }

    pub fn names(&self) -> Names {
        match self.pairs {
            Some(count) => Names::Pairs { count },
            None => Names::Topics { template: self.name.clone(), count: self.topics },
        }
    }

    /// Appends what a slot says.
    pub fn write_event(&self, out: &mut Vec<u8>, name: &str, slot: Slot, late_us: u64, wall_ms: u64) {
        let Slot { topic, seq, due_ns } = slot;
        if self.pairs.is_some() {
            return market::write_trade(out, topic, seq, wall_ms);
        }
        let mark = Mark { due_ns, topic, seq, late_us: late_us.min(1 << 24) as u32 };
        event::write(out, self.kind, name, self.size, mark, wall_ms);
    }
}
