//! What was asked for and is not answered yet, for venues that answer each stream of a request by itself.
//!
//! Such a venue may say in an error which stream it is about, or not. An error that does not is set aside: every
//! stream gets exactly one answer, so that once the others have theirs, it is known whose it was.

use std::collections::VecDeque;

use crate::limits::ANSWERS_AWAITED_MAX;

#[derive(Debug, Default)]
pub struct Requests {
    open: VecDeque<Request>,
}

#[derive(Debug)]
struct Request {
    id: u64,
    waiting: Vec<Box<str>>,
    /// The text of each error that names no stream.
    errors: Vec<Box<str>>,
}

impl Requests {
    /// The oldest is forgotten where a venue answers nothing.
    pub fn sent(&mut self, id: u64, names: &[&str]) {
        if self.open.len() == ANSWERS_AWAITED_MAX {
            self.open.pop_front();
        }
        let waiting = names.iter().map(|name| Box::from(*name)).collect();
        self.open.push_back(Request { id, waiting, errors: vec![] });
    }

    /// Whether answers to this request are awaited.
    pub fn is_open(&self, id: Option<u64>) -> bool {
        self.open.iter().any(|request| Some(request.id) == id)
    }

    /// Whether an answer about this stream is awaited.
    pub fn is_waiting(&self, name: &str) -> bool {
        self.is_waiting_in(None, name)
    }

    /// The same of one request, or of any.
    pub fn is_waiting_in(&self, id: Option<u64>, name: &str) -> bool {
        let mut requests = self.open.iter().filter(|request| id.is_none_or(|id| id == request.id));
        requests.any(|request| request.waiting.iter().any(|waiting| **waiting == *name))
    }

    /// The answer to one stream; without an id, to the oldest request that waits for it. False if none does.
    pub fn answered(&mut self, id: Option<u64>, name: &str) -> bool {
        for index in 0..self.open.len() {
            let request = &mut self.open[index];
            if id.is_some_and(|id| id != request.id) {
                continue;
            }
            if let Some(place) = request.waiting.iter().position(|waiting| **waiting == *name) {
                request.waiting.remove(place);
                if request.waiting.is_empty() {
                    self.open.remove(index);
                }
                return true;
            }
        }
        false
    }

    /// An error about one stream, we know not which. False if the request is not known either.
    pub fn unnamed(&mut self, id: Option<u64>, msg: &str) -> bool {
        let found = match id {
            Some(id) => self.open.iter_mut().find(|request| request.id == id),
            None => self.open.front_mut(),
        };
        let Some(request) = found else { return false };
        request.errors.push(msg.into());
        true
    }

    /// The streams of one request whose errors are known to be theirs by now, each with a text.
    pub fn take_refused(&mut self) -> Option<Vec<(Box<str>, Box<str>)>> {
        let is_settled = |request: &Request| request.errors.len() >= request.waiting.len();
        let index = self.open.iter().position(is_settled)?;
        let request = self.open.remove(index)?;
        Some(request.waiting.into_iter().zip(request.errors).collect())
    }

    /// An error about a request as such; without an id, about the oldest. Gives the streams that were not answered before.
    pub fn failed(&mut self, id: Option<u64>) -> Vec<Box<str>> {
        let index = match id {
            Some(id) => self.open.iter().position(|request| request.id == id),
            None => Some(0),
        };
        index.and_then(|index| self.open.remove(index)).map(|request| request.waiting).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors without a name belong to the streams that are left.
    #[test]
    fn what_is_left_is_refused() {
        let mut requests = Requests::default();
        requests.sent(1, &["a", "b", "c"]);
        assert!(requests.unnamed(Some(1), "no") && requests.take_refused().is_none());
        assert!(requests.answered(Some(1), "a") && requests.take_refused().is_none());
        assert!(requests.answered(None, "c") && !requests.answered(None, "c"));
        assert_eq!(requests.take_refused(), Some(vec![("b".into(), "no".into())]));
        assert!(!requests.is_waiting("b") && !requests.unnamed(Some(1), "no") && !requests.unnamed(None, "no"));
    }

    /// An answer without an id goes to the oldest that waits for it; one with an id to no other.
    #[test]
    fn answers_find_their_request() {
        let mut requests = Requests::default();
        requests.sent(1, &["a"]);
        requests.sent(2, &["a", "b"]);
        assert!(!requests.answered(Some(3), "a") && !requests.answered(Some(1), "b"));
        assert!(requests.answered(None, "a") && requests.answered(Some(2), "a"));
        assert!(requests.is_waiting("b") && !requests.is_waiting("a"));
    }

    /// An error about a request spares what was answered before.
    #[test]
    fn a_request_fails_as_far_as_it_is_open() {
        let mut requests = Requests::default();
        requests.sent(1, &["a", "b"]);
        requests.sent(2, &["c", "d"]);
        assert_eq!(requests.failed(None), ["a".into(), "b".into()]);
        requests.answered(None, "d");
        assert_eq!(requests.failed(Some(2)), ["c".into()]);
        assert!(requests.failed(Some(2)).is_empty() && requests.failed(None).is_empty());
    }

    /// A venue that never answers costs a bounded memory.
    #[test]
    fn the_oldest_is_forgotten() {
        let mut requests = Requests::default();
        for id in 0..=ANSWERS_AWAITED_MAX as u64 {
            requests.sent(id, &["a"]);
        }
        assert_eq!(requests.open.len(), ANSWERS_AWAITED_MAX);
        assert!(!requests.answered(Some(0), "a") && requests.answered(Some(1), "a"));
    }
}
