//! Request targets, and what the stream dialect reads from them.

use relay::limits::URL_NAMES_MAX;
use relay::wire::http::target::Target;
use relay::wire::stream::name::Profile;
use relay::wire::stream::reply::Reject;
use relay::wire::stream::url::{self, Entry};

use super::input::{as_json, spell};

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "/", "/ws", "/ws/", "/stream", "?", "&", "=", "#", "%", "%2F", "%40", "%e5%b8%81", "%ff", "%zz", "streams=",
    "notices=1", "timeUnit=", "btcusdt@trade", "BTCUSDT@depth", "!ticker@arr", "@", "!", "+08:00", "ws://", "h:80",
    "https://", "a@b/", "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1", "//",
    "x@y/x@y/x@y/x@y/x@y/x@y/x@y/x@y/",
];

fn check(text: &str) {
    let Ok(target) = Target::parse(text) else { return };
    let path = target.path();
    assert!(path.starts_with('/'));
    assert!(target.segments().count() >= 1);

    // Escaping every byte of what was read changes nothing.
    let escaped: String = path.bytes().skip(1).map(|byte| format!("%{byte:02x}")).collect();
    let escaped = format!("/{escaped}");
    assert_eq!(Target::parse(&escaped).unwrap().path(), path);
    for (name, _) in target.query() {
        assert!(target.value(&name).is_some());
    }

    for profile in [Profile::Bitzoom, Profile::Binance] {
        let Ok(url) = url::parse(&target, profile) else { continue };
        match url.entry {
            Entry::Raw(good, bad) | Entry::Combined(good, bad) => {
                assert!(good.len() + bad.len() <= URL_NAMES_MAX);
                let mut answer = Vec::new();
                Reject::invalid_streams_in_url(&bad).write(&mut answer);
                as_json(&answer);
            }
            Entry::ListenKey(key) => assert_eq!(key.len(), 64),
            Entry::Plain | Entry::NotStream => {}
        }
    }
}

/// Parts of URLs in any order.
#[test]
fn fuzz_target() {
    bolero::check!().with_max_len(120).for_each(|input: &[u8]| {
        let text = spell(input, WORDS);
        check(&text);
        check(&format!("/stream?streams={text}"));
        check(&format!("/ws/{text}"));
    });
}
