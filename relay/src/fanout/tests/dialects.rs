//! What other dialects than stream need: heads of their own, keys, and rows.

use std::collections::HashMap;
use std::io::IoSlice;

use proptest::prelude::*;

use crate::fanout::channel::Channel;
use crate::fanout::core::{Fanout, Outlet, Wrote};
use crate::fanout::kind::Kind;
use crate::fanout::log::{Appender, Budget, log};
use crate::fanout::slab::Slot;
use crate::fanout::subscribe::From;
use crate::limits::KEYED_BYTES_KEPT;
use crate::sync::Arc;
use crate::wire::dialect::Dialect;
use crate::wire::notice::StreamState;

/// Sockets that take so many bytes, and what they took.
#[derive(Default)]
struct Sockets {
    room: HashMap<u32, usize>,
    taken: HashMap<u32, Vec<u8>>,
    writes: usize,
}

impl Outlet for Sockets {
    type Conn = u32;

    fn write(&mut self, _slot: Slot, conn: &mut u32, parts: &[IoSlice<'_>]) -> Wrote {
        self.writes += 1;
        let room = self.room.entry(*conn).or_insert(usize::MAX);
        let mut taken = 0;
        for byte in parts.iter().flat_map(|part| part.iter()) {
            if *room == 0 {
                break;
            }
            *room -= 1;
            taken += 1;
            self.taken.entry(*conn).or_default().push(*byte);
        }
        Wrote::Bytes(taken)
    }
}

impl Sockets {
    /// The messages a client got, whole ones.
    fn messages(&self, conn: u32) -> Vec<String> {
        let mut bytes = self.taken.get(&conn).map_or(&[][..], |bytes| bytes);
        let mut messages = Vec::new();
        while bytes.len() >= 2 {
            assert_eq!(bytes[0], 0x81);
            let (begin, len) = match bytes[1] {
                126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
                len => (2, usize::from(len)),
            };
            if bytes.len() < begin + len {
                break;
            }
            messages.push(String::from_utf8(bytes[begin..begin + len].to_vec()).unwrap());
            bytes = &bytes[begin + len..];
        }
        messages
    }
}

struct Feed {
    channel: Arc<Channel>,
    appender: Appender,
}

impl Feed {
    fn rows(&mut self, rows: &[(u32, &str)]) {
        let mut record = Vec::new();
        for (key, row) in rows {
            crate::fanout::rows::add(&mut record, *key, row.as_bytes());
        }
        self.appender.append_rows(&record, 0);
    }
}

fn feed(id: u32, name: &str, kind: Kind, dialect: Dialect) -> Feed {
    let (appender, log) = log(kind, Arc::new(Budget::new(1 << 30)));
    Feed { channel: Arc::new(Channel::new(id, name, kind, dialect, log, 1)), appender }
}

fn turns(fanout: &mut Fanout<u32>, feed: &Feed, sockets: &mut Sockets) {
    fanout.news(feed.channel.id);
    while fanout.turn(sockets, 1000) {}
}

/// Each subscription's own words stand before the shared part, and equal words make equal messages.
#[test]
fn heads() {
    let mut fanout = Fanout::new(0);
    let mut feed = feed(0, "ticks R_50", Kind::Event, Dialect::Deriv);
    let mut sockets = Sockets::default();
    feed.appender.append(b"0]", 0);
    for conn in 0..3 {
        let slot = fanout.open(conn, false, false);
        let head = if conn == 0 { "[a," } else { "[b," };
        assert!(fanout.subscribe_with(slot, &feed.channel, From::Newest, head.as_bytes()));
    }
    turns(&mut fanout, &feed, &mut sockets);
    feed.appender.append(b"1]", 1);
    feed.appender.append(b"2]", 2);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0), ["[a,0]", "[a,1]", "[a,2]"]);
    assert_eq!(sockets.messages(1), ["[b,0]", "[b,1]", "[b,2]"]);
    assert_eq!(sockets.messages(1), sockets.messages(2));
    assert_eq!(sockets.writes, 6, "two frames are one write");
}

