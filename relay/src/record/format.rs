//! The bytes of a recording: its header, and the records inside a block.
//!
//! A file is a header, then blocks ([`super::block`]), then an index of them. Numbers that stand alone are
//! little-endian; inside the header and a block's records they are varints (LEB128). docs/recording.md has the layout.

use crate::limits::{RECORD_BODY_BYTES_MAX, RECORD_HEADER_BYTES_MAX, RECORD_UPSTREAMS_MAX};

/// The first byte is no text and the line ends are of two kinds, so that a transfer that changes them is noticed.
pub const MAGIC: [u8; 8] = *b"\x89RLY\r\n\x1a\n";
pub const VERSION: u8 = 1;

/// Magic, version, length and checksum.
pub const HEADER_START_BYTES: usize = 8 + 1 + 4 + 4;

/// What a file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Since 1970, as all times here.
    pub created_ns: u64,
    /// A record names its upstream by the place in this list.
    pub upstreams: Vec<Origin>,
}

/// An upstream that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub name: String,
    /// What its messages are decoded by.
    pub kind: String,
    /// Without the query, where keys may stand.
    pub url: String,
    /// What OKX and Deriv were configured to have, in their spelling: their decoders need it.
    pub symbols: Vec<String>,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was received.
    pub at_ns: u64,
    pub upstream: u32,
    pub connection: u32,
    pub kind: Kind,
    pub body: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A complete message of the venue.
    Frame,
    /// The connection stands; the body is the number of its lane in decimal digits.
    Connected,
    /// It is over; the body says why.
    Lost,
    /// The relay asked for streams: the request's number and their names, parted by blanks. Decoders need to know.
    Asked,
    /// The same of streams that it ended.
    Ended,
    /// The body is how many records before this one are missing here, in decimal digits.
    Missed,
    /// A connection that stands already: its lane and the streams it was asked for, parted by blanks. A reader that
    /// begins here needs it, others know it.
    Standing,
}

impl Kind {
    pub const ALL: [Kind; 7] =
        [Kind::Frame, Kind::Connected, Kind::Lost, Kind::Asked, Kind::Ended, Kind::Missed, Kind::Standing];

    fn byte(self) -> u8 {
        self as u8
    }

    fn of(byte: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(byte)).copied()
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderError {
    #[error("not a recording")]
    Magic,
    #[error("a recording of version {0}; this relay reads version {VERSION}")]
    Version(u8),
    #[error("the header is cut short")]
    Short,
    #[error("the header is damaged")]
    Damaged,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, self.created_ns);
        put(&mut body, self.upstreams.len() as u64);
        for Origin { name, kind, url, .. } in &self.upstreams {
            [name, kind, url].into_iter().for_each(|text| put_text(&mut body, text));
        }
        for Origin { symbols, .. } in &self.upstreams {
            put(&mut body, symbols.len() as u64);
            symbols.iter().for_each(|symbol| put_text(&mut body, symbol));
        }
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// How long the header's body is, and its checksum, from the start of a file.
    pub fn start(bytes: &[u8]) -> Result<(usize, u32), HeaderError> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(HeaderError::Magic);
        }
        let start = bytes.first_chunk::<HEADER_START_BYTES>().ok_or(HeaderError::Short)?;
        if start[8] != VERSION {
            return Err(HeaderError::Version(start[8]));
        }
        let length = u32_at(start, 9) as usize;
        if length > RECORD_HEADER_BYTES_MAX {
            return Err(HeaderError::Damaged);
        }
        Ok((length, u32_at(start, 13)))
    }

    pub fn decode(body: &[u8], checksum: u32) -> Result<Header, HeaderError> {
        if crc32fast::hash(body) != checksum {
            return Err(HeaderError::Damaged);
        }
        Header::read(body).ok_or(HeaderError::Damaged)
    }

    fn read(body: &[u8]) -> Option<Header> {
        let mut at = 0;
        let created_ns = take(body, &mut at)?;
        let count = take(body, &mut at)?;
        if count > RECORD_UPSTREAMS_MAX as u64 {
            return None;
        }
        let mut text = || text_at(body, &mut at);
        let upstreams =
            (0..count).map(|_| Some(Origin { name: text()?, kind: text()?, url: text()?, symbols: Vec::new() }));
        let mut upstreams = upstreams.collect::<Option<Vec<Origin>>>()?;
        // The first recordings ended here.
        if at < body.len() {
            for upstream in &mut upstreams {
                let count = take(body, &mut at)?;
                upstream.symbols = (0..count).map(|_| text_at(body, &mut at)).collect::<Option<_>>()?;
            }
        }
        Some(Header { created_ns, upstreams })
    }
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    put(body, text.len() as u64);
    body.extend_from_slice(text.as_bytes());
}

fn text_at(body: &[u8], at: &mut usize) -> Option<String> {
    let length = usize::try_from(take(body, at)?).ok()?;
    let bytes = body.get(*at..at.checked_add(length)?)?;
    *at += length;
    String::from_utf8(bytes.to_vec()).ok()
}

