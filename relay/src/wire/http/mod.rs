//! The pure half of requests, mostly of those that open a connection.
//!
//! [`target`] reads the request line's path and query, [`handshake`] judges an upgrade. Who is asking is decided by
//! [`proxy`] and [`forwarded`] where a trusted proxy stands in front, and counted by the key of [`ip`]. [`sse`] is the
//! text of answers that are streams of events.

pub mod forwarded;
pub mod handshake;
pub mod ip;
pub mod proxy;
pub mod sse;
pub mod target;
