//! The market with products that are none: what is asked of its sources, who gets what, and what it holds.

mod simulation;
mod streams;

use std::collections::BTreeSet;

use super::catalog::{Catalog, Given, Symbol};
use super::event::Event;
use super::pair::Pair;
use super::product::{Key, Product};
use super::*;
use crate::limits::{PRODUCT_LINGER_MS, QUESTION_WAIT_MS};

const START_MS: u64 = 1_765_211_445_000;
const TRADE: &[u8] = br#"{"e":"trade","E":1,"s":"X","t":1,"p":"1.5","q":"2","T":1,"m":true}"#;
const TICK: &[u8] = br#"{"e":"tick","E":1,"s":"X","p":"1.5","b":"1.4","a":"1.6","d":1}"#;

/// Says a word for every topic it ever heard of whenever a source speaks, wanted or not; answers once it heard one.
struct Fake {
    subject: String,
    seen: Vec<Topic>,
    wanted: BTreeSet<String>,
    has_data: bool,
    /// Polls at even tens of seconds.
    due_ms: u64,
}

impl Fake {
    fn new(topic: &Topic) -> Fake {
        let subject = match topic {
            Topic::Hub { channel } => channel.to_string(),
            Topic::Ticks { symbol, .. } | Topic::Candles { symbol, .. } => symbol.to_string(),
            Topic::Rates { .. } | Topic::Stream { .. } => panic!("the catalogue makes them"),
        };
        Fake { subject, seen: Vec::new(), wanted: BTreeSet::new(), has_data: false, due_ms: u64::MAX }
    }

    fn speak(&self, out: &mut Out<'_>) {
        for topic in &self.seen {
            out(topic, 1, topic.to_string().as_bytes());
        }
    }
}

/// What a topic's product needs for it.
fn needs(topic: &Topic) -> Vec<String> {
    match topic {
        Topic::Hub { channel } => vec![format!("{channel}@trade"), "shared@trade".to_owned()],
        Topic::Ticks { symbol, .. } => vec![format!("{}@tick", symbol.to_lowercase())],
        Topic::Candles { symbol, .. } => vec![format!("{}@tick", symbol.to_lowercase()), "shared@trade".to_owned()],
        Topic::Rates { .. } | Topic::Stream { .. } => Vec::new(),
    }
}

impl Product for Fake {
    fn sources(&self) -> Vec<Box<str>> {
        let topics = self.wanted.iter().map(|name| Topic::parse(name).unwrap());
        let needed: BTreeSet<String> = topics.flat_map(|topic| needs(&topic)).collect();
        needed.into_iter().map(Into::into).collect()
    }

    fn want(&mut self, topic: &Topic, now_ms: u64) {
        assert!(topic.to_string().contains(&self.subject), "{topic} is of another product");
        self.wanted.insert(topic.to_string());
        if !self.seen.contains(topic) {
            self.seen.push(topic.clone());
        }
        self.due_ms = (now_ms / 10_000 + 1) * 10_000;
    }

    fn unwant(&mut self, topic: &Topic) {
        assert!(self.wanted.remove(&topic.to_string()), "{topic} was not wanted");
    }

    fn take(&mut self, source: &str, event: &Event<'_>, _now_ms: u64, out: &mut Out<'_>) {
        assert!(self.sources().iter().any(|name| **name == *source), "{source} is none of its sources");
        assert_eq!(matches!(event, Event::Tick(_)), source.ends_with("@tick"));
        self.has_data = true;
        self.speak(out);
    }

    fn due_ms(&self) -> u64 {
        self.due_ms
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        assert!(self.due_ms <= now_ms, "polled before it is due");
        self.due_ms = (now_ms / 10_000 + 1) * 10_000;
        self.speak(out);
    }

    fn answer(&mut self, question: &Question, _now_ms: u64) -> Option<Answer> {
        assert!(self.wanted.contains(&question.topic().to_string()), "a question makes its topic wanted");
        self.has_data.then(|| Answer::Json { body: self.subject.clone().into_bytes(), pip_size: 1 })
    }
}

fn market(channels: &[&str], symbols: impl Iterator<Item = String>) -> Market {
    let pair = |text| Pair::parse(text).unwrap();
    let given = Given {
        fiats: vec![pair("EUR/USD")],
        symbols: symbols.map(|name| Symbol::native(&name, None)).collect(),
        channels: channels.iter().map(|name| (*name).into()).collect(),
        ..Given::default()
    };
    Market::new(Arc::new(Catalog::new(given, Box::new(|topic| Some(Box::new(Fake::new(topic))))).unwrap()))
}

