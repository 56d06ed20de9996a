//! Who a client is and what it may: API keys, accounts, and the listen keys of user data streams.
//!
//! [`carry`] finds the [`key`] a request brings, [`account`] says whose it is and what that account may, [`refusal`] says
//! no in the words of the client's dialect. [`rest`] answers the requests about listen keys, counted by [`rate`];
//! only a live one opens a [`user`] data stream. Nothing here knows a socket, a clock or a source of random numbers:
//! the time and random bytes come in. No key is ever logged: types that hold one do not show it.

pub mod pattern;

pub mod account;
pub mod carry;
pub mod key;
pub mod refusal;

pub mod rate;
pub mod rest;
pub mod user;

#[cfg(test)]
mod fixture_tests;
