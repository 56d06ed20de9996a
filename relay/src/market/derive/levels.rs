//! One side of a book: levels by numeric price, each with the text it came in.
//!
//! A snapshot ends somewhere. What lies beyond its worst price is not known, even where single levels there were told
//! later, so a side says how deep it is sure.

use std::collections::BTreeMap;

use super::message::each_level;
use crate::limits::BOOK_LEVELS_MAX;
use crate::venue::decimal::Decimal;

/// A snapshot of fewer levels than this is the whole side. Of more, a side that shrinks below it needs another one:
/// partial streams have as many.
pub const LEVELS_SURE_MIN: usize = 20;

/// Price and quantity, as they came.
type Text = (Box<str>, Box<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Bids,
    Asks,
}

#[derive(Clone, Debug)]
pub struct Side {
    which: Which,
    levels: BTreeMap<Decimal, Text>,
    /// The worst price up to which all levels are known; none if all are.
    edge: Option<Decimal>,
}

impl Side {
    pub fn new(which: Which) -> Side {
        Side { which, levels: BTreeMap::new(), edge: None }
    }

    /// Replaces it all. A window that the venue itself moves is known as a whole.
    pub fn fill(&mut self, levels: &str, is_window: bool) {
        self.levels.clear();
        self.edge = None;
        self.change(levels);
        if !is_window && self.levels.len() >= LEVELS_SURE_MIN {
            self.edge = self.worst();
        }
    }

    /// Levels that are new, changed or, with a quantity of zero, gone. To delete what is not there is legal.
    pub fn change(&mut self, levels: &str) {
        each_level(levels, |price_text, quantity_text| {
            let (Some(price), Some(quantity)) = (Decimal::parse(price_text), Decimal::parse(quantity_text)) else {
                return;
            };
            if quantity.units() == 0 {
                self.levels.remove(&price);
            } else {
                self.levels.insert(price, (price_text.into(), quantity_text.into()));
            }
        });
        while self.levels.len() > BOOK_LEVELS_MAX {
            match self.which {
                Which::Bids => self.levels.pop_first(),
                Which::Asks => self.levels.pop_last(),
            };
            self.edge = self.worst();
        }
    }

    pub fn best(&self) -> Option<Decimal> {
        self.sorted().next().map(|(price, _)| *price)
    }

    /// Whether the best `count` levels are known to be these; or all, where there are fewer.
    pub fn is_sure(&self, count: usize) -> bool {
        let Some(edge) = self.edge else { return true };
        let is_within = |price: &Decimal| match self.which {
            Which::Bids => *price >= edge,
            Which::Asks => *price <= edge,
        };
        self.sorted().nth(count - 1).is_some_and(|(price, _)| is_within(price))
    }

    /// Price and quantity, best first.
    pub fn texts(&self, count: usize) -> impl Iterator<Item = (&str, &str)> {
        self.sorted().take(count).map(|(_, (price, quantity))| (&**price, &**quantity))
    }

    fn worst(&self) -> Option<Decimal> {
        let worst = match self.which {
            Which::Bids => self.levels.first_key_value(),
            Which::Asks => self.levels.last_key_value(),
        };
        worst.map(|(price, _)| *price)
    }

    fn sorted(&self) -> impl Iterator<Item = (&Decimal, &Text)> {
        let mut levels = self.levels.iter();
        let which = self.which;
        std::iter::from_fn(move || match which {
            Which::Bids => levels.next_back(),
            Which::Asks => levels.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn text(side: &Side) -> String {
        side.texts(usize::MAX).map(|(price, quantity)| format!("{price}:{quantity} ")).collect()
    }

    fn side(which: Which, levels: &str) -> Side {
        let mut side = Side::new(which);
        side.fill(levels, false);
        side
    }

    fn ladder(count: usize) -> String {
        let levels: Vec<String> = (1..=count).map(|price| format!(r#"["{price}","1"]"#)).collect();
        format!("[{}]", levels.join(","))
    }

    #[test]
    fn prices_are_numbers_and_texts_are_kept() {
        let mut asks = side(Which::Asks, r#"[["100.60","6.0"],["100.1","1"],["99","2"]]"#);
        assert_eq!(text(&asks), "99:2 100.1:1 100.60:6.0 ");
        asks.change(r#"[["100.600","7.00"],["5","0"],["99.00","0.000"],["100.10","0.5"]]"#);
        assert_eq!(text(&asks), "100.10:0.5 100.600:7.00 ");
        let bids = side(Which::Bids, r#"[["9","1"],["10","1"],["9.5","1"]]"#);
        assert_eq!(text(&bids), "10:1 9.5:1 9:1 ");
    }

    /// Beyond the worst price of a snapshot single levels say nothing about those between.
    #[test]
    fn a_side_knows_how_deep_it_is_sure() {
        let mut asks = side(Which::Asks, &ladder(22));
        assert!(asks.is_sure(22) && !asks.is_sure(23));
        asks.change(r#"[["30","1"],["1","0"],["2","0"],["3","0"]]"#);
        assert!(asks.is_sure(19) && !asks.is_sure(20), "30 is known, but not what lies before it");
        let few = side(Which::Asks, &ladder(19));
        assert!(few.is_sure(20), "so few are all there are");
        let mut window = Side::new(Which::Bids);
        window.fill(&ladder(400), true);
        window.change(&ladder(399).replace("\"1\"]", "\"0\"]"));
        assert!(window.is_sure(20), "the venue tells what moves into its window");
    }

    /// The worst go when there are too many, and are unknown from then on.
    #[test]
    fn a_side_is_bounded() {
        let mut bids = side(Which::Bids, &ladder(BOOK_LEVELS_MAX));
        assert!(bids.is_sure(BOOK_LEVELS_MAX));
        bids.change(&format!(r#"[["{}","1"]]"#, BOOK_LEVELS_MAX + 1));
        assert_eq!(bids.texts(usize::MAX).count(), BOOK_LEVELS_MAX);
        assert_eq!(bids.texts(usize::MAX).last(), Some(("2", "1")));
        bids.change(r#"[["1","4"]]"#);
        bids.change(r#"[["4000","0"]]"#);
        assert!(!bids.is_sure(BOOK_LEVELS_MAX), "1 was forgotten once");
    }

    proptest! {
        /// Whatever is changed in whatever spelling, the side is what a list of numbers would be.
        #[test]
        fn as_a_list_would_be(changes in prop::collection::vec((0u32..40, 0u32..3, 0u32..4), 0..200), is_bids: bool) {
            let mut side = Side::new(if is_bids { Which::Bids } else { Which::Asks });
            let mut list: Vec<(u32, String, u32)> = Vec::new();
            for (price, zeros, quantity) in changes {
                let mut spelled = format!("{}.{}", price / 10, price % 10);
                spelled.extend(std::iter::repeat_n('0', zeros as usize));
                side.change(&format!(r#"[["{spelled}","{quantity}"]]"#));
                list.retain(|level| level.0 != price);
                if quantity > 0 {
                    list.push((price, spelled, quantity));
                }
            }
            list.sort();
            if is_bids {
                list.reverse();
            }
            let mut expected = String::new();
            for (_, price, quantity) in &list {
                write!(expected, "{price}:{quantity} ").unwrap();
            }
            prop_assert_eq!(text(&side), expected);
        }
    }
}
