//! A venue: relays connect and subscribe, events go out when they are due, whoever listens.
//!
//! `schedule` says what is due, `session` what a relay asked for; this file owns the sockets and the clock.
//! `GET /stats` on the same address answers with the counters.

mod args;
mod counters;
mod names;
pub mod schedule;
mod session;

use crate::clock::{self, now_ns};
use crate::frame;
use crate::handshake;
use crate::listen::{accept, listen};
use crate::market;
use crate::poll::{Interest, Poller, Ready};
use crate::{Outcome, report};
use anyhow::{Result, ensure};
pub use args::Args;
use counters::Counters;
use names::Names;
use rustix::fd::OwnedFd;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use schedule::{Pace, Schedule};
use serde_json::{Value, json};
use session::{BACKLOG_BYTES_MAX, Next, Session};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

struct Connection {
    socket: TcpStream,
    session: Session,
    /// `out` up to here is sent.
    sent: usize,
    writable_wanted: bool,
    ending: bool,
}

struct Venue<'a> {
    args: &'a Args,
    /// By topic.
    names: Vec<String>,
    known: Names,
    schedule: Schedule,
    next_slot: u64,
    counters: Counters,
    poller: Poller,
    /// The slot's index is the connection's token.
    connections: Vec<Option<Connection>>,
}

const LISTENER: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

pub fn run(args: &Args) -> Result<Outcome> {
    args.check()?;
    let known = args.names();
    let listener = listen(&args.listen)?;
    let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
    let pace = match (args.burst, args.burst_gap) {
        (Some(size), Some(gap)) => Pace::Bursts { size, gap_ns: clock::seconds(gap).max(1) },
        _ => Pace::Even { rate: args.rate() },
    };
    let started_ns = now_ns();
    let epoch_ns = args.epoch_ns.unwrap_or(started_ns) + args.seed * 1000;
    let schedule = Schedule { epoch_ns, topics: known.count(), pace };
    report(&json!({"listening": listener.local_addr()?.to_string(), "epoch_ns": epoch_ns, "started_ns": started_ns}))?;

    let mut venue = Venue {
        args,
        names: (0..known.count()).map(|topic| known.name(topic)).collect(),
        known,
        schedule,
        next_slot: schedule.first_from(started_ns),
        counters: Counters::new(args.messages_per_second),
        poller: Poller::new()?,
        connections: Vec::new(),
    };
    venue.poller.add(&listener, LISTENER, Interest::Read)?;
    venue.poller.add(&timer, TIMER, Interest::Read)?;
    let end_ns = if args.duration > 0.0 { started_ns + clock::seconds(args.duration) } else { u64::MAX };
    let mut ready = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    while now_ns() < end_ns {
        arm(&timer, venue.schedule.slot(venue.next_slot).due_ns.min(end_ns))?;
        venue.poller.wait(&mut ready, None)?;
        for &Ready { token, .. } in &ready {
            match token {
                LISTENER => venue.accept(&listener)?,
                TIMER => {}
                token => venue.serve(token as usize, &mut buffer),
            }
        }
        venue.send_due()?;
    }
    report(&venue.stats())?;
    Ok(if venue.counters.violations == 0 { Outcome::AsExpected } else { Outcome::Wrong })
}

/// Sets the timer to a point of the monotonic clock; setting it also makes it unreadable until then.
fn arm(timer: &OwnedFd, due_ns: u64) -> Result<()> {
    let due = Timespec { tv_sec: (due_ns / clock::SECOND_NS) as i64, tv_nsec: (due_ns % clock::SECOND_NS) as i64 };
    let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: due };
    rustix::time::timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &spec)?;
    Ok(())
}

