//! Random demand, questions, messages and time against a model that is told the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const TOPICS: [&str; 7] =
    ["hub a", "hub b", "ticks R_1", "ticks_history R_1", "candles R_1 60", "ticks R_2", "candles R_2 3600"];
const SYMBOLS: [&str; 3] = ["R_1", "R_2", "R_3"];
const STREAMS: [&str; 6] = ["a@trade", "b@trade", "shared@trade", "r_1@tick", "r_2@tick", "stranger@trade"];

#[derive(Clone, Debug)]
enum Step {
    Want(usize),
    Unwant(usize),
    Ask(usize),
    Forget(u64),
    Message { stream: usize, is_broken: bool },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..TOPICS.len()).prop_map(Step::Want),
        4 => (0..TOPICS.len()).prop_map(Step::Unwant),
        2 => (0..SYMBOLS.len()).prop_map(Step::Ask),
        1 => (0..40u64).prop_map(Step::Forget),
        4 => (0..STREAMS.len(), prop::bool::weighted(0.2))
            .prop_map(|(stream, is_broken)| Step::Message { stream, is_broken }),
        3 => prop_oneof![0..100u64, 1_000..6_000u64, 20_000..40_000u64].prop_map(Step::Wait),
    ]
}

/// Why a topic is kept, as the caller would reckon.
#[derive(Default)]
struct Kept {
    has_client: bool,
    question_count: usize,
    end_ms: u64,
}

struct World {
    market: Market,
    now_ms: u64,
    kept: BTreeMap<String, Kept>,
    /// Topic and time of each open question.
    open: BTreeMap<u64, (String, u64)>,
    next_id: u64,
    /// What the caller holds, by the changes it was told.
    held: BTreeSet<String>,
    late_count: u64,
}

impl World {
    fn run(&mut self, step: &Step) {
        match *step {
            Step::Want(at) => {
                self.market.want(&topic(TOPICS[at]), self.now_ms).unwrap();
                self.kept.entry(TOPICS[at].to_owned()).or_default().has_client = true;
            }
            Step::Unwant(at) => {
                self.market.unwant(&topic(TOPICS[at]));
                if let Some(kept) = self.kept.get_mut(TOPICS[at]).filter(|kept| kept.has_client) {
                    kept.has_client = false;
                    // Reckoned from the last time the market was told the time.
                    kept.end_ms = self.market.now_ms + PRODUCT_LINGER_MS;
                }
            }
            Step::Ask(at) => {
                let question = tick_of(SYMBOLS[at]);
                self.open.insert(self.next_id, (question.topic().to_string(), self.now_ms));
                if SYMBOLS[at] != "R_3" {
                    self.kept.entry(question.topic().to_string()).or_default().question_count += 1;
                }
                self.market.ask(self.next_id, &question, self.now_ms).unwrap();
                self.next_id += 1;
            }
            Step::Forget(id) => {
                self.market.forget_question(id);
                self.close(id);
            }
            Step::Message { stream, is_broken } => self.message(STREAMS[stream], is_broken),
            Step::Wait(ms) => self.now_ms += ms,
        }
        self.poll();
        self.check();
    }

    fn message(&mut self, stream: &str, is_broken: bool) {
        let payload = if stream.ends_with("@tick") { TICK } else { TRADE };
        let payload = if is_broken { &payload[1..] } else { payload };
        let before = self.market.counters();
        let said = said(|out| self.market.source(stream, payload, self.now_ms, out));
        let after = self.market.counters();
        let told = |count: fn(&Counters) -> u64| count(&after) - count(&before);
        let outcome = (told(|it| it.decoded_total), told(|it| it.undecodable_total), told(|it| it.stray_total));
        let expected = match (self.held.contains(stream), is_broken) {
            (true, false) => (1, 0, 0),
            (true, true) => (0, 1, 0),
            (false, _) => (0, 0, 1),
        };
        assert_eq!(outcome, expected, "{stream}");
        assert_eq!(told(|it| it.emitted_total), said.len() as u64);
        // All topics with a client whose product reads this stream get the word, and only they.
        let reads = |name: &String| {
            let same_subject = self.kept.keys().filter(|other| Subject::of(&topic(other)) == Subject::of(&topic(name)));
            same_subject.flat_map(|other| needs(&topic(other))).any(|need| need == *stream)
        };
        let wanted = self.kept.iter().filter(|(_, kept)| kept.has_client).map(|(name, _)| name);
        let expected: BTreeSet<&String> = wanted.filter(|name| outcome.0 == 1 && reads(name)).collect();
        assert_eq!(said.iter().collect::<BTreeSet<_>>(), expected);
        assert_eq!(said.len(), expected.len(), "each once");
    }

