//! One product at work: who wants what of it, and who waits for an answer.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::event::Event;
use super::product::{Answer, Key, Out, Product, Question, Undecodable};
use super::topic::{Class, Topic};
use crate::limits::{PRODUCT_LINGER_MS, QUESTION_WAIT_MS};

/// What a product is about. All topics of one subject come from one product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Channel(Box<str>),
    Symbol(Box<str>),
    Table(Class, Box<str>),
    /// Streams that are made together, by the group of their recipes.
    Streams(Box<str>),
}

impl Subject {
    /// Of a stream this is the name; the catalogue knows what is made together.
    pub fn of(topic: &Topic) -> Subject {
        match topic {
            Topic::Hub { channel } => Subject::Channel(channel.clone()),
            Topic::Ticks { symbol, .. } | Topic::Candles { symbol, .. } => Subject::Symbol(symbol.clone()),
            Topic::Rates { class, base, .. } => Subject::Table(*class, base.clone()),
            Topic::Stream { name } => Subject::Streams(name.clone()),
        }
    }
}

/// An answer, or none because no data came in time; and to which question.
pub type Answered = (u64, Option<Answer>);

pub struct Entry {
    pub subject: Subject,
    /// The streams it was last known to need.
    pub sources: Vec<Box<str>>,
    /// When it stands in the market's queue.
    pub due_ms: u64,
    /// Whether it was sure when that was looked at last.
    pub was_sure: bool,
    product: Box<dyn Product + Send>,
    topics: HashMap<Topic, Want, RandomState>,
    /// The earliest end of a linger.
    linger_end_ms: u64,
    waiting: Vec<Waiting>,
}

/// Why the product is kept at a topic. With neither a client nor a question it lingers.
struct Want {
    has_client: bool,
    question_count: usize,
    end_ms: u64,
}

impl Want {
    fn is_idle(&self) -> bool {
        !self.has_client && self.question_count == 0
    }
}

/// The same question of several clients is put once.
struct Waiting {
    question: Question,
    /// Oldest first.
    asked: Vec<Asked>,
}

struct Asked {
    id: u64,
    due_ms: u64,
}

impl Entry {
    pub fn new(subject: Subject, product: Box<dyn Product + Send>) -> Entry {
        Entry {
            subject,
            product,
            sources: Vec::new(),
            due_ms: u64::MAX,
            was_sure: true,
            topics: HashMap::default(),
            linger_end_ms: u64::MAX,
            waiting: Vec::new(),
        }
    }

