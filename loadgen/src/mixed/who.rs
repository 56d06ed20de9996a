//! Who a client is: what it speaks, and which instrument it asks for.

use crate::market;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    Stream,
    Hub,
    Deriv,
    Socketio,
}

/// In the order of their numbers.
pub const DIALECTS: [Dialect; 4] = [Dialect::Stream, Dialect::Hub, Dialect::Deriv, Dialect::Socketio];

impl Dialect {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Hub => "hub",
            Self::Deriv => "deriv",
            Self::Socketio => "socketio",
        }
    }

    /// Whether its clients are told every trade.
    pub fn has_every_trade(self) -> bool {
        self != Self::Deriv
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    pub index: usize,
    pub dialect: Dialect,
    pub pair: u32,
    /// Asks for the scheduled channel as well.
    pub watches: bool,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} client {} ({})", self.dialect.name(), self.index, market::base(self.pair))
    }
}
