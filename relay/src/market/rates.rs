//! Prices in any base, exact: what the Socket.IO dialect's tables say.
//!
//! Each currency and each coin is priced by one stream against the dollar, directly (`frxEURUSD`, `btcusdt`) or the
//! other way round (`frxUSDJPY`). A rate is a fraction of such prices, rounded once, at 10 fractional digits and halves
//! to even, and its row then says `"computed":true`. Where the fraction is a single price, the row has the venue's own
//! text. [`table`] knows which prices a rate takes, [`product`] follows them.

pub mod product;
pub mod table;

#[cfg(test)]
mod tests;
