//! What orders the frames of a stream, by its name, and where a frame says it stands.
//!
//! It is read from every frame of every upstream, so it stops at the keys it looks for: they stand at the beginning,
//! before the arrays.

use crate::wire::json::{self, Member, Object, ValueKind};
use crate::wire::stream::upstream::is_closed_kline;

/// The keys stand within so many bytes, or the whole text is read.
const HEAD_BYTES: usize = 512;

/// What orders the frames of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Under this key each frame has the number after the one before.
    Follows(&'static str),
    /// The number under this key rises; what lies between two of them never was. Every frame counts.
    Rises(&'static str),
    /// Changes of a book: `U` to `u` without a hole, or a chain by `pu`.
    Chain,
    /// The same with snapshots in between, after which the chain begins anew.
    Book,
    /// State with a rising number under one of these keys.
    Newest([&'static str; 2]),
    /// State with a time (`E`).
    Timed,
    /// The rows that changed, with the time of the first.
    Rows,
    /// Candles: `E`, and each is closed once.
    Candles,
    /// Nothing does.
    Free,
}

/// Whether a venue's numbers of trades have holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// Each trade has the number after the one before: Binance's spot, and what speaks its dialect.
    #[default]
    Dense,
    /// They only rise: Binance's futures, venues whose trades stand for several fills.
    Sparse,
}

/// Where a frame says it stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It covers these numbers; the one before it ended just below `from`. `to` is smaller where the venue begins anew
    /// or says nothing new.
    Span {
        from: u64,
        to: u64,
        is_counted: bool,
        is_snapshot: bool,
    },
    /// State or event with a number of its own.
    Number(u64),
    Time(u64),
    /// A candle's frame; `closed` is the beginning of the candle it is the last of.
    Candle {
        time: u64,
        closed: Option<u64>,
    },
}

impl Rule {
    /// The rule for a stream of this name.
    pub fn of(stream: &str, numbers: Numbers) -> Rule {
        if stream.starts_with('!') {
            // Of all symbols one after the other: their numbers have nothing to do with each other.
            return if stream.contains("@arr") { Rule::Rows } else { Rule::Free };
        }
        let kind = stream.split('@').nth(1).unwrap_or_default();
        match (kind, numbers) {
            ("trade", Numbers::Dense) => Rule::Follows("t"),
            ("trade", Numbers::Sparse) => Rule::Rises("t"),
            ("aggTrade", _) => Rule::Follows("a"),
            ("depth" | "rpiDepth", _) => Rule::Chain,
            ("book", _) => Rule::Book,
            ("bookTicker", _) => Rule::Newest(["u", "u"]),
            ("snapshot", _) => Rule::Newest(["lastUpdateId", "u"]),
            ("miniTicker" | "markPrice" | "avgPrice", _) => Rule::Timed,
            _ if kind.starts_with("depth") => Rule::Newest(["lastUpdateId", "u"]),
            _ if kind.starts_with("ticker") => Rule::Timed,
            _ if kind.starts_with("kline_") || kind.starts_with("continuousKline_") => Rule::Candles,
            _ => Rule::Free,
        }
    }

    /// Whether a frame still counts after a newer one has been published: an event does, state is out of date, and a
    /// change of a book fits nowhere any more.
    pub fn keeps_late(self) -> bool {
        matches!(self, Rule::Follows(_) | Rule::Rises(_) | Rule::Rows | Rule::Free)
    }

    /// Whether holes in the numbers are frames that are missing.
    pub fn shows_holes(self) -> bool {
        matches!(self, Rule::Follows(_) | Rule::Chain | Rule::Book)
    }

    /// Where this frame stands; none if the rule has no place for it, or the frame does not say it.
    pub fn read(self, payload: &[u8]) -> Option<Mark> {
        match self {
            Rule::Free => None,
            Rule::Follows(key) => {
                let [Some(to)] = find(payload, [key], 1)? else { return None };
                Some(Mark::Span { from: to, to, is_counted: true, is_snapshot: false })
            }
            Rule::Rises(key) => {
                let [number] = find(payload, [key], 1)?;
                number.map(Mark::Number)
            }
            Rule::Newest(keys) => {
                let [first, second] = find(payload, keys, 1)?;
                first.or(second).map(Mark::Number)
            }
            Rule::Timed => time(payload).map(Mark::Time),
            Rule::Rows => {
                let row = memchr::memchr(b'{', payload)?;
                time(&payload[row..]).map(Mark::Time)
            }
            Rule::Chain => chain(payload),
            Rule::Book => {
                let head = &payload[..payload.len().min(HEAD_BYTES)];
                let is_snapshot = memchr::memmem::find(head, b"\"bookSnapshot\"").is_some();
                let [last, previous] = find(payload, ["u", "pu"], 1)?;
                let from = previous.map_or(0, |previous| previous.saturating_add(1));
                Some(Mark::Span { from, to: last?, is_counted: false, is_snapshot: is_snapshot || previous.is_none() })
            }
            Rule::Candles => {
                let closed = if is_closed_kline(payload) { opening(payload) } else { None };
                time(payload).map(|time| Mark::Candle { time, closed })
            }
        }
    }
}

impl Mark {
    /// The number or time that rises from frame to frame.
    pub fn place(self) -> u64 {
        match self {
            Mark::Span { to, .. } => to,
            Mark::Number(place) | Mark::Time(place) | Mark::Candle { time: place, .. } => place,
        }
    }
}

fn time(payload: &[u8]) -> Option<u64> {
    let [time] = find(payload, ["E"], 1)?;
    time
}

fn chain(payload: &[u8]) -> Option<Mark> {
    let [last, first, previous] = find(payload, ["u", "U", "pu"], 2)?;
    let to = last?;
    let mark = match (first, previous) {
        (_, Some(previous)) => {
            Mark::Span { from: previous.saturating_add(1), to, is_counted: false, is_snapshot: false }
        }
        (Some(from), None) if from <= to => Mark::Span { from, to, is_counted: true, is_snapshot: false },
        _ => return None,
    };
    Some(mark)
}

/// `k.t`; asked of closed candles only, so it may read everything.
fn opening(payload: &[u8]) -> Option<u64> {
    let mut frame = Object::open(json::utf8(payload).ok()?)?;
    while let Ok(Some(member)) = frame.next() {
        if member.key() == "k" {
            let [opening] = find(member.value.text.as_bytes(), ["t"], 1)?;
            return opening;
        }
    }
    None
}

/// The whole numbers under these keys. Where the first array or object begins it is enough to have found `enough` of
/// them; else the rest is read as well.
fn find<const N: usize>(payload: &[u8], keys: [&str; N], enough: usize) -> Option<[Option<u64>; N]> {
    let mut found = [None; N];
    let mut take = |member: Member<'_>| {
        let key = member.key();
        for (slot, _) in found.iter_mut().zip(keys).filter(|(_, wanted)| *wanted == key) {
            *slot = if member.value.kind == ValueKind::Number { member.value.text.parse().ok() } else { None };
        }
        found.iter().flatten().count()
    };
    let head = head(payload);
    let is_whole = head.len() == payload.len();
    let mut object = Object::open(head)?;
    let mut count = 0;
    // Errors are those of a text that was cut; the whole was found to be JSON before.
    while let Ok(Some(member)) = object.next_scalar() {
        // A number at the cut may go on behind it.
        if !is_whole && member.value.end == head.len() {
            break;
        }
        count = take(member);
        if count == N {
            return Some(found);
        }
    }
    if count < enough {
        let mut object = Object::open(json::utf8(payload).ok()?)?;
        while let Ok(Some(member)) = object.next() {
            if take(member) == N {
                break;
            }
        }
    }
    Some(found)
}

