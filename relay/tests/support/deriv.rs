//! Deriv's messages: which are pushes of a subscription, and which answer a call.

use serde_json::Value;

use super::client::Client;

/// The document's own app_id.
pub const PATH: &str = "/websockets/v3?app_id=1089";

pub fn is_push(message: &Value) -> bool {
    matches!(message["msg_type"].as_str(), Some("tick" | "ohlc" | "relay_notice"))
}

/// The next push of the subscription that was asked for like this, others and answers aside.
#[track_caller]
pub fn next_push(client: &mut Client, request: &Value) -> Value {
    loop {
        let message = client.json();
        assert!(message["echo_req"] != *request || message.get("error").is_none(), "{message}");
        if is_push(&message) && message["echo_req"] == *request {
            return message;
        }
    }
}

/// The next message that is no push.
#[track_caller]
pub fn next_reply(client: &mut Client) -> Value {
    loop {
        let message = client.json();
        if !is_push(&message) {
            return message;
        }
    }
}

/// Sends a call; its answer, pushes aside.
#[track_caller]
pub fn call(client: &mut Client, request: &Value) -> Value {
    client.send(&request.to_string());
    let answer = next_reply(client);
    assert_eq!(answer["echo_req"], *request, "{answer}");
    answer
}
