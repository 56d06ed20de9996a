//! What a stream can be made of, given what the upstreams have.
//!
//! The sources of a recipe are streams that an upstream carries as they are, never derived ones: what a stream is
//! made of can be read off its recipe, and nothing goes in circles.

use crate::limits::ARRAY_SYMBOLS_MAX;
use crate::venue::interval::{INTERVALS, Interval, SECOND};

/// How often `@depth5` comes where the name does not say.
const PARTIAL_MS: u64 = 250;
/// The same for `@depth`.
const DIFF_MS: u64 = 1_000;

/// What the upstreams have.
#[derive(Clone, Copy)]
pub struct Offers<'a> {
    /// Whether an upstream carries a stream as it is.
    pub has: &'a dyn Fn(&str) -> bool,
    /// The symbols that are known to exist, in lower case: what `!ticker@arr` is put together from.
    pub symbols: &'a [Box<str>],
}

/// What a derived stream says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `@depth5@100ms`
    Partial { levels: usize, speed_ms: u64 },
    /// `@bookTicker`
    Top,
    /// `@depth`
    Diff { speed_ms: u64 },
    /// `@miniTicker`
    Mini,
    /// `!ticker@arr`, or `!miniTicker@arr`
    Array { is_mini: bool },
    /// `@kline_5m`
    Kline(Interval),
    /// `@markPrice`, every three seconds
    Mark,
}

/// How it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A local book follows a diff stream (`@depth…`), and begins with a snapshot.
    BookOfDiffs,
    /// A local book follows a stream that brings its own snapshots (`@book`).
    BookOfFrames,
    /// The best levels of another partial stream.
    Cut,
    /// Several diffs become one.
    Merge,
    /// Each message says it all.
    Project,
    /// What changed among many, once a second.
    Gather,
    /// Trades are added up.
    Trades,
    /// Shorter klines are added up.
    Klines(Interval),
    /// The last one of three seconds.
    Sample,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// In lower case; empty if it is about many.
    pub symbol: Box<str>,
    pub shape: Shape,
    pub method: Method,
    /// Streams that upstreams carry. Of a book made of diffs: the diffs, then the snapshot.
    pub sources: Vec<Box<str>>,
}

impl Recipe {
    /// What is made by the same product has the same group: one book is behind all speeds and depths.
    pub fn group(&self) -> String {
        let what = match self.method {
            Method::BookOfDiffs | Method::BookOfFrames => "book",
            Method::Cut => "cut",
            Method::Merge => "merge",
            Method::Project => "project",
            Method::Gather => "gather",
            Method::Trades => "trades",
            Method::Klines(_) => "klines",
            Method::Sample => "sample",
        };
        format!("{what} {}", self.sources[0])
    }
}

/// The symbol and the shape of a stream that may be derived.
pub fn parse(name: &str) -> Option<(&str, Shape)> {
    match name {
        "!ticker@arr" => return Some(("", Shape::Array { is_mini: false })),
        "!miniTicker@arr" => return Some(("", Shape::Array { is_mini: true })),
        _ => {}
    }
    let (symbol, kind) = name.split_once('@').filter(|(symbol, _)| !symbol.is_empty() && !symbol.starts_with('!'))?;
    let (base, speed) = kind.split_once('@').map_or((kind, None), |(base, speed)| (base, Some(speed)));
    let speed_ms = match speed {
        None => None,
        Some("100ms") => Some(100),
        Some("250ms") => Some(250),
        Some("500ms") => Some(500),
        Some("1000ms") => Some(1_000),
        Some(_) => return None,
    };
    let partial = |levels| Shape::Partial { levels, speed_ms: speed_ms.unwrap_or(PARTIAL_MS) };
    let shape = match base {
        "depth5" => partial(5),
        "depth10" => partial(10),
        "depth20" => partial(20),
        "depth" => Shape::Diff { speed_ms: speed_ms.unwrap_or(DIFF_MS) },
        _ if speed.is_some() => return None,
        "bookTicker" => Shape::Top,
        "miniTicker" => Shape::Mini,
        "markPrice" => Shape::Mark,
        "kline_1s" => Shape::Kline(SECOND),
        _ => Shape::Kline(Interval::parse(base.strip_prefix("kline_")?)?),
    };
    Some((symbol, shape))
}

