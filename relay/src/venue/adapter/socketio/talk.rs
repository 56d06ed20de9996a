//! One connection: what is asked, what is listened to, and what comes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::packet::{Packet, member};
use super::row::{self, Row};
use super::wish::{Class, Mode, Wish};
use crate::limits::SOCKETIO_VENUE_QUESTIONS_MAX;
use crate::venue::adapter::{Conversation, Invalid, Said};
use crate::venue::price::Shape;

/// A pong to nobody: it means nothing to a server, and our manager waits for [`Said::Ready`] after a hello. The CONNECT
/// itself must not overtake the venue's open packet.
const HELLO: &str = "3";

pub struct Talk {
    bases: Arc<[Box<str>]>,
    connect: Arc<str>,
    /// By stream: what was said last, so that a price which is pushed twice, for itself and in a list, comes once.
    wanted: HashMap<Box<str>, Option<Spoken>, FixedState>,
    /// What is pushed to us, by class and base, whether we still want it or not.
    listening: BTreeMap<(Class, Box<str>), Vec<Scope>>,
    /// Listenings of which nothing came so far, oldest first.
    unproven: VecDeque<(String, Vec<Wish>)>,
    /// By the id of its acknowledgement.
    questions: BTreeMap<u64, Question>,
    next_ack: u64,
}

/// A price and its time.
type Spoken = (Box<str>, u64);

#[derive(PartialEq, Eq)]
enum Scope {
    All,
    One(Box<str>),
}

struct Question {
    /// What this one is about; more than one are of one class and base.
    group: Vec<Wish>,
    then: Then,
}

enum Then {
    /// The rest of the request, to be asked next.
    Subscribe(VecDeque<Vec<Wish>>),
    /// Nothing ends a listening; that the venue answers shows that it has read everything before.
    Unsubscribe { id: u64 },
}

impl Talk {
    pub fn new(bases: Arc<[Box<str>]>, connect: Arc<str>) -> Talk {
        Talk {
            bases,
            connect,
            wanted: HashMap::default(),
            listening: BTreeMap::new(),
            unproven: VecDeque::new(),
            questions: BTreeMap::new(),
            next_ack: 0,
        }
    }

    fn ask(&mut self, group: Vec<Wish>, then: Then) -> String {
        let ack = self.next_ack;
        self.next_ack += 1;
        let text = match &*group {
            [wish] => wish.packet(Mode::OnlyAck, Some(ack)),
            [wish, ..] => wish.packet(Mode::AllAck, Some(ack)),
            // The manager asks for something, and in names that `lane_of` took.
            [] => return HELLO.to_owned(),
        };
        if self.questions.len() >= SOCKETIO_VENUE_QUESTIONS_MAX {
            self.questions.pop_first();
        }
        self.questions.insert(ack, Question { group, then });
        text
    }

