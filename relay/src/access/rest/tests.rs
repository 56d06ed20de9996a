use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::access::account::{Account, Cap, Required};
use crate::access::key::Key;
use crate::access::pattern::Pattern;
use crate::access::user::listen::LIFE_MS;
use crate::limits::LISTEN_REQUESTS_PER_MINUTE_MAX;
use crate::wire::dialect::Dialect;

const BITZOOM: &str = "/api/v1/listenKey";
const SPOT: &str = "/api/v3/userDataStream";
const FUTURES: &str = "/fapi/v1/listenKey";

/// A relay that is asked, with numbers instead of chance.
#[derive(Default)]
struct World {
    api: ListenApi,
    accounts: Accounts,
    now_ms: u64,
    made: u8,
    is_limited: bool,
}

impl World {
    fn configured() -> World {
        let account = |name: &str, key: &str, dialects| Account {
            name: name.to_owned(),
            keys: vec![Key::parse(key).unwrap().digest()],
            dialects,
            topics: vec![Pattern::any()],
            connections: Cap::Usual,
            messages_per_second: Cap::Usual,
        };
        let list =
            vec![account("alice", "a", None), account("bob", "b", None), account("hub", "h", Some(vec![Dialect::Hub]))];
        World { accounts: Accounts::new(Required::Nobody, list), ..World::default() }
    }

    fn full(&mut self, method: &str, target: &str, key: &str, body: &str, ip: u8) -> Answer {
        let target = Target::parse(target).unwrap();
        let request = Request {
            route: Route::of(&target).unwrap(),
            method,
            target: &target,
            body: body.as_bytes(),
            carried: Key::parse(key).map_or(Carried::Nothing, Carried::Key),
            ip: IpKey::from(IpAddr::from([203, 0, 113, ip])),
            is_exempt: !self.is_limited,
        };
        self.made += 1;
        let made = self.made;
        self.api.answer(&self.accounts, &request, self.now_ms, || std::array::from_fn(|at| made.wrapping_add(at as u8)))
    }

    fn ask(&mut self, method: &str, target: &str, key: &str) -> (u16, String) {
        let answer = self.full(method, target, key, "", 1);
        (answer.status, answer.body)
    }

    #[track_caller]
    fn check(&mut self, method: &str, target: &str, key: &str, status: u16, body: &str) {
        assert_eq!(self.ask(method, target, key), (status, body.to_owned()), "{method} {target}");
    }

    /// The key of an answer.
    fn listen_key(&mut self, target: &str, key: &str) -> String {
        let (status, body) = self.ask("POST", target, key);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let key = body.pointer("/data/listenKey").unwrap_or(&body["listenKey"]);
        assert_eq!(status, 200);
        key.as_str().unwrap().to_owned()
    }
}

const NO_SUCH_KEY: &str = r#"{"code":-1125,"msg":"This listenKey does not exist."}"#;

