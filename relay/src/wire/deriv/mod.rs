//! The dialect of Deriv's API version 3, clients' side only.
//!
//! A client arrives by a [`url`] and sends a [`request`] at a time, which [`reply`] answers if its [`budget`] allows it.
//! A subscription is known by its [`id`]. Its [`push`]es repeat what it asked, so they are made of two pieces: a
//! head of its own, and a tail shared by all. [`notice`] writes what is our own word.
//!
//! A connection with no frame either way for `limits::DERIV_IDLE` ends with `CloseReason::Idle`: code 1000 and no
//! text, so that the client's `wasClean` is true. Messages are English whatever `l=` asks for.

pub mod url;

mod fields;
pub mod reject;
pub mod request;

pub mod budget;
pub mod id;

pub mod notice;
pub mod push;
pub mod reply;

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod request_tests;
