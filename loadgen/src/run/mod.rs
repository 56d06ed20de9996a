//! A fleet of clients: opens them, measures for a while, and says whether everybody got everything.
//!
//! `check` judges sequences, `connection` is one client without its socket, `tally` counts, `fleet` owns the sockets,
//! `watch` looks at the relay from outside, `verdict` turns it all into the report. This file is the course of a run.

pub mod check;
mod connection;
pub mod fleet;
pub mod tally;
mod target;
mod verdict;
pub mod watch;

use crate::clock::{self, MILLISECOND_NS, SECOND_NS, now_ns};
use crate::event::NameTemplate;
use crate::process::{Process, Times, cores_busy_s};
use crate::{Outcome, handshake, report};
use anyhow::{Context, Result, ensure};
use check::Cursor;
use connection::{Common, Connection};
use fleet::Fleet;
use std::time::Duration;
use tally::{Role, Tally};
pub use target::resolve;
use target::target;
use verdict::{Findings, verdict};
use watch::Watch;

/// Connections under way at once while the fleet is opened.
const PENDING_MAX: usize = 256;
/// How long to wait for what is late, in all and since the last of it came.
const DRAIN_NS_MAX: u64 = 60 * SECOND_NS;
const DRAIN_QUIET_NS: u64 = 3 * SECOND_NS;
const SLOW_TICK_NS: u64 = 100 * MILLISECOND_NS;
/// How long a moving connection stays, about.
const STAY_S: f64 = 5.0;

#[derive(clap::Args)]
pub struct Args {
    /// The relay
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    url: String,
    /// Connections that stay; each must get every event
    #[arg(long, default_value_t = 100)]
    connections: usize,
    /// Connection i gets topic i mod topics
    #[arg(long, default_value_t = 1)]
    topics: u32,
    /// {t} is the topic's number, {names} the names of all topics of the connection
    #[arg(long, default_value = "/ws/s{t}usdt@trade")]
    path: String,
    /// What streams are called: checked in combined frames, used for {names}
    #[arg(long, default_value = "s{t}usdt@trade", value_parser = NameTemplate::parse)]
    name: NameTemplate,
    /// Topics of one connection; more than one needs {names} in --path
    #[arg(long, default_value_t = 1)]
    topics_each: u32,
    /// Connections opened per second
    #[arg(long, default_value_t = 5000.0)]
    ramp: f64,
    /// Seconds between the last connection and the measurement
    #[arg(long, default_value_t = 1.0)]
    settle: f64,
    /// Seconds measured
    #[arg(long, default_value_t = 10.0)]
    duration: f64,
    /// Of further connections, so many leave per second and as many come
    #[arg(long, default_value_t = 0.0)]
    churn: f64,
    /// Further connections that read slowly
    #[arg(long, default_value_t = 0)]
    slow: usize,
    /// Bytes per second each slow connection reads
    #[arg(long, default_value_t = 1000)]
    slow_rate: usize,
    /// Further connections that never read
    #[arg(long, default_value_t = 0)]
    stuck: usize,
    /// Skipping events is allowed (and counted): the newest replaces the ones before
    #[arg(long)]
    expect_state: bool,
    /// Events that reached no connection at all are counted as `never_seen`, not as lost
    #[arg(long)]
    outage_allowed: bool,
    /// Never sleep: takes a core for itself, and spares the relay the wake-ups
    #[arg(long)]
    spin: bool,
    /// The relay's process, to report what it spends
    #[arg(long)]
    relay_pid: Option<u32>,
    /// The run is invalid if the venue sent 1 % of the events later than this
    #[arg(long, default_value_t = 20.0)]
    late_ms_max: f64,
}

/// What the run itself needed, to know whether it was the bottleneck.
struct Own {
    wall_s: f64,
    cpu_s: f64,
    waiting_s: f64,
    /// By core, with everything that ran there.
    cores_busy_s: Vec<f64>,
}

