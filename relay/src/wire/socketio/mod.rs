//! Socket.IO 5 over Engine.IO 4, without I/O.
//!
//! A request is judged by its [`url`] and [`cors`], and names its session by a [`sid`]. What a client sends comes in
//! [`payload`]s or WebSocket messages as [`packet`]s, which the [`session`] takes: it knows what may come when, and what
//! time has done, and says it as [`output`]. An [`event`] says what the client wishes, [`reply`] writes what it gets. Clients that poll get the
//! frames of everyone else, taken out of their WebSocket headers by [`polling`].

pub mod cors;
pub mod sid;
pub mod url;

pub mod packet;
pub mod payload;

pub mod output;
pub mod session;

pub mod event;
pub mod reply;

pub mod polling;

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod session_tests;
