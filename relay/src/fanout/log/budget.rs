//! What all logs may hold together, and how far back they reach for it.

use crate::limits::EVENT_HORIZON_MS;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};

/// The bytes of all logs. Above the maximum the horizon of event logs shrinks, so the oldest history goes first;
/// the counts of frames that every log keeps stay.
pub struct Budget {
    used: AtomicUsize,
    max: usize,
    horizon_ms: AtomicU64,
}

impl Budget {
    pub fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max, horizon_ms: AtomicU64::new(EVENT_HORIZON_MS) }
    }

    /// Bytes of all segments alive, those that only a reader still holds included.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    pub fn max(&self) -> usize {
        self.max
    }

    /// How far back event logs reach at present.
    pub fn horizon_ms(&self) -> u64 {
        self.horizon_ms.load(Relaxed)
    }

    /// Called about once a second, by one thread, before the logs are trimmed. Above the maximum halves the horizon,
    /// down to nothing; below three quarters of it doubles the horizon back.
    pub fn adjust(&self) {
        let (used, horizon_ms) = (self.used(), self.horizon_ms());
        let adjusted = if used > self.max {
            horizon_ms / 2
        } else if used < self.max / 4 * 3 {
            (horizon_ms * 2).clamp(1, EVENT_HORIZON_MS)
        } else {
            horizon_ms
        };
        self.horizon_ms.store(adjusted, Relaxed);
    }

    pub(super) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Relaxed);
    }

    pub(super) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}
