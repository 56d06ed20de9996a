//! What venues send and want: decoding, subscribing, limits, and the built-in venue.

pub mod decimal;
pub mod sim;
