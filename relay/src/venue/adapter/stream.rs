//! A feed that speaks the stream dialect as we do: another relay, or a venue of Binance's manner. One lane.

use super::{Adapter, Conversation, Invalid, Lane, Said};
use crate::wire::json::JsonErrorKind;
use crate::wire::stream::upstream::{self as wire, Upstream};

/// Where everything is named as it is here, and arrives wrapped with its name.
pub struct Stream {
    lanes: [Lane; 1],
}

impl Stream {
    /// `path` is the combined endpoint: only there does every payload name its stream.
    pub fn new(path: &str) -> Self {
        Self { lanes: [Lane { name: "", path: path.into() }] }
    }
}

impl Adapter for Stream {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, _: &str) -> Option<usize> {
        Some(0)
    }

    fn converse(&self, _: usize) -> Box<dyn Conversation> {
        Box::new(Plain)
    }
}

/// Nothing has to be remembered.
struct Plain;

impl Conversation for Plain {
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String {
        wire::subscribe_line(streams, id)
    }

    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        wire::unsubscribe_line(streams, id)
    }

    fn decode(&mut self, message: &[u8], _: u64, said: &mut dyn FnMut(Said<'_>)) {
        // Ids of ours are numbers; whatever else stands there answers the oldest request.
        let number = |id: Option<&str>| id.and_then(|id| id.parse().ok());
        match wire::decode(message) {
            Ok(Upstream::Data { stream, data }) => said(Said::Data { stream: &stream, payload: data }),
            Ok(Upstream::Ack { id, .. }) => said(Said::Ack { id: number(id) }),
            Ok(Upstream::Error { id, code, msg }) => said(Said::Error { id: number(id), code, msg: &msg }),
            Ok(Upstream::Shutdown) => said(Said::Shutdown),
            Ok(Upstream::Other) => said(Said::Invalid(Invalid::NoStreamName)),
            Err(error) if error.kind == JsonErrorKind::NotUtf8 => said(Said::Invalid(Invalid::NotUtf8)),
            Err(_) => said(Said::Invalid(Invalid::NotJson)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(message: &[u8], expected: &str) {
        let mut heard = Vec::new();
        Stream::new("/stream").converse(0).decode(message, 0, &mut |said| heard.push(format!("{said:?}")));
        assert_eq!(heard.join(" "), expected, "{}", String::from_utf8_lossy(message));
    }

    #[test]
    fn every_message_means_one_thing() {
        check(br#"{"stream":"a@trade","data":1}"#, r#"Data { stream: "a@trade", payload: [49] }"#);
        check(br#"{"result":null,"id":7}"#, "Ack { id: Some(7) }");
        check(br#"{"result":null,"id":"x"}"#, "Ack { id: None }");
        check(br#"{"error":{"code":4,"msg":"no"},"id":1}"#, r#"Error { id: Some(1), code: 4, msg: "no" }"#);
        check(br#"{"e":"serverShutdown","E":1}"#, "Shutdown");
        check(br#"{"e":"trade"}"#, "Invalid(NoStreamName)");
        check(b"{", "Invalid(NotJson)");
        check(b"\"\xff\"", "Invalid(NotUtf8)");
    }

    #[test]
    fn requests_are_those_of_a_client() {
        let mut talk = Stream::new("/stream").converse(0);
        assert_eq!(talk.hello(), None);
        assert_eq!(talk.subscribe(&["a@trade"], 1), r#"{"method":"SUBSCRIBE","params":["a@trade"],"id":1}"#);
        assert_eq!(talk.unsubscribe(&["a@trade"], 2), r#"{"method":"UNSUBSCRIBE","params":["a@trade"],"id":2}"#);
    }

    proptest! {
        #[test]
        fn any_bytes_mean_exactly_one_thing(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut count = 0;
            Stream::new("/stream").converse(0).decode(&bytes, 0, &mut |_| count += 1);
            prop_assert_eq!(count, 1);
        }
    }
}