    /// Those with a client.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().filter(|(_, want)| want.has_client).map(|(topic, _)| topic)
    }

    pub fn want(&mut self, topic: &Topic, now_ms: u64) {
        let want = self.topics.entry(topic.clone()).or_insert(Want { has_client: false, question_count: 0, end_ms: 0 });
        if std::mem::replace(&mut want.has_client, true) {
            return;
        }
        self.product.want(topic, now_ms);
        self.update_linger();
    }

    pub fn unwant(&mut self, topic: &Topic, now_ms: u64) {
        let Some(want) = self.topics.get_mut(topic).filter(|want| want.has_client) else { return };
        want.has_client = false;
        want.end_ms = now_ms + PRODUCT_LINGER_MS;
        self.update_linger();
    }

    pub fn ask(&mut self, id: u64, question: &Question, now_ms: u64) {
        let topic = question.topic();
        match self.topics.get_mut(&topic) {
            Some(want) => want.question_count += 1,
            None => {
                self.product.want(&topic, now_ms);
                self.topics.insert(topic, Want { has_client: false, question_count: 1, end_ms: 0 });
            }
        }
        self.update_linger();
        let asked = Asked { id, due_ms: now_ms + QUESTION_WAIT_MS };
        match self.waiting.iter_mut().find(|waiting| waiting.question == *question) {
            Some(waiting) => waiting.asked.push(asked),
            None => self.waiting.push(Waiting { question: question.clone(), asked: vec![asked] }),
        }
    }

    pub fn forget(&mut self, id: u64, now_ms: u64) {
        self.drop_asked(now_ms, |asked| asked.id != id);
    }

    /// Hands over what a source says, or said then.
    pub fn take(&mut self, source: &str, event: &Event<'_>, said_ms: Option<u64>, now_ms: u64, out: &mut Out<'_>) {
        let Entry { product, topics, .. } = self;
        let mut out = |topic: &Topic, key: Key, bytes: &[u8]| {
            if topics.get(topic).is_some_and(|want| want.has_client) {
                out(topic, key, bytes);
            }
        };
        match said_ms {
            Some(said_ms) => product.take_kept(source, event, said_ms, now_ms, &mut out),
            None => product.take(source, event, now_ms, &mut out),
        }
    }

    /// Hands over a message to a product that reads such; `None` to one that does not.
    pub fn take_message(
        &mut self,
        source: &str,
        message: &[u8],
        is_kept: bool,
        now_ms: u64,
        out: &mut Out<'_>,
    ) -> Option<Result<(), Undecodable>> {
        let Entry { product, topics, .. } = self;
        product.reads_messages().then(|| {
            let text = std::str::from_utf8(message).map_err(|_| Undecodable)?;
            product.take_message(source, text, is_kept, now_ms, &mut |topic, key, bytes| {
                if topics.get(topic).is_some_and(|want| want.has_client) {
                    out(topic, key, bytes);
                }
            })
        })
    }

    pub fn lose(&mut self, source: &str) {
        self.product.lose(source);
    }

    pub fn interrupt(&mut self, source: &str) {
        self.product.interrupt(source);
    }

    /// Whether what its topics said can be believed.
    pub fn is_sure(&self) -> bool {
        self.product.is_sure()
    }

    /// Ends what has lingered long enough, then lets the product do what is due.
    pub fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        self.end_lingering(now_ms);
        if self.topics.is_empty() || self.product.due_ms() > now_ms {
            return;
        }
        let Entry { product, topics, .. } = self;
        product.poll(now_ms, &mut |topic, key, bytes| {
            if topics.get(topic).is_some_and(|want| want.has_client) {
                out(topic, key, bytes);
            }
        });
    }

    /// Answers what can be answered.
    pub fn answer(&mut self, now_ms: u64, answers: &mut Vec<Answered>) {
        let mut index = 0;
        while index < self.waiting.len() {
            let Some(answer) = self.product.answer(&self.waiting[index].question, now_ms) else {
                index += 1;
                continue;
            };
            let Waiting { question, asked } = self.waiting.swap_remove(index);
            self.release(&question.topic(), asked.len(), now_ms);
            answers.extend(asked.into_iter().map(|asked| (asked.id, Some(answer.clone()))));
        }
    }

    /// Gives up questions that waited in vain.
    pub fn expire(&mut self, now_ms: u64, answers: &mut Vec<Answered>) {
        self.drop_asked(now_ms, |asked| {
            let is_late = asked.due_ms <= now_ms;
            if is_late {
                answers.push((asked.id, None));
            }
            !is_late
        });
    }

    pub fn needed_sources(&self) -> Vec<Box<str>> {
        self.product.sources()
    }

    pub fn take_skipped(&mut self) -> u64 {
        self.product.take_skipped()
    }

    /// When something is to be done without any news.
    pub fn next_due_ms(&self) -> u64 {
        let question_due_ms = self.waiting.iter().filter_map(|waiting| waiting.asked.first()).map(|asked| asked.due_ms);
        question_due_ms.chain([self.product.due_ms(), self.linger_end_ms]).min().unwrap_or(u64::MAX)
    }

    /// Nobody wants anything of it, not even for a while.
    pub fn is_over(&self) -> bool {
        self.topics.is_empty()
    }

    /// Since when nobody needs it, as the time at which it will end; `None` if somebody does.
    pub fn idle_end_ms(&self) -> Option<u64> {
        self.topics.values().try_fold(0, |end_ms, want| want.is_idle().then_some(want.end_ms.max(end_ms)))
    }

    fn drop_asked(&mut self, now_ms: u64, mut is_kept: impl FnMut(&Asked) -> bool) {
        let mut released = Vec::new();
        for waiting in &mut self.waiting {
            let before = waiting.asked.len();
            waiting.asked.retain(&mut is_kept);
            if waiting.asked.len() < before {
                released.push((waiting.question.topic(), before - waiting.asked.len()));
            }
        }
        self.waiting.retain(|waiting| !waiting.asked.is_empty());
        for (topic, count) in released {
            self.release(&topic, count, now_ms);
        }
    }

    fn release(&mut self, topic: &Topic, count: usize, now_ms: u64) {
        if let Some(want) = self.topics.get_mut(topic) {
            want.question_count -= count;
            want.end_ms = now_ms + PRODUCT_LINGER_MS;
        }
        self.update_linger();
    }

    fn end_lingering(&mut self, now_ms: u64) {
        if self.linger_end_ms > now_ms {
            return;
        }
        let Entry { product, topics, .. } = self;
        topics.retain(|topic, want| {
            let is_over = want.is_idle() && want.end_ms <= now_ms;
            if is_over {
                product.unwant(topic);
            }
            !is_over
        });
        self.update_linger();
    }

    fn update_linger(&mut self) {
        let idle = self.topics.values().filter(|want| want.is_idle());
        self.linger_end_ms = idle.map(|want| want.end_ms).min().unwrap_or(u64::MAX);
    }
}
