//! The two clocks: one that never goes back, and the calendar's.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Copies agree: they count from the same start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

/// An eighth of a second: the step of every deadline.
pub type Tick = u32;

pub const TICKS_PER_SECOND: u32 = 8;
pub const TICK_MS: u64 = 1000 / TICKS_PER_SECOND as u64;

impl Clock {
    pub fn new() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    pub fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// The tick that is under way.
    pub fn tick(&self) -> Tick {
        (self.now_ms() / TICK_MS) as Tick + 1
    }

    /// Milliseconds since 1970, for what clients are told.
    pub fn calendar_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    /// The same in nanoseconds.
    pub fn calendar_ns(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

/// How many ticks a time is; never none for a time that is not zero.
pub fn ticks(time: std::time::Duration) -> Tick {
    (time.as_millis() as u64).div_ceil(TICK_MS).min(u64::from(u32::MAX / 2)) as Tick
}
