//! What the relay itself tells clients that asked for it with `?notices=1`.

use super::push;
use crate::wire::json::append;
use crate::wire::notice::Notice;

/// Appends a notice, which belongs to a subscription as its pushes do: `head` is what stands before those.
pub fn notice(notice: &Notice<'_>, head: &[u8], out: &mut Vec<u8>) {
    let Notice { time_ms, state, skipped, from, to, .. } = notice;
    let (symbol, state) = (notice.subject(), state.name());
    out.extend_from_slice(push::envelope(head));
    append(
        out,
        format_args!(
            "\"msg_type\":\"relay_notice\",\"relay_notice\":{{\"time_ms\":{time_ms},\"symbol\":\"{symbol}\",\
             \"state\":\"{state}\",\"skipped\":{skipped},\"from\":{from},\"to\":{to}}}}}"
        ),
    );
}

/// Appends the word that the server is about to stop: reconnect now, whatever you subscribed to.
pub fn server_shutdown(time_ms: u64, out: &mut Vec<u8>) {
    append(
        out,
        format_args!(
            "{{\"msg_type\":\"relay_notice\",\"relay_notice\":{{\"time_ms\":{time_ms},\"state\":\"shutdown\"}}}}"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::deriv::push::PushKind;
    use crate::wire::deriv::request::Echo;
    use crate::wire::notice::StreamState;

    #[test]
    fn notices_read_as_documented() {
        let echo = Echo { text: "{\"ticks\":\"R_50\"}".into(), req_id: Some("1".into()), passthrough: None };
        let id = [b'x'; 36];
        let missed = Notice { time_ms: 9, channel: "ticks R_50", state: StreamState::Live, skipped: 3, from: 4, to: 6 };
        let expected = format!(
            r#"{{"echo_req":{{"ticks":"R_50"}},"req_id":1,"subscription":{{"id":"{}"}},"msg_type":"relay_notice","relay_notice":{{"time_ms":9,"symbol":"R_50","state":"live","skipped":3,"from":4,"to":6}}}}"#,
            "x".repeat(36)
        );
        for kind in [PushKind::Tick, PushKind::Ohlc] {
            let mut out = Vec::new();
            notice(&missed, &push::head(&echo, kind, &id), &mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        }
    }

    #[test]
    fn shutdown_is_told() {
        let mut out = Vec::new();
        server_shutdown(9, &mut out);
        let expected = r#"{"msg_type":"relay_notice","relay_notice":{"time_ms":9,"state":"shutdown"}}"#;
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }
}
