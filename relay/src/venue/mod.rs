//! What venues send and want: decoding, subscribing, limits, and the built-in venue.

pub mod adapter;
pub mod backoff;
pub mod decimal;
pub mod governor;
pub mod interval;
pub mod manager;
pub mod sim;
