//! What a combined client gets around a frame's payload: `{"stream":"btcusdt@trade","data":` and `}`.

use crate::wire::json;
use crate::wire::ws::encode;

pub const SUFFIX: &[u8] = b"}";

/// Appends what goes before the payload.
pub fn prefix(stream: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"stream\":");
    json::write_string(stream, out);
    out.extend_from_slice(b",\"data\":");
}

/// Appends a whole frame; `prefix` is what [`prefix`] gave for the stream.
pub fn frame(prefix: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    encode::text([prefix, payload, SUFFIX], out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_in_its_wrapper_is_json() {
        let check = |stream, expected: &str| {
            let mut out = Vec::new();
            prefix(stream, &mut out);
            out.extend_from_slice(b"[1]");
            out.extend_from_slice(SUFFIX);
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        };
        check("btcusdt@trade", r#"{"stream":"btcusdt@trade","data":[1]}"#);
        check("币\"@x", r#"{"stream":"币\"@x","data":[1]}"#);
    }
}
