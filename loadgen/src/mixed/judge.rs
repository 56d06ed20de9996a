//! Takes what clients were told, and says what is wrong with it: at once what one client can tell, at the end what takes
//! all of them. No sockets, no clocks.

use super::ledger::{Ledger, Tolerance};
use super::read::{Push, Quote, Tick};
use super::violations::{Kind, Violations};
use super::who::{DIALECTS, Dialect, Who};
use super::window::{Grid, Now, Window};
use crate::clock::{MILLISECOND_NS, SECOND_NS};
use crate::market;
use crate::run::check::{Cursor, Seen as Order};
use crate::venue::schedule::Schedule;
use anyhow::Result;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

const LATENCY_NS_MAX: u64 = 600 * SECOND_NS;
/// A second is over for us when it is for the relay, but for the two readings of the clock.
const CLOCK_NS: u64 = 2 * MILLISECOND_NS;

#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub schedule: Schedule,
    pub grid: Grid,
    pub tolerance: Tolerance,
}

/// What one client has seen.
#[derive(Debug)]
pub struct Seen {
    pub cursor: Cursor,
    /// The seconds of its ticks, rising.
    pub epochs: Vec<u64>,
    subscription: Option<String>,
    /// By pair the newest point of the grid; zero for what came on subscribing.
    pub points: Vec<Option<u64>>,
}

/// What all clients of a dialect add up to.
#[derive(Debug)]
pub struct Tally {
    pub opened: u64,
    pub deliveries: u64,
    pub bytes: u64,
    pub latency: Histogram<u64>,
}

pub struct Judge {
    pub rules: Rules,
    pub window: Option<Window>,
    pub violations: Violations,
    pub ledger: Ledger,
    pub tallies: Vec<Tally>,
    /// By dialect and pair: which trades anybody was told.
    told: Vec<Vec<bool>>,
    /// By pair: which trade is the tick of a second.
    pub ticks: Vec<BTreeMap<u64, u64>>,
    /// By point and pair.
    pub pushes: BTreeMap<(u64, u32), Push>,
    /// From the schedule to the arrival of each push, in ns.
    pub push_after_ns: Vec<i64>,
    /// From when a trade was due to when the venue said it.
    pub late: Histogram<u64>,
}

impl Seen {
    pub fn new(who: Who, pairs: u32) -> Self {
        let points = if who.watches { vec![None; pairs as usize] } else { Vec::new() };
        Self { cursor: Cursor::new(who.pair), epochs: Vec::new(), subscription: None, points }
    }

    /// Whether something of all it asked for has come.
    pub fn is_live(&self, dialect: Dialect) -> bool {
        let has_own = if dialect == Dialect::Deriv { !self.epochs.is_empty() } else { !self.cursor.is_empty() };
        has_own && self.points.iter().all(Option::is_some)
    }

    /// Whether everything due in the window has come.
    pub fn is_done(&self, who: Who, window: &Window) -> bool {
        let has_own = match who.dialect {
            Dialect::Deriv => self.epochs.last().is_some_and(|&epoch_s| epoch_s >= window.seconds.last),
            _ => window.trades[who.pair as usize].is_none_or(|expected| self.cursor.next() > expected.last),
        };
        has_own && self.points.iter().all(|point| point.is_some_and(|point| point >= window.points.last))
    }
}

impl Judge {
    pub fn new(rules: Rules) -> Result<Self> {
        let histogram = || Histogram::new_with_max(LATENCY_NS_MAX, 3);
        let pairs = rules.schedule.topics;
        let tally = || Ok(Tally { opened: 0, deliveries: 0, bytes: 0, latency: histogram()? });
        Ok(Self {
            rules,
            window: None,
            violations: Violations::default(),
            ledger: Ledger::new(pairs),
            tallies: DIALECTS.iter().map(|_| tally()).collect::<Result<_>>()?,
            told: vec![Vec::new(); DIALECTS.len() * pairs as usize],
            ticks: vec![BTreeMap::new(); pairs as usize],
            pushes: BTreeMap::new(),
            push_after_ns: Vec::new(),
            late: histogram()?,
        })
    }

    pub fn tally(&mut self, dialect: Dialect) -> &mut Tally {
        &mut self.tallies[dialect as usize]
    }

    fn told_index(&self, dialect: Dialect, pair: u32) -> usize {
        dialect as usize * self.rules.schedule.topics as usize + pair as usize
    }

    pub fn is_told(&self, dialect: Dialect, pair: u32, seq: u64) -> bool {
        self.told[self.told_index(dialect, pair)].get(seq as usize).is_some_and(|told| *told)
    }

