//! Sockets, clocks and tasks around the pure parts.

pub mod feed;
