//! What a venue refuses is asked for again and again, and is worth a warning once.

use std::collections::HashSet;

use crate::limits::REFUSALS_REMEMBERED_MAX;

/// Streams that were refused and have brought nothing since.
#[derive(Debug, Default)]
pub struct Refusals {
    names: HashSet<Box<str>>,
}

impl Refusals {
    /// Notes a refusal; true if it is the first. All are told again where there are too many to remember.
    pub fn is_news(&mut self, name: &str) -> bool {
        if self.names.contains(name) {
            return false;
        }
        if self.names.len() == REFUSALS_REMEMBERED_MAX {
            self.names.clear();
        }
        self.names.insert(name.into())
    }

    /// The venue has it after all.
    pub fn over(&mut self, name: &str) {
        self.names.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_news_once() {
        let mut refusals = Refusals::default();
        assert!(refusals.is_news("a@trade") && refusals.is_news("b@trade") && !refusals.is_news("a@trade"));
        refusals.over("a@trade");
        assert!(refusals.is_news("a@trade") && !refusals.is_news("b@trade"));
    }

    /// Names come from clients: what is remembered of them is bounded.
    #[test]
    fn names_are_bounded() {
        let mut refusals = Refusals::default();
        for number in 0..3 * REFUSALS_REMEMBERED_MAX {
            assert!(refusals.is_news(&format!("{number}@trade")));
            assert!(refusals.names.len() <= REFUSALS_REMEMBERED_MAX);
        }
    }
}
