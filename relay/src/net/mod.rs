//! Sockets, threads and time: everything the core does not know.
//!
//! [`shard`] is one thread: its listener ([`accept`]), the HTTP before the upgrade ([`http`]), its connections
//! ([`conn`], [`read`]), what they ask for ([`stream`], [`hub`], [`deriv`], [`socketio`]) and their deadlines ([`sweep`]). [`ingest`] publishes what
//! [`feed`] (through [`upstream`]) and [`sim`] bring from the venues, [`poll`] from REST sources, what [`replay`] finds in recordings (which [`recorder`] starts), and what [`users`] has for single accounts. [`shared`] is what the threads have in common, and [`admin`] shows it.

pub mod accept;
pub mod admin;
pub mod admission;
pub mod clock;
pub mod conn;
pub mod deriv;
pub mod derived;
pub mod feed;
pub mod handshake;
pub mod http;
pub mod hub;
pub mod ingest;
pub mod market;
pub mod poll;
pub mod read;
pub mod recorder;
pub mod refusals;
pub mod replay;
pub mod shard;
pub mod shared;
pub mod sim;
pub mod socketio;
pub mod stream;
pub mod sweep;
pub mod upstream;
pub mod users;