/// A number and names, as the bodies of some kinds have them. A name has no blank.
pub fn words<'a>(number: u64, names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut body = number.to_string();
    for name in names {
        body.push(' ');
        body += name;
    }
    body.into_bytes()
}

/// The same, taken apart. What is no number is zero, which our own bodies never have.
pub fn split_words(body: &[u8]) -> (u64, impl Iterator<Item = &str>) {
    let mut words = std::str::from_utf8(body).unwrap_or_default().split(' ');
    let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    (number, words.filter(|name| !name.is_empty()))
}

/// Where a reader stands in a block's records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    at: usize,
    now_ns: u64,
}

impl Cursor {
    /// At the first record of a block that begins at this time.
    pub fn new(first_ns: u64) -> Cursor {
        Cursor { at: 0, now_ns: first_ns }
    }

    /// The next record. `None` at the end, and where the rest is no record, which a checksum has ruled out before.
    pub fn next<'a>(&mut self, records: &'a [u8]) -> Option<Record<'a>> {
        let mut at = self.at;
        let delta = take(records, &mut at)?;
        let at_ns = self.now_ns.wrapping_add(unzigzag(delta));
        let upstream = u32::try_from(take(records, &mut at)?).ok()?;
        let connection = u32::try_from(take(records, &mut at)?).ok()?;
        let kind = Kind::of(*records.get(at)?)?;
        at += 1;
        let length = usize::try_from(take(records, &mut at)?).ok().filter(|length| *length <= RECORD_BODY_BYTES_MAX)?;
        let body = records.get(at..at.checked_add(length)?)?;
        *self = Cursor { at: at + length, now_ns: at_ns };
        Some(Record { at_ns, upstream, connection, kind, body })
    }

    pub fn is_at_end(self, records: &[u8]) -> bool {
        self.at == records.len()
    }
}

/// Appends one record. `previous_ns` is the time of the one before, in the block.
pub fn put_record(out: &mut Vec<u8>, record: &Record<'_>, previous_ns: u64) {
    put(out, zigzag(record.at_ns.wrapping_sub(previous_ns)));
    put(out, u64::from(record.upstream));
    put(out, u64::from(record.connection));
    out.push(record.kind.byte());
    put(out, record.body.len() as u64);
    out.extend_from_slice(record.body);
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Threads hand their records over a little out of order: times may go back, so their differences have signs.
fn zigzag(delta: u64) -> u64 {
    let signed = delta as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}

fn unzigzag(coded: u64) -> u64 {
    (coded >> 1) ^ (coded & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        let origin = |name: &str| Origin {
            name: name.into(),
            kind: "stream".into(),
            url: format!("ws://{name}/ws"),
            symbols: vec![format!("{name}-USDT")],
        };
        Header { created_ns: 1_795_193_581_000_000_000, upstreams: vec![origin("a"), origin("é")] }
    }

    fn decode(bytes: &[u8]) -> Result<Header, HeaderError> {
        let (length, checksum) = Header::start(bytes)?;
        let body = bytes.get(HEADER_START_BYTES..HEADER_START_BYTES + length).ok_or(HeaderError::Short)?;
        Header::decode(body, checksum)
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_byte_is_noticed() {
        let bytes = header().encode();
        assert_eq!(decode(&bytes), Ok(header()));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x40;
            assert!(decode(&bad).is_err(), "byte {at}");
            assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
        }
        let (created, upstreams) = (header().created_ns, header().upstreams.into_iter());
        let upstreams = upstreams.map(|origin| Origin { symbols: Vec::new(), ..origin }).collect();
        let without = Header { created_ns: created, upstreams };
        let body = &without.encode()[HEADER_START_BYTES..];
        assert_eq!(Header::read(&body[..body.len() - 2]), Some(without), "as the first recordings were");
        let mut newer = bytes;
        newer[8] = 9;
        assert_eq!(decode(&newer), Err(HeaderError::Version(9)));
        assert_eq!(decode(b"{\"e\":1}"), Err(HeaderError::Magic));
    }

    proptest! {
        #[test]
        fn records_come_back(times in proptest::collection::vec(any::<u64>(), 1..20), body: Vec<u8>, upstream: u32) {
            let mut out = Vec::new();
            let mut previous = times[0];
            let record = |at_ns, kind| Record { at_ns, upstream, connection: u32::MAX, kind, body: &body };
            for (time, kind) in times.iter().zip(Kind::ALL.into_iter().cycle()) {
                put_record(&mut out, &record(*time, kind), previous);
                previous = *time;
            }
            let mut cursor = Cursor::new(times[0]);
            for (time, kind) in times.iter().zip(Kind::ALL.into_iter().cycle()) {
                prop_assert_eq!(cursor.next(&out), Some(record(*time, kind)));
            }
            prop_assert!(cursor.is_at_end(&out) && cursor.next(&out).is_none());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, first_ns: u64) {
            let mut cursor = Cursor::new(first_ns);
            while cursor.next(&bytes).is_some() {}
            let _ = Header::read(&bytes);
            let _ = decode(&[&MAGIC[..], &[VERSION], &bytes].concat());
        }
    }
}
