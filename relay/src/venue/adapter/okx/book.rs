//! The chain that the messages of a book form, and its checksum where the venue fills it (protocols/okx.md section 5).

use std::collections::BTreeMap;

use crate::limits::OKX_BOOK_LEVELS_MAX;
use crate::venue::decimal::Decimal;
use crate::wire::json::Array;

use super::super::field;

/// Levels of each side that a checksum covers.
const CHECKSUM_LEVELS: usize = 25;

/// One message about a book; sides are JSON arrays of levels.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub is_snapshot: bool,
    pub previous: i64,
    pub id: i64,
    /// Zero: not provided.
    pub checksum: i64,
    pub bids: &'a str,
    pub asks: &'a str,
}

/// What follows from a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is the next one.
    Next,
    /// It says that nothing changed.
    Unchanged,
    /// The chain is broken from here on.
    Broken,
    /// It was broken before, and only a snapshot helps.
    Useless,
}

#[derive(Debug, Default)]
pub struct Chain {
    link: Link,
    /// Kept only where there are checksums to compare with.
    levels: Option<Box<Levels>>,
}

#[derive(Debug, Default)]
enum Link {
    #[default]
    Unbegun,
    At(i64),
    Lost,
}

#[derive(Debug, Default)]
struct Levels {
    bids: Side,
    asks: Side,
}

/// Price and size as the venue wrote them, by what the price is worth: `100.0` and `100.00` are one level.
type Side = BTreeMap<Decimal, (Box<str>, Box<str>)>;

/// Why a change was not taken into the levels.
enum Fault {
    Malformed,
    TooManyLevels,
}

impl Chain {
    /// The venue has granted the book: its snapshot comes next.
    pub fn begin(&mut self) {
        *self = Chain::default();
    }

    /// `None` if a level is malformed: the chain has to [`Self::fail`] then.
    pub fn take(&mut self, change: &Change<'_>) -> Option<Step> {
        if change.is_snapshot {
            self.levels = (change.checksum != 0).then(Box::default);
        } else {
            match self.link {
                // An update may have a smaller id than the one before, after maintenance; only `previous` chains.
                Link::At(last) if last == change.previous => {}
                Link::Lost => return Some(Step::Useless),
                Link::At(_) | Link::Unbegun => return Some(self.lose()),
            }
        }
        if let Some(levels) = &mut self.levels {
            match levels.apply(change) {
                Err(Fault::Malformed) => return None,
                Err(Fault::TooManyLevels) => return Some(self.lose()),
                // It is a signed integer there; that of another venue may be unsigned.
                Ok(()) if change.checksum != 0 && levels.checksum() != change.checksum as u32 => {
                    return Some(self.lose());
                }
                Ok(()) => {}
            }
        }
        self.link = Link::At(change.id);
        let is_empty = |side: &str| side.bytes().all(|byte| matches!(byte, b'[' | b']') || byte.is_ascii_whitespace());
        let is_unchanged = !change.is_snapshot && change.id == change.previous;
        Some(if is_unchanged && is_empty(change.bids) && is_empty(change.asks) { Step::Unchanged } else { Step::Next })
    }

    /// A message could not be read. False if that is no news: only a snapshot would have helped.
    pub fn fail(&mut self, is_snapshot: bool) -> bool {
        let was_lost = matches!(self.link, Link::Lost);
        self.lose();
        is_snapshot || !was_lost
    }

    fn lose(&mut self) -> Step {
        *self = Chain { link: Link::Lost, levels: None };
        Step::Broken
    }
}

impl Levels {
    fn apply(&mut self, change: &Change<'_>) -> Result<(), Fault> {
        for (side, text) in [(&mut self.bids, change.bids), (&mut self.asks, change.asks)] {
            apply(side, text).ok_or(Fault::Malformed)?;
            if side.len() > OKX_BOOK_LEVELS_MAX {
                return Err(Fault::TooManyLevels);
            }
        }
        Ok(())
    }

