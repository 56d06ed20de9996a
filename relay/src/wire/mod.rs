//! What the bytes of each protocol mean, on both sides of the relay.
//!
//! `http` judges the request that opens a connection, `ws` turns bytes into messages and back, `json` reads the
//! text in them, `time` writes the hour, `rate` counts requests, and `stream`, `hub`, `deriv` and `socketio` are the dialects spoken in that text. `close` is the one
//! table of how connections end. Nothing here knows a socket or a clock: bytes come in, values go out.

pub mod close;
pub mod deriv;
pub mod dialect;
pub mod http;
pub mod hub;
pub mod json;
pub mod notice;
pub mod rate;
pub mod socketio;
pub mod stream;
pub mod time;
pub mod ws;