    fn poll(&mut self) {
        if self.market.due_ms() <= self.now_ms {
            let said = said(|out| self.market.poll(self.now_ms, out));
            assert!(said.iter().all(|name| self.kept[name].has_client), "{said:?}");
        }
        let is_over = |kept: &Kept| !kept.has_client && kept.question_count == 0 && kept.end_ms <= self.now_ms;
        self.kept.retain(|_, kept| !is_over(kept));
        for (id, answer) in self.market.take_answers() {
            let (name, asked_ms) = self.open[&id].clone();
            match answer {
                Some(Answer::Unknown) => assert_eq!(name, "ticks R_3"),
                Some(Answer::Json { body, .. }) => {
                    assert_eq!(format!("ticks {}", String::from_utf8(body).unwrap()), name)
                }
                Some(Answer::Closed) => panic!("nothing is closed here"),
                None => {
                    assert!(asked_ms + QUESTION_WAIT_MS <= self.now_ms, "given up too early");
                    self.late_count += 1;
                }
            }
            self.close(id);
        }
    }

    fn close(&mut self, id: u64) {
        if let Some((name, _)) = self.open.remove(&id)
            && let Some(kept) = self.kept.get_mut(&name)
        {
            kept.question_count -= 1;
            kept.end_ms = self.market.now_ms + PRODUCT_LINGER_MS;
        }
    }

    fn check(&mut self) {
        for change in self.market.take_source_changes() {
            let name = change.name.to_string();
            let is_news = if change.wanted { self.held.insert(name) } else { self.held.remove(&name) };
            assert!(is_news, "{change:?} changes nothing");
        }
        let needed: BTreeSet<String> = self.kept.keys().flat_map(|name| needs(&topic(name))).collect();
        assert_eq!(self.held, needed, "sources are held as long as they are needed");
        let subjects: BTreeSet<String> =
            self.kept.keys().map(|name| format!("{:?}", Subject::of(&topic(name)))).collect();
        assert_eq!(self.market.product_count(), subjects.len());
        assert!(self.market.entries.len() <= 4, "slots are used again");
        assert_eq!(self.market.questions.len(), self.open.len());
        assert_eq!(self.market.counters().late_answers_total, self.late_count);
        for (_, asked_ms) in self.open.values() {
            assert!(asked_ms + QUESTION_WAIT_MS > self.now_ms, "no question waits for ever");
        }
    }
}

proptest! {
    #[test]
    fn demand_and_supply_agree(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World {
            market: small(),
            now_ms: START_MS,
            kept: BTreeMap::new(),
            open: BTreeMap::new(),
            next_id: 0,
            held: BTreeSet::new(),
            late_count: 0,
        };
        steps.iter().for_each(|step| world.run(step));
        // In the end all go, and nothing is left.
        (0..TOPICS.len()).for_each(|at| world.run(&Step::Unwant(at)));
        world.run(&Step::Wait(QUESTION_WAIT_MS));
        world.run(&Step::Wait(PRODUCT_LINGER_MS));
        prop_assert!(world.held.is_empty() && world.open.is_empty());
        prop_assert_eq!((world.market.product_count(), world.market.due_ms()), (0, u64::MAX));
    }
}
