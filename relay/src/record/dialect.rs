//! What recorded messages mean: each kind of upstream by its own adapter.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::format::{Kind, Origin, split_words};
use crate::access::pattern::Pattern;
use crate::venue::adapter::binance::{Binance, BinanceUsdm};
use crate::venue::adapter::bitzoom::Bitzoom;
use crate::venue::adapter::deriv::Deriv;
use crate::venue::adapter::kind::Kind as Venue;
use crate::venue::adapter::okx::Okx;
use crate::venue::adapter::socketio::{self, SocketIo};
use crate::venue::adapter::stream::Stream;
use crate::venue::adapter::{Adapter, Conversation, Said};

/// What reads an upstream's messages, by what the header of a recording says of it. Nothing is asked here, so paths and
/// keys are left empty. None: no kind of ours that connects, or its symbols are not that kind's.
pub fn adapter(origin: &Origin) -> Option<Box<dyn Adapter + Send + Sync>> {
    let symbols = || origin.symbols.iter().map(String::as_str);
    Some(match Venue::ALL.into_iter().find(|kind| kind.name() == origin.kind)? {
        Venue::Binance => Box::new(Binance::new("")),
        Venue::BinanceUsdm => Box::new(BinanceUsdm::new("")),
        Venue::Okx => Box::new(Okx::new("", symbols()).ok()?),
        Venue::Deriv => Box::new(Deriv::new("", None, symbols()).ok()?),
        Venue::Bitzoom => Box::new(Bitzoom::new("")),
        Venue::Stream => Box::new(Stream::new("")),
        Venue::SocketIo => Box::new(SocketIo::new(&socketio::Settings::new(""))),
        Venue::Rest | Venue::Sim | Venue::Replay => return None,
    })
}

/// One decoder for each connection: a book's chain belongs to the connection it came on.
pub struct Decoders {
    /// By the upstream's place in the header.
    adapters: Vec<Option<Box<dyn Adapter>>>,
    conversations: HashMap<(u32, u32), Box<dyn Conversation>, RandomState>,
    streams: Vec<Pattern>,
}

impl Decoders {
    pub fn new(origins: &[Origin]) -> Decoders {
        let adapters = origins.iter().map(|origin| adapter(origin).map(|it| it as Box<dyn Adapter>)).collect();
        Decoders { adapters, conversations: HashMap::default(), streams: Vec::new() }
    }

    /// Notes what begins and ends conversations, and what we said in them. A lane we do not have is the first.
    pub fn note(&mut self, upstream: u32, connection: u32, kind: Kind, body: &[u8]) {
        let place = (upstream, connection);
        let (number, names) = split_words(body);
        match kind {
            Kind::Frame | Kind::Missed => return,
            Kind::Lost => return drop(self.conversations.remove(&place)),
            // Who read what was before knows more than that.
            Kind::Standing if self.conversations.contains_key(&place) => return,
            Kind::Connected | Kind::Standing => {
                let Some(conversation) = self.converse(upstream, number as usize) else { return };
                self.conversations.insert(place, conversation);
            }
            Kind::Asked | Kind::Ended => {}
        }
        let Some(Some(adapter)) = self.adapters.get(upstream as usize) else { return };
        // A recording of another version may have streams that this one's adapter does not know.
        let names: Vec<&str> = names.filter(|name| adapter.lane_of(name).is_some()).collect();
        let Some(conversation) = self.conversations.get_mut(&place).filter(|_| !names.is_empty()) else { return };
        // What would be sent was sent then; it is said again for what the conversation remembers of it.
        match kind {
            Kind::Ended => drop(conversation.unsubscribe(&names, number)),
            _ => drop(conversation.subscribe(&names, number)),
        }
    }

    /// False if there is no decoder for its upstream's kind.
    pub fn decode(
        &mut self,
        upstream: u32,
        connection: u32,
        message: &[u8],
        now_ms: u64,
        said: &mut dyn FnMut(Said<'_>),
    ) -> bool {
        let place = (upstream, connection);
        if !self.conversations.contains_key(&place) {
            let Some(conversation) = self.converse(upstream, 0) else { return false };
            self.conversations.insert(place, conversation);
        }
        if let Some(conversation) = self.conversations.get_mut(&place) {
            conversation.decode(message, now_ms, said);
        }
        true
    }

    fn converse(&self, upstream: u32, lane: usize) -> Option<Box<dyn Conversation>> {
        let adapter = self.adapters.get(upstream as usize)?.as_ref()?;
        let lane = if lane < adapter.lanes().len() { lane } else { 0 };
        let mut conversation = adapter.converse(lane);
        conversation.hello();
        Some(conversation)
    }

    /// Whether a record is of the wanted streams. What is about no stream belongs to every recording.
    pub fn wants(&mut self, upstream: u32, connection: u32, kind: Kind, body: &[u8]) -> bool {
        self.note(upstream, connection, kind, body);
        if kind != Kind::Frame {
            return true;
        }
        let streams = std::mem::take(&mut self.streams);
        let (mut is_data, mut is_wanted) = (false, false);
        self.decode(upstream, connection, body, 0, &mut |said| {
            if let Said::Data { stream, .. } = said {
                is_data = true;
                is_wanted |= streams.iter().any(|pattern| pattern.matches(stream));
            }
        });
        self.streams = streams;
        is_wanted || !is_data
    }
}

/// Chooses by the streams' names. Decoders live on one thread: this is what is carried to it.
pub struct Filter {
    origins: Vec<Origin>,
    streams: Vec<Pattern>,
}

impl Filter {
    pub fn new(origins: Vec<Origin>, streams: Vec<Pattern>) -> Filter {
        Filter { origins, streams }
    }

