//! What venues send and want: decoding, subscribing, limits, and the built-in venue.

pub mod adapter;
pub mod backoff;
pub mod decimal;
pub mod gap;
pub mod governor;
pub mod interval;
pub mod legs;
pub mod manager;
pub mod merge;
pub mod poll;
pub mod price;
pub mod quote;
pub mod sequence;
pub mod sim;
