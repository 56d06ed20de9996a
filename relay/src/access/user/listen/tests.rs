use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::access::account::{Account, Accounts, Cap, Required};
use crate::access::pattern::Pattern;
use crate::access::user::UserSink;
use crate::market::topic::Topic;
use crate::wire::http::target::Target;
use crate::wire::stream::name::{Name, Profile};
use crate::wire::stream::url::{self, Entry};

/// The account of a token.
fn account(token: &str) -> AccountId {
    Accounts::default().find(&Key::parse(token).unwrap()).unwrap()
}

fn configured(index: usize) -> AccountId {
    let one = |name: &usize| Account {
        name: name.to_string(),
        keys: vec![],
        dialects: None,
        topics: vec![Pattern::any()],
        connections: Cap::Usual,
        messages_per_second: Cap::Usual,
    };
    let accounts = Accounts::new(Required::Nobody, (0..=index).collect::<Vec<_>>().iter().map(one).collect());
    accounts.iter().nth(index).unwrap().0
}

/// Never the same for two numbers.
fn random(number: u32) -> Random {
    let mut bytes = [0; 128];
    for (at, byte) in bytes[..64].iter_mut().step_by(2).enumerate() {
        *byte = (number >> at) as u8 & 1;
    }
    bytes
}

fn ip(last: u8) -> Share {
    Share::Address(IpKey::from(IpAddr::from([203, 0, 113, last])))
}

fn create(keys: &mut ListenKeys, token: &str, number: u32, now_ms: u64) -> String {
    keys.create(account(token), Share::Exempt, now_ms, || random(number)).unwrap().text().to_owned()
}

#[test]
fn a_key_is_letters_and_digits_of_all_its_randomness() {
    let key = ListenKey::new(std::array::from_fn(|at| (at * 37) as u8));
    assert!(is_listen_key(key.text()), "{}", key.text());
    assert_eq!(format!("{key:?}"), "ListenKey(not shown)");
    for at in 0..128 {
        let mut random = [0; 128];
        random[at] = 1;
        assert_ne!(ListenKey::new(random).text(), ListenKey::new([0; 128]).text(), "byte {at} matters");
    }
}

#[test]
fn expired_keys_are_told_once_with_their_owner() {
    let mut keys = ListenKeys::default();
    let (first, second) = (create(&mut keys, "a", 1, 0), create(&mut keys, "b", 2, 1));
    let (topic, other) = (keys.open(&first, 1).unwrap(), keys.open(&second, 1).unwrap());
    assert_eq!(keys.due_ms(), Some(LIFE_MS));
    assert_eq!(keys.ended(LIFE_MS - 1), []);
    let ended = keys.ended(LIFE_MS);
    assert_eq!(ended.len(), 1);
    assert_eq!((ended[0].topic, ended[0].key.text(), ended[0].why), (topic, first.as_str(), End::Expired));
    assert_ne!(ended[0].topic, other);
    assert_eq!((keys.open(&first, LIFE_MS), keys.open(&second, LIFE_MS)), (None, Some(other)));
    assert_eq!(keys.ended(LIFE_MS), []);
    // One that is asked for anew before anybody looked is told all the same.
    let third = create(&mut keys, "b", 3, 2 * LIFE_MS);
    let ended = keys.ended(2 * LIFE_MS);
    assert_eq!((ended.len(), ended[0].topic), (1, other));
    // The old connection does not live on by the new key.
    assert_ne!(keys.open(&third, 2 * LIFE_MS).unwrap(), other);
    assert_eq!(keys.open(&third, 2 * LIFE_MS).unwrap().channel(), other.channel());
}

#[test]
fn a_closed_key_ends_its_connections() {
    let mut keys = ListenKeys::default();
    let key = create(&mut keys, "a", 1, 0);
    let topic = keys.open(&key, 0).unwrap();
    assert!(keys.close(account("a"), 1) && !keys.close(account("a"), 1));
    let ended = keys.ended(1);
    assert_eq!((ended.len(), ended[0].topic, ended[0].why), (1, topic, End::Closed));
    assert_eq!((keys.count(), keys.due_ms()), (0, None));
}

/// Whoever makes up tokens uses up its own share, and accounts of the configuration have room whatever others do.
#[test]
fn the_table_is_bounded() {
    let mut keys = ListenKeys::default();
    let mut number = 0;
    let mut ask = |keys: &mut ListenKeys, share, now_ms| {
        number += 1;
        let account = if share == Share::Configured { configured(3) } else { account(&number.to_string()) };
        keys.create(account, share, now_ms, || random(number)).map(|_| ())
    };
    for _ in 0..LISTEN_KEYS_PER_IP_MAX {
        assert_eq!(ask(&mut keys, ip(1), 0), Ok(()));
    }
    assert_eq!(ask(&mut keys, ip(1), 0), Err(CreateError::AddressFull));
    assert_eq!(ask(&mut keys, ip(2), 0), Ok(()));
    while keys.count() < LISTEN_KEYS_MAX {
        assert_eq!(ask(&mut keys, Share::Exempt, 0), Ok(()));
    }
    assert_eq!(ask(&mut keys, ip(3), 0), Err(CreateError::Full));
    assert_eq!(ask(&mut keys, Share::Exempt, 0), Err(CreateError::Full));
    assert_eq!(ask(&mut keys, Share::Configured, 0), Ok(()));
    // Who has a key keeps it, and an hour later there is room again.
    assert!(keys.extend(account("1"), 1).is_some());
    assert_eq!(ask(&mut keys, ip(1), LIFE_MS), Ok(()));
    assert_eq!(keys.count(), 2);
}

