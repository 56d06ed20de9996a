//! What an answer means for its subjects, and for the source as a whole.

use super::format::{self, Said};
use super::{Change, Condition, Effect, Flight, Now, Poller};
use crate::wire::json::{self, Object};

/// What came back: the status, the headers that matter, the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    pub status: u16,
    pub entity_tag: Option<&'a str>,
    pub last_modified: Option<&'a str>,
    pub retry_after: Option<&'a str>,
    /// `X-MBX-USED-WEIGHT-1M`.
    pub used_weight: Option<&'a str>,
    pub body: &'a [u8],
}

/// What became of a request, for a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Fine,
    /// The source refused what was asked for.
    Refused,
    /// It wants us to be silent.
    Limited,
    Failed,
}

/// The longest ban. A longer wait would be a slip of the source.
const SILENCE_MS_MAX: u64 = 3 * 24 * 60 * 60 * 1000;
/// "Again after 0 seconds" is no leave to ask in a loop.
const SILENCE_MS_MIN: u64 = 1_000;

impl Poller {
    /// A request was answered.
    pub fn answer(&mut self, id: u64, answer: Answer<'_>, now: Now) -> Outcome {
        let Some(flight) = self.flights.remove(&id) else { return Outcome::Fine };
        if let (Some(weight), Some(used)) = (&mut self.weight, answer.used_weight.and_then(|used| used.parse().ok())) {
            let under_way = self.flights.values().map(|flight| flight.weight).sum();
            weight.told(used, under_way, now.calendar_ms);
        }
        match answer.status {
            200 => self.take(flight, answer, now),
            304 => match self.cache.body(&flight.path, now.ms) {
                Some(body) => self.publish(&flight, &body, now),
                None => self.failed(flight, "answered 304 to what was asked without a condition", None, now),
            },
            // A firewall's 403 is for good behaviour as well: it ends sooner for those that are silent.
            429 | 418 | 403 => self.limited(flight, answer, now),
            400 | 404 | 422 if self.is_unknown(&flight, answer) => self.unknown(flight, answer, now),
            status => {
                let why = format!("answered {status}{}", reason(answer.body));
                self.failed(flight, &why, seconds(answer.retry_after), now)
            }
        }
    }

    /// A request got no answer.
    pub fn fail(&mut self, id: u64, why: &str, now: Now) {
        if let Some(flight) = self.flights.remove(&id) {
            self.failed(flight, why, None, now);
        }
    }

    fn take(&mut self, flight: Flight, answer: Answer<'_>, now: Now) -> Outcome {
        let text = json::validate(answer.body).and_then(|()| json::utf8(answer.body));
        let body = match text {
            Ok(body) => body,
            Err(error) => return self.failed(flight, &format!("the answer is no JSON: {error}"), None, now),
        };
        let outcome = self.publish(&flight, body, now);
        if outcome == Outcome::Fine {
            self.cache.put(&flight.path, answer.entity_tag, answer.last_modified, body, now.ms);
        }
        outcome
    }

