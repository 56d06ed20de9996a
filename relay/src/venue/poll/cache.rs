//! Answers that may be asked for again with "only if it changed" (RFC 9110 section 13.1).

use std::collections::BTreeMap;

use crate::limits::{POLL_CACHE_ANSWERS_MAX, POLL_CACHE_BYTES_MAX};

/// By path and query.
#[derive(Default)]
pub struct Cache {
    answers: BTreeMap<String, Cached>,
    bytes: usize,
}

struct Cached {
    entity_tag: Option<Box<str>>,
    modified: Option<Box<str>>,
    body: Box<str>,
    used_ms: u64,
}

impl Cache {
    /// The headers that ask for a change only.
    pub fn conditions(&self, path: &str) -> Vec<(&'static str, Box<str>)> {
        let Some(cached) = self.answers.get(path) else { return Vec::new() };
        let tag = cached.entity_tag.clone().map(|tag| ("if-none-match", tag));
        let modified = cached.modified.clone().map(|modified| ("if-modified-since", modified));
        tag.into_iter().chain(modified).collect()
    }

    pub fn put(&mut self, path: &str, entity_tag: Option<&str>, modified: Option<&str>, body: &str, now_ms: u64) {
        self.remove(path);
        let has_validator = entity_tag.is_some() || modified.is_some();
        if !has_validator || body.len() > POLL_CACHE_BYTES_MAX {
            return;
        }
        let cached = Cached {
            entity_tag: entity_tag.map(Into::into),
            modified: modified.map(Into::into),
            body: body.into(),
            used_ms: now_ms,
        };
        self.bytes += body.len();
        self.answers.insert(path.to_owned(), cached);
        while self.bytes > POLL_CACHE_BYTES_MAX || self.answers.len() > POLL_CACHE_ANSWERS_MAX {
            let oldest = self.answers.iter().min_by_key(|(_, cached)| cached.used_ms).map(|(path, _)| path.clone());
            self.remove(&oldest.expect("what is over a limit is not empty"));
        }
    }

    /// What has not changed.
    pub fn body(&mut self, path: &str, now_ms: u64) -> Option<Box<str>> {
        let cached = self.answers.get_mut(path)?;
        cached.used_ms = now_ms;
        Some(cached.body.clone())
    }

    fn remove(&mut self, path: &str) {
        if let Some(cached) = self.answers.remove(path) {
            self.bytes -= cached.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut cache = Cache::default();
        for number in 0..POLL_CACHE_ANSWERS_MAX as u64 + 1 {
            cache.put(&format!("/{number}"), Some("\"a\""), None, "{}", number);
        }
        assert!(cache.body("/0", 0).is_none() && cache.body("/1", 0).is_some());
        cache.put("/big", None, Some("yesterday"), &" ".repeat(POLL_CACHE_BYTES_MAX), 1_000_000);
        assert_eq!(cache.answers.len(), 1, "bytes are counted as well");
        assert_eq!(cache.conditions("/big"), [("if-modified-since", "yesterday".into())]);
        cache.put("/big", None, None, "{}", 1_000_001);
        assert!(cache.conditions("/big").is_empty() && cache.bytes == 0, "an answer without a validator ends it");
    }
}
