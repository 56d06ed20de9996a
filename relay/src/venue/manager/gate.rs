//! Whether a connection may be made now. One for all lanes of an upstream: the venue counts by our address.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Conn, Loss, Settings};
use crate::venue::governor::Governor;

/// A venue that refuses us is left alone for so long at first and at most; each time in a row doubles it.
#[derive(Clone, Copy)]
struct Wait {
    first_ms: u64,
    cap_ms: u64,
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// 429: too many connects or connections.
const TOO_MANY: Wait = Wait { first_ms: MINUTE_MS / 2, cap_ms: HOUR_MS };
/// 418: banned, because a 429 was not heeded.
const BANNED: Wait = Wait { first_ms: 2 * MINUTE_MS, cap_ms: 24 * HOUR_MS };
/// 403 and 451: a firewall, or the wrong country. No attempt will change it soon.
const FORBIDDEN: Wait = Wait { first_ms: 5 * MINUTE_MS, cap_ms: HOUR_MS };
/// Closed by 1008 "Too many requests" again: the address is about to be banned (protocols/binance.md section 3).
const OFFENCES: Wait = Wait { first_ms: 2 * MINUTE_MS, cap_ms: HOUR_MS };
/// Any other refusal, again and again.
const REFUSALS: Wait = Wait { first_ms: MINUTE_MS / 2, cap_ms: 10 * MINUTE_MS };

/// Refusals that pass before we stop trying for a while.
const REFUSALS_PASSED: u32 = 2;
/// A refusal is forgotten after this long without another.
const REFUSAL_MEMORY_MS: u64 = MINUTE_MS;
/// The same for what we did wrong, and for how long the last wait was.
const OFFENCE_MEMORY_MS: u64 = 10 * MINUTE_MS;
/// What a venue may ask for: the longest ban that any is known for.
const RETRY_AFTER_MS_MAX: u64 = 72 * HOUR_MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Connects as the window allows.
    Closed,
    /// None at all.
    Open { until: u64 },
    /// One, and the others when it stands.
    Trying { probe: Option<Conn> },
}

struct Inner {
    connects: Governor,
    state: State,
    /// In a row, so that the waits grow.
    openings: u32,
    opened_until: u64,
    refusals: u32,
    refused_at: u64,
    offended_at: Option<u64>,
}

/// A handle; copies are the same gate.
#[derive(Clone)]
pub struct Gate(Rc<RefCell<Inner>>);

impl Gate {
    pub fn new(settings: &Settings) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            connects: Governor::new(settings.connects_per_window, settings.connect_window_ms),
            state: State::Closed,
            openings: 0,
            opened_until: 0,
            refusals: 0,
            refused_at: 0,
            offended_at: None,
        })))
    }

    /// The earliest moment for a connect: now, later, or only after something happened.
    pub fn free_at(&self, now: u64) -> u64 {
        let inner = self.0.borrow();
        let connect_at = inner.connects.free_at(now, 0);
        match inner.state {
            State::Closed | State::Trying { probe: None } => connect_at,
            State::Open { until } => connect_at.max(until),
            State::Trying { probe: Some(_) } => u64::MAX,
        }
    }

    /// When nothing may be dialled before.
    pub fn blocked_until(&self, now: u64) -> Option<u64> {
        match self.0.borrow().state {
            State::Open { until } if until > now => Some(until),
            _ => None,
        }
    }

    /// It is dialled now. The caller has asked before.
    pub(super) fn dialled(&self, conn: Conn, now: u64) {
        let mut inner = self.0.borrow_mut();
        inner.connects.take(now);
        if inner.state != State::Closed {
            inner.state = State::Trying { probe: Some(conn) };
        }
    }

    /// It stands. True if that ends a block.
    pub(super) fn connected(&self) -> bool {
        let mut inner = self.0.borrow_mut();
        let ends = matches!(inner.state, State::Trying { .. });
        if ends {
            inner.state = State::Closed;
        }
        ends
    }

    /// It is not needed any more, or lost for a reason that says nothing about the venue's mood.
    pub(super) fn let_go(&self, conn: Conn) {
        let mut inner = self.0.borrow_mut();
        if inner.state == (State::Trying { probe: Some(conn) }) {
            inner.state = State::Trying { probe: None };
        }
    }

    /// It ended, or did not begin. How long nothing is dialled, if that is new.
    pub(super) fn lost(&self, conn: Conn, why: &Loss, now: u64) -> Option<u64> {
        self.let_go(conn);
        let mut inner = self.0.borrow_mut();
        let (wait, asked_ms) = inner.judge(why, now)?;
        if let State::Open { until } = inner.state {
            // Dialled before it was opened: the same refusal, told twice.
            let until = until.max(now + asked_ms);
            inner.state = State::Open { until };
            inner.opened_until = until;
            return None;
        }
        if now > inner.opened_until + OFFENCE_MEMORY_MS {
            inner.openings = 0;
        }
        let doubled = wait.first_ms.saturating_mul(1 << inner.openings.min(16)).min(wait.cap_ms);
        // What the venue asks for is enough at first; asked again, our own wait counts as well.
        let ms = if asked_ms > 0 && inner.openings == 0 { asked_ms } else { doubled.max(asked_ms) };
        inner.openings += 1;
        inner.opened_until = now + ms;
        inner.state = State::Open { until: now + ms };
        Some(ms)
    }
}