fn small() -> Market {
    market(&["a", "b"], ["R_1".to_owned(), "R_2".to_owned()].into_iter())
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

fn tick_of(symbol: &str) -> Question {
    Question::Tick { symbol: symbol.into() }
}

/// What changed of the sources, as `+name` and `-name`, by name.
fn changes(market: &mut Market) -> Vec<String> {
    let changes = market.take_source_changes().into_iter();
    changes.map(|change| format!("{}{}", if change.wanted { '+' } else { '-' }, change.name)).collect()
}

/// The topics that got something.
fn said(run: impl FnOnce(&mut Out<'_>)) -> Vec<String> {
    let mut said = Vec::new();
    run(&mut |topic: &Topic, key: Key, bytes: &[u8]| {
        assert_eq!((key, bytes), (1, topic.to_string().as_bytes()));
        said.push(topic.to_string());
    });
    said
}

/// A stream is wanted once however many products read it, and until the last has lingered.
#[test]
fn sources_follow_demand() {
    let mut market = small();
    market.want(&topic("hub a"), START_MS).unwrap();
    market.want(&topic("hub b"), START_MS).unwrap();
    market.want(&topic("hub b"), START_MS).unwrap();
    assert_eq!(changes(&mut market), ["+a@trade", "+b@trade", "+shared@trade"]);
    market.unwant(&topic("hub a"));
    assert_eq!(changes(&mut market), [""; 0], "it lingers");
    market.poll(START_MS + PRODUCT_LINGER_MS - 1, &mut |_, _, _| {});
    assert_eq!(changes(&mut market), [""; 0]);
    market.poll(START_MS + PRODUCT_LINGER_MS, &mut |_, _, _| {});
    assert_eq!(changes(&mut market), ["-a@trade"]);
    assert_eq!(market.product_count(), 1);
    market.unwant(&topic("hub b"));
    market.poll(START_MS + 2 * PRODUCT_LINGER_MS, &mut |_, _, _| {});
    assert_eq!(changes(&mut market), ["-b@trade", "-shared@trade"]);
    assert_eq!((market.product_count(), market.due_ms()), (0, u64::MAX));
    // What came and went between two looks was nothing.
    market.want(&topic("ticks R_1"), START_MS).unwrap();
    market.unwant(&topic("ticks R_1"));
    market.poll(START_MS + 3 * PRODUCT_LINGER_MS, &mut |_, _, _| {});
    assert_eq!((market.product_count(), changes(&mut market)), (0, vec![]));
}

/// Who comes back within the linger finds the product as it was; nothing is said meanwhile.
#[test]
fn a_reconnect_finds_it_warm() {
    let mut market = small();
    market.want(&topic("ticks R_1"), START_MS).unwrap();
    assert_eq!(said(|out| market.source("r_1@tick", TICK, START_MS, out)), ["ticks R_1"]);
    market.unwant(&topic("ticks R_1"));
    assert_eq!(said(|out| market.source("r_1@tick", TICK, START_MS, out)), [""; 0]);
    market.want(&topic("ticks R_1"), START_MS + PRODUCT_LINGER_MS - 1).unwrap();
    market.poll(START_MS + PRODUCT_LINGER_MS, &mut |_, _, _| {});
    market.ask(1, &tick_of("R_1"), START_MS + PRODUCT_LINGER_MS).unwrap();
    let body = b"R_1".to_vec();
    assert_eq!(market.take_answers(), [(1, Some(Answer::Json { body, pip_size: 1 }))]);
    assert_eq!(changes(&mut market), ["+r_1@tick"]);
}

/// One product serves all topics of its subject, and each topic's frames go to those who want it.
#[test]
fn only_wanted_topics_are_served() {
    let mut market = small();
    for name in ["ticks R_1", "candles R_1 60", "ticks R_2"] {
        market.want(&topic(name), START_MS).unwrap();
    }
    assert_eq!(market.product_count(), 2);
    assert_eq!(said(|out| market.source("r_1@tick", TICK, START_MS, out)), ["ticks R_1", "candles R_1 60"]);
    assert_eq!(said(|out| market.source("shared@trade", TRADE, START_MS, out)), ["ticks R_1", "candles R_1 60"]);
    market.unwant(&topic("candles R_1 60"));
    assert_eq!(said(|out| market.source("r_1@tick", TICK, START_MS, out)), ["ticks R_1"]);
    let due_ms = market.due_ms();
    assert_eq!(said(|out| market.poll(due_ms, out)), ["ticks R_1", "ticks R_2"]);
    let counters = market.counters();
    assert_eq!((counters.decoded_total, counters.emitted_total), (3, 7));
}

/// What cannot be read, and what nobody reads, is counted and does no harm.
#[test]
fn bad_messages_are_counted() {
    let mut market = small();
    market.want(&topic("ticks R_1"), START_MS).unwrap();
    for payload in [b"".as_slice(), b"{", b"\xff", TRADE] {
        assert_eq!(said(|out| market.source("r_1@tick", payload, START_MS, out)), [""; 0]);
    }
    market.source("r_9@tick", TICK, START_MS, &mut |_, _, _| {});
    let counters = market.counters();
    assert_eq!((counters.undecodable_total, counters.stray_total, counters.decoded_total), (4, 1, 0));
}

/// A question makes its sources wanted, is answered as soon as there is data, and says so when none comes.
#[test]
fn questions_are_answered_once() {
    let mut market = small();
    market.ask(1, &tick_of("R_1"), START_MS).unwrap();
    market.ask(2, &tick_of("R_1"), START_MS + 10).unwrap();
    market.ask(3, &tick_of("R_2"), START_MS + 10).unwrap();
    market.ask(4, &tick_of("R_3"), START_MS + 10).unwrap();
    assert_eq!(changes(&mut market), ["+r_1@tick", "+r_2@tick"]);
    assert_eq!(market.take_answers(), [(4, Some(Answer::Unknown))]);
    market.forget_question(2);
    assert_eq!(said(|out| market.source("r_1@tick", TICK, START_MS + 20, out)), [""; 0], "nobody subscribed");
    assert_eq!(market.take_answers(), [(1, Some(Answer::Json { body: b"R_1".to_vec(), pip_size: 1 }))]);
    let late_ms = START_MS + 10 + QUESTION_WAIT_MS;
    market.poll(late_ms - 1, &mut |_, _, _| {});
    assert_eq!(market.take_answers(), []);
    assert_eq!(market.due_ms(), late_ms);
    market.poll(late_ms, &mut |_, _, _| {});
    assert_eq!(market.take_answers(), [(3, None)]);
    assert_eq!(market.counters().late_answers_total, 1);
    market.poll(late_ms + PRODUCT_LINGER_MS, &mut |_, _, _| {});
    assert_eq!(changes(&mut market), ["-r_1@tick", "-r_2@tick"]);
}

/// An answer that nobody fetched in time can still be forgotten, and a number used anew is a new question.
#[test]
fn questions_are_forgotten() {
    let mut market = small();
    market.ask(1, &tick_of("R_3"), START_MS).unwrap();
    market.forget_question(1);
    assert_eq!(market.take_answers(), []);
    market.ask(1, &tick_of("R_1"), START_MS).unwrap();
    market.ask(1, &tick_of("R_2"), START_MS).unwrap();
    market.source("r_1@tick", TICK, START_MS, &mut |_, _, _| {});
    assert_eq!(market.take_answers(), []);
    market.source("r_2@tick", TICK, START_MS, &mut |_, _, _| {});
    assert_eq!(market.take_answers().len(), 1);
    market.forget_question(7);
}

#[test]
fn what_there_is_not_is_refused() {
    let mut market = small();
    for name in ["hub c", "ticks R_3", "candles R_1 61", "fiat XXX", "crypto USD BTC"] {
        let refusal = market.want(&topic(name), START_MS).unwrap_err();
        assert_eq!(refusal.to_string(), format!("there is no {name:?}"));
        market.unwant(&topic(name));
    }
    assert_eq!((market.product_count(), market.counters().refused_total), (0, 5));
    assert_eq!(changes(&mut market), [""; 0]);
}

/// The catalogue's own tables, from a message to the frame.
#[test]
fn rates_are_served_like_the_rest() {
    let mut market = small();
    market.want(&topic("fiat EUR USD"), START_MS).unwrap();
    assert_eq!(changes(&mut market), ["+frxeurusd@tick"]);
    let mut frames = Vec::new();
    market.source("frxeurusd@tick", TICK, START_MS, &mut |_, _, bytes| frames.push(bytes.to_vec()));
    let expected = r#"42["currency",{"base":"EUR","currency":"USD","price":"1.5","timestamp":1}]"#;
    assert_eq!(frames, [expected.as_bytes()]);
    // Who comes back is given the present, though nothing changed.
    market.unwant(&topic("fiat EUR USD"));
    market.want(&topic("fiat EUR USD"), START_MS + 1).unwrap();
    assert_eq!(market.due_ms(), START_MS + 1);
    market.poll(START_MS + 1, &mut |_, _, bytes| frames.push(bytes.to_vec()));
    assert_eq!(frames, [expected.as_bytes(); 2]);
    let ask = |symbol: Option<&str>| Question::Rates {
        class: topic::Class::Fiat,
        base: "EUR".into(),
        symbol: symbol.map(Into::into),
    };
    market.ask(1, &ask(None), START_MS).unwrap();
    market.ask(2, &ask(Some("GBP")), START_MS).unwrap();
    let row = r#"{"base":"EUR","currency":"USD","price":"1.5","timestamp":1}"#;
    let all = Answer::Json { body: format!("[{row}]").into_bytes(), pip_size: 0 };
    assert_eq!(market.take_answers(), [(1, Some(all)), (2, Some(Answer::Unknown))]);
    let zero = String::from_utf8(TICK.to_vec()).unwrap().replace("1.5", "0.0");
    market.source("frxeurusd@tick", zero.as_bytes(), START_MS, &mut |_, _, _| {});
    assert_eq!(market.counters().skipped_total, 1);
    market.source_lost("frxeurusd@tick");
    market.ask(3, &ask(Some("USD")), START_MS).unwrap();
    assert_eq!(market.take_answers(), [], "what is lost answers nothing");
}

/// At the bound a product that only lingers makes room, the oldest first; one that is used does not.
#[test]
fn products_are_bounded() {
    let symbols = (0..PRODUCTS_MAX + 2).map(|number| format!("R_{number}"));
    let mut market = market(&[], symbols);
    let ticks = |number: usize| topic(&format!("ticks R_{number}"));
    for number in 0..PRODUCTS_MAX {
        market.want(&ticks(number), START_MS).unwrap();
    }
    assert_eq!(market.want(&ticks(PRODUCTS_MAX), START_MS), Err(Refusal::TooManyProducts));
    assert_eq!(market.ask(1, &tick_of(&format!("R_{PRODUCTS_MAX}")), START_MS), Err(Refusal::TooManyProducts));
    market.unwant(&ticks(7));
    market.poll(START_MS + 1, &mut |_, _, _| {});
    market.unwant(&ticks(3));
    changes(&mut market);
    market.want(&ticks(PRODUCTS_MAX), START_MS + 1).unwrap();
    assert_eq!(changes(&mut market), [format!("+r_{PRODUCTS_MAX}@tick"), "-r_7@tick".to_owned()]);
    market.want(&ticks(PRODUCTS_MAX + 1), START_MS + 1).unwrap();
    assert_eq!(changes(&mut market), ["-r_3@tick".to_owned(), format!("+r_{}@tick", PRODUCTS_MAX + 1)]);
    assert_eq!(market.want(&ticks(7), START_MS + 1), Err(Refusal::TooManyProducts));
    assert_eq!(market.product_count(), PRODUCTS_MAX);
}

#[test]
fn questions_are_bounded() {
    let mut market = small();
    for id in 0..QUESTIONS_MAX as u64 {
        market.ask(id, &tick_of("R_1"), START_MS).unwrap();
    }
    let refusal = market.ask(u64::MAX, &tick_of("R_1"), START_MS).unwrap_err();
    assert_eq!(refusal, Refusal::TooManyQuestions);
    assert_eq!(refusal.to_string(), format!("{QUESTIONS_MAX} questions wait, limit {QUESTIONS_MAX}"));
    market.source("r_1@tick", TICK, START_MS, &mut |_, _, _| {});
    assert!(market.ask(u64::MAX, &tick_of("R_1"), START_MS).is_err(), "answers wait to be fetched");
    assert_eq!(market.take_answers().len(), QUESTIONS_MAX);
    market.ask(u64::MAX, &tick_of("R_1"), START_MS).unwrap();
}

/// Who begins to read a stream that is held already is told what was said last, and nobody else is told it again.
#[test]
fn late_readers_are_told_what_was_said() {
    let mut market = small();
    market.want(&topic("hub a"), START_MS).unwrap();
    changes(&mut market);
    assert_eq!(market.take_late_readers(), []);
    market.want(&topic("hub b"), START_MS).unwrap();
    assert_eq!(changes(&mut market), ["+b@trade"]);
    let late = market.take_late_readers();
    let [(reader, name)] = late.as_slice() else { panic!("{late:?}") };
    assert_eq!(&**name, "shared@trade");
    let kept = Kept { payload: TRADE, said_ms: START_MS - 1 };
    assert_eq!(said(|out| market.kept(name, kept, Some(*reader), START_MS, out)), ["hub b"]);
    assert_eq!(said(|out| market.kept("shared@trade", kept, None, START_MS, out)), ["hub a", "hub b"]);
    assert_eq!(said(|out| market.kept("nobody@trade", kept, None, START_MS, out)), [""; 0]);
    assert_eq!(market.sources_of(&topic("hub b")), ["b@trade".into(), "shared@trade".into()]);
}
