//! Any sequence of operations: every frame is read in order or counted as missed, and memory stays within its bound.

use super::*;
use proptest::{collection::vec, prelude::*};

#[derive(Clone, Debug)]
enum Operation {
    Append {
        bytes: usize,
        pause_ms: u64,
    },
    AppendClosed {
        bytes: usize,
    },
    Trim {
        pause_ms: u64,
    },
    Unwatched(bool),
    EndEpoch,
    /// A new reader somewhere between the start and the head.
    Join {
        permille: u64,
    },
    /// One reader reads some frames; its position is all it keeps.
    Read {
        reader: usize,
        frames: usize,
    },
    /// The reader that keeps its cursor reads some frames.
    ReadOn {
        frames: usize,
    },
    /// The budget's sweep.
    Adjust,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        30 => (0..5_000usize, 0..200u64).prop_map(|(bytes, pause_ms)| Append { bytes, pause_ms }),
        20 => (0..300usize).prop_map(|bytes| Append { bytes, pause_ms: 1 }),
        6 => (0..300usize).prop_map(|bytes| AppendClosed { bytes }),
        3 => (0..20_000u64).prop_map(|pause_ms| Trim { pause_ms }),
        2 => any::<bool>().prop_map(Unwatched),
        1 => Just(EndEpoch),
        3 => (0..=1_000u64).prop_map(|permille| Join { permille }),
        15 => (0..8usize, 0..200usize).prop_map(|(reader, frames)| Read { reader, frames }),
        5 => (0..50usize).prop_map(|frames| ReadOn { frames }),
        3 => Just(Adjust),
    ]
}

struct Reader {
    start: Seq,
    position: Seq,
    read: u64,
    missed: u64,
}

struct World {
    appender: Appender,
    log: Arc<Log>,
    budget: Arc<Budget>,
    now_ns: u64,
    frames: Vec<Vec<u8>>,
    closed: Vec<Seq>,
    readers: Vec<Reader>,
    cursor: Cursor,
    is_unwatched: bool,
}

impl World {
    fn new(kind: Kind) -> Self {
        let budget = Arc::new(Budget::new(400_000));
        let (appender, log) = log(kind, Arc::clone(&budget));
        let cursor = log.cursor(0).expect("an empty log is readable");
        Self {
            appender,
            log,
            budget,
            now_ns: 0,
            frames: Vec::new(),
            closed: Vec::new(),
            readers: Vec::new(),
            cursor,
            is_unwatched: false,
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Append { bytes, pause_ms } => {
                self.now_ns += pause_ms * 1_000_000;
                let frame = vec![self.frames.len() as u8; bytes];
                let has_newest = self.log.epoch_start() < self.frames.len() as Seq;
                assert_eq!(self.appender.newest_is(&frame), has_newest && self.frames.last() == Some(&frame));
                let seq = self.appender.append(&frame, self.now_ns);
                assert_eq!(seq, self.frames.len() as Seq);
                self.frames.push(frame);
            }
            Operation::AppendClosed { bytes } if self.log.kind() == Kind::Kline => {
                let frame = vec![self.frames.len() as u8; bytes];
                self.closed.push(self.appender.append_closed(&frame, self.now_ns));
                self.frames.push(frame);
            }
            Operation::AppendClosed { .. } => {}
            Operation::Trim { pause_ms } => {
                self.now_ns += pause_ms * 1_000_000;
                self.appender.trim(self.now_ns);
            }
            Operation::Unwatched(unwatched) => {
                self.appender.set_unwatched(unwatched);
                self.is_unwatched = unwatched;
            }
            Operation::EndEpoch => {
                self.appender.end_epoch();
                assert_eq!(self.log.subscribe_position(), self.log.head());
            }
            Operation::Join { permille } => {
                let start = self.log.head() * permille / 1_000;
                self.readers.push(Reader { start, position: start, read: 0, missed: 0 });
            }
            Operation::Read { reader, frames } => {
                if let Some(reader) = self.readers.get_mut(reader) {
                    read_some(&self.log, &self.frames, reader, frames);
                }
            }
            Operation::ReadOn { frames } => {
                for _ in 0..frames {
                    let expected = self.cursor.position();
                    let Some(record) = self.cursor.next() else {
                        assert_eq!(expected, self.frames.len() as Seq);
                        break;
                    };
                    assert_eq!(record.seq, expected);
                    assert_eq!(record.payload, self.frames[expected as usize]);
                }
            }
            Operation::Adjust => self.budget.adjust(),
        }
    }

