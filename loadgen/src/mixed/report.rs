//! From what was judged to the report and one word: ok, violated, or invalid.

use super::args::Args;
use super::judge::Judge;
use super::who::Dialect;
use crate::Outcome;
use crate::clock::{MILLISECOND_NS, SECOND_NS, now_ns};
use crate::process::{Process, Times, cores_busy_s};
use crate::run::tally::quantiles_us;
use anyhow::Result;
use serde_json::{Map, Value, json};

/// A generator busier than this, or kept waiting for its core, may have been what was measured.
const BUSY_MAX: f64 = 0.95;

/// What the run itself needed, to know whether it was the bottleneck.
pub struct Own {
    wall_s: f64,
    cpu_s: f64,
    waiting_s: f64,
    /// By core, with everything that ran there.
    cores_busy_s: Vec<f64>,
}

impl Own {
    pub fn since(start_ns: u64, before: Times, cores: &[f64]) -> Result<Self> {
        let after = Process::own().times()?;
        let seconds = |ns: u64| ns as f64 / SECOND_NS as f64;
        Ok(Self {
            wall_s: seconds(now_ns() - start_ns),
            cpu_s: seconds(after.on_cpu_ns - before.on_cpu_ns),
            waiting_s: seconds(after.waiting_ns - before.waiting_ns),
            cores_busy_s: cores_busy_s()?.iter().zip(cores).map(|(after, before)| after - before).collect(),
        })
    }
}

/// How the run went.
pub struct Course {
    pub ramp_s: f64,
    /// From the first connect until everybody had a price of all it asked for.
    pub live_after_ms: f64,
    pub open_at_end: usize,
    pub own: Own,
    pub relay: Option<Value>,
}

pub fn report(args: &Args, judge: &Judge, course: &Course) -> (Outcome, Value) {
    let invalid = invalid(args, judge, &course.own);
    // What was lost is lost, also where the machine was too busy to say how quick the rest was.
    let (outcome, word) = match (judge.violations.is_empty(), invalid.is_empty()) {
        (false, _) => (Outcome::Violated, "violated"),
        (true, false) => (Outcome::Invalid, "invalid"),
        (true, true) => (Outcome::AsExpected, "ok"),
    };
    let deliveries: u64 =
        judge.tallies.iter().map(|tally| tally.deliveries).sum::<u64>() + judge.push_after_ns.len() as u64;
    let own = &course.own;
    let json = json!({
        "verdict": word,
        "violations": judge.violations.counts(),
        "first_violations": judge.violations.named(),
        "invalid": invalid,
        "clients": args.total(),
        "open_at_end": course.open_at_end,
        "ramp_s": course.ramp_s,
        "live_after_ms": course.live_after_ms,
        "window_s": args.duration,
        "window_start_ns": judge.window.as_ref().map(|window| window.start_ns),
        "events": judge.window.as_ref().map_or(0, |window| window.trades_total()),
        "deliveries": deliveries,
        "deliveries_s": deliveries as f64 / args.duration,
        "dialects": args.dialects.iter().map(|&dialect| dialect_json(args, judge, dialect)).collect::<Map<_, _>>(),
        "scheduled": scheduled(args, judge),
        "instruments": judge.instruments(&args.dialects),
        "generator_late_us": quantiles_us(&judge.late),
        "own": {"wall_s": own.wall_s, "cpu_s": own.cpu_s, "waiting_s": own.waiting_s, "cores_busy_s": own.cores_busy_s},
        "relay": course.relay,
    });
    (outcome, json)
}

fn dialect_json(args: &Args, judge: &Judge, dialect: Dialect) -> (String, Value) {
    let tally = &judge.tallies[dialect as usize];
    let json = json!({"clients": args.clients, "opened": tally.opened, "deliveries": tally.deliveries,
                      "delivered_bytes": tally.bytes, "latency_us": quantiles_us(&tally.latency)});
    (dialect.name().to_owned(), json)
}

/// How far from its schedule each push arrived; below zero is too early.
fn scheduled(args: &Args, judge: &Judge) -> Value {
    let mut after_ns = judge.push_after_ns.clone();
    after_ns.sort_unstable();
    let at = |quantile: f64| {
        let index = ((after_ns.len() as f64 * quantile).ceil() as usize).clamp(1, after_ns.len().max(1)) - 1;
        after_ns.get(index).map(|&ns| ns as f64 / MILLISECOND_NS as f64)
    };
    json!({
        "interval_ms": args.board_interval_ms,
        "limit_ms": args.board_late_ms_max,
        "watchers": args.watchers(),
        "pushes": judge.pushes.len(),
        "deliveries": after_ns.len(),
        "after_schedule_ms": {"min": at(0.0), "p50": at(0.5), "p99": at(0.99), "max": at(1.0)},
    })
}

/// Why the run proves nothing.
fn invalid(args: &Args, judge: &Judge, own: &Own) -> Vec<String> {
    let mut reasons = Vec::new();
    let silent = args.dialects.iter().filter(|&&dialect| judge.tallies[dialect as usize].deliveries == 0);
    reasons.extend(silent.map(|dialect| format!("nothing was delivered to {} clients", dialect.name())));
    if args.watchers() > 0 && judge.push_after_ns.is_empty() {
        reasons.push("no scheduled push was delivered".to_owned());
    }
    let late_ms = judge.late.value_at_quantile(0.99) as f64 / 1e6;
    if late_ms > args.late_ms_max {
        reasons
            .push(format!("the venue sent 1 % of the events {late_ms:.1} ms late or more, limit {}", args.late_ms_max));
    }
    let busy = (own.cpu_s + own.waiting_s) / own.wall_s;
    if busy > BUSY_MAX {
        reasons.push(format!("the generator was busy or waiting for its core {:.0} % of the time", busy * 100.0));
    }
    reasons
}