/// A broken source of random numbers costs the second account its key, never the first one its secret.
#[test]
fn no_two_accounts_get_one_key() {
    let mut keys = ListenKeys::default();
    let first = create(&mut keys, "a", 1, 0);
    assert_eq!(keys.create(account("b"), Share::Exempt, 0, || random(1)).err(), Some(CreateError::NotRandom));
    assert_eq!(keys.open(&first, 0).unwrap().account(), account("a"));
    assert_eq!(keys.count(), 1);
}

/// Every account that could have a channel, by its name.
fn channels() -> Vec<String> {
    let tokens = ["T", "0", "btcusdt@trade"].map(account);
    let all = tokens.into_iter().chain([0, 1, 7].map(configured));
    all.map(|account| UserSink::of(account).channel()).collect()
}

#[test]
fn channels_are_their_accounts_own() {
    let channels = channels();
    let unique: std::collections::BTreeSet<&String> = channels.iter().collect();
    assert_eq!(unique.len(), channels.len());
    for channel in &channels {
        assert!(channel.starts_with("user ") && channel.len() <= crate::limits::NAME_BYTES_MAX, "{channel}");
        assert_eq!(Topic::parse(channel), None, "no product writes there");
    }
}

/// Every name that a client's text turns into, whatever the dialect.
fn resolved(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for profile in [Profile::Bitzoom, Profile::Binance] {
        names.extend(Name::parse(text, profile).map(|name| name.text().to_owned()));
        for target in [format!("/ws/{text}"), format!("/stream?streams={text}")] {
            let Ok(target) = Target::parse(&target) else { continue };
            if let Ok(url::Url { entry: Entry::Raw(good, _) | Entry::Combined(good, _), .. }) =
                url::parse(&target, profile)
            {
                names.extend(good.iter().map(|name| name.text().to_owned()));
            }
        }
    }
    names.extend(Topic::parse(text).map(|topic| topic.to_string()));
    names.push(Topic::Hub { channel: text.into() }.to_string());
    names.push(Topic::Ticks { symbol: text.into(), history: false }.to_string());
    names
}

/// An operation on the table.
#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Extend(u8),
    Close(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8).prop_map(Step::Create),
        (0..4u8).prop_map(Step::Extend),
        (0..4u8).prop_map(Step::Close),
        (0..LIFE_MS).prop_map(Step::Wait),
    ]
}

proptest! {
    /// No text of a client is the name of a user's channel.
    #[test]
    fn no_typed_name_is_a_channel(
        text in "\\PC{0,20}|user( |%20|\\+|/|\u{a0}|\t)[0-7](@trade)?|user [0-9]|!user [0-9]|user sha256:[0-9a-f]{64}",
        which in 0..6usize,
    ) {
        let channels = channels();
        for text in [&text, &channels[which], &channels[which].replace(' ', "%20")] {
            for name in resolved(text) {
                prop_assert!(!channels.contains(&name), "{text:?} became {name:?}");
            }
        }
    }

    /// Whatever accounts do, a key opens the data of the one it was given to, while it lives, and of nobody else; and
    /// every key that was given ends exactly once.
    #[test]
    fn a_key_opens_its_owners_data_only(steps in proptest::collection::vec(step(), 0..60)) {
        let mut keys = ListenKeys::default();
        let owner = |index: u8| account(&index.to_string());
        let (mut now_ms, mut made) = (0, 0);
        // Each key ever given: its text, its owner, and when it runs out; `None` once it is over.
        let mut given: Vec<(String, u8, Option<u64>)> = Vec::new();
        let mut ended = Vec::new();
        for step in steps {
            for (_, _, expires_ms) in &mut given {
                *expires_ms = expires_ms.filter(|at| now_ms < *at);
            }
            let live = |given: &[(String, u8, Option<u64>)], index| {
                given.iter().position(|(_, owner, expires_ms)| *owner == index && expires_ms.is_some())
            };
            match step {
                Step::Create(index) => {
                    made += 1;
                    let key = keys.create(owner(index), ip(index), now_ms, || random(made)).unwrap().text().to_owned();
                    match live(&given, index) {
                        Some(at) => {
                            prop_assert_eq!(&key, &given[at].0);
                            given[at].2 = Some(now_ms + LIFE_MS);
                        }
                        None => given.push((key, index, Some(now_ms + LIFE_MS))),
                    }
                }
                Step::Extend(index) => {
                    let at = live(&given, index);
                    prop_assert_eq!(keys.extend(owner(index), now_ms).is_some(), at.is_some());
                    if let Some(at) = at {
                        given[at].2 = Some(now_ms + LIFE_MS);
                    }
                }
                Step::Close(index) => {
                    let at = live(&given, index);
                    prop_assert_eq!(keys.close(owner(index), now_ms), at.is_some());
                    if let Some(at) = at {
                        given[at].2 = None;
                    }
                }
                Step::Wait(ms) => now_ms += ms,
            }
            for (key, index, expires_ms) in &given {
                let expected = expires_ms.filter(|at| now_ms < *at).map(|_| owner(*index));
                let topic = keys.open(key, now_ms);
                prop_assert_eq!(topic.map(|topic| topic.account()), expected);
                for other in 0..4 {
                    let is_owner = expected.is_some() && other == *index;
                    prop_assert_eq!(keys.is_own(owner(other), key, now_ms), is_owner);
                }
            }
            ended.extend(keys.ended(now_ms));
        }
        ended.extend(keys.ended(now_ms + 2 * LIFE_MS));
        prop_assert_eq!(ended.len(), given.len());
        for one in &ended {
            let (_, index, _) = given.iter().find(|(key, ..)| key == one.key.text()).unwrap();
            prop_assert_eq!(one.topic.account(), owner(*index));
        }
        prop_assert_eq!((keys.count(), keys.due_ms(), keys.shared, keys.by_ip.len()), (0, None, 0, 0));
    }
}
