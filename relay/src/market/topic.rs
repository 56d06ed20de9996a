//! The names of derived topics. Those of other dialects than stream have a blank, which no stream has, so that the two
//! cannot be confused.

use std::fmt;

use crate::fanout::kind::Kind;
pub use crate::wire::socketio::event::Class;
use crate::wire::stream::kind::kind_of;

/// What a channel is about that the market fills.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A hub channel, with all its instruments.
    Hub { channel: Box<str> },
    /// A Deriv symbol's ticks, as `ticks` and as `ticks_history` subscribe to them.
    Ticks { symbol: Box<str>, history: bool },
    /// A Deriv symbol's open candle.
    Candles { symbol: Box<str>, granularity_s: u32 },
    /// Prices in a base: of all symbols, or of one.
    Rates { class: Class, base: Box<str>, symbol: Option<Box<str>> },
    /// A stream that no upstream carries as it is.
    Stream { name: Box<str> },
}

impl Topic {
    /// Reads what `Display` writes.
    pub fn parse(name: &str) -> Option<Topic> {
        if !name.contains(' ') {
            return kind_of(name).map(|_| Topic::Stream { name: name.into() });
        }
        let mut words = name.split(' ');
        let topic = match (words.next()?, words.next()?) {
            ("hub", channel) => Topic::Hub { channel: channel.into() },
            ("ticks", symbol) => Topic::Ticks { symbol: symbol.into(), history: false },
            ("ticks_history", symbol) => Topic::Ticks { symbol: symbol.into(), history: true },
            ("candles", symbol) => Topic::Candles { symbol: symbol.into(), granularity_s: words.next()?.parse().ok()? },
            ("fiat", base) => {
                Topic::Rates { class: Class::Fiat, base: base.into(), symbol: words.next().map(Into::into) }
            }
            ("crypto", base) => {
                Topic::Rates { class: Class::Crypto, base: base.into(), symbol: words.next().map(Into::into) }
            }
            _ => return None,
        };
        words.next().is_none().then_some(topic)
    }

    /// How a client that fell behind is resumed.
    pub fn kind(&self) -> Kind {
        match self {
            Topic::Hub { .. } => Kind::Keyed,
            Topic::Ticks { .. } => Kind::Event,
            Topic::Candles { .. } | Topic::Rates { symbol: Some(_), .. } => Kind::State,
            Topic::Rates { symbol: None, .. } => Kind::Rows,
            Topic::Stream { name } => kind_of(name).unwrap_or(Kind::Event),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::Hub { channel } => write!(f, "hub {channel}"),
            Topic::Ticks { symbol, history: false } => write!(f, "ticks {symbol}"),
            Topic::Ticks { symbol, history: true } => write!(f, "ticks_history {symbol}"),
            Topic::Candles { symbol, granularity_s } => write!(f, "candles {symbol} {granularity_s}"),
            Topic::Rates { class, base, symbol } => {
                let class = match class {
                    Class::Fiat => "fiat",
                    Class::Crypto => "crypto",
                };
                write!(f, "{class} {base}")?;
                symbol.as_ref().map_or(Ok(()), |symbol| write!(f, " {symbol}"))
            }
            Topic::Stream { name } => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [
            "hub binance_prices",
            "ticks R_100",
            "ticks_history frxEURUSD",
            "candles 1HZ100V 60",
            "fiat USD",
            "fiat USD EUR",
            "crypto EUR BTC",
            "btcusdt@depth5@250ms",
            "!ticker@arr",
        ] {
            assert_eq!(Topic::parse(name).unwrap().to_string(), name);
        }
        for name in ["", "hub", "hub a b", "ticks", "candles R_50", "candles R_50 x", "btcusdt@trdae", "fiat USD EUR x"]
        {
            assert_eq!(Topic::parse(name), None, "{name:?}");
        }
    }
}