    fn check_invariants(&self) {
        let (head, oldest) = (self.log.head(), self.log.oldest());
        assert_eq!(head, self.frames.len() as Seq);
        assert!(oldest < head || head == 0, "the newest frame stays");
        assert!(self.log.heap_bytes() <= self.budget.used() + 1024);
        // Every frame in a segment of its own is the worst there is, then the part of a segment that was not needed
        // and the part that may not be dropped yet.
        let (frames, segment) = match self.log.kind() {
            _ if self.is_unwatched => (1, 0),
            Kind::State | Kind::Kline => (STATE_FRAMES_KEPT + 1, 16 * 1024),
            Kind::Event if self.budget.horizon_ms() == 0 => (EVENT_FRAMES_KEPT, 64 * 1024),
            Kind::Event | Kind::Keyed | Kind::Rows => return,
        };
        let closed = self.closed.len() * 1_000;
        let bound = frames as usize * 2 * 5_200 + 3 * segment + closed + 1024;
        assert!(self.log.heap_bytes() <= bound, "{} > {bound}", self.log.heap_bytes());
    }

    fn check_closed(&self, position: Seq) {
        let mut visited = Vec::new();
        let result = self.log.closed_since(position, &mut |seq, payload| {
            assert_eq!(payload, self.frames[seq as usize]);
            visited.push(seq);
        });
        let expected: Vec<Seq> = self.closed.iter().copied().filter(|seq| *seq >= position).collect();
        match result {
            Ok(complete) => assert_eq!((visited, complete), (expected, self.log.head())),
            Err(Lagged { oldest }) => {
                assert_eq!(self.log.closed_oldest(), Some(oldest));
                assert!(expected[0] < oldest, "none was missed");
                assert!(visited.is_empty());
            }
        }
    }
}

fn read_some(log: &Log, frames: &[Vec<u8>], reader: &mut Reader, count: usize) {
    let mut cursor = log.cursor(reader.position).unwrap_or_else(|lagged| {
        assert_eq!(lagged.oldest, log.oldest());
        assert!(lagged.oldest > reader.position);
        reader.missed += lagged.oldest - reader.position;
        reader.position = lagged.oldest;
        log.cursor(lagged.oldest).expect("the oldest is readable")
    });
    for _ in 0..count {
        let Some(record) = cursor.next() else {
            assert_eq!(reader.position, log.head());
            break;
        };
        assert_eq!(record.seq, reader.position);
        assert_eq!(record.payload, frames[reader.position as usize]);
        reader.position += 1;
        reader.read += 1;
    }
    assert_eq!(cursor.position(), reader.position);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 192 }, ..ProptestConfig::default() })]

    #[test]
    fn every_frame_is_read_in_order_or_counted_as_missed(
        kind in prop_oneof![Just(Kind::State), Just(Kind::Kline), Just(Kind::Event)],
        operations in vec(operation(), 0..if cfg!(miri) { 60 } else { 1_000 }),
    ) {
        let mut world = World::new(kind);
        for operation in operations {
            let is_append = matches!(operation, Operation::Append { .. } | Operation::Trim { .. });
            world.apply(operation);
            if is_append {
                world.check_invariants();
            }
        }
        let head = world.log.head();
        for reader in &mut world.readers {
            read_some(&world.log, &world.frames, reader, usize::MAX);
            prop_assert_eq!(reader.read + reader.missed, head - reader.start);
        }
        for position in 0..=head {
            world.check_closed(position);
        }
        world.apply(Operation::ReadOn { frames: usize::MAX });
        prop_assert_eq!(world.cursor.position(), head);

        let budget = Arc::clone(&world.budget);
        drop(world);
        prop_assert_eq!(budget.used(), 0);
    }
}
