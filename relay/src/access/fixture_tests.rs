//! The recorded life of a listen key at both venues, request by request.

use std::net::IpAddr;

use serde_json::Value;

use super::account::Accounts;
use super::carry::carried;
use super::rest::{ListenApi, Request, Route};
use super::user::listen::Random;
use crate::wire::http::ip::IpKey;
use crate::wire::http::target::Target;
use crate::wire::stream::name::Profile;
use crate::wire::stream::url::{self, Entry};

/// The fixtures' key, for which we put our own.
const KEY: &str = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1";

fn numbers(number: u8) -> Random {
    std::array::from_fn(|at| number ^ at as u8)
}

fn check(fixture: &str) {
    let (mut api, accounts, mut made, mut ours) = (ListenApi::default(), Accounts::default(), 0, KEY.to_owned());
    let mut lines = fixture.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut count = 0;
    while let Some(line) = lines.next() {
        if let Some(path) = line["connect"].as_str() {
            let url = url::parse(&Target::parse(path).unwrap(), Profile::Bitzoom).unwrap();
            let Entry::ListenKey(key) = url.entry else { panic!("{path}") };
            assert_eq!((api.keys.open(&key, 0), line["status"].as_u64()), (None, Some(401)));
        }
        let Some(asked) = line["http"].as_object().filter(|_| line["from"] == "client") else { continue };
        let path = asked["path"].as_str().unwrap().replace(KEY, &ours);
        let target = Target::parse(&path).unwrap();
        let headers = asked["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap().as_bytes()));
        let request = Request {
            route: Route::of(&target).unwrap(),
            method: asked["method"].as_str().unwrap(),
            target: &target,
            body: b"",
            carried: carried(headers, &target),
            ip: IpKey::from(IpAddr::from([203, 0, 113, 7])),
            is_exempt: false,
        };
        let answer = api.answer(&accounts, &request, 0, || {
            made += 1;
            numbers(made)
        });
        let expected = &lines.next().unwrap()["http"];
        if let Some(key) = answer.body.split('"').find(|text| text.len() == KEY.len()) {
            ours = key.to_owned();
        }
        let body = expected["body"].as_str().unwrap().replace(KEY, &ours);
        assert_eq!((u64::from(answer.status), answer.body), (expected["status"].as_u64().unwrap(), body), "{path}");
        count += 1;
    }
    assert!(count >= 5);
}

#[test]
fn bitzoom_is_answered_as_recorded() {
    check(include_str!("../../testdata/bitzoom/listen_key_rest.jsonl"));
}

#[test]
fn binance_is_answered_as_recorded() {
    check(include_str!("../../testdata/binance/listen_key_rest.jsonl"));
}
