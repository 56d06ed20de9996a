//! Accounts and keys: what they become, what is said about the wrong ones, and that no key is shown.

use super::super::{KeyCommand, Outcome};
use super::errors::check_file;
use super::{file, flags};
use crate::access::account::{Cap, Required};
use crate::access::key::Key;
use crate::limits::KEYS_MAX;
use crate::wire::dialect::Dialect;

fn digest(key: &str) -> String {
    Key::parse(key).unwrap().digest().to_string()
}

fn account(name: &str, key: &str) -> String {
    format!("[[account]]\nname = \"{name}\"\nkeys = [\"{}\"]\n", digest(key))
}

#[test]
fn nobody_needs_a_key_unless_told() {
    let access = flags("").config().access;
    assert_eq!(access.accounts.required(), Required::Nobody);
    assert!(access.accounts.is_empty() && access.user_streams.is_empty());
    let check = |value: &str, expected| {
        let text = format!("[access]\nrequired = {value}\n{}", account("a", "x"));
        assert_eq!(file(&text).config().access.accounts.required(), expected, "{value}");
    };
    check("false", Required::Nobody);
    check("\"remote\"", Required::Remote);
    check("true", Required::Everybody);
}

#[test]
fn accounts_become_what_they_allow() {
    let text = format!(
        "[[account]]\nname = \"alice\"\nkeys = [\"{}\", \"{}\"]\ndialects = [\"stream\", \"socketio\"]\n\
         topics = [\"*@trade\", \"hub *\"]\nconnections = 3\nmessages_per_second = 0\n\
         user_stream_url = \"wss://feed/ws\"\nuser_stream_rest_url = \"https://feed/api/v1/listenKey\"\n\
         user_stream_token_file = \"token\"\n{}",
        digest("a1"),
        digest("a2"),
        account("bob", "b")
    );
    let access = file(&text).config().access;
    let [(alices, alice), (bobs, bob)] = access.accounts.iter().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((alice.name.as_str(), alice.keys.len(), alice.topics.len()), ("alice", 2, 2));
    assert_eq!(alice.dialects.as_deref(), Some([Dialect::Stream, Dialect::SocketIo].as_slice()));
    assert_eq!((alice.connections, alice.messages_per_second), (Cap::AtMost(3), Cap::Unlimited));
    assert_eq!((bob.dialects.as_ref(), bob.topics[0].is_any()), (None, true));
    assert_eq!((bob.connections, bob.messages_per_second), (Cap::Usual, Cap::Usual));
    for (key, id) in [("a1", alices), ("a2", alices), ("b", bobs)] {
        assert_eq!(access.accounts.find(&Key::parse(key).unwrap()), Some(id), "{key}");
    }
    let [stream] = &access.user_streams[..] else { panic!() };
    assert_eq!((stream.account, stream.url.to_string().as_str()), (alices, "wss://feed/ws"));
    assert_eq!(stream.rest_url.to_string(), "https://feed/api/v1/listenKey");
}

