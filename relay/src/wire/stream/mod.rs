//! The stream dialect, that of Binance and Bitzoom, on both sides of the relay.
//!
//! A client arrives by a [`url`] and sends [`command`]s about [`name`]s, which [`reply`] answers. Frames of a channel are
//! the venue's own bytes; a combined client gets them inside [`wrap`], and [`notice`] writes what is our own word.
//! [`upstream`] is the same protocol seen from the client's side.

pub mod name;

pub mod kind;

pub mod command;
pub mod reply;
pub mod url;
pub mod user;

pub mod notice;
pub mod wrap;

pub mod upstream;

#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod fixture_tests;
