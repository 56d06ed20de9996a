//! Binance: the spot market and the USD-M futures.
//!
//! Both acknowledge any name that looks like one and stay silent on those they do not have, so only names that are known
//! to be served are asked for. What they lack is derived, or refused.

mod spot;
mod usdm;

#[cfg(test)]
mod fixture_tests;

pub use spot::Binance;
pub use usdm::BinanceUsdm;

/// The path of a configured URL is what stands before the paths of the streams.
fn path(prefix: &str, end: &str) -> Box<str> {
    format!("{}{end}", prefix.trim_end_matches('/')).into()
}