#[test]
fn a_key_that_is_needed_must_exist() {
    let text = "needs an [[account]] with a key, or nobody can connect; `relay key new` makes one";
    for value in ["true", "\"remote\""] {
        let expected = format!("relay.toml:2: access.required = {value}: {text}");
        check_file(&format!("[access]\nrequired = {value}"), &[&expected]);
    }
    check_file(
        "[access]\nrequired = \"yes\"",
        &[r#"relay.toml:2: access.required = "yes": must be true, false or "remote""#],
    );
}

/// Wherever a key stands by mistake, it is not repeated.
#[test]
fn a_plain_key_is_told_how_to_be_hashed_and_not_shown() {
    let said = "a plain key, which does not belong into a file: put what `relay key hash` prints for it, \"sha256:…\"";
    for key in ["rk_0011", "my-old-key"] {
        let text = format!("[[account]]\nname = \"a\"\nkeys = [\"{key}\"]");
        check_file(&text, &[&format!("relay.toml:3: account.keys = (not shown): {said}")]);
    }
    for line in
        ["keys = \"rk_0011\"", "key = [\"rk_0011\"]", "key = \"mine\"", "name = \"rk_0011 \"", "\"x y\" = \"rk_0011\""]
    {
        let (text, _) = file(&format!("[[account]]\n{line}")).printed();
        assert!(text.contains("problems in the configuration"), "{text}");
        assert!(!text.contains("0011") && !text.contains("mine"), "{text}");
    }
    let (text, _) = file("[access]\nrequired = \"rk_0011\"").printed();
    assert!(!text.contains("0011"), "{text}");
}

#[test]
fn accounts_are_judged_as_a_whole() {
    let form = "not \"sha256:\" and 64 hexadecimal digits, as `relay key new` and `relay key hash` print them";
    check_file(
        "[[account]]\nname = \"a b\"\nkeys = [\"sha256:00\"]\ndialects = [\"steam\"]\ntopics = [\" x\"]\nconnections = -1",
        &[
            r#"relay.toml:2: account.name = "a b": must be 1 to 64 letters, digits, ".", "_" or "-""#,
            &format!("relay.toml:3: account.keys = (not shown): {form}"),
            r#"relay.toml:4: account.dialects = "steam": must be one of "stream", "hub", "deriv", "socketio"; did you mean "stream"?"#,
            r#"relay.toml:5: account.topics = " x": must be a pattern such as "*@trade" or "hub *", up to 128 bytes, words parted by one space"#,
            "relay.toml:6: account.connections = -1: must be a number from 1 to 1000000, or 0 for no limit",
        ],
    );
    check_file(
        "[[account]]",
        &[
            r#"relay.toml:1: account.name: is missing: 1 to 64 letters, digits, ".", "_" or "-""#,
            "relay.toml:1: account.keys: is missing: `relay key new` makes a key and prints the line",
        ],
    );
    check_file(
        "[[account]]\nname = \"a\"\nkeys = []\ndialects = []\ntopics = []",
        &[
            "relay.toml:3: account.keys = (not shown): must be at least one digest; delete the account to lock it out",
            "relay.toml:4: account.dialects = […]: must be at least one dialect; leave it out to allow all",
            r#"relay.toml:5: account.topics = […]: must be at least one pattern; ["*"] is everything"#,
        ],
    );
    check_file(
        "[account]\nname = \"a\"",
        &["relay.toml:1: account: must be a section for each account, [[account]] in double brackets"],
    );
    check_file("[acces]", &["relay.toml:1: acces: unknown key; did you mean [access]?"]);
    check_file("required = true", &["relay.toml:1: required = true: belongs in [access]"]);
}

#[test]
fn names_and_keys_are_unique() {
    let text = format!("{}{}{}", account("a", "x"), account("a", "y"), account("c", "x"));
    let said = "is a key of account 1 already; a key belongs to one account, once";
    let short = &digest("x")[..15];
    check_file(
        &text,
        &[
            "relay.toml:5: account.name = \"a\": must be unique; account 1 has this name",
            &format!("relay.toml:9: account.keys = (not shown): {short}… {said}"),
        ],
    );
}

/// Every connection that brings a key is compared with all of them.
#[test]
fn keys_are_bounded() {
    let with = |count: usize| {
        let keys: Vec<String> = (0..count).map(|number| format!("\"sha256:{number:064x}\"")).collect();
        format!("[[account]]\nname = \"a\"\nkeys = [{}]", keys.join(", "))
    };
    assert!(!file(&with(KEYS_MAX)).config().access.accounts.is_empty());
    let said = "more than 4096 keys in all; each connection is compared with every one";
    check_file(&with(KEYS_MAX + 1), &[&format!("relay.toml:3: account.keys = (not shown): {said}")]);
}

#[test]
fn a_user_stream_is_whole() {
    let text = format!("{}user_stream_url = \"wss://feed/ws\"", account("a", "x"));
    check_file(
        &text,
        &[
            "relay.toml:1: account.user_stream_rest_url: is missing: the three user_stream keys go together",
            "relay.toml:1: account.user_stream_token_file: is missing: the three user_stream keys go together",
        ],
    );
    let text = format!(
        "{}user_stream_url = \"https://feed/ws\"\nuser_stream_rest_url = \"wss://feed/ws\"\nuser_stream_token_file = \"\"",
        account("a", "x")
    );
    check_file(
        &text,
        &[
            r#"relay.toml:4: account.user_stream_url = "https://feed/ws": must be a WebSocket URL such as "wss://stream.bitzoom.com/ws""#,
            r#"relay.toml:5: account.user_stream_rest_url = "wss://feed/ws": must be an HTTP URL such as "https://api.bitzoom.com/api/v1/listenKey""#,
            r#"relay.toml:6: account.user_stream_token_file = "": must be a file's path"#,
        ],
    );
}

#[test]
fn check_says_who_needs_a_key() {
    let text = format!("[access]\nrequired = \"remote\"\n{}{}", account("a", "x"), account("b", "y"));
    let start = super::Start { flags: "check --config relay.toml", ..file(&text) };
    let line = "\naccess    a key needed but for loopback, accounts a b";
    assert!(start.printed().0.contains(&format!("{line}, Socket.IO needs an account's key\n")));
    let text = format!("{text}[socketio]\nrequire_key = false");
    let start = super::Start { flags: "check --config relay.toml", ..file(&text) };
    assert!(start.printed().0.contains(&format!("{line}\n")));
}

#[test]
fn key_commands_are_read() {
    let check = |line, expected: KeyCommand| match flags(line).outcome() {
        Outcome::Key(command) => assert_eq!(command, expected, "{line}"),
        other => panic!("{line}: {other:?}"),
    };
    check("key new", KeyCommand::New { account: "main".to_owned() });
    check("key new --account alice", KeyCommand::New { account: "alice".to_owned() });
    check("key hash", KeyCommand::Hash);
    for line in ["key", "key new --account a\"b", "key nwe", "key hash x", "--shards 1 key new"] {
        assert_eq!(flags(line).printed().1, 2, "{line}");
    }
    assert_eq!(flags("key new --help").printed().1, 0);
}
