//! Finding a place in a log by a frame's stamp, for readers that come back.

use super::{Cursor, Lagged, Log, Seq};
use crate::sync::Arc;

impl Log {
    /// The position of the first frame stamped after `stamp_ns`; fails if such frames may have been trimmed away.
    pub fn position_after(&self, stamp_ns: u64) -> Result<Seq, Lagged> {
        let mut segment = self.oldest.load_full();
        let oldest = segment.base_seq;
        if oldest > 0 && segment.first_stamp().is_none_or(|first| first > stamp_ns) {
            return Err(Lagged { oldest });
        }
        while let Some(next) = segment.next.get() {
            // The one without room stands at the beginning of every log.
            let is_before =
                segment.first_stamp().is_none() || next.first_stamp().is_some_and(|first| first <= stamp_ns);
            if !is_before {
                break;
            }
            let next = Arc::clone(next);
            segment = next;
        }
        let mut cursor = Cursor::seek(&segment, segment.base_seq);
        while cursor.next_stamp().is_some_and(|next| next <= stamp_ns) {
            cursor.next();
        }
        Ok(cursor.position())
    }

    /// When the newest frame was read.
    pub fn newest_stamp(&self) -> Option<u64> {
        self.newest_cursor().next().map(|record| record.stamp_ns)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use crate::fanout::kind::Kind;
    use crate::fanout::log::{Budget, Lagged, log};
    use crate::sync::Arc;

    #[test]
    fn a_stamp_finds_the_frame_after_it() {
        let (mut appender, log) = log(Kind::Event, Arc::new(Budget::new(1 << 20)));
        assert_eq!((log.position_after(0), log.position_after(9), log.newest_stamp()), (Ok(0), Ok(0), None));
        for stamp in [10, 20, 30] {
            appender.append(&[1; 100], stamp);
        }
        let found = [0, 9, 10, 15, 20, 29, 30, 99].map(|stamp| log.position_after(stamp));
        assert_eq!(found, [0, 0, 1, 1, 2, 2, 3, 3].map(Ok));
        assert_eq!(log.newest_stamp(), Some(30));
    }

    #[test]
    fn what_was_trimmed_is_said() {
        let (mut appender, log) = log(Kind::Event, Arc::new(Budget::new(1 << 20)));
        for stamp in [10, 20, 30, 40, 50] {
            appender.append(b"frame", stamp);
        }
        appender.set_unwatched(true);
        assert_eq!(log.position_after(49), Err(Lagged { oldest: 4 }));
        assert_eq!(log.position_after(50), Ok(5));
        appender.append(b"frame", 60);
        assert_eq!(log.position_after(60), Ok(6));
        assert_eq!(log.position_after(59), Err(Lagged { oldest: 5 }));
    }

    proptest! {
        /// Whatever was appended and trimmed: the frame before the position is not stamped later, the one at it is.
        #[test]
        fn the_place_is_between(
            steps in proptest::collection::vec((1u64..5, 0usize..3000, any::<bool>()), 1..200),
            wanted in 0u64..600,
        ) {
            let (mut appender, log) = log(Kind::State, Arc::new(Budget::new(1 << 24)));
            let mut stamps = Vec::new();
            let mut stamp = 0;
            for (later, bytes, unwatched) in steps {
                stamp += later;
                stamps.push(stamp);
                appender.append(&vec![b'x'; bytes], stamp);
                if bytes % 7 == 0 {
                    appender.set_unwatched(unwatched);
                }
            }
            let expected = stamps.partition_point(|&stamp| stamp <= wanted) as u64;
            match log.position_after(wanted) {
                Ok(position) => prop_assert_eq!(position, expected),
                Err(Lagged { oldest }) => {
                    prop_assert!(expected <= oldest, "{} could be read", expected);
                    prop_assert_eq!(oldest, log.oldest());
                }
            }
            prop_assert_eq!(log.newest_stamp(), stamps.last().copied());
        }
    }
}
