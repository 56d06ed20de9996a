//! How long to wait before the next attempt of an outage.
//!
//! The wait doubles, is jittered so that a fleet does not come back in one instant, and is capped low while the outage
//! is young: most end within seconds, and a feed that is a second late costs more than an attempt.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The shape of the waits.
#[derive(Debug, Clone)]
pub struct Shape {
    pub first_ms: u64,
    /// The cap while the outage is younger than `young_ms`.
    pub young_cap_ms: u64,
    pub young_ms: u64,
    /// The cap afterwards.
    pub cap_ms: u64,
    /// Percent of the wait that chance adds or takes away.
    pub jitter_percent: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { first_ms: 100, young_cap_ms: 1_000, young_ms: 60_000, cap_ms: 30_000, jitter_percent: 25 }
    }
}

/// One outage after another, from a seeded source.
#[derive(Debug)]
pub struct Backoff {
    shape: Shape,
    random: StdRng,
    /// The wait before jitter and caps; doubles with each attempt.
    next_ms: u64,
    outage_since: Option<u64>,
}

impl Backoff {
    pub fn new(shape: Shape, seed: u64) -> Self {
        let next_ms = shape.first_ms;
        Self { shape, random: StdRng::seed_from_u64(seed), next_ms, outage_since: None }
    }

    /// The wait before the next attempt. The first call after `healthy` starts an outage.
    pub fn next_wait(&mut self, now: u64) -> u64 {
        let since = *self.outage_since.get_or_insert(now);
        let is_young = now.saturating_sub(since) < self.shape.young_ms;
        let cap = if is_young { self.shape.young_cap_ms } else { self.shape.cap_ms };
        let wait = self.next_ms.min(cap);
        // Held at the young cap, so that the waits go on growing from there once the outage is old.
        self.next_ms = (wait * 2).min(self.shape.cap_ms);
        let jitter = wait * self.shape.jitter_percent / 100;
        self.random.random_range(wait - jitter..=wait + jitter)
    }

    /// The outage is over: the next one starts from the first wait.
    pub fn healthy(&mut self) {
        self.next_ms = self.shape.first_ms;
        self.outage_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_one_second_and_after_a_minute_to_thirty() {
        let exact = Shape { jitter_percent: 0, ..Shape::default() };
        let mut backoff = Backoff::new(exact, 1);
        let mut now = 0;
        let mut waits = Vec::new();
        while now < 200_000 {
            let wait = backoff.next_wait(now);
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits[..6], [100, 200, 400, 800, 1_000, 1_000]);
        let last = waits.iter().position(|&wait| wait > 1_000).expect("the outage grows old");
        assert_eq!(waits[last..last + 6], [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert!((60..65).contains(&last), "about a minute of attempts at the low cap, not {last}");
    }

    #[test]
    fn jitter_stays_within_a_quarter_and_is_seeded() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Shape::default(), seed);
            (0..50).map(|_| backoff.next_wait(0)).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        for (index, wait) in waits(7).into_iter().enumerate() {
            let nominal = (100u64 << index.min(10)).min(1_000);
            assert!((nominal * 3 / 4..=nominal * 5 / 4).contains(&wait), "wait {index} is {wait}");
        }
    }

    #[test]
    fn an_outage_that_ended_leaves_no_trace() {
        let mut backoff = Backoff::new(Shape { jitter_percent: 0, ..Shape::default() }, 1);
        backoff.next_wait(0);
        backoff.next_wait(120_000);
        backoff.healthy();
        assert_eq!(backoff.next_wait(130_000), 100);
    }
}
