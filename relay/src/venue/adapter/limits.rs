//! What each kind of venue allows, as its documents say it. docs/venues/README.md has the same numbers with the word
//! for each, and a test holds the two together.

use super::kind::Kind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Client messages on one connection: JSON, PING and PONG together.
    pub messages_per_second: u32,
    /// The window for them. Longer than a second: what leaves us a second apart may arrive closer together.
    pub message_window_ms: u64,
    /// Requests of one connection in any hour.
    pub requests_per_hour: Option<u32>,
    pub names_per_request: usize,
    pub request_bytes_max: usize,
    pub streams_per_connection: usize,
    /// At a time, of all lanes together.
    pub connections: usize,
    pub connects: Rate,
    /// The venue ends a connection at this age.
    pub life_ms: Option<u64>,
    /// A connection without any frame for this long is pinged.
    pub quiet_ms: u64,
    /// A ping is due this often, however much comes.
    pub ping_every_ms: Option<u64>,
    /// Of REST requests, by address.
    pub weight_per_minute: Option<u32>,
}

/// So many in any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub window_ms: u64,
}

const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// What holds where no document says otherwise.
const USUAL: Limits = Limits {
    messages_per_second: 10,
    message_window_ms: 1_100,
    requests_per_hour: None,
    names_per_request: 200,
    // 200 of the longest names.
    request_bytes_max: 32 * 1024,
    streams_per_connection: 1024,
    connections: 5,
    connects: Rate { count: 300, window_ms: 5 * MINUTE_MS },
    life_ms: None,
    quiet_ms: MINUTE_MS,
    ping_every_ms: None,
    weight_per_minute: None,
};

impl Limits {
    pub const fn of(kind: Kind) -> Limits {
        match kind {
            Kind::Binance => {
                Limits { messages_per_second: 5, life_ms: Some(DAY_MS), weight_per_minute: Some(6000), ..USUAL }
            }
            Kind::BinanceUsdm => Limits { life_ms: Some(DAY_MS), weight_per_minute: Some(2400), ..USUAL },
            Kind::Okx => Limits {
                requests_per_hour: Some(480),
                // 64 KB, less what is around the list.
                request_bytes_max: 60_000,
                streams_per_connection: 100,
                connects: Rate { count: 3, window_ms: 1_100 },
                // It closes at 30 s.
                quiet_ms: 20 * SECOND_MS,
                ..USUAL
            },
            Kind::Deriv => Limits {
                // 220 a minute and 14 400 an hour.
                messages_per_second: 3,
                requests_per_hour: Some(14_400),
                // One `forget` ends one stream.
                names_per_request: 1,
                streams_per_connection: 100,
                // It closes at 180 s, by a later page at 120 s.
                quiet_ms: MINUTE_MS,
                ping_every_ms: Some(2 * MINUTE_MS),
                ..USUAL
            },
            // A minute ahead of the half hour.
            Kind::Bitzoom => Limits { streams_per_connection: 200, ping_every_ms: Some(29 * MINUTE_MS), ..USUAL },
            // The server pings; none for the sum of its two waits is its end.
            Kind::SocketIo => Limits {
                names_per_request: 1,
                streams_per_connection: 100,
                connections: 1,
                quiet_ms: 45 * SECOND_MS,
                ..USUAL
            },
            Kind::Rest => Limits { weight_per_minute: Some(6000), ..USUAL },
            Kind::Stream | Kind::Sim | Kind::Replay => USUAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/venues/README.md, from `| name |` to the end of its row, by the kind's column.
    fn page(row: &str, kind: Kind) -> String {
        let page = include_str!("../../../../docs/venues/README.md");
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let heads = page.lines().find(|line| line.starts_with("| limit |")).map(cells).unwrap();
        let column = heads.iter().position(|head| head == kind.name()).unwrap_or_else(|| panic!("{kind:?}"));
        let row = page.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap_or_else(|| panic!("{row}"));
        cells(row)[column].clone()
    }

    /// The number in a cell; its word follows it.
    fn check(row: &str, kind: Kind, expected: Option<u64>) {
        let cell = page(row, kind);
        let expected = expected.map_or("-".to_owned(), |number| number.to_string());
        let (number, word) = cell.split_once(' ').unwrap_or((&cell, ""));
        assert_eq!(number, expected, "{row} of {kind:?}");
        assert!(expected == "-" || ["DOC", "SEED", "SEEN", "OURS"].contains(&word), "{row} of {kind:?}: {cell}");
    }

    #[test]
    fn the_page_has_the_numbers() {
        let kinds =
            [Kind::Binance, Kind::BinanceUsdm, Kind::Okx, Kind::Deriv, Kind::Bitzoom, Kind::Stream, Kind::SocketIo];
        for kind in kinds {
            let limits = Limits::of(kind);
            check("messages in a second", kind, Some(limits.messages_per_second.into()));
            check("requests in an hour", kind, limits.requests_per_hour.map(u64::from));
            check("names in a request", kind, Some(limits.names_per_request as u64));
            check("bytes of a request", kind, Some(limits.request_bytes_max as u64));
            check("streams on a connection", kind, Some(limits.streams_per_connection as u64));
            check("connections", kind, Some(limits.connections as u64));
            check("attempts to connect", kind, Some(limits.connects.count.into()));
            check("in so many seconds", kind, Some(limits.connects.window_ms / 1000));
            check("life of a connection, hours", kind, limits.life_ms.map(|ms| ms / 3_600_000));
            check("pinged after seconds of silence", kind, Some(limits.quiet_ms / 1000));
            check("pinged in any case every, minutes", kind, limits.ping_every_ms.map(|ms| ms / 60_000));
            check("REST weight in a minute", kind, limits.weight_per_minute.map(u64::from));
        }
    }
}
