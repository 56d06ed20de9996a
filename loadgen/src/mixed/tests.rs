//! A whole run without sockets: clients of all dialects are told what a venue said, and every way to tell it wrong is found.

use super::client::{Client, Common, Phase};
use super::judge::{Judge, Rules, Seen};
use super::ledger::Tolerance;
use super::read::{Push, Quote};
use super::samples;
use super::violations::Kind;
use super::who::{DIALECTS, Dialect, Who};
use super::window::{Grid, Now, Window};
use crate::clock::{MILLISECOND_NS, SECOND_NS};
use crate::frame::{self, Sender};
use crate::handshake;
use crate::venue::schedule::{Pace, Schedule};
use proptest::prelude::*;

const PAIRS: u32 = 2;
/// 2025-12-08T16:30:00Z, when the venue's slot 0 was due.
const START_MS: u64 = 1_765_211_400_000;
/// Per pair one in 100 ms.
const TRADES: u64 = 80;
const GRID: Grid = Grid { interval_ms: 2000, late_ms_max: 200 };

/// What one client is told, in order.
#[derive(Clone, Debug)]
struct Told {
    to: usize,
    at_ms: u64,
    text: Vec<u8>,
}

fn whos() -> Vec<Who> {
    let one = |index: usize| {
        let (dialect, own) = (DIALECTS[index % 4], index / 4);
        Who { index, dialect, pair: (own as u32) % PAIRS, watches: dialect == Dialect::Hub && own < 2 }
    };
    (0..16).map(one).collect()
}

fn rules() -> Rules {
    let schedule = Schedule { epoch_ns: 0, topics: PAIRS, pace: Pace::Even { rate: 20.0 } };
    Rules { schedule, grid: GRID, tolerance: Tolerance { lag_ms: 30, events: 1 } }
}

fn said_ms(pair: u32, seq: u64) -> u64 {
    START_MS + (seq * u64::from(PAIRS) + u64::from(pair)) * 50
}

/// The newest trade said before a moment.
fn newest(pair: u32, before_ms: u64) -> u64 {
    (0..TRADES).rev().find(|&seq| said_ms(pair, seq) < before_ms).unwrap()
}

/// What a relay without faults tells everybody.
fn faultless() -> Vec<Told> {
    let mut all = Vec::new();
    for who in whos() {
        let to = who.index;
        for seq in 0..TRADES {
            let quote = Quote { pair: who.pair, seq, time_ms: said_ms(who.pair, seq) };
            let text = match who.dialect {
                Dialect::Stream => samples::stream(quote),
                Dialect::Hub => samples::hub(quote),
                Dialect::Socketio => samples::socketio(quote),
                Dialect::Deriv => continue,
            };
            all.push(Told { to, at_ms: quote.time_ms + 3, text });
        }
        for second in (1..=8).filter(|_| who.dialect == Dialect::Deriv) {
            let over_ms = START_MS + second * 1000;
            let text = samples::deriv(who.pair, newest(who.pair, over_ms), over_ms / 1000 - 1, to);
            all.push(Told { to, at_ms: over_ms + 2, text });
        }
        for pair in (0..PAIRS).filter(|_| who.watches) {
            // What comes on subscribing, off the grid; then the pushes.
            for time_ms in [300, 2000, 4000, 6000].map(|ms| START_MS + ms) {
                let seq = newest(pair, time_ms);
                let push = Push { pair, seq, time_ms, source_ms: said_ms(pair, seq) + 1 };
                all.push(Told { to, at_ms: time_ms + 4, text: samples::board(push) });
            }
        }
    }
    all.sort_by_key(|told| told.at_ms);
    all
}

