//! From what venues say to what the other dialects need: instruments, prices, candles, tables of rates.
//!
//! The stream dialect forwards a venue's messages as they are, and what the venue does not have is [`derive`]d. The other
//! dialects have messages of their own. All that is made here, once for each [`topic`], and only while somebody wants it. A [`product`] takes decoded [`event`]s of the
//! streams it needs and says what its topics' clients get. Nothing here holds a socket, a task or a clock.
//!
//! The [`Market`] is what the caller talks to. It makes products as they are wanted, by the [`catalog`], keeps each as
//! an `entry`, tells the caller which streams they need together, [`decode`]s what those say, and puts clients'
//! questions to them. The products themselves are [`rates`] and what the catalogue's factory makes.

pub mod event;
pub mod pair;
pub mod product;
pub mod topic;

pub mod decode;
pub mod deriv;
pub mod derive;
pub mod hub;
pub mod rates;

pub mod catalog;
mod entry;
mod sources;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use self::catalog::Catalog;
use self::decode::decode;
use self::entry::{Answered, Entry, Subject};
use self::product::{Answer, Out, Question};
pub use self::sources::SourceChange;
use self::sources::Sources;
use self::topic::Topic;
use crate::limits::{PRODUCTS_MAX, QUESTIONS_MAX};

/// Why a topic is not served, or a question not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no {0:?}")]
    Unknown(Box<str>),
    #[error("{PRODUCTS_MAX} subjects are served, limit {PRODUCTS_MAX}")]
    TooManyProducts,
    #[error("{QUESTIONS_MAX} questions wait, limit {QUESTIONS_MAX}")]
    TooManyQuestions,
}

/// A clock set back by less than this is not followed.
const CLOCK_STEP_MS: u64 = 1_000;

/// Since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub decoded_total: u64,
    pub undecodable_total: u64,
    /// Messages of streams that no product reads; a few arrive after each unsubscription.
    pub stray_total: u64,
    /// What products had to leave out of what they were told, such as a price of zero.
    pub skipped_total: u64,
    pub emitted_total: u64,
    pub late_answers_total: u64,
    pub refused_total: u64,
}

/// What a source said, and when.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    pub payload: &'a [u8],
    pub said_ms: u64,
}

/// All products at work. Told who wants what, what sources say and what time it is.
pub struct Market {
    catalog: Arc<Catalog>,
    now_ms: u64,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    subjects: HashMap<Subject, u32, RandomState>,
    sources: Sources,
    /// Entries by when they are due.
    queue: BTreeSet<(u64, u32)>,
    /// Where each open question waits.
    questions: HashMap<u64, u32, RandomState>,
    answers: Vec<Answered>,
    /// Topics whose product became sure or unsure since that was asked last.
    swayed: Vec<Topic>,
    counters: Counters,
}

impl Market {
    pub fn new(catalog: Arc<Catalog>) -> Market {
        Market {
            catalog,
            now_ms: 0,
            entries: Vec::new(),
            free: Vec::new(),
            subjects: HashMap::default(),
            sources: Sources::default(),
            queue: BTreeSet::new(),
            questions: HashMap::default(),
            answers: Vec::new(),
            swayed: Vec::new(),
            counters: Counters::default(),
        }
    }

    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Products at work, those that linger included.
    pub fn product_count(&self) -> usize {
        self.subjects.len()
    }

    /// A topic has a client. The caller counts clients: wanting twice is wanting once. The present, if it is known,
    /// comes with the next `poll`, which is due at once.
    pub fn want(&mut self, topic: &Topic, now_ms: u64) -> Result<(), Refusal> {
        self.advance(now_ms);
        let slot = self.open(topic).inspect_err(|_| self.counters.refused_total += 1)?;
        let now_ms = self.now_ms;
        self.entry(slot).want(topic, now_ms);
        self.settle(slot);
        Ok(())
    }

    /// A topic's last client is gone. It is kept warm for a while.
    pub fn unwant(&mut self, topic: &Topic) {
        let Some(slot) = self.subjects.get(&self.catalog.subject(topic)).copied() else { return };
        let now_ms = self.now_ms;
        self.entry(slot).unwant(topic, now_ms);
        self.settle(slot);
    }

    /// Puts a question, whose id is the caller's; an older one of the same id is forgotten. Its answer comes by `take_answers`, at once if the data is there.
    pub fn ask(&mut self, id: u64, question: &Question, now_ms: u64) -> Result<(), Refusal> {
        self.advance(now_ms);
        if self.questions.contains_key(&id) {
            self.forget_question(id);
        }
        if self.questions.len() + self.answers.len() >= QUESTIONS_MAX {
            self.counters.refused_total += 1;
            return Err(Refusal::TooManyQuestions);
        }
        let slot = match self.open(&question.topic()) {
            Ok(slot) => slot,
            Err(Refusal::Unknown(_)) => {
                self.answers.push((id, Some(Answer::Unknown)));
                return Ok(());
            }
            Err(refusal) => {
                self.counters.refused_total += 1;
                return Err(refusal);
            }
        };
        let now_ms = self.now_ms;
        self.entry(slot).ask(id, question, now_ms);
        self.questions.insert(id, slot);
        self.answer(slot);
        self.settle(slot);
        Ok(())
    }

