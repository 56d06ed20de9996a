//! What venues send and want: decoding, subscribing, limits, and the built-in venue.

pub mod manager;

pub mod backoff;
pub mod governor;