/// The verdict on a run in which this was told. The window is from 0.5 s to 7.2 s.
fn judge(told: &[Told]) -> Judge {
    let mut judge = Judge::new(rules()).unwrap();
    let mut common = Common::new(PAIRS, "trade-{base}", "board");
    let mut clients: Vec<Client> = whos().into_iter().map(|who| Client::new(who, PAIRS)).collect();
    clients.iter_mut().for_each(|client| client.phase = Phase::Open);
    for Told { to, at_ms, text } in told {
        let passed_ns = (at_ms - START_MS) * MILLISECOND_NS;
        let now = Now { ns: passed_ns, wall_ns: START_MS * MILLISECOND_NS + passed_ns };
        if judge.window.is_none() && passed_ns > SECOND_NS / 2 {
            let start_ns = SECOND_NS / 2;
            let start = Now { ns: start_ns, wall_ns: START_MS * MILLISECOND_NS + start_ns };
            judge.window = Some(Window::new(start, 7_200_000_000, &rules().schedule, GRID));
        }
        let mut wire = Vec::new();
        frame::encode_server(&mut wire, frame::TEXT, text);
        clients[*to].receive(&wire, &mut common, &mut judge, now, &mut Vec::new());
    }
    let seen: Vec<(Who, &Seen)> = clients.iter().map(|client| (client.who, &client.seen)).collect();
    judge.settle(&DIALECTS, seen.into_iter());
    judge
}

/// A message in the middle of what a client of the dialect is told of its own instrument, by its place in all.
fn middle(told: &[Told], dialect: Dialect) -> usize {
    let is_own = |told: &Told| {
        whos()[told.to].dialect == dialect
            && whos()[told.to].pair == 1
            && !told.text.windows(7).any(|part| part == b"\"board\"")
    };
    let own: Vec<usize> =
        (0..told.len()).filter(|&index| is_own(&told[index]) && told[index].at_ms > START_MS + 3000).collect();
    own[own.len() / 4]
}

fn next_of(told: &[Told], index: usize) -> usize {
    (index + 1..told.len()).find(|&other| told[other].to == told[index].to).unwrap()
}

#[track_caller]
fn check(told: &[Told], kinds: &[Kind]) {
    let judge = judge(told);
    for kind in kinds {
        assert!(judge.violations.count(*kind) > 0, "no {kind:?} in {:?}", judge.violations);
    }
    assert_eq!(judge.violations.is_empty(), kinds.is_empty(), "{:?}", judge.violations);
}

/// Without a fault there is no violation, and all dialects end at the same price.
#[test]
fn faultless_runs_pass() {
    let told = faultless();
    check(&told, &[]);
    let judge = judge(&told);
    let instruments = judge.instruments(&DIALECTS);
    for row in instruments.as_array().unwrap() {
        assert_eq!(row["stream"], row["hub"]);
        assert_eq!(row["stream"], row["socketio"]);
        assert_eq!((&row["stream"]["prices"], &row["deriv"]["prices"]), (&67.into(), &6.into()), "{row}");
    }
    assert_eq!((judge.pushes.len(), judge.push_after_ns.len()), (6, 12));
    assert_eq!(judge.push_after_ns.iter().max(), Some(&4_000_000));
    // The deliveries of the window: 67 trades of 2 pairs to 2 clients each, 6 ticks likewise.
    assert_eq!(judge.tallies.iter().map(|tally| tally.deliveries).collect::<Vec<_>>(), [268, 268, 24, 268]);
}

/// What one client lacks is found, wherever it is missing.
#[test]
fn lost() {
    for dialect in DIALECTS {
        let mut told = faultless();
        told.remove(middle(&told, dialect));
        check(&told, &[Kind::Lost]);
        // The last of the window, after which nothing comes that could show a gap.
        let mut told = faultless();
        let to = told[middle(&told, dialect)].to;
        told.retain(|told| told.to != to || told.at_ms < START_MS + 6900);
        check(&told, &[Kind::Lost]);
    }
}

/// What all clients of a dialect lack is found as well, and called unequal.
#[test]
fn lost_for_all() {
    for dialect in [Dialect::Stream, Dialect::Hub, Dialect::Socketio] {
        let mut told = faultless();
        let text = told[middle(&told, dialect)].text.clone();
        told.retain(|told| told.text != text);
        check(&told, &[Kind::Lost, Kind::Unequal]);
    }
}

#[test]
fn doubled() {
    for dialect in DIALECTS {
        let mut told = faultless();
        let again = told[middle(&told, dialect)].clone();
        told.insert(middle(&told, dialect), again);
        check(&told, &[Kind::Duplicated]);
    }
}

#[test]
fn swapped() {
    for dialect in DIALECTS {
        let mut told = faultless();
        let first = middle(&told, dialect);
        let second = next_of(&told, first);
        let text = told[first].text.clone();
        told[first].text = std::mem::replace(&mut told[second].text, text);
        check(&told, &[Kind::Reordered]);
    }
}

