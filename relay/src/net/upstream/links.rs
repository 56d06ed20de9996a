//! Which connections of a leg are up, and which of them are being left for another.

use std::collections::HashMap;

/// The connections of one leg.
#[derive(Debug, Default)]
pub struct Links {
    /// With their lanes.
    up: HashMap<usize, usize>,
    /// In the order in which they began.
    rotations: Vec<Rotation>,
}

#[derive(Debug)]
struct Rotation {
    old: usize,
    lane: usize,
    /// Known as soon as it is up.
    successor: Option<usize>,
}

/// What the end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Of a try: it was not up.
    Never,
    /// It was up, and nothing stands in for it.
    Whole,
    /// Another one had come up to take over.
    Replaced,
}

impl Links {
    pub fn connected(&mut self, conn: usize, lane: usize) {
        self.up.insert(conn, lane);
        let waiting = |rotation: &&mut Rotation| rotation.successor.is_none() && rotation.lane == lane;
        if let Some(rotation) = self.rotations.iter_mut().find(waiting) {
            rotation.successor = Some(conn);
        }
    }

    /// Another one is made to take over from this one.
    pub fn rotating(&mut self, conn: usize) {
        if let Some(lane) = self.up.get(&conn).copied() {
            self.rotations.retain(|rotation| rotation.old != conn);
            self.rotations.push(Rotation { old: conn, lane, successor: None });
        }
    }

    /// A connection is over, or a try to make one.
    pub fn ended(&mut self, conn: usize) -> End {
        let was_up = self.up.remove(&conn).is_some();
        let mut has_successor = false;
        self.rotations.retain_mut(|rotation| {
            if rotation.successor == Some(conn) {
                rotation.successor = None;
            }
            let is_over = rotation.old == conn;
            has_successor |= is_over && rotation.successor.is_some();
            !is_over
        });
        match (was_up, has_successor) {
            (false, _) => End::Never,
            (true, false) => End::Whole,
            (true, true) => End::Replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_that_of_what_was_up() {
        let mut links = Links::default();
        assert_eq!(links.ended(0), End::Never);
        links.connected(0, 0);
        assert_eq!((links.ended(0), links.ended(0)), (End::Whole, End::Never));
    }

    /// A venue may cut what is being left before we do: that is no loss once another one is there.
    #[test]
    fn what_is_left_is_replaced_once_another_is_up() {
        let mut links = Links::default();
        links.connected(0, 0);
        links.rotating(0);
        links.connected(1, 0);
        assert_eq!(links.ended(0), End::Replaced);
        assert_eq!(links.ended(1), End::Whole);
        // Without one it is.
        links.connected(0, 0);
        links.rotating(0);
        assert_eq!(links.ended(1), End::Never);
        assert_eq!(links.ended(0), End::Whole);
        // The next life of the same place is not being left.
        links.connected(0, 0);
        links.connected(1, 0);
        assert_eq!(links.ended(0), End::Whole);
    }

    /// The successor may be gone before; its next life takes over again.
    #[test]
    fn a_successor_that_is_gone_replaces_nothing() {
        let mut links = Links::default();
        links.connected(0, 0);
        links.rotating(0);
        links.connected(1, 0);
        assert_eq!(links.ended(1), End::Whole);
        links.connected(2, 1);
        assert_eq!(links.ended(2), End::Whole, "that one is of another lane");
        links.connected(1, 0);
        assert_eq!(links.ended(0), End::Replaced);
    }

    /// Several at a time get a successor each.
    #[test]
    fn rotations_do_not_share_a_successor() {
        let mut links = Links::default();
        links.connected(0, 0);
        links.connected(1, 0);
        links.rotating(0);
        links.rotating(1);
        links.connected(2, 0);
        assert_eq!(links.ended(1), End::Whole);
        assert_eq!(links.ended(0), End::Replaced);
    }
}
