//! What recorded messages mean: each kind of upstream by its own adapter.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::format::Kind;
use crate::access::pattern::Pattern;
use crate::venue::adapter::{Adapter, Conversation, Invalid, Lane, Said};
use crate::wire::stream::upstream as wire;

/// The adapter of a kind, as the header of a recording names it.
pub fn adapter(kind: &str) -> Option<Box<dyn Adapter>> {
    match kind {
        "stream" => Some(Box::new(Stream { lanes: [Lane { name: "", path: "".into() }] })),
        _ => None,
    }
}

/// One decoder for each connection: a book's chain belongs to the connection it came on.
pub struct Decoders {
    /// By the upstream's place in the header.
    adapters: Vec<Option<Box<dyn Adapter>>>,
    conversations: HashMap<(u32, u32), Box<dyn Conversation>, RandomState>,
    streams: Vec<Pattern>,
}

impl Decoders {
    pub fn new<'a>(kinds: impl Iterator<Item = &'a str>) -> Decoders {
        let adapters = kinds.map(adapter).collect();
        Decoders { adapters, conversations: HashMap::default(), streams: Vec::new() }
    }

    /// Notes what begins and ends conversations. A lane we do not have is the first.
    pub fn note(&mut self, upstream: u32, connection: u32, kind: Kind, body: &[u8]) {
        match kind {
            Kind::Connected => {
                let lane = std::str::from_utf8(body).ok().and_then(|lane| lane.parse().ok()).unwrap_or(0);
                if let Some(conversation) = self.converse(upstream, lane) {
                    self.conversations.insert((upstream, connection), conversation);
                }
            }
            Kind::Lost => drop(self.conversations.remove(&(upstream, connection))),
            Kind::Frame | Kind::Sent | Kind::Missed => {}
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
        Some(adapter.converse(lane))
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
    kinds: Vec<String>,
    streams: Vec<Pattern>,
}

impl Filter {
    pub fn new(kinds: Vec<String>, streams: Vec<Pattern>) -> Filter {
        Filter { kinds, streams }
    }

    /// `None`: everything is wanted, and nothing has to be decoded.
    pub fn start(self) -> Option<Decoders> {
        if self.streams.is_empty() || self.streams.iter().any(Pattern::is_any) {
            return None;
        }
        let decoders = Decoders::new(self.kinds.iter().map(String::as_str));
        Some(Decoders { streams: self.streams, ..decoders })
    }
}

/// The stream dialect itself.
struct Stream {
    lanes: [Lane; 1],
}

impl Adapter for Stream {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, _: &str) -> Option<usize> {
        Some(0)
    }

    fn converse(&self, _: usize) -> Box<dyn Conversation> {
        Box::new(StreamConversation)
    }
}

struct StreamConversation;

impl Conversation for StreamConversation {
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String {
        wire::subscribe_line(streams, id)
    }

    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        wire::unsubscribe_line(streams, id)
    }

    fn decode(&mut self, message: &[u8], _: u64, said: &mut dyn FnMut(Said<'_>)) {
        let number = |id: Option<&str>| id.and_then(|id| id.parse().ok());
        match wire::decode(message) {
            Ok(wire::Upstream::Data { stream, data }) => {
                let stream: Cow<'_, str> = stream;
                said(Said::Data { stream: &stream, payload: data });
            }
            Ok(wire::Upstream::Ack { id, .. }) => said(Said::Ack { id: number(id) }),
            Ok(wire::Upstream::Error { id, code, msg }) => said(Said::Error { id: number(id), code, msg: &msg }),
            Ok(wire::Upstream::Shutdown) => said(Said::Shutdown),
            Ok(wire::Upstream::Other) => said(Said::Invalid(Invalid::NoStreamName)),
            Err(_) => said(Said::Invalid(Invalid::NotJson)),
        }
    }
}