/// As much of the beginning as is looked at; a character that is cut is left out.
fn head(payload: &[u8]) -> &str {
    let head = &payload[..payload.len().min(HEAD_BYTES)];
    match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(stream: &str, payload: &str, expected: Option<Mark>) {
        let rule = Rule::of(stream, Numbers::Dense);
        assert_eq!(rule.read(payload.as_bytes()), expected, "{stream} {rule:?} {payload}");
    }

    fn span(from: u64, to: u64, is_counted: bool) -> Option<Mark> {
        Some(Mark::Span { from, to, is_counted, is_snapshot: false })
    }

    #[test]
    fn names_have_their_rules() {
        let check = |stream, rule| assert_eq!(Rule::of(stream, Numbers::Dense), rule, "{stream}");
        check("btcusdt@trade", Rule::Follows("t"));
        check("btcusdt@aggTrade", Rule::Follows("a"));
        check("btcusdt@depth", Rule::Chain);
        check("btcusdt@depth@100ms", Rule::Chain);
        check("btcusdt@depth20@100ms", Rule::Newest(["lastUpdateId", "u"]));
        check("btcusdt@book", Rule::Book);
        check("btcusdt@bookTicker", Rule::Newest(["u", "u"]));
        check("btcusdt@ticker", Rule::Timed);
        check("btcusdt@ticker_1h", Rule::Timed);
        check("btcusdt@markPrice@1s", Rule::Timed);
        check("btcusdt@kline_1m", Rule::Candles);
        check("btcusdt_perpetual@continuousKline_1m", Rule::Candles);
        check("!ticker@arr", Rule::Rows);
        check("!markPrice@arr@1s", Rule::Rows);
        check("!bookTicker", Rule::Free);
        check("r_100@tick", Rule::Free);
        check("btcusdt@forceOrder", Rule::Free);
        check("nonsense", Rule::Free);
        assert_eq!(Rule::of("btcusdt@trade", Numbers::Sparse), Rule::Rises("t"));
        assert_eq!(Rule::of("btcusdt@aggTrade", Numbers::Sparse), Rule::Follows("a"));
    }

    #[test]
    fn frames_say_where_they_stand() {
        check("x@trade", r#"{"e":"trade","E":5,"s":"X","t":12345,"p":"1"}"#, span(12345, 12345, true));
        check("x@aggTrade", r#"{"e":"aggTrade","E":5,"a":7,"f":1,"l":2}"#, span(7, 7, true));
        check("x@depth", r#"{"e":"depthUpdate","E":5,"s":"X","U":157,"u":160,"b":[],"a":[]}"#, span(157, 160, true));
        let futures = r#"{"e":"depthUpdate","E":5,"T":4,"s":"X","U":157,"u":160,"pu":149,"b":[["1","2"]],"a":[]}"#;
        check("x@depth@100ms", futures, span(150, 160, false));
        check("x@depth5", r#"{"lastUpdateId":160,"bids":[["1","2"]],"asks":[]}"#, Some(Mark::Number(160)));
        check("x@depth5", r#"{"e":"depthUpdate","U":1,"u":160,"b":[]}"#, Some(Mark::Number(160)));
        check("x@bookTicker", r#"{"u":400900217,"s":"X","b":"1"}"#, Some(Mark::Number(400900217)));
        check("x@ticker", r#"{"e":"24hrTicker","E":9,"s":"X"}"#, Some(Mark::Time(9)));
        check("!ticker@arr", r#" [ {"e":"24hrTicker","E":9,"s":"X"},{"E":10}]"#, Some(Mark::Time(9)));
        check("!ticker@arr", "[]", None);
        let open = r#"{"e":"kline","E":9,"s":"X","k":{"t":60,"x":false}}"#;
        check("x@kline_1m", open, Some(Mark::Candle { time: 9, closed: None }));
        let closed = open.replace("false", "true");
        check("x@kline_1m", &closed, Some(Mark::Candle { time: 9, closed: Some(60) }));
    }

    #[test]
    fn books_have_their_chain() {
        let update = r#"{"e":"bookUpdate","E":1,"s":"X","pu":9,"u":12,"b":[],"a":[]}"#;
        check("x@book", update, span(10, 12, false));
        // A maintenance reset: the chain holds, the number is smaller.
        check("x@book", r#"{"e":"bookUpdate","E":1,"pu":12,"u":3,"b":[]}"#, span(13, 3, false));
        let snapshot = |pu: &str| format!(r#"{{"e":"bookSnapshot","E":1,"s":"X",{pu}"u":12,"b":[],"a":[]}}"#);
        let mark = |from| Some(Mark::Span { from, to: 12, is_counted: false, is_snapshot: true });
        check("x@book", &snapshot(r#""pu":-1,"#), mark(0));
        check("x@book", &snapshot(r#""pu":0,"#), mark(1));
        check("x@book", &snapshot(""), mark(0));
    }

    /// Keys after arrays, behind long strings and written with escapes are found as well.
    #[test]
    fn the_order_of_keys_does_not_matter() {
        let levels = vec![r#"["1.0","2.0"]"#; 200].join(",");
        check("x@depth5", &format!(r#"{{"bids":[{levels}],"lastUpdateId":160}}"#), Some(Mark::Number(160)));
        check("x@depth", &format!(r#"{{"b":[{levels}],"U":1,"u":2}}"#), span(1, 2, true));
        check("x@trade", &format!(r#"{{"x":"{}","t":7}}"#, "é".repeat(400)), span(7, 7, true));
        check("x@trade", r#"{"\u0074":7}"#, span(7, 7, true));
        // A number that the end of the first look cuts.
        for length in 490..520 {
            let text = format!(r#"{{"x":"{}","t":1234567890123}}"#, "x".repeat(length));
            check("x@trade", &text, span(1_234_567_890_123, 1_234_567_890_123, true));
        }
    }

    #[test]
    fn what_says_nothing_has_no_place() {
        for payload in
            ["", "null", "[]", "{}", r#"{"t":"7"}"#, r#"{"t":1.5}"#, r#"{"t":-1}"#, r#"{"t":99999999999999999999}"#]
        {
            check("x@trade", payload, None);
        }
        check("x@depth", r#"{"U":5,"u":4}"#, None);
        check("x@depth", r#"{"U":5}"#, None);
        check("x@book", r#"{"pu":5}"#, None);
        check("x@forceOrder", r#"{"t":1,"E":2,"u":3}"#, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in "[\\[{\"tuUpuE:,0-9}]{0,40}") {
            for name in ["x@trade", "x@depth", "x@book", "x@depth5", "x@ticker", "!ticker@arr", "x@kline_1m"] {
                let rule = Rule::of(name, Numbers::Dense);
                let _ = rule.read(&bytes);
                let _ = rule.read(text.as_bytes());
            }
        }
    }
}
