//! Bytes that nobody promised us, for everything of the relay that reads them.
//!
//! Every target is a test. `cargo test` gives it a second, `scripts/fuzz` gives it longer in an optimised build. On the
//! stable toolchain bolero makes random input and does not look at coverage, so [`input`] turns it into something near
//! to what the parsers know. A failure prints `BOLERO_RANDOM_SEED=…`: set it to see the same input again.
//! What a target finds becomes a row of the table beside the code.
//!
//! Operations on the log are tried in any order in `fanout/log/tests/properties.rs`, by proptest, because that shrinks.

#![allow(clippy::unwrap_used)] // the lint knows test functions only, not their helpers

mod command;
mod deriv;
mod event;
mod http;
mod hub;
mod input;
mod json;
mod socketio;
mod target;
mod upstream;
mod venues;
mod ws;
