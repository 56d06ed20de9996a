//! The order of frames over all channels, so that one number says what a client has had of each.
//!
//! Every frame is stamped with the time its bytes were read, and a few nanoseconds more so that no other frame has the
//! same stamp: publishers take turns in the numbers. Upstreams publish on several threads; a stamp taken before
//! another may reach its log after it. Whoever tells a client a stamp, as the place from which to go on, therefore first
//! says so here ([`Stamps::tell`]) and then waits a moment until no publisher is in the middle of an append
//! ([`Stamps::is_settled`]): every frame stamped up to there is in its log then, and those to come are stamped later.
//!
//! Why: a publisher says that it is busy and then reads what has been told; a reader tells and then looks who is busy. A
//! sequentially consistent fence between the two, on both sides, lets the later one see the other's write. So either
//! the publisher stamps above what was told, or the reader sees it busy and waits for its append.

use crate::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::*, fence},
};

/// What the publishers and the readers of the relay share.
pub struct Stamps {
    /// The latest stamp that a client may have been told.
    told: AtomicU64,
    busy: Box<[Busy]>,
}

/// Alone on its cache line: its publisher writes it for every frame.
#[repr(align(64))]
struct Busy(AtomicBool);

/// One publisher's right to stamp.
pub struct Publisher {
    stamps: Arc<Stamps>,
    index: usize,
    last: u64,
}

impl Stamps {
    pub fn new(publishers: usize) -> Stamps {
        Stamps { told: AtomicU64::new(0), busy: (0..publishers).map(|_| Busy(AtomicBool::new(false))).collect() }
    }

    pub fn publisher(self: &Arc<Stamps>, index: usize) -> Publisher {
        debug_assert!(index < self.busy.len(), "every publisher has a place");
        Publisher { stamps: self.clone(), index, last: 0 }
    }

    pub fn told(&self) -> u64 {
        self.told.load(Acquire)
    }

    /// Before a client is told this stamp: frames that begin to be published from now on are stamped later.
    pub fn tell(&self, stamp: u64) {
        self.told.fetch_max(stamp, AcqRel);
        fence(SeqCst);
    }

    /// Reader, after `tell`: true if every frame stamped so far can be read. Look at the logs after this.
    pub fn is_settled(&self) -> bool {
        self.busy.iter().all(|busy| !busy.0.load(Acquire))
    }
}

impl Publisher {
    /// Before an append: the frame's stamp. It is the time of the read, or the next number that is ours where that is
    /// taken or was passed.
    pub fn begin(&mut self, read_ns: u64) -> u64 {
        // Only this thread writes it.
        self.stamps.busy[self.index].0.store(true, Relaxed);
        fence(SeqCst);
        let told = self.stamps.told.load(Acquire);
        let free = read_ns.max(self.last + 1).max(told + 1);
        // Each publisher has every so many-th number for itself.
        let (ours, all) = (self.index as u64, self.stamps.busy.len() as u64);
        self.last = free + (ours + all - free % all) % all;
        self.last
    }

    /// After the append.
    pub fn end(&self) {
        self.stamps.busy[self.index].0.store(false, Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_and_stay_above_what_was_told() {
        let stamps = Arc::new(Stamps::new(2));
        let (mut one, mut two) = (stamps.publisher(0), stamps.publisher(1));
        let mut next = |read_ns| {
            let stamp = one.begin(read_ns);
            one.end();
            stamp
        };
        assert_eq!([next(100), next(100), next(100), next(201), next(150)], [100, 102, 104, 202, 204]);
        stamps.tell(500);
        stamps.tell(400);
        assert_eq!((next(300), two.begin(7)), (502, 501), "no two frames share a stamp");
    }

    #[test]
    fn who_is_busy_is_waited_for() {
        let stamps = Arc::new(Stamps::new(2));
        let mut publisher = stamps.publisher(1);
        assert!(stamps.is_settled());
        publisher.begin(1);
        assert!(!stamps.is_settled());
        publisher.end();
        assert!(stamps.is_settled());
    }
}

#[cfg(all(test, loom))]
mod loom_models {
    use super::*;
    use loom::thread;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[derive(Clone, Copy)]
    enum Look {
        AfterSettled,
        AtOnce,
    }

    /// A log of one frame: its stamp. A reader that was told a stamp finds no frame below it later.
    fn model(look: Look) {
        loom::model(move || {
            let stamps = Arc::new(Stamps::new(1));
            let log = Arc::new(AtomicU64::new(0));
            let (theirs, frame) = (stamps.clone(), log.clone());
            let publisher = thread::spawn(move || {
                let mut publisher = theirs.publisher(0);
                let stamp = publisher.begin(5);
                frame.store(stamp, Release);
                publisher.end();
            });
            stamps.tell(10);
            let seen = match look {
                Look::AfterSettled => stamps.is_settled().then(|| log.load(Acquire)),
                Look::AtOnce => Some(log.load(Acquire)),
            };
            publisher.join().expect("it publishes");
            let stamp = log.load(Acquire);
            // Unless it may not be told yet, a frame up to what was told was seen.
            assert!(seen.is_none_or(|seen| seen == stamp || stamp > 10), "{stamp} was missed");
        });
    }

    #[test]
    fn loom_nothing_up_to_what_was_told_is_missed() {
        model(Look::AfterSettled);
    }

    #[test]
    fn loom_without_the_wait_it_is() {
        assert!(catch_unwind(AssertUnwindSafe(|| model(Look::AtOnce))).is_err(), "the wait is what keeps it");
    }
}
