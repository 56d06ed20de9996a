//! OKX's ticker object, out of a day's figures, the best bid and ask, and trades.

use super::value::{Members, Unfit, Value, check_number};
use crate::market::event::{Event, Ticker, Top, Trade};

/// What is known of an instrument. Empty text is what OKX itself says where it does not know.
#[derive(Debug, Default)]
pub struct OkxTicker {
    has_trade: bool,
    /// Whether the best bid and ask come by themselves; a day's figures have them as well, but later.
    has_top: bool,
    last: String,
    last_size: String,
    top: [String; 4],
    day: [String; 5],
    time_ms: u64,
}

/// `askPx askSz bidPx bidSz`.
const TOP_KEYS: [&str; 4] = ["askPx", "askSz", "bidPx", "bidSz"];

impl OkxTicker {
    /// Takes an event; true if it is worth a message: every trade is, and a day's figures while no trade has come, so that
    /// something comes at once, and at all where a venue tells no trades. `venue_ms` is the time of the event.
    pub fn take(&mut self, event: &Event<'_>, venue_ms: u64) -> Result<bool, Unfit> {
        match event {
            Event::Trade(trade) => self.trade(trade, venue_ms).map(|()| true),
            Event::Ticker(ticker) => self.day(ticker, venue_ms),
            Event::Top(top) => {
                self.top(top);
                Ok(false)
            }
            Event::Book(_) | Event::Tick(_) | Event::Document(_) => Err(Unfit),
        }
    }

    fn trade(&mut self, trade: &Trade<'_>, venue_ms: u64) -> Result<(), Unfit> {
        check_number(trade.price)?;
        set(&mut self.last, trade.price);
        set(&mut self.last_size, trade.quantity);
        self.time_ms = venue_ms;
        self.has_trade = true;
        Ok(())
    }

    /// A day's own last price is that of a trade which we got by itself, or will.
    fn day(&mut self, ticker: &Ticker<'_>, venue_ms: u64) -> Result<bool, Unfit> {
        check_number(ticker.last)?;
        let figures = [ticker.open, ticker.high, ticker.low, ticker.quote_volume, ticker.volume];
        self.day.iter_mut().zip(figures).for_each(|(text, figure)| set(text, figure));
        let top = [ticker.ask, ticker.ask_quantity, ticker.bid, ticker.bid_quantity];
        if !self.has_top {
            self.top.iter_mut().zip(top).for_each(|(text, figure)| set(text, figure.unwrap_or_default()));
        }
        if self.has_trade {
            return Ok(false);
        }
        set(&mut self.last, ticker.last);
        set(&mut self.last_size, ticker.last_quantity.unwrap_or_default());
        self.time_ms = venue_ms;
        Ok(true)
    }

    fn top(&mut self, top: &Top<'_>) {
        self.has_top = true;
        let figures = [top.ask, top.ask_quantity, top.bid, top.bid_quantity];
        self.top.iter_mut().zip(figures).for_each(|(text, figure)| set(text, figure));
    }

    /// Writes the object, once something is known.
    pub fn write(&self, instrument: &str, value: &mut Value) {
        value.set_price(&self.last);
        let [open, high, low, quote_volume, volume] = &self.day;
        let mut members = Members::open(&mut value.data);
        members.text("instType", "SPOT");
        members.text("instId", instrument);
        members.text("last", &self.last);
        members.text("lastSz", &self.last_size);
        TOP_KEYS.iter().zip(&self.top).for_each(|(key, figure)| members.text(key, figure));
        members.text("open24h", open);
        members.text("high24h", high);
        members.text("low24h", low);
        // The opening prices of the day in UTC and in UTC+8, which no event tells.
        members.text("sodUtc0", "");
        members.text("sodUtc8", "");
        members.text("volCcy24h", quote_volume);
        members.text("vol24h", volume);
        members.text("ts", &self.time_ms.to_string());
        members.close();
    }

    /// Whether there is a price.
    pub fn is_known(&self) -> bool {
        !self.last.is_empty()
    }
}

fn set(text: &mut String, value: &str) {
    text.clear();
    text.push_str(value);
}
