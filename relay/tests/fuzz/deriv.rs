//! Whatever a Deriv client writes is answered by one JSON value that repeats it.

use relay::limits::{DERIV_HISTORY_MAX, DERIV_REQUEST_BYTES_MAX, DERIV_SUBSCRIPTIONS_MAX};
use relay::wire::deriv::id::subscription_id;
use relay::wire::deriv::push::{self, PushKind, TickView};
use relay::wire::deriv::reply;
use relay::wire::deriv::request::{self, Call, Echo, GRANULARITIES_S, is_symbol};
use serde_json::Value;

use super::input::{as_json, mutate, spell};

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"", " ", "null", "true", "1", "-7", "1.5", "\"1\"", "\"ping\":1", "\"time\":",
    "\"ticks\":", "\"ticks_history\":\"R_50\"", "\"end\":\"latest\"", "\"end\":", "\"start\":", "\"count\":",
    "\"style\":\"candles\"", "\"granularity\":60", "\"subscribe\":1", "\"req_id\":", "\"passthrough\":{", "\"R_100\"",
    "\"forget_all\":", "\"active_symbols\":\"brief\"", "\"buy\":", "\"\\ud800\"", "\"\\u0041\"", "18446744073709551615",
    "\"c84a793b-8a87-7999-ce10-9b22f7ceead3\"", "\"forget\":",
];

fn check(text: &str) {
    let mut answer = Vec::new();
    let echo = match request::parse(text) {
        Ok(request) => {
            check_call(&request.call);
            reply::ping(&request.echo, &mut answer);
            check_push(&request.echo);
            request.echo
        }
        Err(refusal) => {
            reply::error(Some(&refusal.echo), refusal.msg_type, &refusal.reject, &mut answer);
            refusal.echo
        }
    };
    let answer = as_json(&answer);
    for (key, repeated) in [("req_id", &echo.req_id), ("passthrough", &echo.passthrough)] {
        assert_eq!(answer.get(key).map(Value::to_string), repeated.as_ref().map(|text| value(text).to_string()));
    }
    if !echo.text.is_empty() {
        assert_eq!(answer["echo_req"], value(text));
        assert!(echo.text.len() <= DERIV_REQUEST_BYTES_MAX);
    }
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn check_call(call: &Call) {
    match call {
        Call::Ticks { symbols, .. } => {
            assert!((1..=DERIV_SUBSCRIPTIONS_MAX).contains(&symbols.len()));
            assert!(symbols.iter().all(|symbol| is_symbol(symbol)));
        }
        Call::History(history) => {
            assert!(is_symbol(&history.symbol));
            assert!((1..=DERIV_HISTORY_MAX).contains(&history.count()));
            assert!(history.candle_s().is_none_or(|candle_s| GRANULARITIES_S.contains(&candle_s)));
        }
        _ => {}
    }
}

/// Head and tail are one message.
fn check_push(echo: &Echo) {
    let id = subscription_id(1, &echo.text, "R_100");
    let mut message = push::head(echo, PushKind::Tick, &id);
    let tick = TickView { ask: "3", bid: "1", quote: "2", epoch_s: 4, pip_size: 0, symbol: "R_100" };
    push::tick_tail(&tick, &mut message);
    let message = as_json(&message);
    assert_eq!(message["tick"]["id"], message["subscription"]["id"]);
    assert_eq!(message["tick"]["symbol"], "R_100");
}

/// Words of the protocol in any order.
#[test]
fn fuzz_deriv_words() {
    bolero::check!().with_max_len(40).for_each(|input: &[u8]| check_text(&spell(input, WORDS)));
}

/// Real requests with some damage.
#[test]
fn fuzz_deriv_damage() {
    let samples = [
        r#"{"ticks":["R_100","frxEURUSD"],"subscribe":1,"req_id":3,"passthrough":{"uuid":"u1"}}"#,
        r#"{"ticks_history":"R_50","end":"latest","count":2,"start":1,"style":"candles","granularity":60,"subscribe":1}"#,
        r#"{"forget":"c84a793b-8a87-7999-ce10-9b22f7ceead3"}"#,
        r#"{"forget_all":["ticks","candles"],"req_id":"7"}"#,
        r#"{"active_symbols":"full","product_type":"basic"}"#,
        r#"{"website_status":1}"#,
        r#"{"proposal":1,"amount":100,"symbol":"R_100"}"#,
    ];
    let samples = samples.map(|sample| sample.as_bytes().to_vec());
    bolero::check!().with_max_len(33).for_each(|input: &[u8]| {
        if let Ok(text) = String::from_utf8(mutate(input, &samples)) {
            check_text(&text);
        }
    });
}

/// What serde_json would not read, lone surrogates, only has to be judged.
fn check_text(text: &str) {
    if serde_json::from_str::<Value>(text).is_ok()
        || request::parse(text).is_err_and(|refusal| refusal.echo.text.is_empty())
    {
        check(text);
    }
}
