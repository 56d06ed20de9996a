//! Reading one section: each key to its type, every problem noted, nothing stopping at the first.

use super::given::{Given, Place, Value};
use super::problem::{Problems, Reason, path};
use super::settings::{SectionName, home_of, keys_of, unknown_key};

pub(super) struct Section<'p> {
    name: SectionName,
    place: Place,
    /// Rising precedence.
    given: Vec<Given>,
    /// Keys with a problem of their own, which need not be told about conflicts as well.
    broken: Vec<&'static str>,
    problems: &'p mut Problems,
}

impl<'p> Section<'p> {
    /// Takes what was given for a section, and reports the keys it does not have.
    pub fn new(name: SectionName, place: Place, given: Vec<Given>, problems: &'p mut Problems) -> Section<'p> {
        for one in &given {
            if !keys_of(name).any(|key| key == one.key) {
                let is_section = match &one.value {
                    Value::Table(_) => true,
                    Value::List(items) => items.iter().any(|item| matches!(item.value, Value::Table(_))),
                    _ => false,
                };
                let reason = match home_of(&one.key) {
                    // A key of this name elsewhere is not what was meant by [[upstreams]].
                    Some(home) if !is_section => Reason::Misplaced(home.in_words().to_owned()),
                    _ => unknown_key(name, &one.key),
                };
                problems.value(name.prefix(), one, reason);
            }
        }
        Section { name, place, given, broken: Vec::new(), problems }
    }

    /// The value of highest precedence that is sound, else the default. Shadowed values are checked as well:
    /// a wrong line in the file stays wrong when a flag happens to hide it.
    pub fn value<T>(&mut self, key: &'static str, default: T, parse: impl Fn(&Value) -> Result<T, Reason>) -> T {
        debug_assert!(keys_of(self.name).any(|known| known == key), "{key} is read but not in the table of settings");
        let mut value = default;
        for one in self.given.iter().filter(|one| one.key == key) {
            match parse(&one.value) {
                Ok(sound) => value = sound,
                Err(reason) => {
                    self.problems.value(self.name.prefix(), one, reason);
                    self.broken.push(key);
                }
            }
        }
        value
    }

    /// A list, its items checked one by one. `None` if it was not given.
    pub fn list<T>(&mut self, key: &'static str, parse: impl Fn(&Value) -> Result<T, Reason>) -> Option<Vec<T>> {
        self.value(key, None, |value| match value {
            Value::List(items) => Ok(Some(items.clone())),
            _ => Err(Reason::must(r#"a list, such as ["a", "b"]"#)),
        })
        .map(|items| {
            let mut sound = Vec::with_capacity(items.len());
            for item in &items {
                match parse(&item.value) {
                    Ok(value) => sound.push(value),
                    Err(reason) => {
                        self.problems.value(self.name.prefix(), item, reason);
                        self.broken.push(key);
                    }
                }
            }
            sound
        })
    }

    pub fn has(&self, key: &str) -> bool {
        self.given.iter().any(|one| one.key == key)
    }

    /// Reports that a value, sound alone, does not go with the keys `others`; unless one of them has a problem anyway.
    /// The problem is shown at the first of all these keys that was given.
    pub fn conflict(&mut self, key: &'static str, others: &[&'static str], reason: Reason) {
        let mut keys = std::iter::once(key).chain(others.iter().copied());
        if self.problems.file_unread || keys.clone().any(|key| self.broken.contains(&key)) {
            return;
        }
        match keys.find_map(|key| self.given.iter().rev().find(|one| one.key == key)) {
            Some(one) => self.problems.value(self.name.prefix(), one, reason),
            None => self.problems.at(self.place.clone(), path(self.name.prefix(), key), reason),
        }
        self.broken.push(key);
    }

    /// Reports a key that has to be there and is not.
    pub fn missing(&mut self, key: &'static str, needed: &str) {
        if !self.has(key) {
            let reason = Reason::conflict(format!("is missing: {needed}"));
            self.problems.at(self.place.clone(), path(self.name.prefix(), key), reason);
        }
    }

    /// Reports a key that means nothing here.
    pub fn only_for(&mut self, key: &'static str, owner: &str) {
        if self.has(key) {
            self.conflict(key, &[], Reason::conflict(format!("{key} is only for {owner}")));
        }
    }
}