struct Run<'a> {
    args: &'a Args,
    fleet: Fleet<'a>,
    watch: Option<Watch>,
    moving: usize,
    moved: usize,
    next_move_ns: u64,
    next_slow_ns: u64,
    next_sample_ns: u64,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let address = resolve(&args.url)?;
    ensure!(
        args.topics > 0 && args.topics_each > 0 && args.topics_each <= args.topics,
        "--topics-each must be 1 to --topics"
    );
    ensure!(args.topics_each == 1 || args.path.contains("{names}"), "--topics-each above 1 needs {{names}} in --path");
    let moving = (args.churn * STAY_S).ceil() as usize;
    let total = args.connections + moving + args.slow + args.stuck;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    ensure!(
        total as u64 + 64 <= limit,
        "{total} connections need {} descriptors, limit {limit}: use several processes",
        total + 64
    );
    let common = Common {
        accept: handshake::accept_for(handshake::KEY),
        template: args.name.clone(),
        combined: args.path.starts_with("/stream"),
    };
    let path = |index: usize| target(args, index);
    let tally = Tally::new(args.topics, args.outage_allowed)?;
    let run = Run {
        args,
        fleet: Fleet::new(address, &common, &path, total, tally)?,
        watch: args.relay_pid.map(Watch::new).transpose()?,
        moving,
        moved: 0,
        next_move_ns: u64::MAX,
        next_slow_ns: 0,
        next_sample_ns: u64::MAX,
    };
    run.all(total)
}

