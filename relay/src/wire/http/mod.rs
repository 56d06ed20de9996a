//! The pure half of the request that opens a connection.
//!
//! [`target`] reads the request line's path and query, [`handshake`] judges an upgrade. Who is asking is decided by
//! [`proxy`] and [`forwarded`] where a trusted proxy stands in front, and counted by the key of [`ip`].

pub mod forwarded;
pub mod handshake;
pub mod ip;
pub mod proxy;
pub mod target;