/// How a stream that no upstream carries can be made; none if it cannot.
pub fn recipe(name: &str, offers: Offers<'_>) -> Option<Recipe> {
    let (symbol, shape) = parse(name)?;
    let stream = |kind: &str| -> Box<str> { format!("{symbol}@{kind}").into() };
    let native = |kind: &str| Some(stream(kind)).filter(|name| (offers.has)(name));
    let (method, sources) = match shape {
        Shape::Partial { levels, speed_ms } => cut(levels, speed_ms, &native).or_else(|| book(&native))?,
        Shape::Top => book(&native).or_else(|| tops(&native))?,
        Shape::Diff { speed_ms } if speed_ms > 100 => (Method::Merge, vec![native("depth@100ms")?]),
        Shape::Diff { .. } => return None,
        Shape::Mini => (Method::Project, vec![native("ticker")?]),
        Shape::Array { is_mini } => (Method::Gather, gather(is_mini, offers)?),
        Shape::Kline(interval) => kline(interval, &native)?,
        Shape::Mark => (Method::Sample, vec![native("markPrice@1s")?]),
    };
    Some(Recipe { symbol: symbol.into(), shape, method, sources })
}

/// A native stream of as many levels, that is faster.
fn cut(levels: usize, speed_ms: u64, native: &dyn Fn(&str) -> Option<Box<str>>) -> Option<(Method, Vec<Box<str>>)> {
    let candidates = [5, 10, 20].into_iter().filter(|deep| *deep >= levels);
    let mut candidates = candidates.filter(|deep| *deep > levels || speed_ms > 100);
    let source = candidates.find_map(|deep| native(&format!("depth{deep}@100ms")))?;
    Some((Method::Cut, vec![source]))
}

/// Of a partial stream the best level is known as often as it comes.
fn tops(native: &dyn Fn(&str) -> Option<Box<str>>) -> Option<(Method, Vec<Box<str>>)> {
    let candidates = ["depth5@100ms", "depth10@100ms", "depth20@100ms", "depth5", "depth10", "depth20"];
    Some((Method::Cut, vec![candidates.into_iter().find_map(native)?]))
}

/// The fastest source first.
fn book(native: &dyn Fn(&str) -> Option<Box<str>>) -> Option<(Method, Vec<Box<str>>)> {
    if let Some(frames) = native("book") {
        return Some((Method::BookOfFrames, vec![frames]));
    }
    let snapshot = native("snapshot")?;
    let diffs = ["depth@100ms", "depth", "depth@500ms"].into_iter().find_map(native)?;
    Some((Method::BookOfDiffs, vec![diffs, snapshot]))
}

/// The same source for all symbols, so that no two rows differ in kind.
fn gather(is_mini: bool, offers: Offers<'_>) -> Option<Vec<Box<str>>> {
    let kinds: &[&str] = if is_mini { &["miniTicker", "ticker"] } else { &["ticker"] };
    let all = |kind: &&str| -> Vec<Box<str>> {
        let names = offers.symbols.iter().map(|symbol| format!("{symbol}@{kind}").into_boxed_str());
        names.filter(|name| (offers.has)(name)).collect()
    };
    kinds.iter().map(all).find(|sources| !sources.is_empty() && sources.len() <= ARRAY_SYMBOLS_MAX)
}

