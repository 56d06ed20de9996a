use std::net::IpAddr;

use super::*;
use crate::wire::dialect::Dialect;

fn key(text: &str) -> Key<'_> {
    Key::parse(text).unwrap()
}

fn account(name: &str, keys: &[&str]) -> Account {
    Account {
        name: name.to_owned(),
        keys: keys.iter().map(|text| key(text).digest()).collect(),
        dialects: None,
        topics: vec![Pattern::any()],
        connections: Cap::Usual,
        messages_per_second: Cap::Usual,
    }
}

fn two() -> Vec<Account> {
    vec![account("alice", &["a1", "a2"]), account("bob", &["b1"])]
}

fn visitor<'a>(key: Option<&'a Key<'a>>) -> Visitor<'a> {
    Visitor { dialects: &[Dialect::Stream], key, is_loopback: false, needs_key: false }
}

fn ip() -> IpKey {
    IpKey::from("203.0.113.7".parse::<IpAddr>().unwrap())
}

#[test]
fn every_key_of_an_account_finds_it_and_no_other_does() {
    let accounts = Accounts::new(Required::Nobody, two());
    let name = |text| {
        let id = accounts.find(&key(text))?;
        accounts.iter().find(|(other, _)| *other == id).map(|(_, account)| account.name.as_str())
    };
    assert_eq!(name("a1"), Some("alice"));
    assert_eq!(name("a2"), Some("alice"));
    assert_eq!(name("b1"), Some("bob"));
    for stranger in ["a", "a11", "A1", "b2", "sha256:", &key("a1").digest().to_string()] {
        assert_eq!(accounts.find(&key(stranger)), None, "{stranger}");
    }
}

/// Without accounts, who brings the same token is the same account, and nobody else is.
#[test]
fn tokens_are_accounts_where_none_is_configured() {
    let accounts = Accounts::default();
    assert_eq!(accounts.find(&key("T")), accounts.find(&key("T")));
    assert_ne!(accounts.find(&key("T")), accounts.find(&key("U")));
    let entitlement = accounts.admit(visitor(Some(&key("T")))).unwrap();
    assert!(entitlement.account().is_some() && entitlement.allows_topic("btcusdt@trade"));
    // Making up tokens wins no places.
    assert_eq!(entitlement.connections(ip()), (Counted::Ip(ip()), Cap::Usual));
    assert_eq!(entitlement.counted(ip()), Counted::Ip(ip()));
}

#[test]
fn keys_are_asked_from_whom_the_setting_says() {
    let check = |required, is_loopback, expected: Option<Why>| {
        let accounts = Accounts::new(required, two());
        let visitor = Visitor { is_loopback, ..visitor(None) };
        assert_eq!(accounts.admit(visitor).err(), expected, "{required:?} {is_loopback}");
        // A good key is good and a wrong one wrong, whoever has to bring one.
        let (good, bad) = (key("b1"), key("b2"));
        assert!(accounts.admit(Visitor { key: Some(&good), ..visitor }).is_ok(), "{required:?}");
        assert_eq!(accounts.admit(Visitor { key: Some(&bad), ..visitor }).err(), Some(Why::WrongKey), "{required:?}");
        assert_eq!(accounts.admit(Visitor { needs_key: true, ..visitor }).err(), Some(Why::NoKey), "{required:?}");
    };
    check(Required::Nobody, false, None);
    check(Required::Nobody, true, None);
    check(Required::Remote, false, Some(Why::NoKey));
    check(Required::Remote, true, None);
    check(Required::Everybody, false, Some(Why::NoKey));
    check(Required::Everybody, true, Some(Why::NoKey));
}

#[test]
fn an_account_has_its_dialects_topics_and_limits() {
    let mut list = two();
    list[0].dialects = Some(vec![Dialect::Stream, Dialect::Hub]);
    list[0].topics = ["*@trade", "hub *"].map(|text| Pattern::parse_topics(text).unwrap()).to_vec();
    list[0].connections = Cap::AtMost(3);
    list[0].messages_per_second = Cap::Unlimited;
    let accounts = Accounts::new(Required::Everybody, list);
    let (alice, bob) = (key("a1"), key("b1"));

    let entitlement = accounts.admit(visitor(Some(&alice))).unwrap();
    let check = |name, expected| assert_eq!(entitlement.allows_topic(name), expected, "{name}");
    check("btcusdt@trade", true);
    check("btcusdt@ticker", false);
    check("hub okx_prices", true);
    check("ticks R_100", false);
    assert_eq!(entitlement.messages_per_second().over(Some(10)), None);
    let (counted, cap) = entitlement.connections(ip());
    assert_eq!((counted, cap.over(Some(5))), (Counted::Account(entitlement.account().unwrap()), Some(3)));
    for dialect in Dialect::ALL {
        let answer = accounts.admit(Visitor { dialects: &[dialect], ..visitor(Some(&alice)) });
        let expected = match dialect {
            Dialect::Stream | Dialect::Hub => None,
            Dialect::Deriv | Dialect::SocketIo => Some(Why::Dialect),
        };
        assert_eq!(answer.err(), expected, "{dialect:?}");
    }

    // Who may speak one of two may come in; the first message decides.
    let either = [Dialect::Deriv, Dialect::Hub];
    assert!(accounts.admit(Visitor { dialects: &either, ..visitor(Some(&alice)) }).is_ok());

    let entitlement = accounts.admit(visitor(Some(&bob))).unwrap();
    assert!(entitlement.allows_topic("ticks R_100"));
    assert_eq!(entitlement.connections(ip()), (Counted::Ip(ip()), Cap::Usual));
    assert_eq!(entitlement.messages_per_second().over(Some(10)), Some(10));
}
