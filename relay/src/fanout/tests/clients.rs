//! Clients in memory. Whatever is written to one is parsed at once and held against the promises.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::parse::{self, Message};
use crate::fanout::core::{Outlet, Wrote};
use crate::fanout::kind::Kind;
use crate::fanout::log::{Log, Seq};
use crate::fanout::slab::Slot;
use crate::sync::Arc;

/// What was published in a channel.
pub(super) struct Published {
    pub name: String,
    pub kind: Kind,
    pub log: Arc<Log>,
    pub frames: Vec<Vec<u8>>,
    pub closed: Vec<bool>,
}

/// A subscription as the client sees it.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    pub id: u64,
    pub channel: usize,
    pub start: Seq,
    /// The frame that must come next, unless some may be skipped.
    pub next: Seq,
}

/// Something it must be told before any data.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Reply(u64),
    Condition { channel: usize, state: &'static str, head: Seq },
    Close,
}

/// What was so when a frame's first byte was written.
pub(super) struct Moment {
    combined: bool,
    behind: bool,
    is_owed: bool,
    is_ended: bool,
    subs: Vec<Sub>,
    /// The head of each channel when it was first written to after it had been full; empty if it keeps up.
    floor: Vec<Seq>,
    /// Channels whose log had left the client's position behind when the write began.
    outrun: Vec<usize>,
}

#[derive(Default)]
pub(super) struct Client {
    /// Bytes it still takes; then it is full until it is drained.
    pub room: usize,
    pub full: bool,
    /// Writes to it fail.
    pub dead: bool,
    pub combined: bool,
    pub notices: bool,
    /// It has been full since it last had everything.
    pub behind: bool,
    pub floor: Vec<Seq>,
    pub subs: Vec<Sub>,
    pub told: VecDeque<Told>,
    pub pong_told: u64,
    pub pong_got: u64,
    /// A CLOSE is on its way, or has arrived.
    pub ended: bool,
    pub closed: bool,
    /// The beginning of a frame, and when that was.
    pub partial: Vec<u8>,
    pub begun: Option<Moment>,
    pub writes: usize,
    pub delivered: u64,
    pub skipped: u64,
}

/// All clients, and the outlet through which the core reaches them.
#[derive(Default)]
pub(super) struct Clients {
    pub channels: Vec<Published>,
    pub list: Vec<Client>,
    pub writes: usize,
    pub first_written: u64,
    pub last_written: u64,
}

impl Client {
    pub fn is_owed(&self) -> bool {
        !self.told.is_empty() || self.pong_told != self.pong_got
    }
}

impl Outlet for Clients {
    type Conn = usize;

    fn write(&mut self, _: Slot, id: &mut usize, parts: &[IoSlice<'_>]) -> Wrote {
        self.writes += 1;
        if self.list[*id].behind && self.list[*id].floor.is_empty() {
            self.list[*id].floor = self.channels.iter().map(|channel| channel.log.head()).collect();
        }
        let moment = self.moment(*id);
        let client = &mut self.list[*id];
        client.writes += 1;
        if client.dead {
            return Wrote::Gone;
        }
        assert!(!client.full, "client {id} is full and has not said otherwise");
        let total: usize = parts.iter().map(|part| part.len()).sum();
        assert!(total > 0, "an empty write to client {id}");
        let taken = total.min(client.room);
        client.room -= if client.room == usize::MAX { 0 } else { taken };
        let mut left = taken;
        let mut bytes = std::mem::take(&mut client.partial);
        for part in parts {
            bytes.extend_from_slice(&part[..part.len().min(left)]);
            left -= part.len().min(left);
        }
        let begun = client.begun.take();
        self.receive(*id, &bytes, begun, moment);
        let client = &mut self.list[*id];
        if taken < total {
            (client.full, client.behind) = (true, true);
            client.floor.clear();
        }
        Wrote::Bytes(taken)
    }

    fn first_write(&mut self, stamps_ns: &[u64]) {
        self.first_written += stamps_ns.len() as u64;
    }

    fn last_write(&mut self, stamps_ns: &[u64]) {
        self.last_written += stamps_ns.len() as u64;
    }
}

impl Clients {
    fn moment(&self, id: usize) -> Moment {
        let client = &self.list[id];
        let outrun = client.subs.iter().filter(|sub| self.channels[sub.channel].log.oldest() > sub.next);
        Moment {
            combined: client.combined,
            behind: client.behind,
            is_owed: client.is_owed(),
            is_ended: client.ended,
            subs: client.subs.clone(),
            floor: client.floor.clone(),
            outrun: outrun.map(|sub| sub.channel).collect(),
        }
    }

