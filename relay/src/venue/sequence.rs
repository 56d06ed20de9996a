//! What orders the frames of a stream, by its name, and where a frame says it stands.
//!
//! It is read from every frame of every upstream, so it stops at the keys it looks for: they stand at the beginning,
//! before the arrays.

#[cfg(test)]
mod tests;

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
    quick(payload, keys, enough).or_else(|| thorough(payload, keys, enough))
}

/// The same for texts as venues write them: no space between the parts, no escapes. None if it is unsure.
/// What comes here was found to be JSON before; this costs every frame of every upstream, so it checks nothing again.
fn quick<const N: usize>(payload: &[u8], keys: [&str; N], enough: usize) -> Option<[Option<u64>; N]> {
    let mut found = [None; N];
    let mut rest = payload.strip_prefix(b"{")?;
    loop {
        rest = rest.strip_prefix(b"\"")?;
        let (key, after) = rest.split_at(memchr::memchr(b'"', rest)?);
        let value = after.strip_prefix(b"\":")?;
        if key.contains(&b'\\') {
            return None;
        }
        let end = match value.first()? {
            b'"' => {
                let quote = 1 + memchr::memchr(b'"', &value[1..])?;
                if value[quote - 1] == b'\\' {
                    return None;
                }
                quote + 1
            }
            b'{' | b'[' => return (found.iter().flatten().count() >= enough).then_some(found),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                value.iter().position(|byte| matches!(byte, b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t'))?
            }
            _ => return None,
        };
        let mut is_wanted = false;
        for (slot, _) in found.iter_mut().zip(keys).filter(|(_, wanted)| wanted.as_bytes() == key) {
            *slot = digits(&value[..end]);
            is_wanted = true;
        }
        if is_wanted && found.iter().all(Option::is_some) {
            return Some(found);
        }
        rest = match value.get(end)? {
            b',' => &value[end + 1..],
            b'}' => return Some(found),
            _ => return None,
        };
    }
}

/// A whole number that fits.
fn digits(text: &[u8]) -> Option<u64> {
    let step = |sum: u64, byte: &u8| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    };
    text.iter().try_fold(0, step)
}

/// The same for any JSON.
fn thorough<const N: usize>(payload: &[u8], keys: [&str; N], enough: usize) -> Option<[Option<u64>; N]> {
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