/// The life of a key, in Bitzoom's envelope.
#[test]
fn a_key_is_made_extended_and_closed() {
    let mut world = World::default();
    world.check("PUT", BITZOOM, "T", 400, NO_SUCH_KEY);
    let key = world.listen_key(BITZOOM, "T");
    assert!(key.len() == 64 && world.api.keys.open(&key, 0).is_some());
    world.now_ms = LIFE_MS - 1;
    assert_eq!(world.listen_key(BITZOOM, "T"), key, "the same while it lives");
    world.now_ms = 2 * LIFE_MS - 2;
    world.check("PUT", BITZOOM, "T", 200, r#"{"code":0,"data":{}}"#);
    world.now_ms = 3 * LIFE_MS - 3;
    world.check("PUT", &format!("{BITZOOM}/?listenKey={key}"), "T", 200, r#"{"code":0,"data":{}}"#);
    world.check("DELETE", BITZOOM, "T", 200, r#"{"code":0,"data":{}}"#);
    world.check("DELETE", BITZOOM, "T", 400, NO_SUCH_KEY);
    assert!(world.api.keys.open(&key, world.now_ms).is_none());
    assert_ne!(world.listen_key(BITZOOM, "T"), key, "a new one afterwards");
}

#[test]
fn after_an_hour_a_key_is_gone() {
    let mut world = World::default();
    let key = world.listen_key(BITZOOM, "T");
    world.now_ms = LIFE_MS;
    world.check("PUT", BITZOOM, "T", 400, NO_SUCH_KEY);
    assert_ne!(world.listen_key(BITZOOM, "T"), key);
}

/// The key of one account is no key to another one, whatever it asks for.
#[test]
fn keys_of_others_do_not_exist() {
    for mut world in [World::configured(), World::default()] {
        let alices = world.listen_key(SPOT, "a");
        let bobs = world.listen_key(SPOT, "b");
        assert_ne!(alices, bobs);
        for path in [BITZOOM, SPOT, FUTURES] {
            for method in ["PUT", "DELETE"] {
                let named = format!("{path}?listenKey={alices}");
                world.check(method, &named, "b", 400, NO_SUCH_KEY);
                let by_form = world.full(method, path, "b", &format!("listenKey={alices}"), 1);
                assert_eq!((by_form.status, by_form.body.as_str()), (400, NO_SUCH_KEY), "{method} {path}");
            }
        }
        let owner = |world: &mut World, key: &str| world.api.keys.open(key, 0).unwrap().account();
        assert_ne!(owner(&mut world, &alices), owner(&mut world, &bobs));
        assert!(world.api.keys.ended(0).is_empty());
    }
}

#[test]
fn binance_is_answered_in_its_words() {
    let mut world = World::configured();
    let key = world.listen_key(FUTURES, "a");
    assert_eq!(world.listen_key(SPOT, "a"), key, "one key for all paths");
    world.check("PUT", FUTURES, "a", 200, &format!(r#"{{"listenKey":"{key}"}}"#));
    world.check("PUT", &format!("{SPOT}?listenKey={key}"), "a", 200, "{}");
    let by_form = world.full("PUT", SPOT, "a", &format!("x=y&listenKey={key}\n"), 1);
    assert_eq!((by_form.status, by_form.body.as_str()), (200, "{}"));
    let not_named =
        r#"{"code":-1102,"msg":"Mandatory parameter 'listenKey' was not sent, was empty/null, or malformed."}"#;
    world.check("PUT", SPOT, "a", 400, not_named);
    world.check("PUT", &format!("{SPOT}?listenKey="), "a", 400, NO_SUCH_KEY);
    world.check("POST", SPOT, "", 401, r#"{"code":-2014,"msg":"API-key format invalid."}"#);
    let wrong = r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#;
    world.check("POST", SPOT, "c", 401, wrong);
    world.check("DELETE", FUTURES, "a", 200, "{}");
    world.check("DELETE", FUTURES, "a", 400, NO_SUCH_KEY);
}

#[test]
fn who_may_not_is_told_so() {
    let mut world = World::configured();
    let unauthorized = r#"{"code":401,"msg":"Unauthorized"}"#;
    world.check("POST", BITZOOM, "", 401, unauthorized);
    world.check("POST", BITZOOM, "c", 401, unauthorized);
    world.check("POST", BITZOOM, "h", 403, r#"{"code":403,"msg":"This API key is not for the stream dialect"}"#);
    world.check("GET", BITZOOM, "a", 405, r#"{"code":405,"msg":"Method not allowed"}"#);
    let header = |answer: &Answer, name| answer.headers.iter().find(|(found, _)| *found == name).cloned();
    assert!(header(&world.full("GET", BITZOOM, "a", "", 1), "allow").is_some());
    assert!(header(&world.full("POST", BITZOOM, "", "", 1), "www-authenticate").is_some());
    let long = world.full("PUT", BITZOOM, "a", &"x".repeat(FORM_BYTES_MAX + 1), 1);
    assert_eq!(long.status, 413);
}

#[test]
fn requests_are_limited_by_account_or_address() {
    let mut world = World { is_limited: true, ..World::configured() };
    for _ in 0..LISTEN_REQUESTS_PER_MINUTE_MAX {
        assert_eq!(world.ask("POST", BITZOOM, "wrong").0, 401);
    }
    let refused = world.full("POST", BITZOOM, "wrong", "", 1);
    assert_eq!((refused.status, refused.body.as_str()), (429, r#"{"code":429,"msg":"Too many requests"}"#));
    assert_eq!(refused.headers, [("retry-after", "60".to_owned())]);
    // Nobody else pays for it: not another address, not an account whose key came from the same one.
    assert_eq!(world.full("POST", BITZOOM, "wrong", "", 2).status, 401);
    for _ in 0..LISTEN_REQUESTS_PER_MINUTE_MAX {
        assert_eq!(world.ask("POST", BITZOOM, "a").0, 200);
    }
    assert_eq!(world.full("POST", BITZOOM, "a", "", 2).status, 429);
    assert_eq!(world.ask("POST", BITZOOM, "b").0, 200);
    world.now_ms = 60_000;
    assert_eq!(world.ask("POST", BITZOOM, "a").0, 200);
    let mut world = World::configured();
    assert!((0..200).all(|_| world.ask("POST", BITZOOM, "wrong").0 == 401), "an exempt address is not counted");
}

#[test]
fn only_these_paths_are_ours() {
    let check = |target: &str, expected| assert_eq!(Route::of(&Target::parse(target).unwrap()), expected, "{target}");
    check("/api/v1/listenKey", Some(Route::Bitzoom));
    check("/api/v1/listenKey/?x=y", Some(Route::Bitzoom));
    check("/api/v3/userDataStream", Some(Route::Spot));
    check("/fapi/v1/listenKey", Some(Route::Futures));
    check("/api/v1/listenkey", None);
    check("/api/v1/listenKey/x", None);
    check("/", None);
}

proptest! {
    /// Whatever comes is answered with JSON, and a wrong key never with a listen key.
    #[test]
    fn any_request_is_answered(
        method in "POST|PUT|DELETE|GET|\\PC{0,3}",
        path in "/api/v1/listenKey|/api/v3/userDataStream|/fapi/v1/listenKey",
        query in "(\\?listenKey=[a-z0-9%]{0,66})?",
        body in "\\PC{0,20}|listenKey=[a-z0-9%]{0,66}",
    ) {
        let target = format!("{path}{query}");
        prop_assume!(Target::parse(&target).is_ok());
        let mut world = World::configured();
        let answer = world.full(&method, &target, "wrong", &body, 1);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&answer.body).unwrap().is_object());
        prop_assert!([401, 405].contains(&answer.status));
        let answer = world.full(&method, &target, "a", &body, 1);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&answer.body).unwrap().is_object());
    }
}
