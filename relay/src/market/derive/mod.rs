//! Streams that a venue does not have, made of those it has, in the shape in which Binance writes them.
//!
//! A [`recipe`] says what a stream is made of. Products read [`message`]s of their sources: [`depth`] follows them with
//! a local [`book`], of two sides of [`levels`]; [`diffs`], [`tickers`] and [`sample`] say less often or together
//! what the venue says; [`klines`] add up trades and [`rollup`] shorter klines, both into a [`bar`]. What is told at
//! intervals waits for a [`beat`].

pub mod recipe;

mod message;

mod beat;
mod write;

mod book;
mod levels;

mod cut;
mod depth;
mod diffs;
mod partial;
mod sample;
mod tickers;
mod top;

mod bar;
mod klines;
mod rollup;

#[cfg(test)]
mod said;
#[cfg(test)]
mod tests;

use self::cut::Cut;
use self::depth::BookStreams;
use self::diffs::Diffs;
use self::klines::TradeKlines;
use self::recipe::{Method, Recipe};
use self::rollup::Rollup;
use self::sample::Sample;
use self::tickers::{Array, Minis};
use super::product::Product;

/// What makes the stream of a recipe, and all of its group.
pub fn product(recipe: &Recipe) -> Box<dyn Product + Send> {
    match recipe.method {
        Method::BookOfDiffs | Method::BookOfFrames => Box::new(BookStreams::new(recipe)),
        Method::Cut => Box::new(Cut::new(recipe)),
        Method::Merge => Box::new(Diffs::new(recipe)),
        Method::Project => Box::new(Minis::new(recipe)),
        Method::Gather => Box::new(Array::new(recipe)),
        Method::Trades => Box::new(TradeKlines::new(recipe)),
        Method::Klines(source) => Box::new(Rollup::new(recipe, source)),
        Method::Sample => Box::new(Sample::new(recipe)),
    }
}