    fn publish(&mut self, flight: &Flight, body: &str, now: Now) -> Outcome {
        let mut heard: Vec<Box<str>> = Vec::new();
        let (subjects, effects) = (&mut self.subjects, &mut self.effects);
        let mut unwritten = 0;
        let read = self.settings.format.read(body, &flight.subjects, &mut |name, said: Said<'_>| {
            let asked = flight.subjects.iter().any(|subject| **subject == *name);
            let Some(subject) = subjects.get_mut(name).filter(|_| asked) else { return };
            heard.push(name.into());
            for stream in &mut subject.streams {
                match format::write(&stream.name, &said, now.calendar_ms, &mut stream.spoken) {
                    Ok(Some(payload)) => effects.push_back(Effect::Publish { stream: stream.name.clone(), payload }),
                    Ok(None) => {}
                    Err(_) => unwritten += 1,
                }
            }
        });
        let skipped = match read {
            Ok(skipped) => skipped + unwritten,
            Err(error) if self.is_stranger(flight) => {
                let [name] = &*flight.subjects else { return Outcome::Refused };
                self.refuse(name, &error.to_string(), now);
                return Outcome::Refused;
            }
            Err(error) => return self.failed_ref(flight, &error.to_string(), None, now),
        };
        self.skipped += skipped;
        self.failures.healthy();
        self.refusals.healthy();
        self.change(Condition::Up, || Change::Up);
        let permille = self.stretch_permille();
        for name in &flight.subjects {
            let due_ms = flight.sent_ms + self.interval_ms(name, permille);
            let Some(subject) = self.subjects.get_mut(name) else { continue };
            subject.is_busy = false;
            // If it was wanted anew since the question went out, the answer may be older than the wish.
            subject.due_ms = subject.due_ms.min(due_ms);
            if heard.contains(name) {
                (subject.is_fresh, subject.is_known, subject.is_stale) = (false, true, false);
                subject.heard_ms = now.ms;
            } else if !subject.is_known {
                self.refuse(name, "the source has no such symbol", now);
            }
        }
        Outcome::Fine
    }

    /// Whether the source refused a symbol, and not us.
    fn is_unknown(&self, flight: &Flight, answer: Answer<'_>) -> bool {
        match code(answer.body) {
            // Invalid symbol; illegal characters in a parameter.
            Some(-1121 | -1100) => true,
            // Sources without such codes say it by the status.
            Some(_) | None => self.is_stranger(flight),
        }
    }

    /// Whether it asked for one thing alone that was never answered, of a source that answers otherwise: then trouble
    /// with it is not the source's.
    fn is_stranger(&self, flight: &Flight) -> bool {
        let is_new = |name| self.subjects.get(name).is_none_or(|subject| !subject.is_known);
        matches!(&*flight.subjects, [name] if is_new(name))
            && self.condition == Condition::Up
            && !self.settings.format.is_shared()
    }

    /// Finds the one symbol that the source does not know.
    fn unknown(&mut self, flight: Flight, answer: Answer<'_>, now: Now) -> Outcome {
        self.change(Condition::Up, || Change::Up);
        if let [name] = &*flight.subjects {
            self.refuse(name, &format!("the source answered {}{}", answer.status, reason(answer.body)), now);
        } else {
            let (left, right) = flight.subjects.split_at(flight.subjects.len() / 2);
            self.again.extend([left.to_vec(), right.to_vec()]);
        }
        Outcome::Refused
    }

    fn limited(&mut self, flight: Flight, answer: Answer<'_>, now: Now) -> Outcome {
        // Answers to requests that were under way together are one refusal.
        let is_first = self.closed_until_ms <= now.ms;
        let own_ms = if is_first { self.refusals.next_wait(now.ms) } else { 0 };
        let wait_ms = seconds(answer.retry_after).map_or(own_ms, |told_ms| told_ms.max(SILENCE_MS_MIN));
        self.close(&flight, wait_ms, now);
        let status = answer.status;
        self.change(Condition::Limited, || Change::Limited { status, wait_ms });
        Outcome::Limited
    }

    fn failed(&mut self, flight: Flight, why: &str, wait_ms: Option<u64>, now: Now) -> Outcome {
        self.failed_ref(&flight, why, wait_ms, now)
    }

    fn failed_ref(&mut self, flight: &Flight, why: &str, wait_ms: Option<u64>, now: Now) -> Outcome {
        let is_first = self.closed_until_ms <= now.ms;
        let own_ms = if is_first { self.failures.next_wait(now.ms) } else { 0 };
        self.close(flight, wait_ms.unwrap_or(0).max(own_ms), now);
        self.change(Condition::Failing, || Change::Failing { why: why.to_owned() });
        Outcome::Failed
    }

    /// What was asked for is due again as soon as requests may go.
    fn close(&mut self, flight: &Flight, wait_ms: u64, now: Now) {
        self.closed_until_ms = self.closed_until_ms.max(now.ms + wait_ms.min(SILENCE_MS_MAX));
        for name in &flight.subjects {
            if let Some(subject) = self.subjects.get_mut(name) {
                subject.is_busy = false;
                subject.due_ms = now.ms;
            }
        }
    }
}

/// `Retry-After` in milliseconds. A date is none: then our own patience has to do.
fn seconds(header: Option<&str>) -> Option<u64> {
    header?.trim().parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1000))
}

fn code(body: &[u8]) -> Option<i64> {
    member(body, "code")?.parse().ok()
}

/// What the body of an error says, for the log.
fn reason(body: &[u8]) -> String {
    const CHARS_MAX: usize = 200;
    let text = member(body, "msg").or_else(|| member(body, "error")).unwrap_or("");
    let text: String = text.chars().filter(|letter| !letter.is_control()).take(CHARS_MAX).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

fn member<'a>(body: &'a [u8], key: &str) -> Option<&'a str> {
    json::validate(body).ok()?;
    let mut object = Object::open(json::utf8(body).ok()?)?;
    while let Some(member) = object.next().ok()? {
        if member.key() == key {
            return Some(member.value.text.trim_matches('"'));
        }
    }
    None
}