impl Inner {
    /// Our own wait and the venue's, if it has to be left alone.
    fn judge(&mut self, why: &Loss, now: u64) -> Option<(Wait, u64)> {
        match *why {
            Loss::Refused { status, retry_after_ms } => {
                let asked_ms = retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
                let wait = match status {
                    418 => Some(BANNED),
                    429 => Some(TOO_MANY),
                    403 | 451 => Some(FORBIDDEN),
                    // Its own trouble: the backoff of each connection is made for that.
                    500..=599 => None,
                    _ => self.refused(now),
                };
                wait.or((asked_ms > 0).then_some(REFUSALS)).map(|wait| (wait, asked_ms))
            }
            Loss::Ended(_) => self.refused(now).map(|wait| (wait, 0)),
            Loss::Closed { code: 1008, ref reason } if is_about_rate(reason) => {
                let before = self.offended_at.replace(now);
                before.filter(|&at| now <= at + OFFENCE_MEMORY_MS).map(|_| (OFFENCES, 0))
            }
            _ => None,
        }
    }

    fn refused(&mut self, now: u64) -> Option<Wait> {
        if now > self.refused_at + REFUSAL_MEMORY_MS {
            self.refusals = 0;
        }
        self.refused_at = now;
        self.refusals += 1;
        (self.refusals > REFUSALS_PASSED).then_some(REFUSALS)
    }
}

fn is_about_rate(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("too many") || reason.contains("rate limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: Conn = Conn { index: 0, life: 1 };

    fn gate() -> Gate {
        Gate::new(&Settings { connects_per_window: 100, ..Settings::default() })
    }

    fn refused(status: u16, retry_after_s: Option<u64>) -> Loss {
        Loss::Refused { status, retry_after_ms: retry_after_s.map(|seconds| seconds * 1_000) }
    }

    /// What each loss in a row blocks for, in seconds; nothing else happens in between.
    fn check(losses: &[Loss], expected: &[Option<u64>]) {
        let gate = gate();
        let mut now = 0;
        let found: Vec<_> = losses
            .iter()
            .map(|why| {
                now = gate.free_at(now);
                gate.dialled(CONN, now);
                gate.lost(CONN, why, now).map(|ms| ms / 1_000)
            })
            .collect();
        assert_eq!(found, expected, "{losses:?}");
    }

    #[test]
    fn refusals_block_for_longer_and_longer() {
        let all = |status, retry| vec![refused(status, retry); 4];
        check(&all(429, None), &[Some(30), Some(60), Some(120), Some(240)]);
        check(&all(418, None), &[Some(120), Some(240), Some(480), Some(960)]);
        check(&all(451, None), &[Some(300), Some(600), Some(1_200), Some(2_400)]);
        check(&all(503, None), &[None, None, None, None]);
        check(&all(404, None), &[None, None, Some(30), Some(60)]);
        check(&vec![Loss::Ended("no".into()); 4], &[None, None, Some(30), Some(60)]);
        let too_many = Loss::Closed { code: 1008, reason: "Too many requests".into() };
        check(&vec![too_many; 4], &[None, Some(120), Some(240), Some(480)]);
        let other = Loss::Closed { code: 1008, reason: "Pong timeout".into() };
        check(&vec![other; 4], &[None, None, None, None]);
    }

    #[test]
    fn retry_after_is_obeyed() {
        check(&vec![refused(429, Some(7)); 3], &[Some(7), Some(60), Some(120)]);
        check(&[refused(418, Some(7_200))], &[Some(7_200)]);
        check(&[refused(503, Some(120))], &[Some(120)]);
        check(&[refused(429, Some(u64::MAX / 1_000))], &[Some(72 * 3_600)]);
    }

    #[test]
    fn after_a_block_one_connection_tries_for_all() {
        let gate = gate();
        gate.dialled(CONN, 0);
        assert_eq!(gate.lost(CONN, &refused(429, None), 0), Some(30_000));
        assert_eq!(gate.free_at(10), 30_000);
        assert_eq!(gate.blocked_until(10), Some(30_000));
        // Another one that was under way is refused as well: no news.
        assert_eq!(gate.lost(Conn { index: 1, life: 1 }, &refused(429, Some(40)), 20), None);
        assert_eq!(gate.free_at(30), 40_020);
        gate.dialled(CONN, 40_020);
        assert_eq!(gate.free_at(40_020), u64::MAX);
        gate.lost(CONN, &Loss::NotConnected("reset".into()), 40_100);
        assert_eq!(gate.free_at(40_100), 40_100, "that was no answer");
        gate.dialled(CONN, 40_100);
        assert!(gate.connected() && !gate.connected());
        assert_eq!(gate.free_at(40_100), 40_100);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let gate = gate();
        assert_eq!(gate.lost(CONN, &refused(429, None), 0), Some(30_000));
        gate.dialled(CONN, 30_000);
        gate.connected();
        assert_eq!(gate.lost(CONN, &refused(429, None), 700_000), Some(30_000));
    }
}
