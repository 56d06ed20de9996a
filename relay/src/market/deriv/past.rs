//! What was before anybody listened.

/// A source that knows its own history. Ticks stand on the multiples of a period, and a tick's epoch is its identity: what
/// `tick` says of a second is what the live stream says at that second.
pub trait Past {
    /// The tick of that second; `None` where there is none, which ends the past for those who read backwards.
    fn tick(&self, symbol: &str, epoch_s: u64) -> Option<PastTick>;

    /// Seconds between ticks; zero for a symbol it does not know.
    fn period_s(&self, symbol: &str) -> u64;

    /// Open, high, low and close over the ticks of `open_s..end_s`.
    fn candle(&self, symbol: &str, open_s: u64, end_s: u64) -> Option<[String; 4]>;
}

/// Prices as decimal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastTick {
    pub quote: String,
    pub bid: String,
    pub ask: String,
}
