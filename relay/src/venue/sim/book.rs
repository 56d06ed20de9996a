//! The order book as a function of the standing quote and the time.
//!
//! The best prices are the quote's; behind them every price of the grid holds a size that is redrawn now and then.
//! A book is thus built when somebody looks at it, and two lookers at one moment see the same.

use super::instrument::Instrument;
use super::noise;
use std::cmp::Ordering;

/// Levels per side: what diff streams describe and partial ones take their top from.
pub const LEVELS: usize = 50;

/// How often the sizes at the best prices are redrawn.
pub const TOP_REFRESH_MS: i64 = 200;

/// How often the size of a price behind the best is redrawn, each at its own time.
const LEVEL_REFRESH_MS: u32 = 1_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub price: i64,
    pub size: i64,
}

/// The best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    pub bid: Level,
    pub ask: Level,
}

/// Both sides, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
}

/// What a book follows from.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    pub bid: i64,
    /// The last execution: each one takes from the best sizes and so redraws them.
    pub execution: i64,
}

pub struct Shape<'a> {
    pub instrument: &'a Instrument,
    pub key: u64,
    /// When in its period the best sizes are redrawn, in ms.
    pub phase: i64,
}

impl Shape<'_> {
    pub fn top(&self, quote: Quote, at: i64) -> Top {
        let moment = noise::at(self.key ^ quote.execution as u64, (at - self.phase).div_euclid(TOP_REFRESH_MS));
        let size = |price: i64| self.size(noise::at(moment, price));
        let ask = quote.bid + self.instrument.spread;
        Top { bid: Level { price: quote.bid, size: size(quote.bid) }, ask: Level { price: ask, size: size(ask) } }
    }

    /// Replaces what `book` held.
    pub fn fill(&self, quote: Quote, at: i64, book: &mut Book) {
        let top = self.top(quote, at);
        let grid = self.instrument.grid;
        let level = |price: i64| Level { price, size: self.resting(price, at) };
        let behind = 1..LEVELS as i64;
        book.bids.clear();
        book.bids.push(top.bid);
        let highest = (top.bid.price - 1).div_euclid(grid) + 1;
        book.bids.extend(behind.clone().map(|depth| level((highest - depth) * grid)));
        book.asks.clear();
        book.asks.push(top.ask);
        let lowest = top.ask.price.div_euclid(grid);
        book.asks.extend(behind.map(|depth| level((lowest + depth) * grid)));
    }

    fn resting(&self, price: i64, at: i64) -> i64 {
        let own = noise::at(self.key, price);
        let phase = i64::from(noise::below(own, LEVEL_REFRESH_MS));
        self.size(noise::at(own, (at + phase).div_euclid(i64::from(LEVEL_REFRESH_MS))))
    }

    fn size(&self, bits: u64) -> i64 {
        let skewed = i64::from(1 + noise::below(bits, 100)) * i64::from(1 + noise::below(bits << 32, 100));
        1 + self.instrument.size * skewed / 1_000
    }
}

impl Book {
    pub fn bids_changed<'a>(&'a self, now: &'a Book) -> impl Iterator<Item = Level> + 'a {
        Changes { before: &self.bids, now: &now.bids, better: |left, right| right.cmp(&left) }
    }

    pub fn asks_changed<'a>(&'a self, now: &'a Book) -> impl Iterator<Item = Level> + 'a {
        Changes { before: &self.asks, now: &now.asks, better: |left, right| left.cmp(&right) }
    }

    /// Whether the best `levels` of both sides are the same.
    pub fn same_top(&self, other: &Book, levels: usize) -> bool {
        let equal = |left: &[Level], right: &[Level]| left.get(..levels) == right.get(..levels);
        equal(&self.bids, &other.bids) && equal(&self.asks, &other.asks)
    }
}

/// Levels that are new, changed or (with size 0) gone, best first.
struct Changes<'a> {
    before: &'a [Level],
    now: &'a [Level],
    /// `Less` when the left price is the better one.
    better: fn(i64, i64) -> Ordering,
}

impl Iterator for Changes<'_> {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        loop {
            let order = match (self.before.first(), self.now.first()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(before), Some(now)) => (self.better)(before.price, now.price),
            };
            match order {
                Ordering::Less => {
                    return take_first(&mut self.before).map(|gone| Level { size: 0, ..gone });
                }
                Ordering::Greater => return take_first(&mut self.now),
                Ordering::Equal => {
                    let (before, now) = (take_first(&mut self.before), take_first(&mut self.now));
                    if before != now {
                        return now;
                    }
                }
            }
        }
    }
}

fn take_first(levels: &mut &[Level]) -> Option<Level> {
    let (first, rest) = levels.split_first()?;
    *levels = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::sim::instrument::INSTRUMENTS;

    fn book(index: usize, bid: i64, at: i64) -> Book {
        let shape = Shape { instrument: &INSTRUMENTS[index], key: 77, phase: 15 };
        let mut book = Book::default();
        shape.fill(Quote { bid, execution: at / 300 }, at, &mut book);
        assert_eq!(shape.top(Quote { bid, execution: at / 300 }, at), Top { bid: book.bids[0], ask: book.asks[0] });
        book
    }

    /// Sides are sorted and apart, and no level is empty, wherever on the grid the quote stands.
    #[test]
    fn sides_are_sorted() {
        for (index, instrument) in INSTRUMENTS.iter().enumerate() {
            for offset in 0..120 {
                let book = book(index, instrument.level + offset, 1_000 + offset);
                assert_eq!((book.bids.len(), book.asks.len()), (LEVELS, LEVELS));
                assert!(book.bids.is_sorted_by(|left, right| left.price > right.price));
                assert!(book.asks.is_sorted_by(|left, right| left.price < right.price));
                assert!(book.bids[0].price < book.asks[0].price);
                assert!(book.bids.iter().chain(&book.asks).all(|level| level.size > 0 && level.price > 0));
            }
        }
    }

    /// The changes between two books, applied to the first, make the second.
    #[test]
    fn changes_lead_from_book_to_book() {
        let mut before = book(0, 9_500_000, 0);
        for step in 1..200 {
            let now = book(0, 9_500_000 + (step * 37) % 400, step * 100);
            for (bids, changes) in
                [(true, before.bids_changed(&now).collect::<Vec<_>>()), (false, before.asks_changed(&now).collect())]
            {
                let side = if bids { &mut before.bids } else { &mut before.asks };
                for change in changes {
                    side.retain(|level| level.price != change.price);
                    if change.size > 0 {
                        side.push(change);
                    }
                }
                side.sort_by_key(|level| if bids { -level.price } else { level.price });
            }
            assert_eq!(before, now);
        }
    }
}
