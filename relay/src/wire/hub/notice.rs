//! What the relay itself tells clients that asked with `?notices=1`.

use std::io::Write;

use super::reply::timestamp;
use crate::wire::json;
use crate::wire::stream::notice::StreamState;

/// Sent ahead of the next message: what a client missed of a channel, and how the channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    pub time_ms: u64,
    pub channel: &'a str,
    pub state: StreamState,
    /// Frames that were skipped, and the seqs of the first and the last of them.
    pub skipped: u64,
    pub from: u64,
    pub to: u64,
}

impl Notice<'_> {
    /// Appends the notice.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self { time_ms, channel, state, skipped, from, to } = *self;
        out.extend_from_slice(b"{\"type\":\"notice\",\"channel\":");
        json::write_string(channel, out);
        let state = state.name();
        write!(out, ",\"state\":\"{state}\",\"skipped\":{skipped},\"from\":{from},\"to\":{to}")
            .expect("memory takes what is written to it");
        timestamp(time_ms, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_reads_as_documented() {
        let notice = Notice {
            time_ms: 1_765_211_445_123,
            channel: "bitcoinprice",
            state: StreamState::Live,
            skipped: 3,
            from: 4,
            to: 6,
        };
        let mut out = Vec::new();
        notice.write(&mut out);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            r#"{"type":"notice","channel":"bitcoinprice","state":"live","skipped":3,"from":4,"to":6,"timestamp":"2025-12-08T16:30:45.123Z"}"#
        );
    }
}
