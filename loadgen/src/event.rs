//! Venue events that can be verified wherever they arrive.
//!
//! An event is one JSON object of the stream dialect. Its price field carries a marker:
//! `~` due time (16 hex digits, monotonic ns) topic (6) sequence number (12) lateness of the venue (6, µs) checksum (8) `~`.
//! The checksum covers every byte of the object but itself, so one changed digit anywhere is noticed.

use std::io::Write;

const MARKER_BYTES: usize = 50;
const CHECKSUM_AT: usize = 41;
const LATE_US_MAX: u64 = 0xff_ffff;

/// What the names of a run look like: one `{t}` stands for the topic's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    before: String,
    after: String,
}

impl NameTemplate {
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("{t}") {
            Some((before, after)) if !after.contains("{t}") => {
                Ok(Self { before: before.to_owned(), after: after.to_owned() })
            }
            _ => Err(format!("'{text}' must contain {{t}} once, for the topic's number")),
        }
    }

    pub fn name(&self, topic: u32) -> String {
        format!("{}{topic}{}", self.before, self.after)
    }

    pub fn topic(&self, name: &str) -> Option<u32> {
        let digits = name.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let topic = digits.parse().ok()?;
        // `+7` and `007` parse, but are other names.
        (self.name(topic) == name).then_some(topic)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Every event counts
    Trade,
    /// The newest replaces the ones before
    Ticker,
}

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub due_ns: u64,
    pub topic: u32,
    pub seq: u64,
    pub late_us: u32,
}

/// Why bytes are no event of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// An acknowledgement, an error, a notice: it carries no marker.
    NoMarker,
    Corrupt,
}

/// Appends one event of `size` bytes (more, if it cannot be said in fewer).
pub fn write(out: &mut Vec<u8>, kind: Kind, name: &str, size: usize, mark: Mark, wall_ms: u64) {
    let start = out.len();
    let symbol = name.split('@').next().unwrap_or(name).to_ascii_uppercase();
    let Mark { due_ns, topic, seq, late_us } = mark;
    let put = |out: &mut Vec<u8>, text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("a Vec takes every write");
    match kind {
        Kind::Trade => put(out, format_args!(r#"{{"e":"trade","E":{wall_ms},"s":"{symbol}","t":{seq},"p":""#)),
        Kind::Ticker => put(out, format_args!(r#"{{"e":"24hrTicker","E":{wall_ms},"s":"{symbol}","p":""#)),
    }
    let marker = out.len();
    let late_us = u64::from(late_us).min(LATE_US_MAX);
    put(out, format_args!("~{due_ns:016x}{topic:06x}{seq:012x}{late_us:06x}00000000~"));
    let padding = out.len();
    match kind {
        Kind::Trade => put(out, format_args!(r#"","q":"1.000","T":{wall_ms},"m":true}}"#)),
        Kind::Ticker => put(
            out,
            format_args!(
                r#"","P":"1.02","w":"1.5","c":"1.6","Q":"2","o":"1.4","h":"1.7","l":"1.3","v":"10","q":"15","O":{},"C":{wall_ms},"F":1,"L":2,"n":2}}"#,
                wall_ms.saturating_sub(86_400_000)
            ),
        ),
    }
    let missing = size.saturating_sub(out.len() - start);
    out.splice(padding..padding, std::iter::repeat_n(b'x', missing));
    let sum = checksum(&out[start..], marker - start);
    write!(&mut out[marker + CHECKSUM_AT..marker + CHECKSUM_AT + 8], "{sum:08x}").expect("eight digits fit");
}

/// What an event says, if every byte of it is as it was sent.
pub fn verify(event: &[u8]) -> Result<Mark, Unverified> {
    let Some(at) = event.iter().position(|&byte| byte == b'~') else {
        return Err(Unverified::NoMarker);
    };
    let marker = event.get(at..at + MARKER_BYTES).ok_or(Unverified::Corrupt)?;
    let field = |from: usize, to: usize| hex(&marker[from..to]).ok_or(Unverified::Corrupt);
    let sum = field(CHECKSUM_AT, CHECKSUM_AT + 8)?;
    if sum != u64::from(checksum(event, at)) {
        return Err(Unverified::Corrupt);
    }
    Ok(Mark {
        due_ns: field(1, 17)?,
        topic: field(17, 23)? as u32,
        seq: field(23, 35)?,
        late_us: field(35, 41)? as u32,
    })
}

/// The event inside a combined frame, and the name the frame gives it.
pub fn unwrap_combined(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = payload.strip_prefix(br#"{"stream":""#)?;
    let end = rest.iter().position(|&byte| byte == b'"')?;
    let event = rest[end..].strip_prefix(br#"","data":"#)?.strip_suffix(b"}")?;
    Some((&rest[..end], event))
}

/// Over everything but the eight digits of the checksum in the marker at `marker`.
fn checksum(event: &[u8], marker: usize) -> u32 {
    let sum = mix(mix(event.len() as u64, &event[..marker + CHECKSUM_AT]), &event[marker + CHECKSUM_AT + 8..]);
    (sum ^ (sum >> 32)) as u32
}

/// Quick rather than strong: it must notice accidents, at millions of events per second.
fn mix(mut sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    for &word in words {
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x9fb2_1c65_1e98_df25);
        sum ^= sum >> 32;
    }
    for &byte in rest {
        sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    sum ^ (sum >> 29)
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, &digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark { due_ns: 0x1234_5678_9abc, topic: 77, seq: 123_456_789, late_us: 12 };

    fn event(kind: Kind, size: usize) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(&mut out, kind, "s77usdt@trade", size, MARK, 1_700_000_000_000);
        out.split_off(6)
    }

    /// What is written is valid JSON of the asked size and reads back.
    #[test]
    fn round_trip() {
        for (kind, size, length) in [(Kind::Trade, 200, 200), (Kind::Ticker, 400, 400), (Kind::Trade, 0, 155)] {
            let event = event(kind, size);
            assert_eq!(event.len(), length);
            assert_eq!(verify(&event), Ok(MARK));
            let json: serde_json::Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(json["s"], "S77USDT");
        }
    }

    /// Any one changed byte is noticed, and so is a cut.
    #[test]
    fn corruption() {
        let good = event(Kind::Trade, 200);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(verify(&bad).is_err(), "byte {at}");
            assert!(verify(&good[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(verify(br#"{"result":null,"id":1}"#), Err(Unverified::NoMarker));
        assert_eq!(verify(b"~"), Err(Unverified::Corrupt));
    }

    /// Names and numbers match both ways, and only exactly.
    #[test]
    fn names() {
        let template = NameTemplate::parse("s{t}usdt@trade").unwrap();
        assert_eq!(template.name(12), "s12usdt@trade");
        for (name, topic) in
            [("s12usdt@trade", Some(12)), ("s012usdt@trade", None), ("susdt@trade", None), ("s1usdt@ticker", None)]
        {
            assert_eq!(template.topic(name), topic, "{name}");
        }
        assert!(NameTemplate::parse("btcusdt@trade").is_err());
    }

    /// The wrapper of combined streams comes off, and nothing else passes for one.
    #[test]
    fn combined() {
        assert_eq!(unwrap_combined(br#"{"stream":"a@b","data":{"e":1}}"#), Some((&b"a@b"[..], &br#"{"e":1}"#[..])));
        assert_eq!(unwrap_combined(br#"{"result":null,"id":1}"#), None);
        assert_eq!(unwrap_combined(br#"{"stream":"a@b"}"#), None);
    }
}
