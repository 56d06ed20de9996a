//! From random bytes to input that gets past the first check of a parser.

use serde_json::Value;

/// A text of words: a byte below 128 stands for a word of the list, a higher one for a character of its own.
pub fn spell(bytes: &[u8], words: &[&str]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match usize::from(byte) {
            low @ 0..128 => text.push_str(words[low % words.len()]),
            high => text.push(CHARACTERS[high % CHARACTERS.len()]),
        }
    }
    text
}

/// What breaks parsers: ends of ranges, what needs an escape, and all lengths of UTF-8.
#[rustfmt::skip] // A list.
const CHARACTERS: [char; 24] = [
    '\0', '\t', '\n', '\r', ' ', '"', '\\', '/', '%', '#', '?', '&', '=', '+', '@', '!', '0', 'A', 'z', '\u{7f}', 'é',
    '币', '\u{feff}', '😀',
];

/// One of the samples after some edits; every four bytes of input are one.
pub fn mutate(input: &[u8], samples: &[Vec<u8>]) -> Vec<u8> {
    let Some((&first, edits)) = input.split_first() else { return Vec::new() };
    let mut bytes = samples[usize::from(first) % samples.len()].clone();
    for edit in edits.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % (bytes.len() + 1);
        match edit[2] % 8 {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 if at < bytes.len() => bytes[at] = edit[3],
            3 if at < bytes.len() => bytes[at] ^= 1 << (edit[3] % 8),
            4 => bytes.insert(at, edit[3]),
            5 => bytes.insert(at, b"\"\\{}[],:0-.eE\xC3"[usize::from(edit[3]) % 14]),
            6 => {
                let end = (at + usize::from(edit[3])).min(bytes.len());
                let twice = bytes[at..end].to_vec();
                bytes.splice(at..at, twice);
            }
            7 => {
                let end = (at + usize::from(edit[3])).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {}
        }
        bytes.truncate(64 * 1024);
    }
    bytes
}

/// Every payload of the recorded ones, as a venue sends it raw and combined.
pub fn payloads() -> Vec<Vec<u8>> {
    let files = [
        include_str!("../../testdata/binance/payloads_spot.json"),
        include_str!("../../testdata/binance/payloads_usdm.json"),
        include_str!("../../testdata/bitzoom/payloads.json"),
    ];
    let mut samples = Vec::new();
    for file in files {
        let Value::Object(payloads) = serde_json::from_str(file).unwrap() else { panic!("names to payloads") };
        for (name, payload) in payloads {
            samples.push(format!(r#"{{"stream":{},"data":{payload}}}"#, Value::from(name)).into_bytes());
            samples.push(payload.to_string().into_bytes());
        }
    }
    samples
}

/// Answers as the wire expects them: one JSON value, nothing around it.
pub fn as_json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(bytes)))
}
