//! Which upstream carries a stream as it is, and what can be made of those that some upstream carries.

use anyhow::Context as _;

use super::upstreams::{Has, has};
use crate::config::{Config, Upstream};
use crate::market::derive::recipe::{Offers, Recipe, recipe};

pub struct Native {
    upstreams: Vec<Upstream>,
    /// Whether each of them has a stream as it is.
    has: Vec<Has>,
    /// What the upstreams' lists name, in their order.
    symbols: Vec<Box<str>>,
}

impl Native {
    pub fn new(config: &Config) -> anyhow::Result<Native> {
        let upstreams = config.upstreams.clone();
        let one = |upstream: &Upstream| has(upstream).with_context(|| format!("upstream {}", upstream.name));
        let has = upstreams.iter().map(one).collect::<anyhow::Result<_>>()?;
        let mut symbols: Vec<Box<str>> = Vec::new();
        for symbol in upstreams.iter().filter_map(|upstream| upstream.symbols.as_ref()).flatten() {
            if !symbols.iter().any(|known| **known == **symbol) {
                symbols.push(symbol.as_str().into());
            }
        }
        Ok(Native { upstreams, has, symbols })
    }

    /// The first upstream whose patterns match and which is not known to lack the stream.
    pub fn carrier(&self, name: &str) -> Option<usize> {
        (0..self.upstreams.len()).find(|at| self.upstreams[*at].takes(name) && self.has[*at](name))
    }

    /// Whether some upstream's patterns match, though it is known to lack the stream.
    pub fn is_matched(&self, name: &str) -> bool {
        self.upstreams.iter().any(|upstream| upstream.takes(name))
    }

    /// How a stream is made; none of those that somebody carries.
    pub fn recipe(&self, name: &str) -> Option<Recipe> {
        if self.carrier(name).is_some() {
            return None;
        }
        let has = |name: &str| self.carrier(name).is_some();
        recipe(name, Offers { has: &has, symbols: &self.symbols })
    }
}