    /// Checks every whole frame and keeps the beginning of one that is not.
    fn receive(&mut self, id: usize, bytes: &[u8], begun: Option<Moment>, now: Moment) {
        let mut moment = begun;
        let mut rest = bytes;
        while let Some((header, len)) = parse::frame(rest) {
            let (frame, after) = rest.split_at(header + len);
            assert!(!self.list[id].closed, "client {id} got something after CLOSE");
            let (stream, message) = parse::message(frame[0], &frame[header..]);
            match moment.take() {
                Some(then) => self.check(id, stream, message, &then, true),
                None => self.check(id, stream, message, &now, false),
            }
            rest = after;
        }
        if !rest.is_empty() {
            let is_owed = self.list[id].is_owed();
            let subs = self.list[id].subs.clone();
            let client = &mut self.list[id];
            client.partial = rest.to_vec();
            client.begun = Some(moment.unwrap_or(Moment { is_owed, subs, ..now }));
        }
    }

    fn check(&mut self, id: usize, stream: Option<&str>, message: Message<'_>, then: &Moment, was_begun: bool) {
        let channels = &self.channels;
        let client = &mut self.list[id];
        let is_owed = if was_begun { then.is_owed } else { client.is_owed() };
        match message {
            Message::Reply(reply) => assert_eq!(client.told.pop_front(), Some(Told::Reply(reply)), "client {id}"),
            Message::Close => {
                assert_eq!(client.told.pop_front(), Some(Told::Close), "client {id}");
                client.closed = true;
            }
            Message::Pong(number) => {
                assert!((client.pong_got + 1..=client.pong_told).contains(&number), "client {id}: PONG {number}");
                client.pong_got = number;
            }
            Message::Notice { channel, state, skipped: 0, from, to } => {
                let channel = channels.iter().position(|published| published.name == channel).unwrap();
                let front = client.told.pop_front();
                let Some(Told::Condition { channel: of, state: told, head }) = front else {
                    panic!("client {id} got news of {channel} instead of {front:?}")
                };
                assert_eq!((of, told, head, head), (channel, &*state, from, to), "client {id}");
            }
            Message::Notice { channel, skipped, from, to, .. } => {
                assert!(client.notices, "client {id} did not ask for notices");
                assert_eq!(stream.is_some(), then.combined, "client {id}: the form of a notice");
                assert!(!is_owed && !then.is_ended, "client {id} is owed something before this notice");
                assert_eq!(skipped, to + 1 - from, "client {id}: the count of a notice");
                let channel = channels.iter().position(|published| published.name == channel).unwrap();
                let published = &channels[channel];
                let sub = find(client, then, channel, was_begun);
                let mut sub = sub.unwrap_or_else(|| panic!("client {id} has no {}", published.name));
                assert_eq!(from, sub.next, "client {id}: where a notice begins");
                skip(id, published, &sub, to + 1, then);
                client.skipped += skipped;
                sub.next = to + 1;
                store(client, sub);
            }
            Message::Data { channel, seq, payload } => {
                let published = &channels[channel];
                assert_eq!(stream, then.combined.then_some(&*published.name), "client {id}: the form of {seq}");
                assert!(!is_owed && !then.is_ended, "client {id} is owed something before frame {seq}");
                let sub = find(client, then, channel, was_begun);
                let mut sub = sub.unwrap_or_else(|| panic!("client {id} has no {}, got {seq}", published.name));
                assert!(seq >= sub.next, "client {id}, {}: {seq} came after {}", published.name, sub.next);
                assert!(payload == published.frames[seq as usize], "client {id}, {}: bytes of {seq}", published.name);
                if seq > sub.next {
                    assert!(!client.notices, "client {id} was not told that {}..{seq} is missing", sub.next);
                    skip(id, published, &sub, seq, then);
                    client.skipped += seq - sub.next;
                }
                if published.kind != Kind::Event && !published.closed[seq as usize] {
                    let is_stale = then.floor.get(channel).is_some_and(|&head| seq + 1 < head);
                    assert!(!is_stale, "client {id}, {}: {seq} is stale", published.name);
                }
                client.delivered += 1;
                sub.next = seq + 1;
                store(client, sub);
            }
        }
    }
}

/// The subscription a frame belongs to: one that was there when the frame was begun.
fn find(client: &Client, then: &Moment, channel: usize, was_begun: bool) -> Option<Sub> {
    let subs = if was_begun { &then.subs } else { &client.subs };
    subs.iter().find(|sub| sub.channel == channel).cloned()
}

/// Moves a subscription on, if it is still there.
fn store(client: &mut Client, sub: Sub) {
    if let Some(live) = client.subs.iter_mut().find(|live| live.id == sub.id) {
        live.next = sub.next;
    }
}

/// Frames may be skipped if newer ones replace them, and only for who was blocked or whom the log outran.
fn skip(id: usize, published: &Published, sub: &Sub, to: Seq, then: &Moment) {
    let name = &published.name;
    let is_outrun = then.outrun.contains(&sub.channel);
    assert!(then.behind || is_outrun, "client {id} kept up, but {name} {}..{to} was skipped", sub.next);
    assert_ne!(published.kind, Kind::Event, "client {id}: events {}..{to} of {name} were skipped", sub.next);
    let closed = (sub.next..to).find(|&seq| published.closed[seq as usize]);
    assert_eq!(closed, None, "client {id}: a closed candle of {name} was skipped");
}
