//! Clients of four dialects on the same instruments: each checks what it is told, and all must be told the same.
//!
//! `read` understands each dialect, `judge` and `settle` say what is wrong, with `ledger` for what the venue said when and
//! `window` for what had to come; `client` is one client without its socket, `fleet` owns the sockets. This file is the
//! course of a run.

mod args;
mod client;
mod fleet;
mod judge;
mod ledger;
mod read;
mod report;
#[cfg(test)]
mod samples;
mod settle;
#[cfg(test)]
mod tests;
mod time;
mod violations;
mod who;
mod window;

use crate::clock::{self, MILLISECOND_NS, SECOND_NS, now_ns};
use crate::process::{Process, cores_busy_s};
use crate::run::resolve;
use crate::run::watch::Watch;
use crate::{Outcome, report as print};
use anyhow::{Context, Result};
pub use args::Args;
use client::{Client, Common, Phase};
use fleet::{Fleet, now};
use judge::Judge;
use report::{Course, Own, report};
use std::time::Duration;
use violations::Kind;
use window::Window;

/// Connections under way at once while the fleet is opened.
const PENDING_MAX: usize = 256;
/// How long everybody may take to have a first price of all that was asked for, beyond one round of the schedule.
const LIVE_NS_MAX: u64 = 15 * SECOND_NS;
/// Between the last first price and the measurement.
const SETTLE_NS: u64 = SECOND_NS;
/// How long to wait for what is late, in all and since the last of it came.
const DRAIN_NS_MAX: u64 = 60 * SECOND_NS;
const DRAIN_QUIET_NS: u64 = 3 * SECOND_NS;
const CLOSE_NS_MAX: u64 = 3 * SECOND_NS;

struct Run<'a> {
    args: &'a Args,
    fleet: Fleet,
    watch: Option<Watch>,
    next_sample_ns: u64,
}

pub fn run(args: &Args) -> Result<Outcome> {
    args.check()?;
    let address = resolve(&args.url)?;
    let common = Common::new(args.pairs, &args.hub_channel, &args.board);
    let judge = Judge::new(args.rules())?;
    let run = Run {
        args,
        fleet: Fleet::new(address, common, judge, args.total())?,
        watch: args.relay_pid.map(Watch::new).transpose()?,
        next_sample_ns: u64::MAX,
    };
    run.all()
}