    /// `None`: everything is wanted, and nothing has to be decoded.
    pub fn start(self) -> Option<Decoders> {
        if self.streams.is_empty() || self.streams.iter().any(Pattern::is_any) {
            return None;
        }
        let decoders = Decoders::new(&self.origins);
        Some(Decoders { streams: self.streams, ..decoders })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::venue::adapter::Lane;

    fn origin(kind: &str, symbols: &[&str]) -> Origin {
        let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        Origin { name: "a".into(), kind: kind.into(), url: String::new(), symbols }
    }

    #[test]
    fn whoever_is_connected_to_can_be_read() {
        for kind in Venue::ALL {
            let is_read = !matches!(kind, Venue::Rest | Venue::Sim | Venue::Replay);
            assert_eq!(adapter(&origin(kind.name(), &[])).is_some(), is_read, "{kind:?}");
        }
        assert!(adapter(&origin("kraken", &[])).is_none());
        assert!(adapter(&origin("okx", &["BTC-USDT-SWAP"])).is_none(), "what a contract is worth is not known");
    }

    /// What was listed and what was asked for decide what OKX's messages mean.
    #[test]
    fn okx_is_read_with_what_was_listed() {
        let mut decoders = Decoders::new(&[origin("okx", &["BTC-USDT-SWAP=0.01"])]);
        let trade = br#"{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"1","px":"64000.1","sz":"5","side":"buy","ts":"1700000000000","count":"1"}]}"#;
        let mut heard = Vec::new();
        for (kind, body) in [(Kind::Connected, "0"), (Kind::Asked, "7 btcusdt-swap@trade")] {
            decoders.note(0, 5, kind, body.as_bytes());
        }
        decoders.decode(0, 5, trade, 0, &mut |said| {
            if let Said::Data { stream, payload } = said {
                heard.push(format!("{stream} {}", String::from_utf8_lossy(payload)));
            }
        });
        let [heard] = heard.as_slice() else { panic!("one trade: {heard:?}") };
        assert!(heard.starts_with("btcusdt-swap@trade {") && heard.contains(r#""q":"0.05""#), "{heard}");
    }

    /// A venue whose messages are names, which mean something to those who asked for them.
    struct Echo([Lane; 2]);

    struct Asked(usize, BTreeSet<String>);

    impl Adapter for Echo {
        fn lanes(&self) -> &[Lane] {
            &self.0
        }

        fn lane_of(&self, stream: &str) -> Option<usize> {
            (stream != "unknown@here").then_some(0)
        }

        fn converse(&self, lane: usize) -> Box<dyn Conversation> {
            Box::new(Asked(lane, BTreeSet::new()))
        }
    }

    impl Conversation for Asked {
        fn subscribe(&mut self, streams: &[&str], _: u64) -> String {
            assert!(!streams.contains(&"unknown@here"));
            self.1.extend(streams.iter().map(|name| (*name).to_owned()));
            String::new()
        }

        fn unsubscribe(&mut self, streams: &[&str], _: u64) -> String {
            self.1.retain(|name| !streams.contains(&name.as_str()));
            String::new()
        }

        fn decode(&mut self, message: &[u8], _: u64, said: &mut dyn FnMut(Said<'_>)) {
            let stream = std::str::from_utf8(message).unwrap();
            if self.1.contains(stream) {
                said(Said::Data { stream, payload: self.0.to_string().as_bytes() });
            }
        }
    }

    /// Decoders know of a conversation what they would know had they led it.
    #[test]
    fn conversations_are_led_again() {
        let lane = |name| Lane { name, path: "".into() };
        let mut decoders = Decoders::new(&[]);
        decoders.adapters = vec![Some(Box::new(Echo([lane("a"), lane("b")])))];
        let heard = |decoders: &mut Decoders| {
            let mut heard = Vec::new();
            for stream in ["x@trade", "y@trade", "unknown@here"] {
                let mut said = |said: Said<'_>| {
                    if let Said::Data { stream, payload } = said {
                        heard.push(format!("{stream} {}", String::from_utf8_lossy(payload)));
                    }
                };
                assert!(decoders.decode(0, 5, stream.as_bytes(), 0, &mut said));
            }
            heard.join(", ")
        };
        for (kind, body, expected) in [
            (Kind::Connected, "1", ""),
            (Kind::Asked, "7 x@trade unknown@here", "x@trade 1"),
            (Kind::Asked, "8 y@trade", "x@trade 1, y@trade 1"),
            (Kind::Standing, "0 y@trade", "x@trade 1, y@trade 1"),
            (Kind::Ended, "9 x@trade", "y@trade 1"),
            (Kind::Lost, "gone", ""),
            (Kind::Connected, "0", ""),
            (Kind::Lost, "gone", ""),
        ] {
            decoders.note(0, 5, kind, body.as_bytes());
            assert_eq!(heard(&mut decoders), expected, "after {kind:?} {body}");
        }
        let mut late = Decoders::new(&[]);
        late.adapters = vec![Some(Box::new(Echo([lane("a"), lane("b")])))];
        late.note(0, 5, Kind::Standing, b"1 x@trade");
        assert_eq!(heard(&mut late), "x@trade 1");
        assert!(!late.decode(1, 5, b"", 0, &mut |_| {}), "there is no such upstream");
        for garbage in [&b""[..], b"\xff", b"99999999999999999999 a", b"7"] {
            Kind::ALL.into_iter().for_each(|kind| late.note(0, 6, kind, garbage));
        }
    }
}