/// Klines of a minute are best: one joined late still tells all of its minute. Then the longest that fit, which need the
/// least to be known; trades come last.
fn kline(interval: Interval, native: &dyn Fn(&str) -> Option<Box<str>>) -> Option<(Method, Vec<Box<str>>)> {
    let minute = INTERVALS[0];
    let others = INTERVALS.into_iter().skip(1).rev().chain([SECOND]);
    let shorter = std::iter::once(minute).chain(others).filter(|shorter| shorter.tiles(interval));
    for shorter in shorter {
        if let Some(source) = native(&format!("kline_{}", shorter.name())) {
            return Some((Method::Klines(shorter), vec![source]));
        }
    }
    let trades = native("trade").or_else(|| native("aggTrade"))?;
    Some((Method::Trades, vec![trades]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `native` are the streams there are; expected are the method and the sources.
    fn check(name: &str, native: &[&str], expected: Option<(Method, &[&str])>) {
        let symbols: Vec<Box<str>> = vec!["btcusdt".into(), "ethusdt".into()];
        let offers = Offers { has: &|name| native.contains(&name), symbols: &symbols };
        let recipe = recipe(name, offers);
        let found = recipe
            .as_ref()
            .map(|recipe| (recipe.method, recipe.sources.iter().map(|source| &**source).collect::<Vec<_>>()));
        assert_eq!(found, expected.map(|(method, sources)| (method, sources.to_vec())), "{name} of {native:?}");
    }

    #[test]
    fn depth_comes_from_what_costs_least() {
        let diffs = ["x@depth", "x@depth@100ms", "x@snapshot"];
        let of_diffs = Some((Method::BookOfDiffs, &["x@depth@100ms", "x@snapshot"][..]));
        check("x@depth5", &diffs, of_diffs);
        check("x@depth20@100ms", &diffs, of_diffs);
        check("x@bookTicker", &diffs, of_diffs);
        check("x@depth20", &["x@depth@100ms"], None);
        check("x@depth20", &["x@snapshot"], None);
        check("x@depth20", &["x@snapshot", "x@depth"], Some((Method::BookOfDiffs, &["x@depth", "x@snapshot"])));
        check("x@depth10@500ms", &["x@book", "x@snapshot", "x@depth"], Some((Method::BookOfFrames, &["x@book"])));
        check("x@depth5@250ms", &["x@depth5@100ms", "x@book"], Some((Method::Cut, &["x@depth5@100ms"])));
        check("x@depth5@100ms", &["x@depth20@100ms"], Some((Method::Cut, &["x@depth20@100ms"])));
        check("x@depth10@500ms", &["x@depth5@100ms"], None);
        check("x@bookTicker", &["x@depth5", "x@depth20@100ms"], Some((Method::Cut, &["x@depth20@100ms"])));
        check("x@bookTicker", &["x@depth5", "x@book"], Some((Method::BookOfFrames, &["x@book"])));
        check("x@depth7", &diffs, None);
        check("x@depth5@1s", &diffs, None);
    }

    #[test]
    fn the_other_streams() {
        check("x@depth", &["x@depth@100ms"], Some((Method::Merge, &["x@depth@100ms"])));
        check("x@depth@500ms", &["x@depth@100ms"], Some((Method::Merge, &["x@depth@100ms"])));
        check("x@depth@100ms", &["x@depth@100ms", "x@depth"], None);
        check("x@miniTicker", &["x@ticker"], Some((Method::Project, &["x@ticker"])));
        check("x@ticker", &["x@trade"], None);
        check("x@markPrice", &["x@markPrice@1s"], Some((Method::Sample, &["x@markPrice@1s"])));
        check("x@markPrice@1s", &["x@markPrice"], None);
        let tickers = ["btcusdt@ticker", "ethusdt@ticker", "x@ticker"];
        check("!ticker@arr", &tickers, Some((Method::Gather, &tickers[..2])));
        check("!miniTicker@arr", &tickers, Some((Method::Gather, &tickers[..2])));
        let minis = ["btcusdt@miniTicker", "btcusdt@ticker"];
        check("!miniTicker@arr", &minis, Some((Method::Gather, &minis[..1])));
        check("!ticker@arr", &["x@ticker"], None);
        check("!bookTicker", &["btcusdt@bookTicker"], None);
        check("btcusdt@snapshot", &tickers, None);
    }

    #[test]
    fn klines_come_from_shorter_ones_or_from_trades() {
        let trades = Some((Method::Trades, &["x@trade"][..]));
        let minutes = Some((Method::Klines(INTERVALS[0]), &["x@kline_1m"][..]));
        for interval in INTERVALS.into_iter().chain([SECOND]) {
            check(&format!("x@kline_{}", interval.name()), &["x@trade", "x@aggTrade"], trades);
        }
        for interval in INTERVALS.into_iter().skip(1) {
            check(&format!("x@kline_{}", interval.name()), &["x@trade", "x@kline_1m", "x@kline_1h"], minutes);
        }
        check("x@kline_1m", &["x@aggTrade"], Some((Method::Trades, &["x@aggTrade"])));
        let hours = Interval::parse("1h").unwrap();
        check("x@kline_1d", &["x@kline_1h", "x@kline_5m"], Some((Method::Klines(hours), &["x@kline_1h"])));
        check("x@kline_1m", &["x@kline_1s", "x@trade"], Some((Method::Klines(SECOND), &["x@kline_1s"])));
        check("x@kline_1m@+08:00", &["x@trade"], None);
        check("x@kline_7m", &["x@trade"], None);
        check("@kline_1m", &["@trade"], None);
    }

    /// Above its bound an array is not made rather than made of some.
    #[test]
    fn arrays_are_bounded() {
        let symbols: Vec<Box<str>> = (0..=ARRAY_SYMBOLS_MAX).map(|number| format!("s{number}").into()).collect();
        let made = |symbols| recipe("!ticker@arr", Offers { has: &|_| true, symbols }).is_some();
        assert!(made(&symbols[1..]) && !made(&symbols));
    }

    proptest! {
        /// No name is a panic, and what is made is made of what there is.
        #[test]
        fn any_name(name in "\\PC{0,20}|[a-z]{0,3}@(depth5|kline_1[smhdwM]|trade|miniTicker)(@[0-9]{3}ms)?", all: bool) {
            let offers = Offers { has: &|name| all || name.ends_with("@trade"), symbols: &[] };
            if let Some(recipe) = recipe(&name, offers) {
                prop_assert!(recipe.sources.iter().all(|source| (offers.has)(source) && **source != *name));
                prop_assert!(!recipe.group().is_empty());
            }
        }
    }
}
