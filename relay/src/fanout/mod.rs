//! From a published frame to the bytes each client gets.
//!
//! A feed appends to the [`log`] of a [`channel`] and rings the doorbells ([`wake`]) of the shards that have
//! subscribers there. Each shard has one [`core::Fanout`]: in a [`turn`] it takes what is new into a [`batch`] and
//! writes it to every [`session`], and it serves (`serve`) by themselves those who fell behind or have just come.
//! [`topics`] is the table all shards share; it is asked at subscriptions, never for a frame. Who is no session but reads
//! channels for an HTTP answer does so with [`follow`], in the order of their [`stamps`].

pub mod batch;
pub mod channel;
pub mod core;
pub mod follow;
pub mod heads;
pub mod kind;
pub mod log;
pub mod rows;
mod serve;
pub mod session;
pub mod slab;
pub mod stamps;
pub mod stats;
pub mod subscribe;
pub mod topics;
mod turn;
pub mod wake;

#[cfg(all(test, not(loom)))]
mod tests;
