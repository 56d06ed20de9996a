//! What a venue is told on the command line.

use crate::event::{Kind, NameTemplate};

#[derive(clap::Args)]
pub struct Args {
    /// Where to listen; port 0 chooses one, which the first line of stdout tells
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Events per second over all topics
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    #[arg(long, default_value_t = 1)]
    pub topics: u32,
    /// What streams are called; {t} is the topic's number
    #[arg(long, default_value = "s{t}usdt@trade", value_parser = NameTemplate::parse)]
    pub name: NameTemplate,
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
