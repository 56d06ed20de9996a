//! User data streams: an account's clients get all of its events, and nobody else gets any.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use support::client::{Client, Got};
use support::fixture;
use support::http::{request, upgrade, upgrade_with};
use support::relay::Relay;
use support::until;
use support::user_venue::UserVenue;

const LISTEN_KEY: &str = "/api/v1/listenKey";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The account's listen key.
#[track_caller]
fn listen_key(relay: &Relay, token: &str) -> String {
    let answer = request(relay.public, "POST", LISTEN_KEY, &bearer(token));
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).expect("JSON");
    body["data"]["listenKey"].as_str().expect("a key").to_owned()
}

fn close_key(relay: &Relay, token: &str) {
    assert_eq!(request(relay.public, "DELETE", LISTEN_KEY, &bearer(token)).body, r#"{"code":0,"data":{}}"#);
}

fn refused(relay: &Relay, target: &str) -> u16 {
    Client::ask(TcpStream::connect(relay.public).expect("it accepts"), &upgrade(target)).answer.status
}

/// An account with this key.
fn account(name: &str, more: &str) -> String {
    let digest: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[account]]\nname = \"{name}\"\nkeys = [\"sha256:{digest}\"]\n{more}\n")
}

/// Accounts whose data comes from a venue that knows them by tokens of the same name.
fn accounts_at(venue: &UserVenue, names: &[&str]) -> (String, Vec<tempfile::NamedTempFile>) {
    let (mut config, mut files) = (String::new(), Vec::new());
    for name in names {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "{name}").expect("it takes the text");
        let address = venue.address;
        config += &account(
            name,
            &format!(
                "user_stream_url = \"ws://{address}/ws\"\nuser_stream_rest_url = \"http://{address}{LISTEN_KEY}\"\n\
                 user_stream_token_file = {:?}",
                file.path()
            ),
        );
        files.push(file);
    }
    (config, files)
}