impl Run<'_> {
    fn all(mut self) -> Result<Outcome> {
        let opened_ns = now_ns();
        self.ramp()?;
        let ramp_s = (now_ns() - opened_ns) as f64 / SECOND_NS as f64;
        let live_after_ms = self.wait_live(opened_ns)?;
        self.until(now_ns() + SETTLE_NS)?;

        let start = now();
        eprintln!("loadgen: measuring since {} ns", start.ns);
        let rules = &self.fleet.judge.rules;
        let end_ns = start.ns + clock::seconds(self.args.duration);
        self.fleet.judge.window = Some(Window::new(start, end_ns, &rules.schedule, rules.grid));
        let (times, cores) = (Process::own().times()?, cores_busy_s()?);
        let received = self.received();
        if let Some(watch) = &mut self.watch {
            watch.start()?;
            self.next_sample_ns = start.ns + SECOND_NS;
        }
        self.until(end_ns)?;
        let own = Own::since(start.ns, times, &cores)?;
        self.drain()?;
        let received = self.received() - received;
        if let Some(watch) = &mut self.watch {
            watch.stop()?;
        }

        let open_at_end = self.fleet.clients().filter(|client| client.phase == Phase::Open).count();
        self.fleet.settle(&self.args.dialects);
        self.close()?;
        let relay = match &self.watch {
            Some(watch) => Some(watch.to_json(received, watch.descriptors_left(5 * SECOND_NS)?)),
            None => None,
        };
        let course = Course { ramp_s, live_after_ms, open_at_end, own, relay };
        let (outcome, json) = report(self.args, &self.fleet.judge, &course);
        print(&json)?;
        Ok(outcome)
    }

    fn ramp(&mut self) -> Result<()> {
        let (total, start_ns) = (self.args.total(), now_ns());
        let deadline_ns = start_ns + clock::seconds(total as f64 / self.args.ramp) + 30 * SECOND_NS;
        let mut opened = 0;
        while (opened < total || self.fleet.pending > 0) && now_ns() < deadline_ns {
            let due = ((now_ns() - start_ns) as f64 / SECOND_NS as f64 * self.args.ramp) as usize + 1;
            while opened < due.min(total) && self.fleet.pending < PENDING_MAX {
                self.fleet.open(self.args.who(opened))?;
                opened += 1;
            }
            self.turn(now_ns() + MILLISECOND_NS)?;
        }
        let missing = total - opened + self.fleet.pending;
        if missing > 0 {
            let words = || format!("{missing} clients are still not connected");
            self.fleet.judge.violations.note_many(Kind::Refused, missing as u64, words);
        }
        Ok(())
    }

    /// Waits until everybody has a first price; how long that took since the first connect, in ms.
    fn wait_live(&mut self, opened_ns: u64) -> Result<f64> {
        let give_up_ns = now_ns() + LIVE_NS_MAX + self.args.board_interval_ms * MILLISECOND_NS;
        let is_silent = |client: &&Client| client.phase == Phase::Open && !client.seen.is_live(client.who.dialect);
        while self.fleet.clients().any(|client| is_silent(&client)) && now_ns() < give_up_ns {
            self.until(now_ns() + 20 * MILLISECOND_NS)?;
        }
        let silent: Vec<_> = self.fleet.clients().filter(is_silent).map(|client| client.who).collect();
        for who in silent {
            self.fleet.judge.violations.note(Kind::Refused, || format!("{who} got no price of all it asked for"));
        }
        Ok((now_ns() - opened_ns) as f64 / MILLISECOND_NS as f64)
    }

    fn until(&mut self, end_ns: u64) -> Result<()> {
        while now_ns() < end_ns {
            self.turn(end_ns)?;
        }
        Ok(())
    }

    /// Serves what is ready and does what is due, sleeping until then at most.
    fn turn(&mut self, end_ns: u64) -> Result<()> {
        if now_ns() >= self.next_sample_ns {
            self.next_sample_ns += SECOND_NS;
            if let Some(watch) = &mut self.watch {
                watch.sample().context("the relay is gone")?;
            }
        }
        let next_ns = end_ns.min(self.next_sample_ns);
        self.fleet.turn(Duration::from_nanos(next_ns.saturating_sub(now_ns())))
    }

    /// Waits for what was due before the end while somebody still lacks it and anything still comes: being late is not
    /// being lost. What ends a second, or fills a scheduled push, comes a moment after it.
    fn drain(&mut self) -> Result<()> {
        self.next_sample_ns = u64::MAX;
        let give_up_ns = now_ns() + DRAIN_NS_MAX;
        let (mut waiting, mut progress_ns) = (usize::MAX, now_ns());
        self.until(now_ns() + 300 * MILLISECOND_NS)?;
        while waiting > 0 && now_ns() < give_up_ns.min(progress_ns + DRAIN_QUIET_NS) {
            let Some(window) = &self.fleet.judge.window else { break };
            let behind = |client: &&Client| client.phase == Phase::Open && !client.seen.is_done(client.who, window);
            let still = self.fleet.clients().filter(behind).count();
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
    fn close(&mut self) -> Result<()> {
        self.fleet.leave();
        let end_ns = now_ns() + CLOSE_NS_MAX;
        while now_ns() < end_ns && self.fleet.clients().next().is_some() {
            self.fleet.turn(Duration::from_millis(20))?;
        }
        Ok(())
    }

    fn received(&self) -> u64 {
        let judge = &self.fleet.judge;
        judge.tallies.iter().map(|tally| tally.deliveries).sum::<u64>() + judge.push_after_ns.len() as u64
    }
}