/// Of user data each subscription has a name of its own, which combined clients and notices have; and no other text of
/// the channel's own name reaches anybody.
#[test]
fn names_of_ones_own() {
    let mut fanout = Fanout::new(0);
    let mut feed = feed(0, "user 7", Kind::Event, Dialect::Stream);
    let mut sockets = Sockets::default();
    let slots: Vec<Slot> = (0..4).map(|conn| fanout.open(conn, conn % 2 == 1, conn == 3)).collect();
    for (slot, key) in slots.iter().zip(["a", "a", "b", "b"]) {
        assert!(fanout.subscribe_with(*slot, &feed.channel, From::Kind, key.as_bytes()));
    }
    feed.appender.append(b"[1]", 0);
    feed.appender.append(b"[2]", 0);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0), ["[1]", "[2]"]);
    assert_eq!(sockets.messages(1), [r#"{"stream":"a","data":[1]}"#, r#"{"stream":"a","data":[2]}"#]);
    assert_eq!(sockets.messages(2), sockets.messages(0));
    assert_eq!(sockets.messages(3), [r#"{"stream":"b","data":[1]}"#, r#"{"stream":"b","data":[2]}"#]);
    // Cut in a frame, switched, and served by itself.
    sockets.room.insert(1, 5);
    sockets.room.insert(2, 0);
    feed.appender.append(b"[3]", 0);
    turns(&mut fanout, &feed, &mut sockets);
    fanout.set_combined(slots[1], false);
    fanout.set_combined(slots[2], true);
    feed.appender.append(b"[4]", 0);
    turns(&mut fanout, &feed, &mut sockets);
    sockets.room.clear();
    for slot in &slots {
        fanout.writable(*slot);
    }
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(1)[2..], [r#"{"stream":"a","data":[3]}"#, "[4]"]);
    assert_eq!(sockets.messages(2)[2..], [r#"{"stream":"b","data":[3]}"#, r#"{"stream":"b","data":[4]}"#]);
    feed.channel.set_condition(StreamState::Recovering);
    turns(&mut fanout, &feed, &mut sockets);
    let notice = r#"{"stream":"b","data":{"e":"relayNotice","E":0,"stream":"b","state":"recovering","#;
    assert!(sockets.messages(3)[4].starts_with(notice), "{:?}", sockets.messages(3)[4]);
    for conn in 0..4 {
        assert!(sockets.messages(conn).iter().all(|message| !message.contains("user")));
    }
    assert_eq!(fanout.holders("user 7"), slots);
}

/// Who comes late gets the newest frame of each key, in the order they were said; then everything.
#[test]
fn keyed() {
    let mut fanout = Fanout::new(0);
    let mut feed = feed(0, "hub prices", Kind::Keyed, Dialect::Hub);
    let mut sockets = Sockets::default();
    for (key, text) in [(1, "a1"), (2, "b1"), (1, "a2"), (3, "c1")] {
        feed.appender.append_keyed(key, text.as_bytes(), 0);
    }
    let slot = fanout.open(0, false, false);
    fanout.subscribe(slot, &feed.channel);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0), ["b1", "a2", "c1"]);
    for text in ["a3", "a4"] {
        feed.appender.append_keyed(1, text.as_bytes(), 0);
    }
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0)[3..], ["a3", "a4"], "who keeps up gets every frame");
    // It takes nothing for a while.
    sockets.room.insert(0, 0);
    for (key, text) in [(1, "a5"), (2, "b2"), (1, "a6")] {
        feed.appender.append_keyed(key, text.as_bytes(), 0);
        turns(&mut fanout, &feed, &mut sockets);
    }
    sockets.room.insert(0, usize::MAX);
    fanout.writable(slot);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0)[5..], ["b2", "a6"]);
}

