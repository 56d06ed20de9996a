//! What the end-to-end tests need: a relay as a process, and clients and venues that do exactly what a test says.
//!
//! Nothing here shares code with the relay. Everything blocks, and whatever is waited for has the same generous
//! deadline: no test is decided by how quick the machine is.

#![allow(dead_code)] // Each test program uses its own part of it.

pub mod client;
pub mod deriv;
pub mod engine;
pub mod fixture;
pub mod frame;
pub mod http;
pub mod metrics;
pub mod relay;
pub mod shape;
pub mod sse;
pub mod user_venue;
pub mod venue;

use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` is true.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        // Only so that asking does not keep a core busy.
        std::thread::sleep(Duration::from_millis(5));
    }
}
