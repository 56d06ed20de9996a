//! From what was counted to the report and one word: ok, lost, or invalid.

use super::connection::Phase;
use super::fleet::Fleet;
use super::tally::{Role, Tally, quantiles_us};
use super::{Args, Own};
use crate::Outcome;
use serde_json::{Value, json};

/// A generator busier than this, or kept waiting for its core, may have been what was measured.
const BUSY_MAX: f64 = 0.95;

/// What the connections say, before they are closed.
pub struct Findings {
    pub ramp_s: f64,
    /// From the first connect until everybody had an event.
    pub live_after_ms: f64,
    lost: u64,
    lost_moving: u64,
    never_seen: u64,
    open: [usize; 4],
    without_events: usize,
    silence_ns_max: u64,
    silence_ended_ns_last: u64,
}

impl Findings {
    pub fn gather(args: &Args, fleet: &Fleet<'_>) -> Self {
        let tally = &fleet.tally;
        let mut findings = Self {
            ramp_s: 0.0,
            live_after_ms: 0.0,
            lost: 0,
            lost_moving: 0,
            never_seen: 0,
            open: [Role::Steady, Role::Moving, Role::Slow, Role::Stuck].map(|role| fleet.open_count(role)),
            without_events: 0,
            silence_ns_max: 0,
            silence_ended_ns_last: 0,
        };
        for connection in fleet.connections().filter(|connection| connection.phase == Phase::Open) {
            for cursor in connection.cursors() {
                let between = cursor.missing_between(|from, to| tally.unseen(cursor.topic, from, to));
                let outside = tally.expected(cursor.topic).map_or(0, |expected| cursor.missing_outside(expected));
                match connection.role {
                    // Skipped state is no loss; lacking the newest state is.
                    Role::Steady if args.expect_state => {
                        let last = tally.expected(cursor.topic).map_or(0, |expected| expected.last + 1);
                        findings.lost += u64::from(cursor.next() < last);
                    }
                    Role::Steady => findings.lost += between + outside,
                    Role::Moving if !args.expect_state => findings.lost_moving += between,
                    _ => {}
                }
            }
            if connection.role == Role::Steady {
                findings.without_events += usize::from(!connection.has_events());
                findings.silence_ns_max = findings.silence_ns_max.max(connection.silence_ns_max);
                findings.silence_ended_ns_last = findings.silence_ended_ns_last.max(connection.silence_ended_ns);
            }
        }
        if args.outage_allowed {
            let nobody =
                |topic| tally.expected(topic).map_or(0, |expected| tally.unseen(topic, expected.first, expected.last));
            findings.never_seen = (0..args.topics).map(nobody).sum();
        }
        findings
    }
}

pub fn verdict(args: &Args, tally: &Tally, findings: &Findings, own: &Own, relay: Option<Value>) -> (Outcome, Value) {
    let wrong = wrong(args, tally, findings);
    let invalid = invalid(args, tally, own);
    let (outcome, word) = match (wrong.is_empty(), invalid.is_empty()) {
        (_, false) => (Outcome::Invalid, "invalid"),
        (false, true) => (Outcome::Wrong, "lost"),
        (true, true) => (Outcome::AsExpected, "ok"),
    };
    let steady = &tally.groups[Role::Steady as usize];
    let json = json!({
        "verdict": word,
        "wrong": wrong,
        "invalid": invalid,
        "connections": args.connections,
        "opened": steady.opened,
        "failed": steady.failed,
        "open_at_end": findings.open[Role::Steady as usize],
        "refused": tally.refused,
        "ramp_s": findings.ramp_s,
        "live_after_ms": findings.live_after_ms,
        "window_s": args.duration,
        "deliveries": tally.deliveries,
        "deliveries_s": tally.deliveries as f64 / args.duration,
        "delivered_bytes": tally.delivered_bytes,
        "lost": findings.lost,
        "lost_moving": findings.lost_moving,
        "never_seen": findings.never_seen,
        "duplicated": tally.duplicated,
        "reordered": tally.reordered,
        "corrupted": tally.corrupted,
        "misrouted": tally.misrouted,
        "skipped": steady.skipped,
        "protocol_errors": tally.protocol_errors,
        "other_frames": tally.other_frames,
        "closes": steady.closes,
        "resets": steady.resets,
        "without_events": findings.without_events,
        "latency_us": quantiles_us(&tally.latency),
        "first_event_us": quantiles_us(&tally.first_event),
        "silence_ms_max": findings.silence_ns_max as f64 / 1e6,
        "silence_ended_ns_last": findings.silence_ended_ns_last,
        "window_start_ns": tally.start_ns,
        "groups": {
            "moving": tally.groups[Role::Moving as usize].to_json(),
            "slow": tally.groups[Role::Slow as usize].to_json(),
            "slow_open_at_end": findings.open[Role::Slow as usize],
            "stuck": tally.groups[Role::Stuck as usize].to_json(),
            "stuck_open_at_end": findings.open[Role::Stuck as usize],
        },
        "generator_late_us": quantiles_us(&tally.late),
        "generator_late_us_max": tally.late.max() / 1000,
        "own": {"wall_s": own.wall_s, "cpu_s": own.cpu_s, "waiting_s": own.waiting_s, "cores_busy_s": own.cores_busy_s},
        "relay": relay,
    });
    (outcome, json)
}

