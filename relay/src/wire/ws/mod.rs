//! RFC 6455, the server's side, without I/O.
//!
//! [`decode`] turns what came from a client into messages, [`encode`] writes the frames we send,
//! `frame` reads the header of one, `mask` undoes the masking and `utf8` checks a text that arrives in pieces.

pub mod decode;
pub mod encode;
mod frame;
mod mask;
mod utf8;

#[cfg(test)]
mod decode_tests;
