//! User data of an account that trades on the built-in venue: orders, fills, balances, positions.
//!
//! The story is a function of seed, name and time, so two connections of one account hear the same, whenever each of
//! them came. It is told in rounds of one order each. Every 720 rounds the account stands flat, and money is moved in or
//! out until it has what it began with: whoever comes later replays no more than that.

mod payload;
mod story;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::past::Past;
use super::{LEAP_MS, time};
use story::{ROUNDS_PER_EPISODE, Story};

/// How long a round lasts unless told otherwise.
pub const ROUND_MS: NonZeroU32 = NonZeroU32::new(5_000).expect("it is not zero");

/// One account's events as time passes.
pub struct Account {
    story: Story,
    clock: i64,
    /// The round to be told next.
    round: i64,
    /// What happens until then and has not been told; never empty, as every round has something.
    ahead: VecDeque<Happening>,
    skipped_ms: u64,
}

/// One payload and its time.
struct Happening {
    at: i64,
    payload: Vec<u8>,
}

impl Account {
    /// An account of the venue with this seed. Equal names are equal accounts.
    pub fn new(seed: u64, name: &str, start_ms: u64) -> Account {
        Account::at(&Past::new(seed), name, ROUND_MS, start_ms)
    }

    /// The same with what `past` has already computed, and rounds of another length.
    pub fn at(past: &Past, name: &str, round_ms: NonZeroU32, start_ms: u64) -> Account {
        let story = Story::new(past.clone(), name, i64::from(round_ms.get()));
        let mut account = Account { story, clock: time(start_ms), round: 0, ahead: VecDeque::new(), skipped_ms: 0 };
        account.place(account.clock);
        account
    }

    /// When the next poll has something to say, in ms.
    pub fn next_due(&self) -> u64 {
        let next = self.ahead.front().expect("every round has something to come");
        u64::try_from(next.at).unwrap_or(0)
    }

    /// Advances to `now_ms` and emits what happened since the last poll, in time order. Leaps of the clock are treated
    /// as [`super::Sim::poll`] does: beyond [`LEAP_MS`] nothing between is told, smaller steps back are waited for.
    pub fn poll(&mut self, now_ms: u64, emit: &mut dyn FnMut(&[u8])) {
        let now = time(now_ms);
        // Between two polls a round may pass without being a leap.
        let leap = (LEAP_MS as i64).max(2 * self.story.round_ms());
        if now - self.clock > leap {
            self.skipped_ms += now.abs_diff(self.clock);
            self.place(now);
        } else if self.clock - now > leap {
            self.place(now);
        }
        self.clock = self.clock.max(now);
        while self.ahead.front().is_some_and(|next| next.at <= self.clock) {
            if let Some(Happening { payload, .. }) = self.ahead.pop_front() {
                emit(&payload);
            }
            self.look_ahead();
        }
    }

    /// Time of which nothing was told because the clock leapt forward.
    pub fn skipped_ms(&self) -> u64 {
        self.skipped_ms
    }

    /// Stands at `now` with everything up to then told.
    fn place(&mut self, now: i64) {
        let round = now.div_euclid(self.story.round_ms());
        // From an episode before, because its end decides how the running one opens.
        self.round = (round.div_euclid(ROUNDS_PER_EPISODE) - 1) * ROUNDS_PER_EPISODE;
        self.clock = now;
        self.ahead.clear();
        self.story.reset();
        while self.round <= round {
            self.ahead.clear();
            self.tell();
        }
        self.ahead.retain(|next| next.at > now);
        self.look_ahead();
    }

    fn look_ahead(&mut self) {
        while self.ahead.is_empty() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let ahead = &mut self.ahead;
        self.story.round(self.round, &mut |at, payload| ahead.push_back(Happening { at, payload }));
        self.round += 1;
    }
}
