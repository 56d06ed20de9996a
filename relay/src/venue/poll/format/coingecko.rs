//! CoinGecko's documents, which are passed on whole: their readers know what is in them.

use super::Unreadable;
use crate::wire::json::{Array, Object, ValueKind};

/// The symbol part of the streams' names.
pub(super) const SYMBOL: &str = "coingecko";

/// It caches trends for longer than the others, and plans are small.
const TRENDING_RARITY: u64 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Global,
    Top,
    Trending,
}

impl Document {
    /// As stream names spell it.
    pub fn parse(name: &str) -> Option<Document> {
        match name {
            "global" => Some(Document::Global),
            "top" => Some(Document::Top),
            "trending" => Some(Document::Trending),
            _ => None,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Document::Global => "/global",
            Document::Top => "/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=100&page=1",
            Document::Trending => "/search/trending",
        }
    }
}

pub(super) fn path(base: &str, subjects: &[Box<str>]) -> String {
    let document = subjects.first().and_then(|name| Document::parse(name));
    format!("{base}{}", document.map_or("", Document::path))
}

/// How many intervals pass between two looks.
pub(super) fn rarity(subject: &str) -> u64 {
    if Document::parse(subject) == Some(Document::Trending) { TRENDING_RARITY } else { 1 }
}

/// An error's body may come with status 200 through a proxy, and must not replace what is known.
pub(super) fn check(subject: &str, body: &str) -> Result<(), Unreadable> {
    let is_right = match Document::parse(subject).ok_or(Unreadable)? {
        Document::Global => has(body, "data", ValueKind::Object),
        Document::Top => Array::open(body).is_some(),
        Document::Trending => has(body, "coins", ValueKind::Array),
    };
    if is_right { Ok(()) } else { Err(Unreadable) }
}

fn has(body: &str, key: &str, kind: ValueKind) -> bool {
    let Some(mut object) = Object::open(body) else { return false };
    let mut is_there = false;
    while let Ok(Some(member)) = object.next() {
        if member.key() == key {
            is_there = member.value.kind == kind;
        }
    }
    is_there
}
