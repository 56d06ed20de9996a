//! The end of a run: what only all clients together can tell.

use super::judge::{Judge, Seen};
use super::violations::Kind;
use super::who::{Dialect, Who};
use super::window::Window;
use crate::market;
use crate::run::check::Expected;
use serde_json::{Value, json};

impl Judge {
    /// Judges what is left when nothing more will come. `clients` are those that are still open.
    pub fn settle<'a>(&mut self, dialects: &[Dialect], clients: impl Iterator<Item = (Who, &'a Seen)>) {
        let Some(window) = self.window.clone() else { return };
        for (who, seen) in clients {
            self.settle_client(who, seen, &window);
        }
        let tolerance = self.rules.tolerance;
        for (pair, ticks) in (0..).zip(&self.ticks) {
            for (&epoch_s, &seq) in ticks.iter().filter(|(epoch_s, _)| window.seconds.has(**epoch_s)) {
                if let Err(reason) = self.ledger.check_tick(pair, seq, epoch_s, tolerance) {
                    self.violations.note(Kind::Tick, || format!("cry{}USD: {reason}", market::base(pair)));
                }
            }
        }
        for (&(_, pair), &push) in &self.pushes {
            if let Err(reason) = self.ledger.check_push(push, tolerance) {
                self.violations.note(Kind::Stale, || format!("scheduled {}: {reason}", market::base(pair)));
            }
        }
        self.settle_sets(dialects, &window);
    }

    fn settle_client(&mut self, who: Who, seen: &Seen, window: &Window) {
        if who.dialect == Dialect::Deriv {
            let must = |epoch_s: &u64| self.ledger.has_trade_in(who.pair, *epoch_s, self.rules.tolerance);
            let lacking =
                window.seconds.all().filter(|epoch_s| seen.epochs.binary_search(epoch_s).is_err()).filter(must);
            let lacking: Vec<u64> = lacking.collect();
            if let Some(first) = lacking.first() {
                self.violations.note_many(Kind::Lost, lacking.len() as u64, || {
                    format!("{who} lacks {} ticks, the first that of the second {first}", lacking.len())
                });
            }
        } else {
            let outside = window.trades[who.pair as usize].map_or(0, |expected| seen.cursor.missing_outside(expected));
            let lost = seen.cursor.missing_between(|_, _| 0) + outside;
            if lost > 0 {
                self.violations.note_many(Kind::Lost, lost, || format!("{who} lacks {lost} trades"));
            }
        }
        for (pair, point) in (0..).zip(&seen.points) {
            let have = point.unwrap_or(0).max(window.points.first - 1);
            let lost = window.points.last.saturating_sub(have);
            if lost > 0 {
                self.violations.note_many(Kind::Lost, lost, || {
                    format!("{who} lacks the last {lost} scheduled pushes of {}", market::base(pair))
                });
            }
        }
    }

    /// Between the ends of the window every dialect was told the same trades, so the last prices are equal as well.
    fn settle_sets(&mut self, dialects: &[Dialect], window: &Window) {
        for (pair, expected) in (0..).zip(&window.trades) {
            let Some(Expected { first, last }) = *expected else { continue };
            for &dialect in dialects.iter().filter(|dialect| dialect.has_every_trade()) {
                let lacking = (first..=last).filter(|&seq| !self.is_told(dialect, pair, seq)).count() as u64;
                if lacking > 0 {
                    self.violations.note_many(Kind::Unequal, lacking, || {
                        format!("{lacking} trades of {} reached no {} client", market::base(pair), dialect.name())
                    });
                }
            }
        }
    }

    /// Per instrument how many prices each dialect was told within the window, and the last of them.
    pub fn instruments(&self, dialects: &[Dialect]) -> Value {
        let Some(window) = &self.window else { return Value::Null };
        let one = |(pair, expected): (u32, &Option<Expected>)| {
            let mut row = json!({"instrument": market::base(pair), "first": null, "last": null});
            if let Some(Expected { first, last }) = *expected {
                (row["first"], row["last"]) = (json!(first), json!(last));
                for &dialect in dialects.iter().filter(|dialect| dialect.has_every_trade()) {
                    let told: Vec<u64> = (first..=last).filter(|&seq| self.is_told(dialect, pair, seq)).collect();
                    let last = told.last().map(|&seq| market::price(pair, seq));
                    row[dialect.name()] = json!({"prices": told.len(), "last": last});
                }
            }
            if dialects.contains(&Dialect::Deriv) {
                let ticks: Vec<_> = self.ticks[pair as usize].range(window.seconds.all()).collect();
                let last = ticks.last().map(|(_, seq)| market::price(pair, **seq));
                row[Dialect::Deriv.name()] = json!({"prices": ticks.len(), "last": last});
            }
            row
        };
        (0..).zip(&window.trades).map(one).collect()
    }
}