/// Everything that must not have happened, in words.
fn wrong(args: &Args, tally: &Tally, findings: &Findings) -> Vec<String> {
    let steady = &tally.groups[Role::Steady as usize];
    let moving = &tally.groups[Role::Moving as usize];
    let ended = args.connections - findings.open[Role::Steady as usize];
    [
        ("lost", findings.lost),
        ("lost on connections that came and went", findings.lost_moving),
        ("duplicated", tally.duplicated),
        ("reordered", tally.reordered),
        ("corrupted", tally.corrupted),
        ("misrouted", tally.misrouted),
        ("protocol errors", tally.protocol_errors_total()),
        ("staying connections refused", steady.failed),
        ("staying connections not open at the end", ended as u64),
        ("staying connections without an event", findings.without_events as u64),
        ("moving connections refused", moving.failed),
        ("moving connections closed by the relay", moving.closes.values().sum::<u64>() + moving.resets),
    ]
    .into_iter()
    .filter(|&(_, count)| count > 0)
    .map(|(what, count)| format!("{count} {what}"))
    .collect()
}

/// Why the run proves nothing.
fn invalid(args: &Args, tally: &Tally, own: &Own) -> Vec<String> {
    let mut reasons = Vec::new();
    if args.connections > 0 && tally.deliveries == 0 {
        reasons.push("nothing was delivered: is the venue running?".to_owned());
    }
    let late_ms = tally.late.value_at_quantile(0.99) as f64 / 1e6;
    if late_ms > args.late_ms_max {
        reasons
            .push(format!("the venue sent 1 % of the events {late_ms:.1} ms late or more, limit {}", args.late_ms_max));
    }
    // With --spin the core is always busy; being kept from it is what counts then.
    let busy = if args.spin { own.waiting_s } else { own.cpu_s + own.waiting_s } / own.wall_s;
    let busy_max = if args.spin { 1.0 - BUSY_MAX } else { BUSY_MAX };
    if busy > busy_max {
        reasons.push(format!("the generator was busy or waiting for its core {:.0} % of the time", busy * 100.0));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn check(change: impl Fn(&mut Tally, &mut Findings, &mut Own), word: &str, reason: &str) {
        let args = Line::parse_from(["run", "--connections", "2"]).args;
        let mut tally = Tally::new(1, false).unwrap();
        (tally.start_ns, tally.end_ns) = (0, 10);
        tally.deliver(crate::event::Mark { due_ns: 1, topic: 0, seq: 1, late_us: 5 }, 1, 2);
        let mut findings = Findings {
            ramp_s: 0.0,
            live_after_ms: 0.0,
            lost: 0,
            lost_moving: 0,
            never_seen: 0,
            open: [2, 0, 0, 0],
            without_events: 0,
            silence_ns_max: 0,
            silence_ended_ns_last: 0,
        };
        let mut own = Own { wall_s: 1.0, cpu_s: 0.5, waiting_s: 0.1, cores_busy_s: Vec::new() };
        change(&mut tally, &mut findings, &mut own);
        let (_, json) = verdict(&args, &tally, &findings, &own, None);
        assert_eq!(json["verdict"], word, "{json}");
        assert!(format!("{}{}", json["wrong"], json["invalid"]).contains(reason), "{json}");
    }

    /// Each way to fail has its word; a run that proves nothing is never called good or bad.
    #[test]
    fn words() {
        check(|_, _, _| {}, "ok", "");
        check(|_, findings, _| findings.lost = 3, "lost", "3 lost");
        check(|tally, _, _| tally.duplicated = 1, "lost", "1 duplicated");
        check(|_, findings, _| findings.open[0] = 1, "lost", "1 staying connections not open");
        check(|tally, _, _| tally.deliveries = 0, "invalid", "nothing was delivered");
        check(|_, _, own| own.waiting_s = 0.5, "invalid", "waiting for its core 100 %");
        check(
            |tally, findings, _| {
                findings.lost = 3;
                tally.late.saturating_record(900_000_000);
            },
            "invalid",
            "the venue sent",
        );
    }
}
