//! When something that changed is told: on a grid of the epoch, so that all relays tell at the same times.

#[derive(Clone, Copy, Debug)]
pub struct Beat {
    period_ms: u64,
    due_ms: u64,
}

impl Beat {
    pub fn new(period_ms: u64) -> Beat {
        Beat { period_ms, due_ms: u64::MAX }
    }

    pub fn period_ms(&self) -> u64 {
        self.period_ms
    }

    /// Something is to be told, with the next beat.
    pub fn wake(&mut self, now_ms: u64) {
        let next_ms = (now_ms / self.period_ms + 1).saturating_mul(self.period_ms);
        // Also after a clock was set back.
        self.due_ms = self.due_ms.min(next_ms);
    }

    /// The same, at once.
    pub fn hurry(&mut self) {
        self.due_ms = 0;
    }

    pub fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// Whether it is time; then it rests until it is woken again.
    pub fn is_due(&mut self, now_ms: u64) -> bool {
        let is_due = self.due_ms <= now_ms;
        if is_due {
            self.due_ms = u64::MAX;
        } else if self.due_ms != u64::MAX {
            self.wake(now_ms);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_on_the_grid() {
        let mut beat = Beat::new(250);
        assert!(!beat.is_due(u64::MAX - 1), "nothing is to be told");
        beat.wake(1_000);
        assert_eq!(beat.due_ms(), 1_250);
        beat.wake(1_100);
        assert!(!beat.is_due(1_249) && beat.is_due(1_260) && !beat.is_due(2_000));
        beat.hurry();
        assert!(beat.is_due(0));
        beat.wake(900_000);
        assert!(!beat.is_due(1_300), "the clock was set back");
        assert_eq!(beat.due_ms(), 1_500);
    }
}
