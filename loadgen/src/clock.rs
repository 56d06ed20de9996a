//! The two clocks. Markers carry the monotonic one, which all processes of a machine share.

use rustix::time::{ClockId, clock_gettime};

pub const SECOND_NS: u64 = 1_000_000_000;
pub const MILLISECOND_NS: u64 = 1_000_000;

/// CLOCK_MONOTONIC in nanoseconds.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * SECOND_NS + now.tv_nsec as u64
}

/// The wall clock in milliseconds, as venues stamp their events.
pub fn wall_ms() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / MILLISECOND_NS
}

/// A duration given in seconds on the command line.
pub fn seconds(value: f64) -> u64 {
    (value * SECOND_NS as f64) as u64
}
