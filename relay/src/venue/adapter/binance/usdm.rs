//! Binance's USD-M futures: streams are divided between two paths, and one asked for on the wrong path is acknowledged
//! and silent for ever.

use std::borrow::Cow;
use std::collections::HashMap;

use smallvec::SmallVec;

use super::super::names::{is_interval, levels, parts};
use super::super::talk::{self, Heard};
use super::super::{Adapter, Conversation, Invalid, Lane, Said};

const PUBLIC: usize = 0;
const MARKET: usize = 1;

/// The venue acknowledges this speed and sends nothing: the bare name has it.
const SILENT_SPEED: &str = "@250ms";

pub struct BinanceUsdm {
    lanes: [Lane; 2],
}

impl BinanceUsdm {
    /// `prefix` is the path of the configured URL.
    pub fn new(prefix: &str) -> BinanceUsdm {
        let lane = |name, path| Lane { name, path: super::path(prefix, path) };
        BinanceUsdm { lanes: [lane("public", "/public/stream"), lane("market", "/market/stream")] }
    }
}

impl Adapter for BinanceUsdm {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, stream: &str) -> Option<usize> {
        match stream {
            "!bookTicker" => return Some(PUBLIC),
            "!ticker@arr" | "!miniTicker@arr" | "!markPrice@arr" | "!markPrice@arr@1s" => return Some(MARKET),
            "!forceOrder@arr" | "!contractInfo" | "!assetIndex@arr" => return Some(MARKET),
            _ => {}
        }
        let parts = parts(stream)?;
        match (parts.base, parts.parameter) {
            ("trade" | "bookTicker", None) => Some(PUBLIC),
            ("depth" | "depth5" | "depth10" | "depth20", None | Some("100ms" | "250ms" | "500ms")) => Some(PUBLIC),
            ("rpiDepth", None | Some("500ms")) => Some(PUBLIC),
            ("aggTrade" | "ticker" | "miniTicker" | "forceOrder", None) => Some(MARKET),
            ("compositeIndex" | "assetIndex", None) => Some(MARKET),
            ("markPrice", None | Some("1s")) => Some(MARKET),
            (base, None) => is_kline(base).then_some(MARKET),
            _ => None,
        }
    }

    fn converse(&self, _lane: usize) -> Box<dyn Conversation> {
        Box::new(Talk::default())
    }
}

fn is_kline(base: &str) -> bool {
    let kinds = ["kline", "continuousKline", "indexPriceKline", "markPriceKline"];
    base.split_once('_').is_some_and(|(kind, interval)| kinds.contains(&kind) && is_interval(interval))
}

/// What the venue calls a stream of ours.
fn at_venue(stream: &str) -> &str {
    stream.strip_suffix(SILENT_SPEED).unwrap_or(stream)
}

/// Whether a stream of the venue's has two names of ours.
fn has_two_names(at_venue: &str) -> bool {
    let is_book = |base: &str| base == "depth" || levels(base).is_some();
    parts(at_venue).is_some_and(|parts| is_book(parts.base) && parts.parameter.is_none())
}

#[derive(Default)]
struct Talk {
    /// Of the venue's streams with two names of ours, those that were asked for.
    names: HashMap<Box<str>, SmallVec<[Box<str>; 2]>>,
}

impl Conversation for Talk {
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String {
        let mut asked: Vec<&str> = Vec::with_capacity(streams.len());
        for stream in streams {
            let at_venue = at_venue(stream);
            if has_two_names(at_venue) {
                let names = self.names.entry(at_venue.into()).or_default();
                if !names.iter().any(|name| **name == **stream) {
                    names.push((*stream).into());
                }
            }
            if !asked.contains(&at_venue) {
                asked.push(at_venue);
            }
        }
        talk::subscribe_line(&asked, id)
    }

    /// A stream of the venue's ends with the last of its names.
    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        let mut ended: Vec<&str> = Vec::with_capacity(streams.len());
        for stream in streams {
            let at_venue = at_venue(stream);
            if let Some(names) = self.names.get_mut(at_venue) {
                names.retain(|name| **name != **stream);
                if !names.is_empty() {
                    continue;
                }
                self.names.remove(at_venue);
            }
            ended.push(at_venue);
        }
        if ended.is_empty() { talk::idle_line(id) } else { talk::unsubscribe_line(&ended, id) }
    }

    fn decode(&mut self, message: &[u8], _now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        match talk::hear(message, said) {
            Some(Heard::Data { stream, payload }) => self.place(stream, payload.as_bytes(), said),
            Some(Heard::Unnamed(_)) => said(Said::Invalid(Invalid::NoStreamName)),
            None => {}
        }
    }
}