    /// A price as it came.
    pub fn price(&mut self, who: Who, seen: &mut Seen, quote: Quote, bytes: usize, now: Now) {
        let Quote { pair, seq, time_ms } = quote;
        if pair != who.pair {
            return self.violations.note(Kind::Misrouted, || format!("{who} was told of {}", market::base(pair)));
        }
        let due_ns = self.rules.schedule.slot(seq * u64::from(self.rules.schedule.topics) + u64::from(pair)).due_ns;
        let in_window = self.window.as_ref().is_some_and(|window| window.has_due(due_ns));
        match self.ledger.note(pair, seq, time_ms) {
            Ok(false) => {}
            Ok(true) => {
                // The wall clock's time of when it was due, by the distance of both clocks now. The venue's own time is
                // rounded down, so this is the most it can have been late.
                let due_wall_ns = (now.wall_ns + due_ns).saturating_sub(now.ns);
                if in_window {
                    self.late.saturating_record(((time_ms + 1) * MILLISECOND_NS).saturating_sub(due_wall_ns));
                }
            }
            Err(other) => self.violations.note(Kind::Changed, || {
                format!("{who} was told that trade {seq} was at {time_ms}, others {}", other.before_ms)
            }),
        }
        let next = seen.cursor.next();
        match seen.cursor.see(seq) {
            // What was passed over may still come; if not, it is lost, which the end tells.
            Order::InOrder | Order::Skipped(_) => {}
            Order::Reordered => {
                self.violations.note(Kind::Reordered, || format!("{who} got trade {seq} after trade {}", next - 1));
            }
            Order::Duplicate => {
                self.violations.note(Kind::Duplicated, || format!("{who} got trade {seq} again, after {}", next - 1));
            }
        }
        let index = self.told_index(who.dialect, pair);
        let told = &mut self.told[index];
        if told.len() <= seq as usize {
            told.resize(seq as usize + 1, false);
        }
        told[seq as usize] = true;
        if in_window {
            self.deliver(who.dialect, bytes, now.ns.saturating_sub(due_ns));
        }
    }

    /// A Deriv tick: of one pair at most one a second, rising, the same for all.
    pub fn tick(&mut self, who: Who, seen: &mut Seen, tick: Tick, bytes: usize, now: Now) {
        let Tick { pair, seq, epoch_s, subscription } = tick;
        if pair != who.pair {
            return self.violations.note(Kind::Misrouted, || format!("{who} was told of {}", market::base(pair)));
        }
        let own = seen.subscription.get_or_insert_with(|| subscription.clone());
        if *own != subscription {
            self.violations.note(Kind::Changed, || format!("{who}: its subscription's id is another than before"));
        }
        match seen.epochs.last() {
            Some(&last_s) if epoch_s == last_s => {
                return self
                    .violations
                    .note(Kind::Duplicated, || format!("{who} got two ticks of the second {epoch_s}"));
            }
            Some(&last_s) if epoch_s < last_s => {
                return self
                    .violations
                    .note(Kind::Reordered, || format!("{who} got the second {epoch_s} after the second {last_s}"));
            }
            _ => seen.epochs.push(epoch_s),
        }
        let other = *self.ticks[pair as usize].entry(epoch_s).or_insert(seq);
        if other != seq {
            self.violations.note(Kind::Unequal, || {
                format!("{who} was told trade {seq} for the second {epoch_s}, others trade {other}")
            });
        }
        let over_ns = (epoch_s + 1).saturating_mul(SECOND_NS);
        if now.wall_ns + CLOCK_NS < over_ns {
            self.violations.note(Kind::Tick, || format!("{who} got the tick of the second {epoch_s} before its end"));
        }
        if self.window.as_ref().is_some_and(|window| window.seconds.has(epoch_s)) {
            self.deliver(who.dialect, bytes, now.wall_ns.saturating_sub(over_ns));
        }
    }

    /// A push of the scheduled channel.
    pub fn push(&mut self, who: Who, seen: &mut Seen, push: Push, now: Now) {
        let grid = self.rules.grid;
        let base = market::base(push.pair);
        let Some(newest) = seen.points.get_mut(push.pair as usize) else {
            return self.violations.note(Kind::Misrouted, || format!("{who} got a scheduled push of {base}"));
        };
        let Some(window) = &self.window else {
            *newest = Some(0);
            return;
        };
        let Some(point) = window.point_of(push, grid) else {
            *newest = newest.or(Some(0));
            return;
        };
        let before = newest.filter(|&before| before >= window.points.first);
        let expected = before.map_or(window.points.first, |before| before + 1);
        if point < expected {
            let kind = if before == Some(point) { Kind::Duplicated } else { Kind::Reordered };
            return self.violations.note(kind, || format!("{who} got the scheduled push {point} of {base} once more"));
        }
        if point > expected {
            self.violations.note_many(Kind::Lost, point - expected, || {
                format!("{who} got the scheduled push {point} of {base}, expected {expected}")
            });
        }
        *newest = Some(point);

        let due_ms = point * grid.interval_ms;
        let after_ns = now.wall_ns.cast_signed() - (due_ms * MILLISECOND_NS).cast_signed();
        self.push_after_ns.push(after_ns);
        let limit_ns = (grid.late_ms_max * MILLISECOND_NS).cast_signed();
        if after_ns.abs() > limit_ns || push.time_ms.abs_diff(due_ms) > grid.late_ms_max {
            self.violations.note(Kind::Schedule, || {
                let by_stamp = push.time_ms.cast_signed() - due_ms.cast_signed();
                format!("{who} got {base} {} ms after its schedule ({by_stamp} by its timestamp)", after_ns / 1_000_000)
            });
        }
        let other = *self.pushes.entry((point, push.pair)).or_insert(push);
        if other != push {
            self.violations.note(Kind::Unequal, || format!("{who} got {push:?}, others {other:?}"));
        }
    }

    fn deliver(&mut self, dialect: Dialect, bytes: usize, latency_ns: u64) {
        let tally = self.tally(dialect);
        tally.deliveries += 1;
        tally.bytes += bytes as u64;
        tally.latency.saturating_record(latency_ns);
    }
}
