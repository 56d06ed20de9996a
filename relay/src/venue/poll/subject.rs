//! One thing a source is asked about, and the streams that are made of it.

use super::format::Spoken;

/// A symbol, a document, a book.
pub struct Subject {
    pub streams: Vec<Stream>,
    /// When it is asked for next.
    pub due_ms: u64,
    /// It is being asked for, or waits in a half of a request.
    pub is_busy: bool,
    /// Wanted and not answered since: it goes first.
    pub is_fresh: bool,
    /// The source has answered about it before.
    pub is_known: bool,
    /// When that was, or when it was wanted first.
    pub heard_ms: u64,
    pub is_stale: bool,
}

pub struct Stream {
    pub name: Box<str>,
    /// When its linger began, if nobody wants it.
    pub unwanted_ms: Option<u64>,
    pub spoken: Option<Spoken>,
}

impl Subject {
    pub fn new(now_ms: u64) -> Subject {
        Subject {
            streams: Vec::new(),
            due_ms: now_ms,
            is_busy: false,
            is_fresh: true,
            is_known: false,
            heard_ms: now_ms,
            is_stale: false,
        }
    }

    /// True if that is news, so that it is asked for at once.
    pub fn want(&mut self, name: &str, now_ms: u64) -> bool {
        let was_wanted = self.is_wanted();
        let is_new = match self.streams.iter_mut().find(|stream| *stream.name == *name) {
            Some(stream) => stream.unwanted_ms.take().is_some(),
            None => {
                self.streams.push(Stream { name: name.into(), unwanted_ms: None, spoken: None });
                true
            }
        };
        if is_new && !was_wanted {
            // Nobody looked meanwhile, so that silence meant nothing.
            self.heard_ms = now_ms;
        }
        self.is_fresh |= is_new;
        is_new
    }

    pub fn unwant(&mut self, name: &str, now_ms: u64) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| *stream.name == *name) {
            stream.unwanted_ms.get_or_insert(now_ms);
        }
    }

    pub fn is_wanted(&self) -> bool {
        self.streams.iter().any(|stream| stream.unwanted_ms.is_none())
    }

    /// When the first linger ends.
    pub fn linger_end_ms(&self, linger_ms: u64) -> u64 {
        let ends = self.streams.iter().filter_map(|stream| Some(stream.unwanted_ms? + linger_ms));
        ends.min().unwrap_or(u64::MAX)
    }
}