    fn take(&mut self, packet: Packet<'_>, now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        match packet {
            Packet::Open => said(Said::Answer(&self.connect)),
            Packet::Connected => said(Said::Ready),
            Packet::Ping(text) => said(Said::Answer(&format!("3{text}"))),
            Packet::Close => said(Said::End { msg: "closed by the venue" }),
            Packet::Refused(msg) => said(Said::End { msg: &format!("the venue refuses us: {msg}") }),
            Packet::Ack { id, argument } => match self.questions.remove(&id) {
                Some(question) => self.answered(question, argument, now_ms, said),
                None => said(Said::Other),
            },
            Packet::Event { name, argument } => self.event(&name, argument, now_ms, said),
            Packet::Other => said(Said::Other),
        }
    }

    fn event(&mut self, name: &str, argument: Option<&str>, now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        let class = match name {
            "currency" => Class::Fiat,
            "crypto" => Class::Crypto,
            "error" => return self.error(argument.unwrap_or(""), said),
            _ => return said(Said::Other),
        };
        let Some(argument) = argument else { return said(Said::Invalid(Invalid::Malformed)) };
        row::read(class, argument, now_ms, &mut |row| match row {
            Some(row) => self.row(&row, said),
            None => said(Said::Invalid(Invalid::Malformed)),
        });
    }

    fn row(&mut self, row: &Row<'_>, said: &mut dyn FnMut(Said<'_>)) {
        let stream = row.wish.stream();
        if !self.unproven.is_empty() {
            self.unproven.retain(|(_, wishes)| !wishes.contains(&row.wish));
        }
        // Lists have what nobody asked for, and what was ended goes on.
        let Some(last) = self.wanted.get_mut(&*stream) else { return said(Said::Other) };
        if last.as_ref().is_some_and(|(price, time_ms)| **price == *row.price && *time_ms == row.time_ms) {
            return said(Said::Other);
        }
        *last = Some(((*row.price).into(), row.time_ms));
        let mut payload = Vec::new();
        let shape = match row.wish.class {
            Class::Fiat => Shape::Tick,
            Class::Crypto => Shape::Trade,
        };
        let symbol = stream.split_once('@').map_or("", |(symbol, _)| symbol);
        shape.write(symbol, &row.price, row.time_ms, &mut payload);
        said(Said::Data { stream: &stream, payload: &payload });
    }

    /// A listening was refused, though its question was not. The event does not say which; it was the oldest of its
    /// kind that has brought nothing.
    fn error(&mut self, argument: &str, said: &mut dyn FnMut(Said<'_>)) {
        let event = member(argument, "event").unwrap_or_default();
        let place = self.unproven.iter().position(|(refused, _)| *refused == *event);
        let Some((_, wishes)) = place.and_then(|place| self.unproven.remove(place)) else { return said(Said::Other) };
        let msg = member(argument, "message").unwrap_or_default();
        for wish in wishes {
            if let Some(names) = self.listening.get_mut(&(wish.class, wish.base.clone())) {
                names.retain(|scope| matches!(scope, Scope::One(name) if *name != wish.name));
            }
            self.refuse(&wish, &msg, said);
        }
    }

    fn answered(&mut self, question: Question, argument: Option<&str>, now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        let Question { group, then } = question;
        let mut rest = match then {
            Then::Unsubscribe { id } => return said(Said::Ack { id: Some(id) }),
            Then::Subscribe(rest) => rest,
        };
        let argument = argument.unwrap_or("null");
        let Some(class) = group.first().map(|wish| wish.class) else { return };
        let mut rows = Vec::new();
        row::read(class, argument, now_ms, &mut |row| rows.extend(row));
        let has = |wish: &Wish| rows.iter().any(|row| row.wish == *wish);
        // An empty list, or nothing: known, but without a price so far.
        let is_silent = argument == "null" || argument.strip_prefix('[').is_some_and(|list| list.trim_start() == "]");
        let refusal = row::error(argument);
        let mut granted = Vec::new();
        for wish in &group {
            if has(wish) || (is_silent && group.len() == 1) {
                granted.push(wish.clone());
            } else if group.len() > 1 && refusal.is_none() {
                // Not in the list: it is asked about by itself.
                rest.push_back(vec![wish.clone()]);
            } else {
                let msg = refusal.as_deref().unwrap_or("the venue has no such price");
                self.refuse(wish, msg, said);
            }
        }
        for wish in &granted {
            said(Said::Granted { stream: &wish.stream() });
        }
        for row in rows.iter().filter(|row| granted.contains(&row.wish)) {
            self.row(row, said);
        }
        self.listen(granted, said);
        if let Some(group) = rest.pop_front() {
            let text = self.ask(group, Then::Subscribe(rest));
            said(Said::Answer(&text));
        }
    }

    /// Several prices of a base are listened to all at once, and so is what comes after them.
    fn listen(&mut self, granted: Vec<Wish>, said: &mut dyn FnMut(Said<'_>)) {
        let Some(first) = granted.first() else { return };
        let names = self.listening.entry((first.class, first.base.clone())).or_default();
        let is_new = |wish: &Wish| !names.contains(&Scope::All) && !names.contains(&Scope::One(wish.name.clone()));
        let new: Vec<Wish> = granted.iter().filter(|wish| is_new(wish)).cloned().collect();
        let Some(wish) = new.first() else { return };
        let mode = if new.len() + names.len() > 1 { Mode::AllListen } else { Mode::OnlyListen };
        names.push(if mode == Mode::AllListen { Scope::All } else { Scope::One(wish.name.clone()) });
        let text = wish.packet(mode, None);
        self.unproven.push_back((wish.event(mode), new));
        said(Said::Answer(&text));
    }

    fn refuse(&mut self, wish: &Wish, msg: &str, said: &mut dyn FnMut(Said<'_>)) {
        let stream = wish.stream();
        self.wanted.remove(&*stream);
        said(Said::Refused { stream: &stream, msg });
    }

    fn wishes<'a>(&self, streams: &'a [&'a str]) -> impl Iterator<Item = Wish> + use<'a> {
        let bases = self.bases.clone();
        streams.iter().filter_map(move |stream| Wish::parse(stream, &bases))
    }
}

impl Conversation for Talk {
    fn hello(&mut self) -> Option<String> {
        Some(HELLO.to_owned())
    }

    fn subscribe(&mut self, streams: &[&str], _id: u64) -> String {
        let mut groups: BTreeMap<(Class, Box<str>), Vec<Wish>> = BTreeMap::new();
        for wish in self.wishes(streams) {
            self.wanted.insert(wish.stream().into(), None);
            groups.entry((wish.class, wish.base.clone())).or_default().push(wish);
        }
        let mut rest: VecDeque<Vec<Wish>> = groups.into_values().collect();
        let first = rest.pop_front().unwrap_or_default();
        self.ask(first, Then::Subscribe(rest))
    }

    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        for stream in streams {
            self.wanted.remove(*stream);
        }
        let first = self.wishes(streams).take(1).collect();
        self.ask(first, Then::Unsubscribe { id })
    }

    fn decode(&mut self, message: &[u8], now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        match Packet::parse(message) {
            Ok(packet) => self.take(packet, now_ms, said),
            Err(invalid) => said(Said::Invalid(invalid)),
        }
    }
}
