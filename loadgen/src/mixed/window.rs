//! The part of a run that is measured, and what must have come of it to everybody.

use super::read::Push;
use crate::clock::MILLISECOND_NS;
use crate::run::check::Expected;
use crate::venue::schedule::Schedule;

/// The same moment by the two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since boot: what the venue's schedule counts.
    pub ns: u64,
    /// Since 1970: what messages are stamped with.
    pub wall_ns: u64,
}

/// The grid of the scheduled channel: multiples of its interval since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub interval_ms: u64,
    /// How far from its time a push may be.
    pub late_ms_max: u64,
}

impl Grid {
    /// Which point of the grid a push belongs to: the nearest one.
    pub fn point(self, time_ms: u64) -> u64 {
        (time_ms + self.interval_ms / 2) / self.interval_ms
    }
}

/// Both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub last: u64,
}

impl Span {
    pub fn has(self, value: u64) -> bool {
        (self.first..=self.last).contains(&value)
    }

    pub fn all(self) -> std::ops::RangeInclusive<u64> {
        self.first..=self.last
    }
}

#[derive(Clone, Debug)]
pub struct Window {
    pub start_ns: u64,
    pub end_ns: u64,
    /// The trades of each pair that were due in it.
    pub trades: Vec<Option<Expected>>,
    /// The calendar's seconds that lie wholly in it.
    pub seconds: Span,
    /// The points of the grid in it.
    pub points: Span,
}

impl Window {
    pub fn new(start: Now, end_ns: u64, schedule: &Schedule, grid: Grid) -> Self {
        let (first, after) = (schedule.first_from(start.ns), schedule.first_from(end_ns));
        let pairs = u64::from(schedule.topics);
        // Slots of one pair are so many apart.
        let trades = (0..pairs)
            .map(|pair| {
                let seq = |index: u64| (index + pairs - 1 - pair) / pairs;
                let (first, next) = (seq(first), seq(after));
                (first < next).then(|| Expected { first, last: next - 1 })
            })
            .collect();
        let start_ms = start.wall_ns.div_ceil(MILLISECOND_NS);
        let end_ms = (start.wall_ns + (end_ns - start.ns)) / MILLISECOND_NS;
        Self {
            start_ns: start.ns,
            end_ns,
            trades,
            seconds: Span { first: start_ms.div_ceil(1000), last: end_ms / 1000 - 1 },
            points: Span { first: start_ms.div_ceil(grid.interval_ms), last: end_ms / grid.interval_ms },
        }
    }

    pub fn has_due(&self, due_ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&due_ns)
    }

    /// The point of a push that is to be judged: what came on subscribing is not on the grid.
    pub fn point_of(&self, push: Push, grid: Grid) -> Option<u64> {
        let point = grid.point(push.time_ms);
        let is_on_time = push.time_ms + grid.late_ms_max >= self.points.first * grid.interval_ms;
        (self.points.has(point) && is_on_time).then_some(point)
    }

    pub fn trades_total(&self) -> u64 {
        self.trades.iter().flatten().map(|expected| expected.last + 1 - expected.first).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::schedule::Pace;

    const GRID: Grid = Grid { interval_ms: 2000, late_ms_max: 200 };

    /// What is expected is what the schedule has, for every start.
    #[test]
    fn trades() {
        let schedule = Schedule { epoch_ns: 1000, topics: 3, pace: Pace::Even { rate: 1e9 } };
        for start in 1000..1020 {
            let end_ns = start + 10;
            let window = Window::new(Now { ns: start, wall_ns: 5_000_000_000 }, end_ns, &schedule, GRID);
            for pair in 0..3u32 {
                let due: Vec<u64> = (0..100)
                    .map(|index| schedule.slot(index))
                    .filter(|slot| slot.topic == pair && window.has_due(slot.due_ns))
                    .map(|slot| slot.seq)
                    .collect();
                let expected = window.trades[pair as usize].unwrap();
                assert_eq!((expected.first..=expected.last).collect::<Vec<_>>(), due, "pair {pair} from {start}");
            }
            assert_eq!(window.trades_total(), 10);
        }
    }

    /// Only whole seconds count, and the points of the grid.
    #[test]
    fn calendar() {
        let schedule = Schedule { epoch_ns: 0, topics: 1, pace: Pace::Even { rate: 1.0 } };
        let start = Now { ns: 0, wall_ns: 101_500_000_000 };
        let window = Window::new(start, 5_000_000_000, &schedule, GRID);
        assert_eq!((window.seconds, window.points), (Span { first: 102, last: 105 }, Span { first: 51, last: 53 }));
        let push = |time_ms| Push { pair: 0, seq: 0, time_ms, source_ms: 0 };
        for (time_ms, point) in [
            (100_100, None),
            (101_700, None),
            (101_900, Some(51)),
            (102_000, Some(51)),
            (103_100, Some(52)),
            (109_000, None),
        ] {
            assert_eq!(window.point_of(push(time_ms), GRID), point, "{time_ms}");
        }
    }
}