/// One digit of one price, told to one client.
#[test]
fn changed() {
    for dialect in DIALECTS {
        let mut told = faultless();
        let at = middle(&told, dialect);
        let text = String::from_utf8(told[at].text.clone()).unwrap();
        let at_price = text.find("3344.").unwrap();
        let price = &text[at_price..at_price + "3344.12345678".len()];
        let digit = if price.as_bytes()[5] == b'9' { "8" } else { "9" };
        told[at].text = text.replace(price, &format!("3344.{digit}{}", &price[6..])).into_bytes();
        check(&told, &[Kind::Changed]);
        // A price that the venue did say, but for another trade.
        let mut told = faultless();
        let other = told[next_of(&told, at)].text.clone();
        told[at].text = other;
        check(&told, &[if dialect == Dialect::Deriv { Kind::Lost } else { Kind::Duplicated }]);
    }
}

/// The price of another instrument, and another time of the same trade.
#[test]
fn misrouted_and_mistimed() {
    for dialect in [Dialect::Stream, Dialect::Socketio] {
        let mut told = faultless();
        let at = middle(&told, dialect);
        let quote = Quote { pair: 0, seq: 40, time_ms: said_ms(0, 40) };
        let write = if dialect == Dialect::Stream { samples::stream } else { samples::socketio };
        told[at].text = write(quote);
        check(&told, &[Kind::Misrouted, Kind::Lost]);
    }
    let mut told = faultless();
    let at = middle(&told, Dialect::Socketio);
    let text = String::from_utf8(told[at].text.clone()).unwrap();
    let time = text.rfind("}]").unwrap() - 1;
    told[at].text =
        format!("{}{}{}", &text[..time], if &text[time..=time] == "1" { "2" } else { "1" }, &text[time + 1..])
            .into_bytes();
    check(&told, &[Kind::Changed]);
}

/// A tick for all clients that is not the last trade of its second, and one that comes before its second is over.
#[test]
fn ticks() {
    let retell = |seq_of: fn(u64) -> u64, early_ms: u64| {
        let mut told = faultless();
        for told in &mut told {
            if whos()[told.to].dialect == Dialect::Deriv && told.at_ms == START_MS + 4002 {
                let pair = whos()[told.to].pair;
                told.text = samples::deriv(pair, seq_of(newest(pair, START_MS + 4000)), START_MS / 1000 + 3, told.to);
                told.at_ms -= early_ms;
            }
        }
        told.sort_by_key(|told| told.at_ms);
        told
    };
    check(&retell(|seq| seq, 0), &[]);
    check(&retell(|seq| seq - 1, 0), &[Kind::Tick]);
    check(&retell(|seq| seq + 1, 0), &[Kind::Tick]);
    check(&retell(|seq| seq, 40), &[Kind::Tick]);
    // One client alone is told another trade.
    let mut told = faultless();
    let at = middle(&told, Dialect::Deriv);
    let over_ms = told[at].at_ms - 2;
    told[at].text = samples::deriv(1, newest(1, over_ms) - 1, over_ms / 1000 - 1, told[at].to);
    check(&told, &[Kind::Unequal]);
}

/// Scheduled pushes: on time, once, all of them, with a fresh price.
#[test]
fn scheduled() {
    let is_board = |told: &Told| told.text.windows(7).any(|part| part == b"\"board\"");
    let of_second =
        |told: &[Told]| (0..told.len()).find(|&at| is_board(&told[at]) && told[at].at_ms == START_MS + 4004).unwrap();
    let change = |change: &dyn Fn(&mut Vec<Told>, usize)| {
        let mut told = faultless();
        let at = of_second(&told);
        change(&mut told, at);
        told.sort_by_key(|told| told.at_ms);
        told
    };
    check(&change(&|told, at| drop(told.remove(at))), &[Kind::Lost]);
    check(&change(&|told, at| told.insert(at, told[at].clone())), &[Kind::Duplicated]);
    check(&change(&|told, at| told[at].at_ms += 195), &[]);
    check(&change(&|told, at| told[at].at_ms += 197), &[Kind::Schedule]);
    check(&change(&|told, at| told[at].at_ms -= 205), &[Kind::Schedule]);
    let last = |told: &mut Vec<Told>| told.retain(|told| !is_board(told) || told.at_ms < START_MS + 6000);
    check(&change(&|told, _| last(told)), &[Kind::Lost]);
    let reprice = |behind: u64| {
        change(&|told, _| {
            for told in told.iter_mut().filter(|told| is_board(told) && told.at_ms == START_MS + 4004) {
                let pair = u32::from(told.text.windows(4).any(|part| part == b"ETH/"));
                let seq = newest(pair, START_MS + 4000) - behind;
                let push = Push { pair, seq, time_ms: START_MS + 4000, source_ms: said_ms(pair, seq) + 1 };
                told.text = samples::board(push);
            }
        })
    };
    check(&reprice(0), &[]);
    check(&reprice(3), &[Kind::Stale]);
}

