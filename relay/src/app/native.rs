//! Which upstream carries a stream as it is, and what can be made of those that some upstream carries.

use std::sync::Mutex;

use super::new_sim;
use crate::config::{Config, Upstream};
use crate::market::derive::recipe::{Offers, Recipe, recipe};
use crate::venue::sim::Sim;

pub struct Native {
    upstreams: Vec<Upstream>,
    sims: Vec<Option<Mutex<Sim>>>,
    /// What the upstreams' lists name, in their order.
    symbols: Vec<Box<str>>,
}

impl Native {
    pub fn new(config: &Config) -> Native {
        let upstreams = config.upstreams.clone();
        let sims = upstreams.iter().map(|upstream| new_sim(&upstream.source, 0).map(Mutex::new)).collect();
        let mut symbols: Vec<Box<str>> = Vec::new();
        for symbol in upstreams.iter().filter_map(|upstream| upstream.symbols.as_ref()).flatten() {
            if !symbols.iter().any(|known| **known == **symbol) {
                symbols.push(symbol.as_str().into());
            }
        }
        Native { upstreams, sims, symbols }
    }

    /// The first upstream whose patterns match and which is not known to lack the stream.
    pub fn carrier(&self, name: &str) -> Option<usize> {
        (0..self.upstreams.len()).find(|at| self.upstreams[*at].takes(name) && self.knows(*at, name))
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

    fn knows(&self, at: usize, name: &str) -> bool {
        let symbol = name.split('@').next().unwrap_or_default();
        match (&self.sims[at], &self.upstreams[at].symbols) {
            (Some(sim), _) => sim.lock().expect("a panic ends the process").knows(name),
            (None, Some(symbols)) => name.starts_with('!') || symbols.iter().any(|known| known == symbol),
            (None, None) => true,
        }
    }
}
