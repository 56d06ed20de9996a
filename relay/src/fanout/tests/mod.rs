//! Shards, feeds and clients in memory, under a virtual clock: the promises of the fan-out, checked byte by byte.
//!
//! [`clients`] is where the core writes to; it parses what each client got ([`parse`]) and fails at the first frame
//! that breaks a promise. [`world`] applies operations to two shards and keeps count of what every subscription was
//! owed. `properties` makes up sequences of operations, `simulation` lets time run, the others show one promise each.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod checks;
mod clients;
mod dialects;
mod parse;
mod world;

mod budget;
mod ending;
mod memory;
mod moving;
mod properties;
mod resuming;
mod simulation;
