//! A book in which every change has a number, and what changed since the last message of each rate.

use super::random::Random;
use std::collections::{BTreeMap, BTreeSet};

/// How often venues send what changed.
pub const RATES_MS: [u64; 4] = [100, 250, 500, 1000];
/// Levels of a side at the beginning, and at most.
const LEVELS: u64 = 400;
const LEVELS_MAX: usize = 1000;
/// The dearer in ticks, the more of them a move takes: at most about a hundred-thousandth.
const MOVES: u64 = 200_000;
/// Quantities are multiples of 0.001, which every venue can write.
const QUANTITY_STEP: u64 = 100_000;

#[derive(Clone, Debug, Default)]
struct Waiting {
    /// Somebody asked for messages of this rate. Until then nothing is collected, which is most of the work.
    wanted: bool,
    changed: BTreeSet<(Side, u64)>,
    /// The number before the first change.
    before: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Bid,
    Ask,
}

/// What changed: prices and their quantities now, 0 for those that are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    pub first: u64,
    pub last: u64,
    /// The last number of the message before.
    pub previous: u64,
    pub bids: Vec<(u64, u64)>,
    pub asks: Vec<(u64, u64)>,
}

#[derive(Clone, Debug)]
pub struct Book {
    tick: u64,
    change_ms: u64,
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
    last_id: u64,
    /// The best prices changed with this step.
    pub best_changed: bool,
    waiting: [Waiting; RATES_MS.len()],
    diffs: [Option<Diff>; RATES_MS.len()],
}

impl Book {
    pub fn new(random: &mut Random, middle: u64, tick: u64, last_id: u64, change_ms: u64) -> Self {
        let depth = LEVELS.min(middle / tick - 1);
        let mut quantity = || (1 + random.below(5000)) * QUANTITY_STEP;
        let bids = (1..=depth).map(|level| (middle - level * tick, quantity())).collect();
        let asks = (1..=depth).map(|level| (middle + level * tick, quantity())).collect();
        let waiting = std::array::from_fn(|_| Waiting { before: last_id, ..Waiting::default() });
        Self { tick, change_ms, bids, asks, last_id, best_changed: false, waiting, diffs: Default::default() }
    }

    /// The number of the newest change.
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Best first.
    pub fn bids(&self) -> impl Iterator<Item = (u64, u64)> {
        self.bids.iter().rev().map(|(&price, &quantity)| (price, quantity))
    }

    /// Best first.
    pub fn asks(&self) -> impl Iterator<Item = (u64, u64)> {
        self.asks.iter().map(|(&price, &quantity)| (price, quantity))
    }

    pub fn best_bid(&self) -> (u64, u64) {
        self.bids().next().expect("a book has bids")
    }

    pub fn best_ask(&self) -> (u64, u64) {
        self.asks().next().expect("a book has asks")
    }

    /// From now on there are messages of this rate; those of others are not made.
    pub fn want(&mut self, rate_ms: u64) {
        if let Some(rate) = RATES_MS.iter().position(|&rate| rate == rate_ms)
            && !self.waiting[rate].wanted
        {
            self.waiting[rate] = Waiting { wanted: true, before: self.last_id, changed: BTreeSet::new() };
        }
    }

    /// What is to be said at a rate (an index of [`RATES_MS`]) with this step.
    pub fn diff(&self, rate: usize) -> Option<&Diff> {
        self.diffs[rate].as_ref()
    }

    /// The number of the newest message at the quickest rate.
    pub fn said_id(&self) -> u64 {
        self.waiting[0].before
    }

    /// The numbers go on from a lower one; the next message tells of it.
    pub fn reset(&mut self) {
        self.last_id /= 2;
    }

    pub fn step(&mut self, random: &mut Random, now_ms: u64) {
        self.best_changed = false;
        if now_ms.is_multiple_of(self.change_ms) {
            let best = (self.best_bid(), self.best_ask());
            self.change(random);
            self.best_changed = best != (self.best_bid(), self.best_ask());
        }
        for (index, rate) in RATES_MS.into_iter().enumerate() {
            self.diffs[index] = if now_ms.is_multiple_of(rate) { self.take(index) } else { None };
        }
    }

    fn change(&mut self, random: &mut Random) {
        let middle = self.best_bid().0.midpoint(self.best_ask().0) / self.tick * self.tick;
        let move_by = self.tick * (1 + random.below(3 + middle / self.tick / MOVES));
        let target = match random.below(6) {
            0 => middle + move_by,
            1 => middle.saturating_sub(move_by),
            _ => middle,
        };
        // Prices stay where there is room for a whole side below them.
        let target = target.max(self.tick * 20);
        let crossed_bids: Vec<u64> = self.bids.range(target..).map(|(&price, _)| price).collect();
        let crossed_asks: Vec<u64> = self.asks.range(..=target).map(|(&price, _)| price).collect();
        // The new best of a side is there before the old one goes: no side is ever empty.
        for (side, price) in [(Side::Bid, target - self.tick), (Side::Ask, target + self.tick)] {
            self.set(side, price, (1 + random.below(3000)) * QUANTITY_STEP);
        }
        crossed_bids.into_iter().for_each(|price| self.set(Side::Bid, price, 0));
        crossed_asks.into_iter().for_each(|price| self.set(Side::Ask, price, 0));
        for _ in 0..1 + random.below(4) {
            let reach = if random.chance(0.9) { 18 } else { LEVELS };
            let distance = self.tick * (2 + random.below(reach));
            let quantity = if random.chance(0.2) { 0 } else { (1 + random.below(5000)) * QUANTITY_STEP };
            match random.below(2) {
                0 if distance < target => self.set(Side::Bid, target - distance, quantity),
                _ => self.set(Side::Ask, target + distance, quantity),
            }
        }
        if self.bids.len() > LEVELS_MAX {
            let price = *self.bids.keys().next().expect("it has more than one");
            self.set(Side::Bid, price, 0);
        }
        if self.asks.len() > LEVELS_MAX {
            let price = *self.asks.keys().next_back().expect("it has more than one");
            self.set(Side::Ask, price, 0);
        }
    }

    fn set(&mut self, side: Side, price: u64, quantity: u64) {
        let levels = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        let changed = match quantity {
            0 => levels.remove(&price).is_some(),
            quantity => levels.insert(price, quantity) != Some(quantity),
        };
        if changed {
            self.last_id += 1;
            for waiting in self.waiting.iter_mut().filter(|waiting| waiting.wanted) {
                waiting.changed.insert((side, price));
            }
        }
    }

    fn take(&mut self, rate: usize) -> Option<Diff> {
        let waiting = &mut self.waiting[rate];
        if !waiting.wanted {
            waiting.before = self.last_id;
        }
        if waiting.changed.is_empty() {
            return None;
        }
        let previous = std::mem::replace(&mut waiting.before, self.last_id);
        let mut diff = Diff { first: previous + 1, last: self.last_id, previous, bids: Vec::new(), asks: Vec::new() };
        for (side, price) in std::mem::take(&mut waiting.changed) {
            match side {
                Side::Bid => diff.bids.push((price, self.bids.get(&price).copied().unwrap_or(0))),
                Side::Ask => diff.asks.push((price, self.asks.get(&price).copied().unwrap_or(0))),
            }
        }
        diff.bids.reverse();
        Some(diff)
    }
}
