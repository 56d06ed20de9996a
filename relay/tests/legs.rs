//! Two venues that bring the same streams: what one loses comes from the other, and what both lose is told.

mod support;

use serde_json::Value;

use support::client::Client;
use support::http::get;
use support::relay::Relay;
use support::venue::Venue;

const NAME: &str = "btcusdt@aggTrade";

fn before(first: &Venue, second: &Venue) -> Relay {
    let text = format!("[[upstream]]\nkind = \"stream\"\nurl = \"{}\"\nlegs = [\"{}\"]", first.url(), second.url());
    Relay::configured(&text, &[])
}

fn before_one(venue: &Venue) -> Relay {
    Relay::configured(&format!("[[upstream]]\nkind = \"stream\"\nurl = \"{}\"", venue.url()), &[])
}

fn send(venue: &Venue, number: u64) {
    venue.send(NAME, &format!(r#"{{"e":"aggTrade","E":1,"s":"BTCUSDT","a":{number}}}"#));
}

#[track_caller]
fn expect(client: &mut Client, number: u64) {
    assert_eq!(client.json()["a"], number);
}

fn gaps(relay: &Relay, query: &str) -> Vec<Value> {
    let answer = get(relay.public, &format!("/api/v1/gaps{query}"));
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{answer:?}");
    let value: Value = serde_json::from_str(&answer.body).expect("JSON");
    value["gaps"].as_array().expect("a list").clone()
}

fn state(relay: &Relay) -> String {
    let answer = get(relay.public, "/api/v1/topics");
    let value: Value = serde_json::from_str(&answer.body).expect("JSON");
    value["topics"][0]["state"].as_str().expect("a state").to_owned()
}

/// Proves that a leg which loses frames, dies and comes back costs the clients nothing: every number once, in order; and
/// that what both legs have lost is listed.
#[test]
fn a_leg_that_fails_costs_nothing() {
    let (mut first, second) = (Venue::start(), Venue::start());
    let relay = before(&first, &second);
    let mut client = relay.client(&format!("/ws/{NAME}?notices=1"));
    assert_eq!(client.list(), [NAME]);
    first.until_asked(NAME);
    second.until_asked(NAME);
    send(&first, 1);
    expect(&mut client, 1);
    send(&second, 1);
    // The first loses 2 and 3, the second loses 5.
    for (venue, numbers) in [(&second, [2, 3]), (&first, [4, 5])] {
        for number in numbers {
            send(venue, number);
            expect(&mut client, number);
        }
    }
    send(&second, 4);
    send(&second, 6);
    expect(&mut client, 6);
    // Both lose 7, which is waited for.
    send(&first, 6);
    send(&first, 8);
    send(&second, 8);
    expect(&mut client, 8);
    support::until("the gap is listed", || !gaps(&relay, "").is_empty());
    let list = gaps(&relay, "?stream=BTCUSDT@aggTrade");
    assert_eq!(list.len(), 1, "{list:?}");
    let row = &list[0];
    assert_eq!((&row["stream"], &row["upstream"]), (&NAME.into(), &"127.0.0.1".into()));
    assert_eq!((&row["from"], &row["to"], &row["missing"]), (&7.into(), &7.into(), &1.into()));
    assert_eq!((&row["state"], &row["healed_by"]), (&"missed".into(), &Value::Null));
    assert!(row["since"].as_u64() <= row["until"].as_u64() && row["since"].as_u64() > Some(1_600_000_000_000));
    let until_ms = row["until"].as_u64().expect("a time");
    assert_eq!(gaps(&relay, &format!("?since={until_ms}")).len(), 1);
    assert_eq!(gaps(&relay, &format!("?since={}", until_ms + 1)).len(), 0);
    assert_eq!(gaps(&relay, "?stream=ethusdt@aggTrade").len(), 0);
    // One dies; the other one's data goes on, and nobody is told anything.
    first.vanish();
    relay.until_count("relay_upstream_losses_total", "", 1.0);
    for number in 9..12 {
        send(&second, number);
        expect(&mut client, number);
    }
    assert_eq!(state(&relay), "live");
    assert_eq!(relay.count_where("relay_upstream_gaps_total", "cause=\"outage\""), 0.0);
    assert_eq!(relay.count_where("relay_upstream_leg_connections", "leg=\"1\""), 1.0);
    assert_eq!(get(relay.admin, "/readyz").status, 200);
    first.listen();
    first.until_asked(NAME);
    for number in 12..15 {
        send(&first, number);
        expect(&mut client, number);
        send(&second, number);
    }
    send(&second, 15);
    expect(&mut client, 15);
    // 1, 4, 6 and 8 of those before, 12 to 14 since.
    relay.until_count("relay_upstream_dropped_total", "reason=\"duplicate\"", 7.0);
    relay.until_count("relay_upstream_missing_total", "", 1.0);
    assert_eq!(relay.count_where("relay_upstream_gaps_total", "cause=\"missing\""), 1.0);
    assert!(relay.count_where("relay_upstream_leg_wins_total", "leg=\"0\"") >= 3.0);
    assert!(relay.count_where("relay_upstream_leg_wins_total", "leg=\"1\"") >= 3.0);
    assert!(relay.count("relay_upstream_leg_lag_seconds_count") >= 6.0);
    assert_eq!(relay.count("relay_upstream_disorder_total"), 0.0);
}

/// Proves that a stream is lost when no leg has it, that the outage is listed while it lasts, and that the numbers tell
/// afterwards what is missing.
#[test]
fn an_outage_of_all_legs_is_a_gap() {
    let (mut first, mut second) = (Venue::start(), Venue::start());
    let relay = before(&first, &second);
    let mut client = relay.client(&format!("/ws/{NAME}"));
    first.until_asked(NAME);
    second.until_asked(NAME);
    send(&first, 1);
    expect(&mut client, 1);
    send(&second, 2);
    expect(&mut client, 2);
    first.vanish();
    second.vanish();
    relay.until_count("relay_upstream_gaps_total", "cause=\"outage\"", 1.0);
    let list = gaps(&relay, "");
    assert_eq!((list.len(), &list[0]["state"], &list[0]["from"]), (1, &"open".into(), &Value::Null), "{list:?}");
    assert_eq!((&list[0]["until"], &list[0]["leg"]), (&Value::Null, &Value::Null));
    assert_eq!(state(&relay), "recovering");
    relay.until_count("relay_upstream_topics", "state=\"recovering\"", 1.0);
    second.listen();
    second.until_asked(NAME);
    send(&second, 9);
    expect(&mut client, 9);
    support::until("the gap is told", || gaps(&relay, "")[0]["state"] == "missed");
    let list = gaps(&relay, "");
    assert_eq!((list.len(), &list[0]["from"], &list[0]["to"]), (1, &3.into(), &8.into()), "{list:?}");
    relay.until_count("relay_upstream_topics", "state=\"live\"", 1.0);
    assert_eq!(relay.count("relay_upstream_gaps_total"), 1.0, "one outage is one gap");
}

/// Proves that an outage ends with what shows when the stream goes on: not with a frame that is waited for, nor with one
/// that repeats what was published; and that legs which come back to lower numbers are heard.
#[test]
fn an_outage_ends_when_the_stream_goes_on() {
    let (mut first, mut second) = (Venue::start(), Venue::start());
    let relay = before(&first, &second);
    let mut client = relay.client(&format!("/ws/{NAME}"));
    first.until_asked(NAME);
    second.until_asked(NAME);
    send(&first, 5_001);
    expect(&mut client, 5_001);
    send(&second, 5_002);
    expect(&mut client, 5_002);
    for round in 0..2 {
        first.vanish();
        second.vanish();
        relay.until_count("relay_upstream_gaps_total", "cause=\"outage\"", f64::from(round + 1));
        first.listen();
        second.listen();
        first.until_asked(NAME);
        second.until_asked(NAME);
        if round == 0 {
            send(&second, 5_002);
            support::until("it is live", || state(&relay) == "live");
            assert_eq!(gaps(&relay, "")[0]["state"], "open");
            send(&first, 5_009);
            expect(&mut client, 5_009);
            support::until("the gap is told", || gaps(&relay, "")[0]["state"] == "missed");
            let list = gaps(&relay, "");
            assert_eq!((list.len(), &list[0]["from"], &list[0]["to"]), (1, &5_003.into(), &5_008.into()), "{list:?}");
        } else {
            for number in 1..5 {
                send(&second, number);
                expect(&mut client, number);
            }
            support::until("the gap is told", || gaps(&relay, "")[0]["state"] == "missed");
            assert_eq!(state(&relay), "live");
        }
    }
    assert_eq!(relay.count("relay_upstream_gaps_total"), 2.0, "one outage is one gap");
}

/// Proves what is listed of an outage where the numbers go on, and where there are none.
#[test]
fn outages_are_judged_by_the_numbers() {
    let venue = Venue::start();
    let relay = before_one(&venue);
    let unnumbered = "btcusdt@forceOrder";
    let mut numbered = relay.client(&format!("/ws/{NAME}"));
    let mut other = relay.client(&format!("/ws/{unnumbered}"));
    for round in 0..2 {
        venue.until_asked(NAME);
        venue.until_asked(unnumbered);
        send(&venue, round + 5);
        expect(&mut numbered, round + 5);
        venue.send(unnumbered, "{}");
        assert_eq!(other.text(), "{}");
        if round == 0 {
            venue.drop_connections();
            relay.until_count("relay_upstream_gaps_total", "", 2.0);
        }
    }
    let of = |name: &str| gaps(&relay, &format!("?stream={name}"))[0].clone();
    support::until("both gaps have ended", || [NAME, unnumbered].iter().all(|name| of(name)["state"] != "open"));
    let (numbered, other) = (of(NAME), of(unnumbered));
    assert_eq!((&numbered["state"], &numbered["healed_by"]), (&"healed".into(), &"nothing_missed".into()));
    assert_eq!((&other["state"], &other["from"], &other["to"]), (&"missed".into(), &Value::Null, &Value::Null));
    assert!(other["until"].as_u64() >= other["since"].as_u64());
    // A page at a time, the newest first.
    let first = get(relay.public, "/api/v1/gaps?limit=1");
    let first: Value = serde_json::from_str(&first.body).expect("JSON");
    let next = first["next"].as_u64().expect("there is another page");
    let second = gaps(&relay, &format!("?limit=1&before={next}"));
    assert_eq!((first["gaps"][0]["id"].as_u64(), second[0]["id"].as_u64()), (Some(next), Some(0)));
    for bad in ["?limit=0", "?limit=1001", "?since=x", "?before=-1"] {
        let answer = get(relay.public, &format!("/api/v1/gaps{bad}"));
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
    }
}

/// Proves that a stream which one leg refuses comes from the other, and is let go on both.
#[test]
fn a_leg_may_refuse() {
    let (first, second) = (Venue::start(), Venue::start());
    first.refuse(NAME);
    let relay = before(&first, &second);
    let mut client = relay.client(&format!("/ws/{NAME}"));
    second.until_asked(NAME);
    support::until("the first is asked", || first.times_asked(NAME) >= 1);
    send(&second, 1);
    expect(&mut client, 1);
    send(&second, 2);
    expect(&mut client, 2);
    assert_eq!(relay.count("relay_upstream_refused_total"), 0.0);
    assert_eq!(state(&relay), "live");
}

/// Proves that one venue's frames pass as they come, whatever their numbers: nothing is dropped or held back.
#[test]
fn one_venue_may_number_as_it_likes() {
    let venue = Venue::start();
    let relay = before_one(&venue);
    let mut client = relay.client(&format!("/ws/{NAME}"));
    venue.until_asked(NAME);
    let numbers = [5, 5, 4, 9, 1, 1];
    numbers.into_iter().for_each(|number| send(&venue, number));
    numbers.into_iter().for_each(|number| expect(&mut client, number));
    relay.until_count("relay_upstream_disorder_total", "", 4.0);
    relay.until_count("relay_upstream_missing_total", "", 4.0);
    assert_eq!(relay.count_where("relay_upstream_dropped_total", "reason=\"duplicate\""), 0.0);
    assert_eq!(relay.count("relay_upstream_held_total"), 0.0);
}