fn event(owner: &str, number: usize) -> String {
    format!(r#"{{"e":"ACCOUNT_UPDATE","E":{number},"a":{{"m":"{owner}", "wb":"1.50"}}}}"#)
}

/// Proves that requests about listen keys are answered as recorded at both venues, and that a key opens its stream.
#[test]
fn the_recorded_requests() {
    const KEY: &str = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1";
    let relay = Relay::start();
    for name in ["bitzoom", "binance"] {
        let mut ours = KEY.to_owned();
        let lines = fixture::read(&format!("{name}/listen_key_rest.jsonl"));
        let mut lines = lines.iter();
        while let Some(line) = lines.next() {
            if let Some((path, status)) = line.connect() {
                assert_eq!(refused(&relay, path), status);
                continue;
            }
            let (method, path, headers) = line.request().expect("a request");
            let answer = request(relay.public, method, &path.replace(KEY, &ours), &headers);
            let (status, body) = lines.next().and_then(|line| line.response()).expect("an answer");
            if let Some(key) = answer.body.split('"').find(|text| text.len() == KEY.len()) {
                ours = key.to_owned();
            }
            assert_eq!((answer.status, answer.body.as_str()), (status, &*body.replace(KEY, &ours)), "{name} {path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

/// Proves that two clients of one account hear the same events in the document's form, and one of another account hears
/// others; that the wrapper and lists show the listen key.
#[test]
fn accounts_of_the_built_in_venue() {
    let relay = Relay::start();
    let keys = [listen_key(&relay, "one"), listen_key(&relay, "two")];
    let mut raw = relay.client(&format!("/ws/{}", keys[0]));
    let mut combined = relay.client(&format!("/stream?streams={}", keys[0]));
    let mut other = relay.client(&format!("/ws/{}", keys[1]));
    assert_eq!(raw.list(), [keys[0].as_str()]);
    assert_eq!(combined.list(), [keys[0].as_str()]);
    assert_eq!(relay.count("relay_listen_keys"), 2.0);
    let first = raw.json();
    assert!(["ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"].contains(&first["e"].as_str().expect("an event")));
    let mine: Vec<String> = (0..3).map(|_| raw.text()).collect();
    let theirs: Vec<String> = (0..3).map(|_| other.text()).collect();
    assert!(mine.iter().all(|text| !theirs.contains(text)));
    // The combined client may have come after the first event.
    until("the same event in the wrapper", || {
        combined.text() == format!(r#"{{"stream":"{}","data":{}}}"#, keys[0], mine[2])
    });
}

/// Proves that a listen key in a command subscribes its stream, that one that is not live is no stream, and that
/// UNSUBSCRIBE ends it.
#[test]
fn listen_keys_in_commands() {
    let venue = UserVenue::start();
    let (config, _files) = accounts_at(&venue, &["alice"]);
    let relay = Relay::configured(&config, &[]);
    let key = listen_key(&relay, "alice");
    let mut client = relay.client("/ws");
    let ask = |method: &str, name: &str| format!(r#"{{"method":"{method}","params":["{name}"],"id":7}}"#);
    let invalid = r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":7}"#;
    assert_eq!(client.request(&ask("SUBSCRIBE", &"0".repeat(64))), invalid);
    assert_eq!(client.request(&ask("SUBSCRIBE", "user 0")), invalid);
    assert_eq!(client.request(&ask("SUBSCRIBE", &key)), r#"{"result":null,"id":7}"#);
    assert_eq!(client.list(), [key.as_str()]);
    venue.until_connected("alice", 1);
    venue.send("alice", &event("alice", 0));
    assert_eq!(client.text(), event("alice", 0));
    assert_eq!(
        client.request(r#"{"method":"SET_PROPERTY","params":["combined",true],"id":7}"#),
        r#"{"result":null,"id":7}"#
    );
    venue.send("alice", &event("alice", 1));
    assert_eq!(client.text(), format!(r#"{{"stream":"{key}","data":{}}}"#, event("alice", 1)));
    assert_eq!(client.request(&ask("UNSUBSCRIBE", &key)), r#"{"result":null,"id":7}"#);
    assert_eq!(client.list(), Vec::<String>::new());
    // It reads by the key no more, so the end of the key is not its own.
    close_key(&relay, "alice");
    assert_eq!(client.list(), Vec::<String>::new());
}

/// Proves that a key that runs out is told to its clients, which are closed; that PUT keeps it alive; that DELETE
/// closes without a word, and only its own connections.
#[test]
fn keys_end() {
    let relay = Relay::configured("[access]\nlisten_key_lifetime = \"3s\"", &[]);
    let key = listen_key(&relay, "one");
    let mut raw = relay.client(&format!("/ws/{key}"));
    let mut combined = relay.client(&format!("/stream?streams={key}"));
    let told = |text: String| {
        assert!(text.contains(r#"{"e":"listenKeyExpired","E":"#), "{text}");
        assert!(text.contains(&format!(r#","listenKey":"{key}"}}"#)), "{text}");
        text
    };
    let last = |client: &mut Client| {
        let mut last = String::new();
        loop {
            match client.next() {
                Got::Text(text) => last = text,
                Got::Close(code, reason) => return (last, code, reason),
                other => panic!("{other:?}"),
            }
        }
    };
    let (text, code, reason) = last(&mut raw);
    assert!(told(text).starts_with(r#"{"e":"#));
    assert_eq!((code, reason.as_str()), (Some(1000), "Listen key expired"));
    let (text, ..) = last(&mut combined);
    assert!(told(text).starts_with(&format!(r#"{{"stream":"{key}","data":{{"e":"#)));
    assert_eq!(refused(&relay, &format!("/ws/{key}")), 401);
    assert!(relay.count_where("relay_refused_total", "listen_key") >= 1.0);
    let put = request(relay.public, "PUT", LISTEN_KEY, &bearer("one"));
    assert_eq!((put.status, put.body.as_str()), (400, r#"{"code":-1125,"msg":"This listenKey does not exist."}"#));

    let relay = Relay::start();
    let (mine, theirs) = (listen_key(&relay, "one"), listen_key(&relay, "two"));
    let mut client = relay.client(&format!("/ws/{mine}"));
    let mut other = relay.client(&format!("/ws/{theirs}"));
    assert_eq!(request(relay.public, "PUT", LISTEN_KEY, &bearer("one")).body, r#"{"code":0,"data":{}}"#);
    close_key(&relay, "one");
    let (text, code, reason) = last(&mut client);
    assert!(!text.contains("listenKeyExpired"));
    assert_eq!((code, reason.as_str()), (Some(1000), ""));
    let again = listen_key(&relay, "one");
    assert_ne!(again, mine);
    assert_eq!(refused(&relay, &format!("/ws/{mine}")), 401);
    assert_eq!(other.list(), [theirs.as_str()]);
}

/// Proves that an event reaches every client of its account and nobody else: under load, with both accounts on both
/// shards, with clients that are moved between shards, and with keys that end and come anew meanwhile.
#[test]
fn nobody_hears_of_others() {
    const OWNERS: [&str; 2] = ["alice", "bob"];
    let venue = UserVenue::start();
    let (config, _files) = accounts_at(&venue, &OWNERS);
    let relay = Relay::configured(&format!("shards = 2\n{config}"), &[]);
    let mut keys = OWNERS.map(|owner| listen_key(&relay, owner));
    let mut used: BTreeSet<String> = keys.iter().cloned().collect();
    // By shard and owner.
    let mut clients: BTreeMap<(usize, usize), Vec<Client>> = BTreeMap::new();
    let on_second = || relay.count_where("relay_upgrades_total", "shard=\"1\"");
    let mut at = 0;
    let enough = |clients: &BTreeMap<(usize, usize), Vec<Client>>| {
        clients.len() == 4 && clients.values().all(|clients| clients.len() >= 30)
    };
    while !enough(&clients) {
        let before = on_second();
        let owner = at % 2;
        at += 1;
        let key = &keys[owner];
        let target = if at % 4 < 2 { format!("/ws/{key}") } else { format!("/stream?streams={key}") };
        let mut client = relay.client(&target);
        assert_eq!(client.list(), [key.as_str()]);
        clients.entry((usize::from(on_second() > before), owner)).or_default().push(client);
    }
    for owner in OWNERS {
        venue.until_connected(owner, 1);
    }
    let sent = std::cell::Cell::new(0);
    let send = || {
        for owner in OWNERS {
            venue.send(owner, &event(owner, sent.get()));
        }
        sent.set(sent.get() + 1);
    };
    // Without its clients the first shard is owed some of the second one's.
    clients.retain(|(shard, _), _| *shard == 1);
    until("clients are moved", || {
        send();
        relay.count("relay_connections_moved_total") >= 1.0
    });
    for _ in 0..200 {
        send();
    }
    for ((_, owner), clients) in &mut clients {
        for client in clients {
            for number in 0..sent.get() {
                let text = client.text();
                let payload = event(OWNERS[*owner], number);
                let wrapped = format!(r#"{{"stream":"{}","data":{payload}}}"#, keys[*owner]);
                assert!(text == payload || text == wrapped, "{text} for {} instead of {payload}", OWNERS[*owner]);
            }
            assert_eq!(client.list(), [keys[*owner].as_str()]);
        }
    }
    // Keys end and come anew, one account after the other, while the other one's events go on.
    for round in 0..6 {
        let owner = round % 2;
        close_key(&relay, OWNERS[owner]);
        send_to(&venue, OWNERS[1 - owner], round);
        keys[owner] = listen_key(&relay, OWNERS[owner]);
        assert!(used.insert(keys[owner].clone()), "a key is never given again");
        for client in clients.get_mut(&(1, owner)).expect("there are some").drain(..) {
            let mut client = client;
            only(&mut client, OWNERS[owner], true);
        }
        let mut fresh = relay.client(&format!("/ws/{}", keys[owner]));
        assert_eq!(fresh.list(), [keys[owner].as_str()]);
        send_to(&venue, OWNERS[owner], round);
        clients.get_mut(&(1, owner)).expect("there are some").push(fresh);
    }
    for ((_, owner), clients) in &mut clients {
        for client in clients {
            assert_eq!(client.list(), [keys[*owner].as_str()]);
            only(client, OWNERS[*owner], false);
        }
    }
    assert_eq!(relay.count("relay_listen_keys"), 2.0);
}

/// Proves that what Binance's venues say is forwarded as recorded, byte for byte, and that under its profile a key that
/// runs out is told and followed by silence.
#[test]
fn binance_streams_as_recorded() {
    let venue = UserVenue::start();
    let (config, _files) = accounts_at(&venue, &["alice"]);
    let lifetime = "profile = \"binance\"\n[access]\nlisten_key_lifetime = \"5s\"";
    let relay = Relay::configured(&format!("{lifetime}\n{config}"), &[]);
    let key = listen_key(&relay, "alice");
    let mut client = relay.client(&format!("/ws/{key}"));
    venue.until_connected("alice", 1);
    let mut count = 0;
    for name in ["spot", "usdm"] {
        let lines = fixture::read(&format!("binance/user_data_{name}.jsonl"));
        for text in lines.iter().filter_map(|line| line.text()).filter(|text| !text.contains("listenKeyExpired")) {
            venue.send("alice", text);
            assert_eq!(client.text(), text);
            count += 1;
        }
    }
    assert!(count >= 5, "{count}");
    let expired = client.json();
    assert_eq!((&expired["e"], &expired["listenKey"]), (&"listenKeyExpired".into(), &key.as_str().into()));
    assert_eq!(client.list(), Vec::<String>::new());
    until("nobody listens", || relay.count_where("relay_upstream_streams", "upstream=\"users\"") == 0.0);
    assert_eq!(client.list(), Vec::<String>::new(), "it is still connected");
}

fn send_to(venue: &UserVenue, owner: &str, round: usize) {
    for number in 0..20 {
        venue.send(owner, &event(owner, 1_000 * (round + 1) + number));
    }
}

/// Whatever came is the owner's, up to the CLOSE if there is to be one.
#[track_caller]
fn only(client: &mut Client, owner: &str, closes: bool) {
    let name = format!(r#""m":"{owner}""#);
    loop {
        match client.next_within(if closes { support::PATIENCE } else { Duration::from_millis(1) }) {
            Some(Got::Text(text)) => assert!(text.contains(&name), "{text} for {owner}"),
            Some(Got::Close(code, _)) if closes => return assert_eq!(code, Some(1000)),
            None if !closes => return,
            other => panic!("{other:?}"),
        }
    }
}

/// Proves that a venue's stream that breaks or whose key runs out is had again with a new key, that the venue's own words
/// about its key go nowhere, that it outlives a client that comes right
/// back, and that nobody asks it without a client.
#[test]
fn a_venues_stream_comes_back() {
    let venue = UserVenue::start();
    let (config, _files) = accounts_at(&venue, &["alice"]);
    let relay = Relay::configured(&config, &[]);
    let key = listen_key(&relay, "alice");
    assert!(venue.requests().is_empty());
    let mut client = relay.client(&format!("/ws/{key}?notices=1"));
    venue.until_connected("alice", 1);
    venue.send("alice", &event("alice", 0));
    assert_eq!(client.text(), event("alice", 0));
    venue.send("alice", r#"{"e":"listenKeyExpired","E":1,"listenKey":"secret"}"#);
    venue.until_connected("alice", 2);
    // Of an outage that is over before anybody looked only the end is told.
    let until_live = |client: &mut Client| loop {
        let text = client.text();
        assert!(text.starts_with(r#"{"e":"relayNotice""#) && text.contains(&key), "{text}");
        if text.contains(r#""state":"live""#) {
            return;
        }
        assert!(text.contains(r#""state":"recovering""#), "{text}");
    };
    until_live(&mut client);
    venue.drop_streams("alice");
    venue.until_connected("alice", 3);
    until_live(&mut client);
    venue.send("alice", "no JSON");
    venue.send("alice", &event("alice", 1));
    assert_eq!(client.text(), event("alice", 1));
    assert_eq!(venue.requests(), ["POST alice"; 3]);
    relay.until_count("relay_upstream_dropped_total", "reason=\"not_json\"", 1.0);
    relay.until_count("relay_upstream_frames_total", "upstream=\"users\"", 2.0);
    drop(client);
    until("the client has left", || relay.count("relay_connections") == 0.0);
    let mut client = relay.client(&format!("/ws/{key}"));
    assert_eq!(client.list(), [key.as_str()]);
    venue.send("alice", &event("alice", 2));
    assert_eq!(client.text(), event("alice", 2));
    assert_eq!(venue.requests(), ["POST alice"; 3], "who comes right back costs the venue nothing");
    drop(client);
    until("the stream is let go", || relay.count_where("relay_upstream_streams", "upstream=\"users\"") == 0.0);
    assert!(!relay.log().contains("secret") && !relay.log().contains(&key));
}

/// Proves that a wrong token file stops the start with a word about whose it is, and without its content.
#[test]
fn a_bad_token_file_is_told() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"two words").expect("it takes the text");
    let mut config = tempfile::NamedTempFile::new().expect("a file");
    let text = account(
        "alice",
        &format!(
            "user_stream_url = \"ws://h/ws\"\nuser_stream_rest_url = \"http://h/x\"\nuser_stream_token_file = {:?}",
            file.path()
        ),
    );
    config.write_all(text.as_bytes()).expect("it takes the text");
    let path = config.path().to_str().expect("text");
    let refusal = support::relay::run(&["--config", path, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    assert_ne!(refusal.code, Some(0));
    assert!(refusal.stderr.contains("account alice"), "{}", refusal.stderr);
    assert!(!refusal.stderr.contains("two words"), "{}", refusal.stderr);
}

/// Proves that a key that comes beside a listen key has to be a good one.
#[test]
fn a_wrong_key_beside_a_listen_key() {
    let relay = Relay::configured(&account("alice", ""), &[]);
    let key = listen_key(&relay, "alice");
    let ask = |more: &str| {
        let stream = TcpStream::connect(relay.public).expect("it accepts");
        Client::ask(stream, &upgrade_with(&format!("/ws/{key}"), more)).answer.status
    };
    assert_eq!((ask(""), ask(&bearer("alice")), ask(&bearer("mallory"))), (101, 101, 401));
    assert_eq!(request(relay.public, "POST", LISTEN_KEY, &bearer("mallory")).status, 401);
}