/// Rows that are new together are one message, of each key the newest; the first message has them all.
#[test]
fn rows() {
    let mut fanout = Fanout::new(0);
    let mut feed = feed(0, "crypto USD", Kind::Rows, Dialect::SocketIo);
    let mut sockets = Sockets::default();
    let early = fanout.open(0, false, false);
    fanout.subscribe(early, &feed.channel);
    feed.rows(&[(1, "a1"), (2, "b1")]);
    feed.rows(&[(1, "a2")]);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0), [r#"42["crypto",[b1,a2]]"#]);
    feed.rows(&[(2, "b2")]);
    turns(&mut fanout, &feed, &mut sockets);
    let late = fanout.open(1, false, false);
    fanout.subscribe(late, &feed.channel);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0)[1..], [r#"42["crypto",[b2]]"#]);
    assert_eq!(sockets.messages(1), [r#"42["crypto",[a2,b2]]"#]);
    // A cut message is finished, and what follows lists the rows since.
    sockets.room.insert(0, 5);
    feed.rows(&[(1, "a3")]);
    turns(&mut fanout, &feed, &mut sockets);
    feed.rows(&[(1, "a4"), (2, "b3")]);
    feed.rows(&[(1, "a5")]);
    turns(&mut fanout, &feed, &mut sockets);
    sockets.room.insert(0, usize::MAX);
    fanout.writable(early);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0)[2..], [r#"42["crypto",[a3]]"#, r#"42["crypto",[b3,a5]]"#]);
}

/// A log keeps the newest frame of every key, however often the others are said.
#[test]
fn no_key_is_pushed_out() {
    let mut feed = feed(0, "hub prices", Kind::Keyed, Dialect::Hub);
    feed.appender.append_keyed(7, b"rare", 0);
    for at in 0..10_000u32 {
        feed.appender.append_keyed(at % 7, b"often, and with some bytes in it", u64::from(at));
    }
    let mut fanout = Fanout::new(0);
    let mut sockets = Sockets::default();
    let slot = fanout.open(0, false, false);
    fanout.subscribe(slot, &feed.channel);
    turns(&mut fanout, &feed, &mut sockets);
    assert_eq!(sockets.messages(0).len(), 8);
    assert_eq!(sockets.messages(0)[0], "rare");
    // Said again, the old ones go.
    feed.appender.append_keyed(7, b"rare", 0);
    for at in 0..10_000u32 {
        feed.appender.append_keyed(at % 7, b"often, and with some bytes in it", u64::from(at));
        feed.appender.append_keyed(7, b"rare", 0);
    }
    assert!(feed.channel.log.heap_bytes() < 100_000, "{}", feed.channel.log.heap_bytes());
    // One that is never said again keeps no more than so much.
    feed.appender.append_keyed(8, b"last words", 0);
    for at in 0..100_000u32 {
        feed.appender.append_keyed(at % 7, b"often, and with some bytes in it", u64::from(at));
    }
    assert!(feed.channel.log.heap_bytes() < 2 * KEYED_BYTES_KEPT, "{}", feed.channel.log.heap_bytes());
}

proptest! {
    /// Whatever a client takes when, its messages are whole, in order, with its own head, and none twice.
    #[test]
    fn heads_under_cuts(steps in proptest::collection::vec((0u32..3, 0usize..40, 1usize..4), 1..60)) {
        let mut fanout = Fanout::new(0);
        let mut feed = feed(0, "ticks R_50", Kind::Event, Dialect::Deriv);
        let mut sockets = Sockets::default();
        let slots: Vec<Slot> = (0..3u32).map(|conn| {
            let slot = fanout.open(conn, false, false);
            fanout.subscribe_with(slot, &feed.channel, From::Kind, format!("[{conn},").as_bytes());
            slot
        }).collect();
        let mut said = 0;
        for (conn, room, frames) in steps {
            for _ in 0..frames {
                feed.appender.append(format!("{said}]").as_bytes(), 0);
                said += 1;
            }
            turns(&mut fanout, &feed, &mut sockets);
            sockets.room.insert(conn, room);
            fanout.writable(slots[conn as usize]);
            turns(&mut fanout, &feed, &mut sockets);
        }
        for conn in 0..3 {
            sockets.room.insert(conn, usize::MAX);
            fanout.writable(slots[conn as usize]);
        }
        turns(&mut fanout, &feed, &mut sockets);
        for conn in 0..3 {
            let expected: Vec<String> = (0..said).map(|at| format!("[{conn},{at}]")).collect();
            prop_assert_eq!(sockets.messages(conn), expected);
        }
    }
}
