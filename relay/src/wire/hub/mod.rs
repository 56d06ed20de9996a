//! The hub dialect: prices of several exchanges under one small vocabulary of `{"type":…}` messages.
//!
//! It shares the path `/ws` with the stream dialect, so the [`first`] message says who is there. A client sends
//! [`command`]s, which [`reply`] answers; [`price`] writes what a channel sends, and [`notice`] is our own word.
//! [`test_call`] is the one request over HTTP.

pub mod first;

pub mod command;
pub mod errors;
pub mod reply;

pub mod notice;
pub mod price;

pub mod test_call;

#[cfg(test)]
mod fixture_tests;