    /// CRC32 of `bid:size:ask:size:…`, best first; where one side is shorter the other goes on alone.
    fn checksum(&self) -> u32 {
        let mut bids = self.bids.values().rev().take(CHECKSUM_LEVELS);
        let mut asks = self.asks.values().take(CHECKSUM_LEVELS);
        let mut crc = Crc::default();
        loop {
            let pair = [bids.next(), asks.next()];
            if pair == [None, None] {
                return crc.value();
            }
            for (price, size) in pair.into_iter().flatten() {
                crc.add_part(price);
                crc.add_part(size);
            }
        }
    }
}

fn apply(side: &mut Side, text: &str) -> Option<()> {
    let mut levels = Array::open(text)?;
    while let Some(level) = levels.next().ok()? {
        let mut fields = Array::open(level.text)?;
        let price = field::decimal(fields.next().ok()?)?;
        let size = field::decimal(fields.next().ok()?)?;
        let key = Decimal::parse(price)?;
        if Decimal::parse(size)?.units() == 0 {
            side.remove(&key);
        } else {
            side.insert(key, (price.into(), size.into()));
        }
    }
    Some(())
}

/// The CRC-32 of IEEE 802.3 over parts that are joined by colons.
struct Crc {
    state: u32,
    is_begun: bool,
}

impl Default for Crc {
    fn default() -> Crc {
        Crc { state: u32::MAX, is_begun: false }
    }
}

impl Crc {
    fn add_part(&mut self, part: &str) {
        if self.is_begun {
            self.add(b':');
        }
        self.is_begun = true;
        part.bytes().for_each(|byte| self.add(byte));
    }

    fn add(&mut self, byte: u8) {
        self.state = CRC_TABLE[usize::from(self.state as u8 ^ byte)] ^ (self.state >> 8);
    }

    fn value(&self) -> u32 {
        !self.state
    }
}

static CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut state = index as u32;
        let mut bit = 0;
        while bit < 8 {
            state = if state & 1 == 1 { 0xEDB8_8320 ^ (state >> 1) } else { state >> 1 };
            bit += 1;
        }
        table[index] = state;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const EMPTY: &str = "[]";

    fn snapshot(id: i64) -> Change<'static> {
        let bids = r#"[["8476.97","256","0","12"],["8475.55","101","0","1"],["8475.54","100","0","1"]]"#;
        let asks = r#"[["8476.98","415","0","13"],["8477","7","0","2"],["8477.34","85","0","1"]]"#;
        Change { is_snapshot: true, previous: -1, id, checksum: 0, bids, asks }
    }

    fn update(previous: i64, id: i64) -> Change<'static> {
        Change { is_snapshot: false, previous, id, checksum: 0, bids: EMPTY, asks: r#"[["8478","3","0","1"]]"# }
    }

    #[test]
    fn the_checksum_is_that_of_the_vector() {
        let vector: Value =
            serde_json::from_str(include_str!("../../../../testdata/okx/checksum_vector.json")).unwrap();
        for case in vector["cases"].as_array().unwrap() {
            let mut levels = Levels::default();
            let (bids, asks) = (case["bids"].to_string(), case["asks"].to_string());
            let change = Change { bids: &bids, asks: &asks, ..snapshot(1) };
            assert!(levels.apply(&change).is_ok());
            assert_eq!(levels.checksum(), case["checksum"].as_i64().unwrap() as u32, "{case}");
            let mut crc = Crc::default();
            crc.add_part(case["string"].as_str().unwrap());
            assert_eq!(crc.value(), levels.checksum());
        }
        // The check value of the algorithm.
        let mut crc = Crc::default();
        crc.add_part("123456789");
        assert_eq!(crc.value(), 0xCBF4_3926);
    }

    /// Only `previous` chains: an id may be smaller than the one before.
    #[test]
    fn a_chain_goes_on_and_breaks() {
        let mut chain = Chain::default();
        assert_eq!(chain.take(&snapshot(10)), Some(Step::Next));
        assert_eq!(chain.take(&update(10, 15)), Some(Step::Next));
        assert_eq!(chain.take(&Change { asks: " [ ] ", ..update(15, 15) }), Some(Step::Unchanged));
        assert_eq!(chain.take(&Change { asks: EMPTY, ..update(15, 16) }), Some(Step::Next));
        assert_eq!(chain.take(&update(16, 3)), Some(Step::Next));
        assert_eq!(chain.take(&update(3, 5)), Some(Step::Next));
        assert_eq!(chain.take(&update(9, 12)), Some(Step::Broken));
        assert_eq!(chain.take(&update(12, 13)), Some(Step::Useless), "it is said once");
        assert_eq!(chain.take(&snapshot(20)), Some(Step::Next));
        assert_eq!(chain.take(&update(20, 21)), Some(Step::Next));
    }

    /// Without its snapshot a book is broken from the start.
    #[test]
    fn an_update_cannot_begin_a_chain() {
        let mut chain = Chain::default();
        assert_eq!(chain.take(&update(10, 15)), Some(Step::Broken));
        chain.begin();
        assert_eq!(chain.take(&update(10, 15)), Some(Step::Broken));
    }

    /// The changed book has to have the venue's checksum; zero is none.
    #[test]
    fn a_wrong_checksum_breaks() {
        let right = Change { checksum: 242_848_535, ..snapshot(10) };
        let mut chain = Chain::default();
        assert_eq!(chain.take(&right), Some(Step::Next));
        let gone = Change { asks: r#"[["8477.0","0","0","0"],["8477.34","0","0","0"]]"#, ..update(10, 11) };
        assert_eq!(chain.take(&Change { checksum: -195_013_078, ..gone }), Some(Step::Next));
        assert_eq!(chain.take(&Change { checksum: 0, ..update(11, 12) }), Some(Step::Next));
        assert_eq!(chain.take(&Change { checksum: -195_013_078, ..update(12, 13) }), Some(Step::Broken));
        assert_eq!(chain.take(&Change { checksum: 1, ..snapshot(14) }), Some(Step::Broken));
        assert_eq!(chain.take(&snapshot(15)), Some(Step::Next));
        assert_eq!(chain.take(&Change { checksum: 5, ..update(15, 16) }), Some(Step::Next), "nothing to compare with");
        let unsigned = Change { checksum: i64::from(-195_013_078i32 as u32), ..gone };
        chain.take(&right);
        assert_eq!(chain.take(&unsigned), Some(Step::Next));
    }

    /// A book that grows without end is given up, and one with a level that cannot be read.
    #[test]
    fn bad_levels() {
        let mut chain = Chain::default();
        let right = Change { checksum: 242_848_535, ..snapshot(10) };
        chain.take(&right);
        let many: Vec<String> = (0..OKX_BOOK_LEVELS_MAX).map(|price| format!("[\"{price}\",\"1\"]")).collect();
        let many = format!("[{}]", many.join(","));
        assert_eq!(chain.take(&Change { bids: &many, ..update(10, 11) }), Some(Step::Broken));
        chain.take(&right);
        assert_eq!(chain.take(&Change { bids: r#"[["1"]]"#, ..update(10, 11) }), None);
        assert!(chain.fail(false) && !chain.fail(false) && chain.fail(true));
        assert_eq!(chain.take(&update(10, 11)), Some(Step::Useless));
    }

    proptest! {
        /// Whatever the ids, what is passed on chains.
        #[test]
        fn what_passes_chains(ids in proptest::collection::vec((any::<bool>(), 0..4i64, 0..4i64), 0..40)) {
            let mut chain = Chain::default();
            let mut last = None;
            for (is_snapshot, previous, id) in ids {
                let change = Change { is_snapshot, ..update(previous, id) };
                match chain.take(&change) {
                    Some(Step::Next | Step::Unchanged) => {
                        prop_assert!(is_snapshot || last == Some(previous));
                        last = Some(id);
                    }
                    Some(Step::Broken | Step::Useless) => {
                        prop_assert!(!is_snapshot && last != Some(previous));
                        last = None;
                    }
                    None => prop_assert!(false, "the levels are well-formed"),
                }
            }
        }
    }
}