impl Run<'_> {
    fn all(mut self, total: usize) -> Result<Outcome> {
        let opened_ns = now_ns();
        self.ramp(total)?;
        let ramp_s = (now_ns() - opened_ns) as f64 / SECOND_NS as f64;
        if self.args.churn > 0.0 {
            self.next_move_ns = now_ns();
        }
        self.until(now_ns() + clock::seconds(self.args.settle))?;

        let start_ns = now_ns();
        eprintln!("loadgen: measuring since {start_ns} ns");
        self.fleet.tally.start_ns = start_ns;
        self.fleet.tally.end_ns = start_ns + clock::seconds(self.args.duration);
        let received = self.received();
        let times = Process::own().times()?;
        let cores = cores_busy_s()?;
        if let Some(watch) = &mut self.watch {
            watch.start()?;
            self.next_sample_ns = start_ns + SECOND_NS;
        }
        self.until(self.fleet.tally.end_ns)?;
        let own = since(start_ns, times, &cores)?;
        self.next_move_ns = u64::MAX;
        self.drain()?;
        let received = self.received() - received;
        if let Some(watch) = &mut self.watch {
            watch.stop()?;
        }

        let mut findings = Findings::gather(self.args, &self.fleet);
        self.close(total)?;
        let relay = match &self.watch {
            Some(watch) => Some(watch.to_json(received, watch.descriptors_left(5 * SECOND_NS)?)),
            None => None,
        };
        findings.ramp_s = ramp_s;
        findings.live_after_ms = self.fleet.tally.all_live_ns.saturating_sub(opened_ns) as f64 / 1e6;
        let (outcome, json) = verdict(self.args, &self.fleet.tally, &findings, &own, relay);
        report(&json)?;
        Ok(outcome)
    }

    /// Opens everybody, the slow ones last.
    fn ramp(&mut self, total: usize) -> Result<()> {
        let start_ns = now_ns();
        let deadline_ns = start_ns + clock::seconds(total as f64 / self.args.ramp) + 30 * SECOND_NS;
        let mut opened = 0;
        while opened < total || self.fleet.pending > 0 {
            let due = ((now_ns() - start_ns) as f64 / SECOND_NS as f64 * self.args.ramp) as usize + 1;
            while opened < due.min(total) && self.fleet.pending < PENDING_MAX {
                self.fleet.open(opened, self.role(opened))?;
                opened += 1;
            }
            self.turn(now_ns() + MILLISECOND_NS)?;
            if now_ns() > deadline_ns {
                eprintln!("loadgen: {} connections are still not open", total - opened + self.fleet.pending);
                break;
            }
        }
        Ok(())
    }

    fn role(&self, index: usize) -> Role {
        let (steady, moving) = (self.args.connections, self.args.connections + self.moving);
        match index {
            _ if index < steady => Role::Steady,
            _ if index < moving => Role::Moving,
            _ if index < moving + self.args.slow => Role::Slow,
            _ => Role::Stuck,
        }
    }

    fn until(&mut self, end_ns: u64) -> Result<()> {
        while now_ns() < end_ns {
            self.turn(end_ns)?;
        }
        Ok(())
    }

    /// Serves what is ready and does what is due, sleeping until then at most.
    fn turn(&mut self, end_ns: u64) -> Result<()> {
        let now = now_ns();
        if now >= self.next_move_ns {
            self.next_move_ns += (SECOND_NS as f64 / self.args.churn) as u64;
            let index = self.args.connections + self.moved % self.moving;
            // Every second one goes without a word.
            self.fleet.leave(index, self.moved.is_multiple_of(2));
            self.fleet.open(index, Role::Moving)?;
            self.moved += 1;
        }
        if self.args.slow > 0 && now >= self.next_slow_ns {
            self.next_slow_ns = now + SLOW_TICK_NS;
            self.fleet.read_slowly((self.args.slow_rate as u64 * SLOW_TICK_NS / SECOND_NS).max(1) as usize);
        }
        if now >= self.next_sample_ns {
            self.next_sample_ns += SECOND_NS;
            if let Some(watch) = &mut self.watch {
                watch.sample().context("the relay is gone")?;
            }
        }
        let slow_ns = if self.args.slow > 0 { self.next_slow_ns } else { u64::MAX };
        let next_ns = end_ns.min(self.next_move_ns).min(slow_ns).min(self.next_sample_ns);
        let sleep = if self.args.spin { 0 } else { next_ns.saturating_sub(now_ns()) };
        self.fleet.turn(Duration::from_nanos(sleep))
    }

    /// Waits for what was due before the end while somebody still lacks it and anything still comes: being late is not
    /// being lost.
    fn drain(&mut self) -> Result<()> {
        self.next_sample_ns = u64::MAX;
        let give_up_ns = now_ns() + DRAIN_NS_MAX;
        let (mut waiting, mut progress_ns) = (u64::MAX, now_ns());
        self.until(now_ns() + 300 * MILLISECOND_NS)?;
        while waiting > 0 && now_ns() < give_up_ns.min(progress_ns + DRAIN_QUIET_NS) {
            let tally = &self.fleet.tally;
            let steady = self.fleet.connections().filter(|c| c.role == Role::Steady);
            let behind = |cursor: &Cursor| {
                tally.expected(cursor.topic).map_or(0, |expected| (expected.last + 1).saturating_sub(cursor.next()))
            };
            let still = steady.flat_map(Connection::cursors).map(behind).sum();
            if still != waiting {
                (waiting, progress_ns) = (still, now_ns());
            }
            if waiting > 0 {
                self.until(now_ns() + 100 * MILLISECOND_NS)?;
            }
        }
        Ok(())
    }

    /// Everybody says goodbye and waits for the answer, 3 s at most.
    fn close(&mut self, total: usize) -> Result<()> {
        (0..total).for_each(|index| self.fleet.leave(index, true));
        let end_ns = now_ns() + 3 * SECOND_NS;
        while now_ns() < end_ns && (0..total).any(|index| !self.fleet.is_gone(index)) {
            self.fleet.turn(Duration::from_millis(20))?;
        }
        (0..total).for_each(|index| self.fleet.leave(index, false));
        Ok(())
    }

    fn received(&self) -> u64 {
        self.fleet.tally.groups.iter().map(|group| group.frames).sum()
    }
}

fn since(start_ns: u64, before: Times, cores: &[f64]) -> Result<Own> {
    let after = Process::own().times()?;
    let seconds = |ns: u64| ns as f64 / SECOND_NS as f64;
    Ok(Own {
        wall_s: seconds(now_ns() - start_ns),
        cpu_s: seconds(after.on_cpu_ns - before.on_cpu_ns),
        waiting_s: seconds(after.waiting_ns - before.waiting_ns),
        cores_busy_s: cores_busy_s()?.iter().zip(cores).map(|(after, before)| after - before).collect(),
    })
}