    /// Nobody waits for this answer any more.
    pub fn forget_question(&mut self, id: u64) {
        let Some(slot) = self.questions.remove(&id) else {
            self.answers.retain(|(answered, _)| *answered != id);
            return;
        };
        let now_ms = self.now_ms;
        self.entry(slot).forget(id, now_ms);
        self.settle(slot);
    }

    /// A source has a new message, which is decoded once for all who read it.
    pub fn source(&mut self, name: &str, payload: &[u8], now_ms: u64, out: &mut Out<'_>) {
        self.advance(now_ms);
        let Some(readers) = self.sources.readers(name) else {
            self.counters.stray_total += 1;
            return;
        };
        let readers: SmallVec<[u32; 8]> = readers.into();
        self.hand(&readers, name, payload, None, out);
    }

    /// The newest word of a source from before it was read here: for one of its readers, or for all of them.
    pub fn kept(&mut self, name: &str, kept: Kept<'_>, reader: Option<u32>, now_ms: u64, out: &mut Out<'_>) {
        self.advance(now_ms);
        let readers = self.sources.readers(name).unwrap_or_default().iter();
        let readers: SmallVec<[u32; 8]> =
            readers.copied().filter(|slot| reader.is_none_or(|one| one == *slot)).collect();
        self.hand(&readers, name, kept.payload, Some(kept.said_ms), out);
    }

    fn hand(&mut self, readers: &[u32], name: &str, payload: &[u8], said_ms: Option<u64>, out: &mut Out<'_>) {
        if readers.is_empty() {
            return;
        }
        let now_ms = self.now_ms;
        let mut event = None;
        let mut is_read = true;
        for &slot in readers {
            let mut emitted = 0;
            let entry = self.entry(slot);
            let mut say = counted(&mut emitted, out);
            match entry.take_message(name, payload, said_ms.is_some(), now_ms, &mut say) {
                Some(taken) => is_read &= taken.is_ok(),
                None => match event.get_or_insert_with(|| decode(name, payload)) {
                    Some(event) => entry.take(name, event, said_ms, now_ms, &mut say),
                    None => is_read = false,
                },
            }
            drop(say);
            self.counters.emitted_total += emitted;
            self.answer(slot);
            self.requeue(slot);
        }
        match is_read {
            true => self.counters.decoded_total += 1,
            false => self.counters.undecodable_total += 1,
        }
    }

    /// A source has been silent for too long, or is gone: what it said is no answer any more.
    pub fn source_lost(&mut self, name: &str) {
        let readers: SmallVec<[u32; 8]> = self.sources.readers(name).unwrap_or_default().into();
        for slot in readers {
            self.entry(slot).lose(name);
            self.requeue(slot);
        }
    }

    /// The connection that brings a source is lost.
    pub fn source_interrupted(&mut self, name: &str) {
        let readers: SmallVec<[u32; 8]> = self.sources.readers(name).unwrap_or_default().into();
        for slot in readers {
            self.entry(slot).interrupt(name);
            self.requeue(slot);
        }
    }

    /// Whether what a topic's product said can be believed.
    pub fn is_sure(&self, topic: &Topic) -> bool {
        let slot = self.subjects.get(&self.catalog.subject(topic));
        slot.and_then(|slot| self.entries[*slot as usize].as_ref()).is_none_or(Entry::is_sure)
    }

    /// The topics for which that changed since this was asked last.
    pub fn take_swayed(&mut self) -> Vec<Topic> {
        std::mem::take(&mut self.swayed)
    }

    /// The streams a topic is made of.
    pub fn sources_of(&self, topic: &Topic) -> &[Box<str>] {
        let slot = self.subjects.get(&self.catalog.subject(topic));
        let entry = slot.and_then(|slot| self.entries[*slot as usize].as_ref());
        entry.map_or(&[], |entry| &entry.sources)
    }

    /// The topics with clients that are made of a source.
    pub fn topics_of(&self, name: &str) -> Vec<Topic> {
        let slots = self.sources.readers(name).unwrap_or_default();
        let entries = slots.iter().filter_map(|slot| self.entries[*slot as usize].as_ref());
        entries.flat_map(Entry::topics).cloned().collect()
    }

