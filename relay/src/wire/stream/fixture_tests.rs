//! The recorded-style sessions of `testdata/`, through the parsers and back.

use serde_json::Value;

use super::command::{self, Command};
use super::name::Profile;
use super::upstream::{self, Upstream};
use super::url::{self, Entry};
use super::{notice, reply, wrap};
use crate::wire::http::target::Target;

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../../testdata/", $path))
    };
}

const CONTROL_ERRORS: &str = fixture!("binance/control_errors.jsonl");

fn lines(fixture: &str) -> impl Iterator<Item = Value> {
    fixture.lines().map(|line| serde_json::from_str(line).unwrap())
}

/// As much of a session as answering commands takes.
struct Session {
    profile: Profile,
    combined: bool,
    names: Vec<String>,
    limit: usize,
}

impl Session {
    fn connect(path: &str, profile: Profile, limit: usize) -> Self {
        let url = url::parse(&Target::parse(path).unwrap(), profile).unwrap();
        let names = match url.entry {
            Entry::Raw(names, bad) | Entry::Combined(names, bad) if bad.is_empty() => names,
            Entry::Plain => vec![],
            other => panic!("{path}: {other:?}"),
        };
        let names = names.iter().map(|name| name.text().to_owned()).collect();
        Self { profile, combined: url.combined, names, limit }
    }

    fn answer(&mut self, text: &str) -> String {
        let mut out = Vec::new();
        match command::parse(text, self.profile).and_then(|request| self.apply(request, &mut out)) {
            Ok(()) => {}
            Err(reject) => reject.write(&mut out),
        }
        String::from_utf8(out).unwrap()
    }

    fn apply(&mut self, request: command::Request, out: &mut Vec<u8>) -> Result<(), command::Reject> {
        let id = request.id;
        match request.command {
            Command::Subscribe(names) if self.names.len() + names.len() > self.limit => {
                return Err(command::Reject::too_many_subscriptions(Some(id)));
            }
            Command::Subscribe(names) => {
                self.names.extend(names.iter().map(|name| name.text().to_owned()));
                reply::ok(&id, out);
            }
            Command::Unsubscribe(names) => {
                self.names.retain(|name| !names.contains(name));
                reply::ok(&id, out);
            }
            Command::SetCombined(combined) => {
                self.combined = combined;
                reply::ok(&id, out);
            }
            Command::GetCombined => reply::property(self.combined, &id, out),
            Command::SubscribeUser { .. } => panic!("no fixture has a listen key in a command"),
            Command::List => reply::list(self.names.iter().map(String::as_str), &id, out),
        }
        Ok(())
    }
}

/// Every command of a session is answered with the fixture's bytes, and every message of the venue is understood.
fn check(fixture: &str, profile: Profile, limit: usize) {
    let mut session = None;
    let mut expected_reply = None;
    for line in lines(fixture) {
        // Other connections of a session repeat what the first one shows.
        if line["conn"].as_str().is_some_and(|conn| !["c0", "market"].contains(&conn)) {
            continue;
        }
        if let Some(path) = line["connect"].as_str() {
            let path = path.strip_prefix("/market").unwrap_or(path);
            session = Some(Session::connect(path, profile, limit));
        }
        let Some(text) = line["text"].as_str() else {
            continue;
        };
        if line["from"] == "client" {
            assert_eq!(expected_reply, None, "the fixture never answers this command");
            expected_reply = Some(session.as_mut().unwrap().answer(text));
            continue;
        }
        let message = upstream::decode(text.as_bytes()).unwrap();
        let is_reply = matches!(message, Upstream::Ack { .. } | Upstream::Error { .. });
        if let Some(reply) = expected_reply.take_if(|_| is_reply) {
            assert_eq!(reply, text);
        }
    }
}

#[test]
fn errors_have_the_venues_words_and_positions_in_both_profiles() {
    check(CONTROL_ERRORS, Profile::Binance, 1024);
    check(CONTROL_ERRORS, Profile::Bitzoom, 200);
}

#[test]
fn sessions_are_answered_with_the_recorded_bytes() {
    check(fixture!("bitzoom/session.jsonl"), Profile::Bitzoom, 200);
    check(fixture!("bitzoom/limits.jsonl"), Profile::Bitzoom, 200);
    check(fixture!("binance/spot_raw_session.jsonl"), Profile::Binance, 1024);
    check(fixture!("binance/spot_combined_session.jsonl"), Profile::Binance, 1024);
    check(fixture!("binance/usdm_routed_session.jsonl"), Profile::Binance, 1024);
    check(fixture!("binance/limit_streams_close.jsonl"), Profile::Binance, 1024);
}

#[test]
fn errors_of_both_shapes_are_understood() {
    let venue = lines(CONTROL_ERRORS).filter(|line| line["from"] == "venue");
    let mut count = 0;
    for line in venue {
        let text = line["text"].as_str().unwrap();
        let message: Value = serde_json::from_str(text).unwrap();
        let error = message.get("error").unwrap_or(&message);
        let id = message.get("id").map(Value::to_string);
        let expected = Upstream::Error {
            id: id.as_deref(),
            code: error["code"].as_i64().unwrap(),
            msg: error["msg"].as_str().unwrap().into(),
        };
        assert_eq!(upstream::decode(text.as_bytes()), Ok(expected));
        count += 1;
    }
    assert_eq!(count, 10);
}

/// A recorded combined message is its payload in our wrapper, byte for byte.
#[test]
fn wrapped_messages_come_apart_and_together() {
    let fixtures = [fixture!("binance/spot_combined_session.jsonl"), fixture!("binance/usdm_routed_session.jsonl")];
    let mut count = 0;
    for line in fixtures.into_iter().flat_map(lines) {
        let Some(text) = line["text"].as_str() else {
            continue;
        };
        match upstream::decode(text.as_bytes()).unwrap() {
            Upstream::Data { stream, data } => {
                let mut out = Vec::new();
                wrap::prefix(&stream, &mut out);
                out.extend_from_slice(data);
                out.extend_from_slice(wrap::SUFFIX);
                assert_eq!(std::str::from_utf8(&out).unwrap(), text);
                assert!(!upstream::is_closed_kline(data));
                count += 1;
            }
            Upstream::Shutdown => {
                let mut out = Vec::new();
                notice::server_shutdown(1765211450000, true, &mut out);
                assert_eq!(std::str::from_utf8(&out).unwrap(), text);
            }
            Upstream::Ack { .. } | Upstream::Other => {}
            error @ Upstream::Error { .. } => panic!("{error:?}"),
        }
    }
    assert_eq!(count, 10);
}

/// Every stream the venues' samples name is a live one in both profiles.
#[test]
fn documented_streams_are_known() {
    let bitzoom: Value = serde_json::from_str(fixture!("bitzoom/payloads.json")).unwrap();
    let spot: Value = serde_json::from_str(fixture!("binance/payloads_spot.json")).unwrap();
    let usdm: Value = serde_json::from_str(fixture!("binance/payloads_usdm.json")).unwrap();
    for streams in [&bitzoom["streams"], &spot, &usdm] {
        for name in streams.as_object().unwrap().keys() {
            for profile in [Profile::Bitzoom, Profile::Binance] {
                let name = super::name::Name::parse(name, profile).unwrap();
                assert!(!name.is_dead(), "{}", name.text());
            }
        }
    }
}
