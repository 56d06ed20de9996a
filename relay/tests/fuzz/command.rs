//! Whatever a client writes is answered by one JSON value that repeats its id.

use relay::wire::hub::first::{First, first};
use relay::wire::json::Object;
use relay::wire::stream::command::{self, Command};
use relay::wire::stream::name::{Name, Profile, is_listen_key};
use relay::wire::stream::reply;
use serde_json::Value;

use super::input::{as_json, mutate, spell};

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"", " ", "null", "true", "0", "-7", "1.5", "\"method\":", "\"params\":",
    "\"id\":", "\"SUBSCRIBE\"", "\"UNSUBSCRIBE\"", "\"LIST_SUBSCRIPTIONS\"", "\"SET_PROPERTY\"", "\"GET_PROPERTY\"",
    "\"combined\"", "\"btcusdt@trade\"", "\"BTCUSDT@kline_1m\"", "\"!ticker@arr\"", "\"\\ud800\"", "\"\\u0041\"",
    "{\"method\":\"SUBSCRIBE\",\"params\":[", "],\"id\":1}", "\"type\":", "x@y", "{\"id\":18446744073709551615,",
];

const PROFILES: [Profile; 2] = [Profile::Bitzoom, Profile::Binance];

fn check(text: &str) {
    for profile in PROFILES {
        let mut answer = Vec::new();
        let id = match command::parse(text, profile) {
            Ok(request) => {
                check_command(&request.command, profile);
                let id = &request.id;
                match &request.command {
                    Command::Subscribe(names) => reply::list(names.iter().map(Name::text), id, &mut answer),
                    Command::SubscribeUser { keys, .. } => {
                        reply::list(keys.iter().map(String::as_str), id, &mut answer)
                    }
                    Command::Unsubscribe(names) => reply::list(names.iter().map(String::as_str), id, &mut answer),
                    Command::SetCombined(value) => reply::property(*value, id, &mut answer),
                    Command::List | Command::GetCombined => reply::ok(id, &mut answer),
                }
                Some(request.id)
            }
            Err(reject) => {
                reject.write(&mut answer);
                reject.id
            }
        };
        let answer = as_json(&answer);
        let expected = id.map(|id| serde_json::from_str::<Value>(id.text()).unwrap());
        assert_eq!(answer.get("id"), expected.as_ref());
    }
    // Whoever is decided has said something whole.
    assert!(first(text) == First::Undecided || Object::open(text).is_some());
}

fn check_command(command: &Command, profile: Profile) {
    let names = match command {
        Command::Subscribe(names) => {
            assert!(!names.is_empty());
            names
        }
        Command::SubscribeUser { keys, names } => {
            // What may be a listen key is never taken for a stream, nor a stream for a key.
            assert!(!keys.is_empty() && keys.iter().all(|key| is_listen_key(key)));
            assert!(names.iter().all(|name| !is_listen_key(name.text())));
            names
        }
        _ => return,
    };
    for name in names {
        // The form a name is kept under is a name, and its own form.
        assert_eq!(Name::parse(name.text(), profile).as_ref(), Ok(name));
    }
}

/// Words of the protocol in any order.
#[test]
fn fuzz_command_words() {
    bolero::check!().with_max_len(60).for_each(|input: &[u8]| check(&spell(input, WORDS)));
}

/// Real commands with some damage.
#[test]
fn fuzz_command_damage() {
    let samples = [
        r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","BTCUSDT@depth5@100ms","!miniTicker@arr"],"id":1}"#,
        r#"{"id":"a-1","method":"UNSUBSCRIBE","params":["btcusdt@kline_1m"]}"#,
        r#"{"method":"SET_PROPERTY","params":["combined",true],"id":5}"#,
        r#"{"method":"GET_PROPERTY","params":["combined"],"id":null}"#,
        r#"{"method":"LIST_SUBSCRIPTIONS","id":-3}"#,
        r#"{"type":"subscribe","channel":"ticker"}"#,
        r#"{"method":"SUBSCRIBE","params":["pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1","!ticker@arr"],"id":1}"#,
    ];
    let samples = samples.map(|sample| sample.as_bytes().to_vec());
    bolero::check!().with_max_len(33).for_each(|input: &[u8]| {
        if let Ok(text) = String::from_utf8(mutate(input, &samples)) {
            check(&text);
        }
    });
}