    /// Does what is due.
    pub fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        self.advance(now_ms);
        let now_ms = self.now_ms;
        let due: Vec<u32> = self.queue.range(..=(now_ms, u32::MAX)).map(|(_, slot)| *slot).collect();
        for slot in due {
            let mut emitted = 0;
            self.entry(slot).poll(now_ms, &mut counted(&mut emitted, out));
            self.counters.emitted_total += emitted;
            self.answer(slot);
            self.expire(slot);
            self.settle(slot);
        }
    }

    /// When `poll` is due; `u64::MAX` for never.
    pub fn due_ms(&self) -> u64 {
        self.queue.first().map_or(u64::MAX, |(due_ms, _)| *due_ms)
    }

    /// What to subscribe to and what to let go, by name, since it was asked last. To be looked at after every call above.
    pub fn take_source_changes(&mut self) -> Vec<SourceChange> {
        self.sources.take_changes()
    }

    /// Who began to read a stream that is held already, and is to be told its newest word by `kept`. To be looked at
    /// together with the changes.
    pub fn take_late_readers(&mut self) -> Vec<(u32, Box<str>)> {
        self.sources.take_late()
    }

    /// Questions that have an answer, or none because nothing was heard within `QUESTION_WAIT_MS`.
    pub fn take_answers(&mut self) -> Vec<(u64, Option<Answer>)> {
        std::mem::take(&mut self.answers)
    }

    /// A clock that is set back a little stands still here; if it is more, everybody is asked anew what is due.
    fn advance(&mut self, now_ms: u64) {
        if now_ms + CLOCK_STEP_MS > self.now_ms {
            self.now_ms = self.now_ms.max(now_ms);
            return;
        }
        self.now_ms = now_ms;
        self.queue.clear();
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            if let Some(entry) = entry {
                entry.due_ms = now_ms;
                self.queue.insert((now_ms, slot as u32));
            }
        }
    }

    fn entry(&mut self, slot: u32) -> &mut Entry {
        self.entries[slot as usize].as_mut().expect("slots are forgotten everywhere before they are freed")
    }

    /// The product of a topic, made if need be.
    fn open(&mut self, topic: &Topic) -> Result<u32, Refusal> {
        let unknown = || Refusal::Unknown(topic.to_string().into());
        if !self.catalog.knows(topic) {
            return Err(unknown());
        }
        let subject = self.catalog.subject(topic);
        if let Some(slot) = self.subjects.get(&subject) {
            return Ok(*slot);
        }
        if self.subjects.len() >= PRODUCTS_MAX {
            self.evict()?;
        }
        let product = self.catalog.product(topic).ok_or_else(unknown)?;
        let entry = Some(Entry::new(subject.clone(), product));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("there are at most PRODUCTS_MAX")
            }
        };
        self.subjects.insert(subject, slot);
        Ok(slot)
    }

    /// Makes room by ending the product that lingered longest.
    fn evict(&mut self) -> Result<(), Refusal> {
        let idle = |slot: &u32| Some((self.entries[*slot as usize].as_ref()?.idle_end_ms()?, *slot));
        let (_, slot) = self.subjects.values().filter_map(idle).min().ok_or(Refusal::TooManyProducts)?;
        self.close(slot);
        Ok(())
    }

    fn close(&mut self, slot: u32) {
        let Some(entry) = self.entries[slot as usize].take() else { return };
        self.sources.replace(slot, &entry.sources, &[]);
        self.queue.remove(&(entry.due_ms, slot));
        self.subjects.remove(&entry.subject);
        self.free.push(slot);
    }

    fn answer(&mut self, slot: u32) {
        let now_ms = self.now_ms;
        let mut answers = std::mem::take(&mut self.answers);
        let before = answers.len();
        self.entry(slot).answer(now_ms, &mut answers);
        for (id, _) in &answers[before..] {
            self.questions.remove(id);
        }
        self.answers = answers;
    }

    fn expire(&mut self, slot: u32) {
        let now_ms = self.now_ms;
        let mut answers = std::mem::take(&mut self.answers);
        let before = answers.len();
        self.entry(slot).expire(now_ms, &mut answers);
        for (id, _) in &answers[before..] {
            self.questions.remove(id);
        }
        self.counters.late_answers_total += (answers.len() - before) as u64;
        self.answers = answers;
    }

    /// After a change of what is wanted: its sources follow, and it ends if nothing is left.
    fn settle(&mut self, slot: u32) {
        if self.entry(slot).is_over() {
            self.close(slot);
            return;
        }
        let entry = self.entry(slot);
        let needed = entry.needed_sources();
        let had = std::mem::replace(&mut entry.sources, needed.clone());
        self.sources.replace(slot, &had, &needed);
        self.requeue(slot);
    }

    fn requeue(&mut self, slot: u32) {
        let entry = self.entry(slot);
        let skipped_count = entry.take_skipped();
        let due_ms = entry.next_due_ms();
        let is_sure = entry.is_sure();
        let swayed: Vec<Topic> = match std::mem::replace(&mut entry.was_sure, is_sure) == is_sure {
            true => Vec::new(),
            false => entry.topics().cloned().collect(),
        };
        let before_ms = std::mem::replace(&mut entry.due_ms, due_ms);
        self.counters.skipped_total += skipped_count;
        self.swayed.extend(swayed);
        if due_ms != before_ms {
            self.queue.remove(&(before_ms, slot));
            self.queue.insert((due_ms, slot));
        }
    }
}

fn counted<'a>(count: &'a mut u64, out: &'a mut Out<'_>) -> impl FnMut(&Topic, product::Key, &[u8]) + 'a {
    move |topic, key, bytes| {
        *count += 1;
        out(topic, key, bytes);
    }
}
