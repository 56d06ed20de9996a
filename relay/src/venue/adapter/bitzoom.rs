//! Bitzoom, as its page describes it.
//!
//! Its documented address, `/ws`, sends payloads without the names of their streams, so a message is placed by what it
//! says of itself: event, symbol and interval, compared with what was asked for on the connection. A venue of this kind
//! that wraps its payloads (`/stream`) is understood as well.
//!
//! Speeds are not in payloads, nor is the number of levels: two speeds of one book on a connection both get the frames
//! of both, each of them true, only more often than asked. The levels are counted.

use std::collections::HashMap;

use super::names::{in_name, is_interval, levels, parts};
use super::talk::{self, Heard};
use super::{Adapter, Conversation, Invalid, Lane, Said};
use crate::wire::json::{Array, Object};

const ALL_TICKERS: &str = "!ticker@arr";

pub struct Bitzoom {
    lanes: [Lane; 1],
}

impl Bitzoom {
    /// `path` is the one of the configured URL.
    pub fn new(path: &str) -> Bitzoom {
        Bitzoom { lanes: [Lane { name: "", path: path.into() }] }
    }
}

impl Adapter for Bitzoom {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, stream: &str) -> Option<usize> {
        is_served(stream).then_some(0)
    }

    fn converse(&self, _lane: usize) -> Box<dyn Conversation> {
        Box::new(Talk::default())
    }
}

/// What the page lists: no diff depth, no bookTicker, one array.
fn is_served(stream: &str) -> bool {
    if stream == ALL_TICKERS {
        return true;
    }
    let Some(parts) = parts(stream) else { return false };
    match (parts.base, parts.parameter) {
        ("ticker" | "miniTicker" | "trade" | "aggTrade", None) => true,
        ("markPrice", None | Some("1s")) => true,
        ("depth5" | "depth10" | "depth20", None | Some("100ms" | "250ms" | "500ms")) => true,
        (base, None) => base.strip_prefix("kline_").is_some_and(is_interval),
        _ => false,
    }
}

#[derive(Default)]
struct Talk {
    /// The streams asked for, by what their payloads say of themselves.
    asked: HashMap<String, Vec<Asked>>,
}

struct Asked {
    stream: Box<str>,
    /// Of a book, at most so many on each side.
    levels: Option<usize>,
}

impl Conversation for Talk {
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String {
        for stream in streams {
            let (says, levels) = says(stream);
            let asked = self.asked.entry(says).or_default();
            if !asked.iter().any(|asked| *asked.stream == **stream) {
                asked.push(Asked { stream: (*stream).into(), levels });
            }
        }
        talk::subscribe_line(streams, id)
    }

    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        for stream in streams {
            let (says, _) = says(stream);
            if let Some(asked) = self.asked.get_mut(&says) {
                asked.retain(|asked| *asked.stream != **stream);
                if asked.is_empty() {
                    self.asked.remove(&says);
                }
            }
        }
        talk::unsubscribe_line(streams, id)
    }

    fn decode(&mut self, message: &[u8], _now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        match talk::hear(message, said) {
            Some(Heard::Data { stream, payload }) => said(Said::Data { stream: &stream, payload: payload.as_bytes() }),
            Some(Heard::Unnamed(payload)) => self.place(payload, said),
            None => {}
        }
    }
}

impl Talk {
    fn place(&self, payload: &str, said: &mut dyn FnMut(Said<'_>)) {
        let Some((says, count)) = said_by(payload) else { return said(Said::Invalid(Invalid::NoStreamName)) };
        let asked = self.asked.get(&says).map(Vec::as_slice).unwrap_or_default();
        let mut is_placed = false;
        for Asked { stream, .. } in asked.iter().filter(|one| fits(one, count, asked)) {
            said(Said::Data { stream, payload: payload.as_bytes() });
            is_placed = true;
        }
        if !is_placed {
            said(Said::Invalid(Invalid::NoStreamName));
        }
    }
}

/// Whether a book with so many levels may be this stream's. One as full as a stream's can be is that stream's alone;
/// one that no stream fills is the whole book, and true of all that could hold it.
fn fits(one: &Asked, count: usize, asked: &[Asked]) -> bool {
    let Some(levels) = one.levels else { return true };
    let is_full = asked.iter().any(|other| other.levels == Some(count));
    if is_full { levels == count } else { levels > count }
}

/// What the payloads of a stream say of themselves.
fn says(stream: &str) -> (String, Option<usize>) {
    let Some(parts) = parts(stream) else { return (stream.to_owned(), None) };
    let event = match parts.base {
        "ticker" => "24hrTicker",
        "miniTicker" => "24hrMiniTicker",
        "markPrice" => "markPriceUpdate",
        base if levels(base).is_some() => "depthUpdate",
        // An interval is a part of its name.
        base => base,
    };
    (format!("{event} {}", parts.symbol), levels(parts.base))
}

/// The same from a payload, and the levels of a book's longer side.
fn said_by(payload: &str) -> Option<(String, usize)> {
    if let Some(mut rows) = Array::open(payload) {
        // Only an empty list has nothing that says what it is.
        let is_tickers = match rows.next().ok()? {
            Some(row) => said_by(row.text)?.0.starts_with("24hrTicker "),
            None => true,
        };
        return is_tickers.then(|| (ALL_TICKERS.to_owned(), 0));
    }
    let (mut event, mut symbol, mut interval, mut count) = (None, None, None, 0);
    let mut object = Object::open(payload)?;
    while let Some(member) = object.next().ok()? {
        match &*member.key() {
            "e" => event = member.value.string(),
            "s" => symbol = member.value.string(),
            "k" => interval = interval_of(member.value.text),
            "b" | "a" => count = count.max(rows_of(member.value.text)),
            _ => {}
        }
    }
    let symbol = in_name(&symbol?);
    match (&*event?, interval) {
        ("kline", Some(interval)) => Some((format!("kline_{interval} {symbol}"), 0)),
        ("kline", None) => None,
        (event, _) => Some((format!("{event} {symbol}"), count)),
    }
}

fn interval_of(candle: &str) -> Option<String> {
    let mut object = Object::open(candle)?;
    while let Some(member) = object.next().ok()? {
        if member.key() == "i" {
            return Some(member.value.string()?.into_owned());
        }
    }
    None
}

/// A ticker's `b` is a price and has none.
fn rows_of(list: &str) -> usize {
    let Some(mut rows) = Array::open(list) else { return 0 };
    let mut count = 0;
    while let Ok(Some(_)) = rows.next() {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests;