impl Venue<'_> {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        while let Some(socket) = accept(listener)? {
            let free = self.connections.iter().position(Option::is_none).unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.poller.add(&socket, free as u64, Interest::Read)?;
            let session = Session::new(self.known.count());
            self.connections[free] =
                Some(Connection { socket, session, sent: 0, writable_wanted: false, ending: false });
        }
        Ok(())
    }

    fn serve(&mut self, index: usize, buffer: &mut [u8]) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        let next = match connection.socket.read(buffer) {
            Ok(0) => return self.connections[index] = None,
            Ok(count) => connection.session.receive(&buffer[..count], &self.known, &mut self.counters, now_ns()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Next::Continue,
            Err(_) => return self.connections[index] = None,
        };
        if next == Next::Stats {
            let stats = self.stats().to_string();
            if let Some(connection) = &mut self.connections[index] {
                connection.session.out = handshake::plain("200 OK", &stats);
            }
        }
        if let Some(connection) = &mut self.connections[index] {
            connection.ending |= next != Next::Continue;
        }
        self.flush(index);
    }

    /// Hands everything that is due to the connections that want it, then writes each connection once.
    fn send_due(&mut self) -> Result<()> {
        let mut event = Vec::new();
        let now = now_ns();
        let wall_ms = clock::wall_ms();
        loop {
            let slot = self.schedule.slot(self.next_slot);
            if slot.due_ns > now {
                break;
            }
            if self.args.pairs.is_some() {
                ensure!(slot.seq < market::TRADES_MAX, "{} trades of each pair are all there are", market::TRADES_MAX);
            }
            self.next_slot += 1;
            event.clear();
            let late_us = (now - slot.due_ns) / 1000;
            let topic = slot.topic as usize;
            for connection in self.connections.iter_mut().flatten().filter(|c| c.session.topics[topic] && !c.ending) {
                let name = &self.names[topic];
                if event.is_empty() {
                    self.args.write_event(&mut event, name, slot, late_us, wall_ms);
                }
                let out = &mut connection.session.out;
                if connection.session.combined {
                    let wrapped = [br#"{"stream":""#, name.as_bytes(), br#"","data":"#, &event, b"}"].concat();
                    frame::encode_server(out, frame::TEXT, &wrapped);
                } else {
                    frame::encode_server(out, frame::TEXT, &event);
                }
                self.counters.sent += 1;
                self.counters.late_us_max = self.counters.late_us_max.max(late_us);
            }
        }
        for index in 0..self.connections.len() {
            self.flush(index);
        }
        Ok(())
    }

    fn flush(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else {
            return;
        };
        let out = &mut connection.session.out;
        while connection.sent < out.len() {
            match connection.socket.write(&out[connection.sent..]) {
                Ok(count) => connection.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.connections[index] = None,
            }
        }
        if out.len() - connection.sent > BACKLOG_BYTES_MAX {
            self.counters.overflows += 1;
            return self.connections[index] = None;
        }
        if connection.sent > BACKLOG_BYTES_MAX / 64 {
            out.drain(..connection.sent);
            connection.sent = 0;
        }
        let empty = connection.sent == out.len();
        if empty {
            out.clear();
            connection.sent = 0;
            if connection.ending {
                return self.connections[index] = None;
            }
        }
        if connection.writable_wanted == empty {
            connection.writable_wanted = !empty;
            let interest = if empty { Interest::Read } else { Interest::Both };
            if self.poller.modify(&connection.socket, index as u64, interest).is_err() {
                self.connections[index] = None;
            }
        }
    }

    fn stats(&self) -> Value {
        let sessions: Vec<&Session> = self.connections.iter().flatten().map(|connection| &connection.session).collect();
        let names: BTreeSet<&String> = sessions.iter().flat_map(|session| session.names()).collect();
        let silent = |name: &str| self.known.topic(name).is_none();
        let mut stats = self.counters.to_json();
        stats["upstreams"] = json!(sessions.iter().filter(|session| !session.names().is_empty()).count());
        stats["subscribed"] = json!(sessions.iter().map(|session| session.names().len()).sum::<usize>());
        stats["subscribed_distinct"] = json!(names.len());
        stats["subscribed_silent"] = json!(names.iter().filter(|name| silent(name)).count());
        stats
    }
}
