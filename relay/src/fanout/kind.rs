//! What a client that fell behind is owed, by the kind of data.

/// The kind of data of a channel, which decides how a client that fell behind is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The newest frame replaces all before it.
    State,
    /// Open candles are state; closed ones (`"x":true`) are events.
    Kline,
    /// Every frame counts.
    Event,
    /// Of each key the newest frame replaces all before it.
    Keyed,
    /// The same, and a message lists the rows of all keys that changed.
    Rows,
}

impl Kind {
    /// As the list of topics calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::State => "state",
            Kind::Kline => "kline",
            Kind::Event => "event",
            Kind::Keyed => "keyed",
            Kind::Rows => "rows",
        }
    }

    /// Whether its frames carry a key.
    pub const fn is_keyed(self) -> bool {
        matches!(self, Kind::Keyed | Kind::Rows)
    }
}
