//! A market-data fan-out relay: one upstream frame, thousands of clients.
//!
//! A frame travels one way: `net::feed` reads it, `venue` finds what it is about, `market` makes the other dialects' messages of it,
//! `fanout` keeps each in the log of its channel and chooses the receivers, `net` writes it. `wire` holds what the bytes mean on either side.
//! `wire`, `venue`, `market` and `fanout` know no socket, no clock and no task: bytes and `now` come in, decisions go out.

// Loom replaces tokio's sockets with nothing; its models need only the core.
#[cfg(not(loom))]
pub mod app;
pub mod config;
pub mod limits;
pub mod metrics;

pub mod access;
pub mod fanout;
pub mod market;
#[cfg(not(loom))]
pub mod net;
#[cfg(not(loom))]
pub mod record;
pub mod venue;
pub mod wire;

// Used by the lock-free parts.
#[allow(unused_imports)]
mod sync;
