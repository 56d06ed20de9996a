//! A venue that speaks the Socket.IO dialect of prices, as babakcode.com and other relays do.
//!
//! Engine.IO 4 over WebSocket only. The venue opens (`0{…}`), we CONNECT with the API key, and its answer makes us
//! ready. A question (`onlyAck`, `allAck`) goes before each listening: its answer tells whether the venue has the
//! price, and what it is now, where `onlyListen` and `allListen` are answered by nothing at all. There is no event that
//! ends a listening, so what is ended here goes on there, and its rows are passed over.
//!
//! | stream | asked for as |
//! |---|---|
//! | `frxeurusd@tick` | `fiat/…` `{"base":"EUR","currency":"USD"}` |
//! | `btcusd@trade` | `crypto/…` `{"base":"USD","symbol":"BTC"}` |

mod packet;
mod row;
mod talk;
mod wish;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::talk::Talk;
use self::wish::Wish;
use super::{Adapter, Conversation, Lane};
use crate::wire::json::write_string;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of the configured url. Empty or `/`: the documented one.
    pub path: Box<str>,
    pub api_key: Box<str>,
    /// What coins are priced in there, in upper case: `btcusd@trade` is BTC in the base USD.
    pub bases: Vec<Box<str>>,
}

const PATH: &str = "/currency/";

impl Settings {
    pub fn new(api_key: &str) -> Settings {
        Settings { path: PATH.into(), api_key: api_key.into(), bases: vec!["USD".into(), "USDT".into()] }
    }
}

pub struct SocketIo {
    lanes: [Lane; 1],
    bases: Arc<[Box<str>]>,
    /// The packet that introduces us.
    connect: Arc<str>,
}

impl SocketIo {
    pub fn new(settings: &Settings) -> SocketIo {
        let path = settings.path.trim_end_matches('/');
        let path = if path.is_empty() { PATH.to_owned() } else { format!("{path}/") };
        let mut key = Vec::new();
        write_string(&settings.api_key, &mut key);
        let mut bases = settings.bases.clone();
        // `btcusdt` is no BTCT in US dollars, whatever comes first.
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        SocketIo {
            lanes: [Lane { name: "", path: format!("{path}?EIO=4&transport=websocket").into() }],
            bases: bases.into(),
            connect: format!("40{{\"api-key\":{}}}", String::from_utf8_lossy(&key)).into(),
        }
    }
}

impl Adapter for SocketIo {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, stream: &str) -> Option<usize> {
        Wish::parse(stream, &self.bases).map(|_| 0)
    }

    fn converse(&self, _lane: usize) -> Box<dyn Conversation> {
        Box::new(Talk::new(self.bases.clone(), self.connect.clone()))
    }
}
