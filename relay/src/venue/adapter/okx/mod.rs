//! OKX, version 5: one connection for what is public, another for candles (protocols/okx.md).
//!
//! A stream of ours is a channel of theirs: `btcusdt@trade` is `trades` of `BTC-USDT`. [`instrument`] says which
//! instrument, [`stream`] which channel; [`conversation`] asks for them, [`payload`] turns what comes into our dialect,
//! and [`book`] watches that nothing of a book is missing.

mod instrument;
mod stream;

mod book;
mod payload;

mod conversation;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::conversation::Talk;
use self::instrument::{Instrument, Instruments};
pub use self::instrument::{SymbolError, stream_symbol};
use self::stream::Kind;
use super::{Adapter, Conversation, Lane};

const PUBLIC: usize = 0;
const BUSINESS: usize = 1;

pub struct Okx {
    lanes: [Lane; 2],
    instruments: Arc<Instruments>,
}

impl Okx {
    /// `prefix` is what stands before the venue's own paths, usually nothing. Symbols are written `btcusdt`, `BTC-USDT` or
    /// `BTC-USDT-SWAP=0.01`; only what cannot be told from the name has to be listed: derivatives, and pairs that a known
    /// quote currency parts wrongly.
    pub fn new<'a>(prefix: &str, symbols: impl IntoIterator<Item = &'a str>) -> Result<Okx, SymbolError> {
        let prefix = prefix.trim_end_matches('/');
        let lane = |name| Lane { name, path: format!("{prefix}/ws/v5/{name}").into() };
        let lanes = [lane("public"), lane("business")];
        Ok(Okx { lanes, instruments: Arc::new(Instruments::new(symbols)?) })
    }
}

impl Adapter for Okx {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, stream: &str) -> Option<usize> {
        let (kind, _) = find(&self.instruments, stream)?;
        Some(if kind.is_business() { BUSINESS } else { PUBLIC })
    }

    fn converse(&self, _lane: usize) -> Box<dyn Conversation> {
        Box::new(Talk::new(self.instruments.clone()))
    }
}

fn find(instruments: &Instruments, stream: &str) -> Option<(Kind, Arc<Instrument>)> {
    let (symbol, kind) = stream.split_once('@')?;
    Some((Kind::parse(kind)?, instruments.find(symbol)?))
}
