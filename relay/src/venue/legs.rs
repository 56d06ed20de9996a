//! What the legs of an upstream say together about a stream that all of them are to bring.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// What happened to a stream on one leg, or on the upstream as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Live,
    /// Its connection is gone.
    Lost,
    /// Without data for longer than is usual.
    Stale,
    /// Nothing holds it any more.
    Released,
    GaveUp,
    Refused,
}

/// With one leg each word is the upstream's own.
#[derive(Debug)]
pub struct Legs {
    /// A bit for each leg.
    all: u8,
    topics: HashMap<u32, Topic, FixedState>,
}

#[derive(Debug, Default)]
struct Topic {
    is_wanted: bool,
    /// Legs that bring it.
    has: u8,
    /// Legs that do not take the name, or had nothing by it.
    out: u8,
    released: u8,
}

impl Legs {
    /// Of so many legs, eight at most.
    pub fn new(count: usize) -> Legs {
        let all = u8::try_from((1_u32 << count.clamp(1, 8)) - 1).expect("eight bits are a byte");
        Legs { all, topics: HashMap::default() }
    }

    /// Every leg is told that somebody wants it.
    pub fn want(&mut self, id: u32) {
        if self.all > 1 {
            let topic = self.topics.entry(id).or_default();
            (topic.is_wanted, topic.out, topic.released) = (true, 0, 0);
        }
    }

    /// Every leg is told that nobody does.
    pub fn unwant(&mut self, id: u32) {
        if self.all > 1 {
            self.topics.entry(id).or_default().is_wanted = false;
        }
    }

    /// Streams that some legs gave up though others have them, and those legs: they are asked again now, or what they
    /// gave up in a bad hour would be missed when the others fail.
    pub fn ask_again(&mut self) -> Vec<(u32, u8)> {
        let all = self.all;
        let is_partly_out = |topic: &&mut Topic| topic.is_wanted && topic.out != 0 && topic.out != all;
        let partly = self.topics.iter_mut().map(|(id, topic)| (*id, topic)).filter(|(_, topic)| is_partly_out(topic));
        partly.map(|(id, topic)| (id, std::mem::take(&mut topic.out))).collect()
    }

    /// What follows for the upstream from what one leg says, if anything does.
    pub fn say(&mut self, leg: u8, id: u32, word: Word) -> Option<Word> {
        if self.all == 1 {
            return Some(word);
        }
        let bit = 1 << leg;
        let topic = self.topics.entry(id).or_default();
        let had = topic.has;
        topic.has &= !bit;
        match word {
            Word::Live => {
                topic.has = had | bit;
                topic.out &= !bit;
                Some(word)
            }
            Word::Lost | Word::Stale => (topic.has == 0).then_some(word),
            Word::GaveUp | Word::Refused => {
                topic.out |= bit;
                if topic.out == self.all {
                    return Some(word);
                }
                // The one that brought it does not any more, and those that are left are not there yet.
                (had != 0 && topic.has == 0).then_some(Word::Lost)
            }
            // What is wanted again meanwhile is asked for again.
            Word::Released if topic.is_wanted => None,
            Word::Released => {
                topic.released |= bit;
                if topic.released != self.all {
                    return None;
                }
                self.topics.remove(&id);
                Some(word)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Word::*;
    use super::*;

    fn check(legs: &mut Legs, said: &[(u8, Word, Option<Word>)]) {
        for (at, (leg, word, expected)) in said.iter().enumerate() {
            assert_eq!(legs.say(*leg, 1, *word), *expected, "{at}: {leg} says {word:?}");
        }
    }

    #[test]
    fn one_leg_speaks_for_itself() {
        let mut legs = Legs::new(1);
        for word in [Live, Lost, Stale, Released, GaveUp, Refused] {
            check(&mut legs, &[(0, word, Some(word))]);
        }
        assert!(legs.topics.is_empty());
    }

    #[test]
    fn a_stream_is_lost_when_no_leg_has_it() {
        let mut legs = Legs::new(2);
        legs.want(1);
        check(&mut legs, &[(0, Live, Some(Live)), (1, Live, Some(Live)), (0, Lost, None), (0, Stale, None)]);
        check(&mut legs, &[(1, Lost, Some(Lost)), (1, Stale, Some(Stale))]);
        check(&mut legs, &[(1, Live, Some(Live)), (0, Stale, None), (1, Stale, Some(Stale))]);
    }

    /// A leg that gave up is asked again while others bring the stream, and only then.
    #[test]
    fn a_leg_that_gave_up_is_asked_again() {
        let mut legs = Legs::new(2);
        legs.want(1);
        check(&mut legs, &[(0, GaveUp, None), (1, Live, Some(Live))]);
        assert_eq!(legs.ask_again(), [(1, 0b01)]);
        assert_eq!(legs.ask_again(), []);
        check(&mut legs, &[(0, Live, Some(Live)), (1, Lost, None)]);
        check(&mut legs, &[(0, Refused, Some(Lost))]);
        legs.unwant(1);
        assert_eq!(legs.ask_again(), []);
    }

    #[test]
    fn a_stream_is_refused_when_all_refuse() {
        let mut legs = Legs::new(3);
        legs.want(1);
        check(&mut legs, &[(0, Refused, None), (1, GaveUp, None), (2, Refused, Some(Refused))]);
        legs.want(1);
        check(&mut legs, &[(0, Live, Some(Live)), (1, Refused, None), (2, Refused, None), (0, Lost, Some(Lost))]);
        check(&mut legs, &[(0, Refused, Some(Refused))]);
        // The one that brought it refuses it now, the other is still on its way.
        let mut legs = Legs::new(2);
        legs.want(1);
        check(&mut legs, &[(0, Live, Some(Live)), (0, Refused, Some(Lost)), (1, Live, Some(Live))]);
    }

    #[test]
    fn a_stream_is_released_when_all_have_released_it() {
        let mut legs = Legs::new(2);
        legs.want(1);
        check(&mut legs, &[(0, Live, Some(Live)), (1, Refused, None)]);
        legs.unwant(1);
        check(&mut legs, &[(1, Released, None)]);
        // Wanted again before the other has let go: that one counts for nothing.
        legs.want(1);
        check(&mut legs, &[(0, Released, None)]);
        legs.unwant(1);
        check(&mut legs, &[(0, Released, None), (1, Released, Some(Released))]);
        assert!(legs.topics.is_empty());
    }
}
