//! What the relay itself tells clients that asked with `?notices=1`.

use std::io::Write;

use super::reply::timestamp;
use crate::wire::json;
use crate::wire::notice::Notice;

/// Appends a notice.
pub fn notice(notice: &Notice<'_>, out: &mut Vec<u8>) {
    let Notice { time_ms, state, skipped, from, to, .. } = *notice;
    out.extend_from_slice(b"{\"type\":\"notice\",\"channel\":");
    json::write_string(notice.subject(), out);
    let state = state.name();
    write!(out, ",\"state\":\"{state}\",\"skipped\":{skipped},\"from\":{from},\"to\":{to}")
        .expect("memory takes what is written to it");
    timestamp(time_ms, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::notice::StreamState;

    #[test]
    fn a_notice_reads_as_documented() {
        let missed = Notice {
            time_ms: 1_765_211_445_123,
            channel: "hub bitcoinprice",
            state: StreamState::Live,
            skipped: 3,
            from: 4,
            to: 6,
        };
        let mut out = Vec::new();
        notice(&missed, &mut out);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            r#"{"type":"notice","channel":"bitcoinprice","state":"live","skipped":3,"from":4,"to":6,"timestamp":"2025-12-08T16:30:45.123Z"}"#
        );
    }
}
