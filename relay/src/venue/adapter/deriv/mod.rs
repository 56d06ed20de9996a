//! Deriv, API version 3, and what follows it (protocols/deriv.md).
//!
//! It has one kind of stream for us, the prices of its own symbols: `r_100@tick`. [`symbol`] knows how the venue spells
//! them, [`conversation`] asks for them and remembers the ids by which they are ended.

mod conversation;
mod symbol;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::conversation::Talk;
pub use self::symbol::SymbolError;
use self::symbol::Symbols;
use super::{Adapter, Conversation, Lane};

pub struct Deriv {
    lanes: [Lane; 1],
    symbols: Arc<Symbols>,
}

impl Deriv {
    /// `path` is the API's, `/websockets/v3` as a rule; the public one of 2026 takes no `app_id`. A symbol has to be
    /// listed only if its capitals follow no rule.
    pub fn new<'a>(
        path: &str,
        app_id: Option<u64>,
        symbols: impl IntoIterator<Item = &'a str>,
    ) -> Result<Deriv, SymbolError> {
        let path = app_id.map_or_else(|| path.to_owned(), |app_id| format!("{path}?app_id={app_id}"));
        Ok(Deriv { lanes: [Lane { name: "", path: path.into() }], symbols: Arc::new(Symbols::new(symbols)?) })
    }
}

impl Adapter for Deriv {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, stream: &str) -> Option<usize> {
        symbol_of(&self.symbols, stream).map(|_| 0)
    }

    fn converse(&self, _lane: usize) -> Box<dyn Conversation> {
        Box::new(Talk::new(self.symbols.clone()))
    }
}

/// Deriv's spelling of a stream's symbol.
fn symbol_of(symbols: &Symbols, stream: &str) -> Option<Box<str>> {
    symbols.find(stream.strip_suffix("@tick")?)
}
