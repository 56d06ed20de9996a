//! Streams: who is subscribed, and what each of them gets of a message.

use super::World;
use crate::frame;
use crate::mock::fault::Mishap;
use crate::mock::kind::{Message, Source};
use crate::mock::truth::Ticket;
use std::rc::Rc;

/// Streams that were ever asked for; more are acknowledged and stay silent.
const STREAMS_MAX: usize = 20_000;

pub(super) struct Stream {
    pub(super) name: Rc<str>,
    source: Source,
    pub(super) subscribers: Vec<u64>,
    /// Messages made so far.
    place: u64,
}

impl World {
    pub(super) fn join(&mut self, id: u64, name: &str, source: Option<Source>) {
        self.truth.borrow_mut().count("subscriptions");
        self.faults.heal(id, Some(name));
        let Some(source) = source else {
            return self.truth.borrow_mut().count("silent_subscriptions");
        };
        let index = match self.by_name.get(name) {
            Some(&index) => index,
            None if self.streams.len() >= STREAMS_MAX => {
                return self.truth.borrow_mut().count("streams_beyond_the_bound");
            }
            None => {
                if let Source::Diff(symbol, rate_ms) | Source::Levels(symbol, _, rate_ms) = source {
                    self.market.want_book(symbol, rate_ms);
                }
                let name: Rc<str> = name.into();
                self.by_name.insert(Rc::clone(&name), self.streams.len());
                self.streams.push(Stream { name, source, subscribers: Vec::new(), place: 0 });
                self.streams.len() - 1
            }
        };
        let subscribers = &mut self.streams[index].subscribers;
        if !subscribers.contains(&id) {
            subscribers.push(id);
        }
    }

    pub(super) fn leave(&mut self, id: u64, name: &str) {
        self.truth.borrow_mut().count("unsubscriptions");
        self.faults.heal(id, Some(name));
        if let Some(&index) = self.by_name.get(name) {
            self.streams[index].subscribers.retain(|subscriber| *subscriber != id);
        }
    }

    pub(super) fn send_due(&mut self, now_ms: u64) {
        for index in 0..self.streams.len() {
            let messages = self.kind.encode(&self.streams[index].source, &self.market);
            for message in messages {
                self.publish(index, &message, now_ms);
            }
        }
    }

    fn publish(&mut self, index: usize, message: &Message, now_ms: u64) {
        let stream = &mut self.streams[index];
        let ticket = Ticket::new(&self.truth, &stream.name, stream.place, (message.from, message.to));
        stream.place += 1;
        if stream.subscribers.is_empty() {
            return;
        }
        ticket.hear();
        let mishaps = self.faults.mishaps(&stream.name, &stream.subscribers);
        for id in &stream.subscribers {
            let Some(connection) = self.connections.get_mut(id) else {
                continue;
            };
            if connection.handling.frozen || connection.handling.stalled {
                continue;
            }
            let mishap = mishaps.iter().find(|mishap| mishap.0 == *id).map(|mishap| mishap.1);
            let text = connection.session.wrap(&stream.name, message);
            let mut bytes = Vec::with_capacity(text.len() + 10);
            frame::encode_server(&mut bytes, frame::TEXT, text.as_bytes());
            let mut truth = self.truth.borrow_mut();
            match mishap {
                Some(Mishap::Drop) => continue,
                Some(Mishap::Corrupt(how)) => {
                    truth.corrupted(&stream.name);
                    connection.line.send_corrupted(how, &text);
                    continue;
                }
                Some(Mishap::Reorder) if !connection.held.contains_key(&index) => {
                    truth.reordered(&stream.name);
                    connection.held.insert(index, (bytes, Rc::clone(&ticket)));
                    continue;
                }
                Some(Mishap::Duplicate) => {
                    truth.duplicated(&stream.name);
                    connection.line.send(bytes.clone(), None);
                }
                _ => {}
            }
            drop(truth);
            connection.last_message_ms = now_ms;
            connection.line.send(bytes, Some(Rc::clone(&ticket)));
            if let Some((bytes, ticket)) = connection.held.remove(&index) {
                connection.line.send(bytes, Some(ticket));
            }
        }
    }
}