/// What each dialect says, and that its dialogue comes to the point however the bytes are cut.
#[test]
fn dialogues() {
    let opened = br#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#;
    let subscribed =
        br#"{"type":"subscribed","channels":["trade-btc","board"],"timestamp":"2025-12-08T16:30:45.123Z"}"#;
    let said: [(&[&[u8]], &[&str]); 4] = [
        (&[], &[]),
        (&[subscribed], &[r#"{"channels":["trade-btc","board"],"type":"subscribe"}"#]),
        (&[], &[r#"{"ticks":"cryBTCUSD","subscribe":1,"req_id":2}"#]),
        (
            &[opened, br#"40{"sid":"b"}"#, b"2"],
            &[r#"40{"api-key":"loadgen"}"#, r#"42["crypto/onlyListen",{"base":"USD","symbol":"BTC"}]"#, "3"],
        ),
    ];
    for (who, (server, expected)) in whos().into_iter().zip(said) {
        let mut wire = handshake::response(handshake::KEY);
        server.iter().for_each(|text| frame::encode_server(&mut wire, frame::TEXT, text));
        for piece in [1, 7, wire.len()] {
            let mut judge = Judge::new(rules()).unwrap();
            let mut common = Common::new(PAIRS, "trade-{base}", "board");
            let mut client = Client::new(who, PAIRS);
            client.phase = Phase::Upgrading;
            let mut reply = Vec::new();
            for bytes in wire.chunks(piece) {
                client.receive(bytes, &mut common, &mut judge, Now { ns: 0, wall_ns: 0 }, &mut reply);
            }
            assert!(judge.violations.is_empty(), "{:?}", judge.violations);
            let mut replies = Vec::new();
            while let Some(frame) = frame::decode(&reply, Sender::Client).unwrap() {
                let mut payload = reply[frame.payload.clone()].to_vec();
                frame::apply_mask(&mut payload, frame.mask.unwrap());
                replies.push(String::from_utf8(payload).unwrap());
                reply.drain(..frame.payload.end);
            }
            assert_eq!(replies, expected, "{who}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whichever message is left out, told twice or told at another's place: no run with a fault passes.
    #[test]
    fn no_fault_passes(at in any::<prop::sample::Index>(), fault in 0..3) {
        let mut told = faultless();
        // What is due well inside the window; an edge is nobody's loss.
        let inside: Vec<usize> =
            (0..told.len()).filter(|&at| (START_MS + 2000..START_MS + 6500).contains(&told[at].at_ms)).collect();
        let at = *at.get(&inside);
        match fault {
            0 => drop(told.remove(at)),
            1 => told.insert(at, told[at].clone()),
            _ => {
                let second = next_of(&told, at);
                let text = told[at].text.clone();
                told[at].text = std::mem::replace(&mut told[second].text, text);
            }
        }
        // Two frames of different channels of one client may come in any order.
        let is_of_two = |told: &Told| whos()[told.to].watches;
        let judge = judge(&told);
        prop_assert!(!judge.violations.is_empty() || (fault == 2 && is_of_two(&told[at])), "{fault} at {at}");
    }

    /// Whatever a server sends, a client judges it and lives.
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..300), index in 0usize..16) {
        let mut judge = Judge::new(rules()).unwrap();
        let mut common = Common::new(PAIRS, "trade-{base}", "board");
        let mut client = Client::new(whos()[index], PAIRS);
        client.phase = Phase::Open;
        let mut wire = Vec::new();
        frame::encode_server(&mut wire, frame::TEXT, &bytes);
        wire.extend_from_slice(&bytes);
        client.receive(&wire, &mut common, &mut judge, Now { ns: 0, wall_ns: 0 }, &mut Vec::new());
    }
}