impl Talk {
    fn place(&self, stream: Cow<'_, str>, payload: &[u8], said: &mut dyn FnMut(Said<'_>)) {
        match self.names.get(&*stream) {
            Some(names) => names.iter().for_each(|stream| said(Said::Data { stream, payload })),
            None => said(Said::Data { stream: &stream, payload }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_has_the_path_that_serves_it() {
        let adapter = BinanceUsdm::new("/");
        let check = |stream: &str, expected| assert_eq!(adapter.lane_of(stream), expected, "{stream}");
        for stream in [
            "btcusdt@depth",
            "btcusdt@depth@100ms",
            "btcusdt@depth5",
            "btcusdt@depth10@250ms",
            "btcusdt@depth20@500ms",
            "btcusdt@bookTicker",
            "!bookTicker",
            "btcusdt@trade",
            "btcusdt@rpiDepth",
        ] {
            check(stream, Some(PUBLIC));
        }
        for stream in [
            "btcusdt@aggTrade",
            "btcusdt@kline_1m",
            "btcusdt@markPrice",
            "btcusdt_261225@markPrice@1s",
            "btcusdt@ticker",
            "btcusdt@miniTicker",
            "btcusdt@forceOrder",
            "!ticker@arr",
            "!miniTicker@arr",
            "!markPrice@arr@1s",
            "!contractInfo",
        ] {
            check(stream, Some(MARKET));
        }
        for stream in [
            "btcusdt@kline_1s",
            "btcusdt@kline_1m@+08:00",
            "btcusdt@ticker_1h",
            "btcusdt@avgPrice",
            "btcusdt@depth7",
            "btcusdt@markPrice@3s",
            "btcusdt@book",
            "BTCUSDT@trade",
            "!serverShutdown",
        ] {
            check(stream, None);
        }
        let paths = adapter.lanes().iter().map(|lane| (lane.name, &*lane.path)).collect::<Vec<_>>();
        assert_eq!(paths, [("public", "/public/stream"), ("market", "/market/stream")]);
    }

    fn streams(talk: &mut Talk, stream: &str) -> Vec<String> {
        let mut streams = Vec::new();
        talk.decode(format!("{{\"stream\":\"{stream}\",\"data\":{{}}}}").as_bytes(), 0, &mut |said| match said {
            Said::Data { stream, payload: b"{}" } => streams.push(stream.to_owned()),
            other => panic!("{other:?}"),
        });
        streams
    }

    /// The speed that is silent is the bare name's, whichever of the two was asked for.
    #[test]
    fn a_stream_with_two_names_is_asked_for_once() {
        let mut talk = Talk::default();
        let line = talk.subscribe(&["a@depth5@250ms", "a@trade", "a@depth5"], 1);
        assert_eq!(line, talk::subscribe_line(&["a@depth5", "a@trade"], 1));
        assert_eq!(streams(&mut talk, "a@depth5"), ["a@depth5@250ms", "a@depth5"]);
        assert_eq!(streams(&mut talk, "a@trade"), ["a@trade"]);
        assert_eq!(talk.unsubscribe(&["a@depth5"], 2), talk::idle_line(2), "the other name still needs it");
        assert_eq!(streams(&mut talk, "a@depth5"), ["a@depth5@250ms"]);
        assert_eq!(talk.unsubscribe(&["a@depth5@250ms"], 3), talk::unsubscribe_line(&["a@depth5"], 3));
        assert!(talk.names.is_empty());
    }

    #[test]
    fn both_names_may_end_at_once() {
        let mut talk = Talk::default();
        talk.subscribe(&["a@depth", "a@depth@250ms", "a@depth@250ms"], 1);
        let line = talk.unsubscribe(&["a@depth", "a@depth@250ms", "a@trade"], 2);
        assert_eq!(line, talk::unsubscribe_line(&["a@depth", "a@trade"], 2));
    }
}
