//! A venue that is unlike the stream dialect, over real sockets: two lanes, a greeting, questions, an answer for each.

use std::sync::Arc;

use super::fake::{Got, Venue, text};
use super::harness::{Told, World, on_a_shard};
use super::*;
use crate::venue::adapter::{Conversation, Invalid, Lane, Ping, Said};
use crate::venue::manager::Loss;

/// Messages of words: `data NAME PAYLOAD`, `yes NAME`, `no NAME`, `welcome`, `ask WHAT`, `broken NAME`, `bye`.
struct Words {
    lanes: [Lane; 2],
}

impl Adapter for Words {
    fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn lane_of(&self, stream: &str) -> Option<usize> {
        match stream.as_bytes() {
            [b's', digit] => Some(usize::from((digit - b'0') % 2)),
            _ => None,
        }
    }

    fn converse(&self, _: usize) -> Box<dyn Conversation> {
        Box::new(Talk)
    }
}

struct Talk;

impl Conversation for Talk {
    fn hello(&mut self) -> Option<String> {
        Some("hello".to_owned())
    }

    fn subscribe(&mut self, streams: &[&str], _: u64) -> String {
        format!("want {}", streams.join(" "))
    }

    fn unsubscribe(&mut self, streams: &[&str], _: u64) -> String {
        format!("end {}", streams.join(" "))
    }

    fn ping(&mut self) -> Ping {
        Ping::Text("ping".to_owned())
    }

    fn decode(&mut self, message: &[u8], now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        assert_eq!(now_ms, 1_700_000_000_000, "the calendar's time");
        let text = std::str::from_utf8(message).expect("text");
        match text.split(' ').collect::<Vec<_>>()[..] {
            ["data", stream, payload] => said(Said::Data { stream, payload: payload.as_bytes() }),
            ["yes", stream] => said(Said::Granted { stream }),
            ["no", stream] => said(Said::Refused { stream, msg: "no" }),
            ["broken", stream] => said(Said::Broken { stream }),
            ["welcome"] => said(Said::Ready),
            ["ask", what] => said(Said::Answer(what)),
            ["bye"] => said(Said::End { msg: "bye" }),
            _ => said(Said::Invalid(Invalid::Malformed)),
        }
    }
}

async fn world() -> World {
    world_with(manager::Settings::default()).await
}

async fn world_with(settings: manager::Settings) -> World {
    let venue = Venue::start().await;
    let url = format!("ws://{}", venue.address);
    let lane = |path: &str| Lane { name: "", path: path.into() };
    World::speaking(venue, &url, None, Arc::new(Words { lanes: [lane("/even?x=1"), lane("/odd")] }), settings)
}

fn got(words: &str) -> Got {
    Got::Text(words.to_owned())
}

#[test]
fn each_lane_has_its_path_and_waits_until_it_is_welcome() {
    on_a_shard(async {
        let world = world().await;
        world.want(2);
        let (mut peer, head) = world.venue.accept_with_head(b"").await;
        assert!(head.starts_with("GET /even?x=1 HTTP/1.1\r\n"), "{head}");
        assert_eq!(peer.next().await, got("hello"));
        peer.send(&text("welcome")).await;
        assert_eq!(peer.next().await, got("want s2"));
        world.want(3);
        let (mut odd, head) = world.venue.accept_with_head(b"").await;
        assert!(head.starts_with("GET /odd HTTP/1.1\r\n"), "{head}");
        assert_eq!(odd.next().await, got("hello"));
        odd.send(&[text("welcome"), text("ask back")].concat()).await;
        assert_eq!(odd.next().await, got("back"), "answers go before requests");
        assert_eq!(odd.next().await, got("want s3"));
        odd.send(&[text("yes s3"), text("data s3 1")].concat()).await;
        world.until_event(FeedEvent::TopicLive(3)).await;
        assert_ne!(world.brought_by("1"), Some(0), "numbers of connections are unique over the lanes");
        peer.send(&text("yes s2")).await;
        peer.send(&text("data s2 2")).await;
        world.until_event(FeedEvent::TopicLive(2)).await;
        assert_eq!(world.brought_by("2"), Some(0));
    });
}

/// A recording has all that decoders need: the lane, what was asked and ended, and every message before it is understood.
#[test]
fn what_is_asked_and_heard_is_recorded() {
    on_a_shard(async {
        let world = world().await;
        world.want(3);
        let mut peer = world.venue.accept(b"").await;
        assert_eq!(peer.next().await, got("hello"));
        world.until(|told| matches!(told, Told::Event(FeedEvent::Connected { lane: 1, .. }))).await;
        peer.send(&text("welcome")).await;
        assert_eq!(peer.next().await, got("want s3"));
        peer.send(&[text("yes s3"), text("what is this"), text("data s3 1")].concat()).await;
        world.until_event(FeedEvent::TopicLive(3)).await;
        world.demand.send(Demand::Unwant { id: 3 }).expect("the feed runs");
        assert_eq!(peer.next().await, got("end s3"));
        let recorded = world.recorded.borrow();
        let without_numbers = |line: &String| line.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let expected = [": welcome", " asks  s", ": yes s", ": what is this", ": data s ", " ends  s"];
        assert_eq!(recorded.iter().map(without_numbers).collect::<Vec<_>>(), expected, "{recorded:?}");
    });
}

#[test]
fn streams_are_refused_alone_and_a_broken_one_is_mended_alone() {
    on_a_shard(async {
        let world = world().await;
        [2, 4, 6].into_iter().for_each(|id| world.want(id));
        world.demand.send(Demand::Want { id: 90, name: "unknown".into() }).expect("the feed runs");
        world.until_event(FeedEvent::Refused { id: 90, msg: "the venue has no such stream".to_owned() }).await;
        let mut peer = world.venue.accept(b"").await;
        assert_eq!(peer.next().await, got("hello"));
        peer.send(&text("welcome")).await;
        assert_eq!(peer.next().await, got("want s2 s4 s6"));
        peer.send(&[text("yes s6"), text("no s4"), text("yes s2"), text("what is this")].concat()).await;
        world.until_event(FeedEvent::Refused { id: 4, msg: "no".to_owned() }).await;
        world.until_event(FeedEvent::Dropped { reason: DropReason::Malformed }).await;
        peer.send(&text("broken s6")).await;
        assert_eq!(peer.next().await, got("end s6"));
        peer.send(&text("yes s6")).await;
        assert_eq!(peer.next().await, got("want s6"));
        peer.send(&text("yes s6")).await;
        world.until_event(FeedEvent::Renewed(6)).await;
        peer.send(&text("bye")).await;
        world.until_event(FeedEvent::Lost { conn: 0, why: Loss::Ended("bye".to_owned()) }).await;
        let mut peer = world.venue.accept(b"").await;
        assert_eq!(peer.next().await, got("hello"));
        peer.send(&text("welcome")).await;
        assert_eq!(peer.next().await, got("want s2 s6"));
    });
}

#[test]
fn pings_are_the_venues_and_long_requests_are_halved() {
    on_a_shard(async {
        let settings = manager::Settings { request_bytes_max: Some(13), quiet_ms: 30, ..Default::default() };
        let world = world_with(settings).await;
        [0, 2, 4, 6].into_iter().for_each(|id| world.want(id));
        let mut peer = world.venue.accept(b"").await;
        assert_eq!(peer.next().await, got("hello"));
        assert_eq!(peer.next().await, got("ping"), "also while it is not welcome yet");
        peer.send(&text("welcome")).await;
        assert_eq!(peer.next().await, got("want s0 s2"));
        assert_eq!(peer.next().await, got("want s4 s6"));
    });
}
