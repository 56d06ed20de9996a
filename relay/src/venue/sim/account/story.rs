//! What an account does: one order a round, and what becomes of it.

use super::payload::{AccountUpdate, Order, Position, Side, Step, Times, WALLET_DIGITS};
use crate::venue::decimal::divide_half_even;
use crate::venue::sim::instrument::{INSTRUMENTS, Instrument};
use crate::venue::sim::noise::{self, Sequence};
use crate::venue::sim::past::Past;
use crate::venue::sim::symbol;
use crate::venue::sim::ticks::Tick;

/// From one flat stand to the next; an hour of the usual rounds.
pub const ROUNDS_PER_EPISODE: i64 = 720;

/// Pairs an account trades, out of the liveliest.
const PAIRS: usize = 3;
const LIVELIEST: usize = 8;

/// What the account has at the beginning of every episode: 10 000 USDT.
const WALLET: i128 = 10_000 * WALLET_UNIT;
const WALLET_UNIT: i128 = 10i128.pow(WALLET_DIGITS);

/// Positions are secured by a tenth of what they cost.
const LEVERAGE: i128 = 10;

/// A position worth more than this, in USDT, is reduced.
const POSITION_MAX: i128 = 8_000;

/// Fills of one order, and hence ids reserved for them.
const FILLS_MAX: i64 = 3;

/// Keeps accounts apart from everything else that is drawn.
const ACCOUNTS_KEY: i64 = 1 << 34;

pub struct Story {
    past: Past,
    key: u64,
    round_ms: i64,
    pairs: [usize; PAIRS],
    /// In 10^-[`WALLET_DIGITS`].
    wallet: i128,
    positions: [Position; PAIRS],
}

/// Where the events of a round go, with the time at which each is told.
type Tell<'a> = dyn FnMut(i64, Vec<u8>) + 'a;

/// What becomes of an order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Filled,
    Canceled { after_a_fill: bool },
    Expired,
}

impl Story {
    pub fn new(past: Past, name: &str, round_ms: i64) -> Story {
        let seed = noise::at(noise::mix(past.seed()), ACCOUNTS_KEY);
        let key = name.bytes().fold(seed, |key, byte| noise::at(key, byte.into()));
        let first = noise::below(noise::at(key, -1), LIVELIEST as u32) as usize;
        let pairs = std::array::from_fn(|slot| (first + slot * 3) % LIVELIEST);
        Story { past, key, round_ms, pairs, wallet: WALLET, positions: [Position::default(); PAIRS] }
    }

    pub fn round_ms(&self) -> i64 {
        self.round_ms
    }

    /// Stands where every episode begins.
    pub fn reset(&mut self) {
        self.wallet = WALLET;
        self.positions = [Position::default(); PAIRS];
    }

    /// Tells one round. Rounds are told one after the other, from the first of an episode on.
    pub fn round(&mut self, round: i64, tell: &mut Tell<'_>) {
        let mut random = Sequence::new(noise::at(self.key, round));
        let into = round.rem_euclid(ROUNDS_PER_EPISODE);
        if into == 0 {
            self.settle(self.times(round, 0, &mut random), tell);
        }
        // The last rounds of an episode close what is open.
        let closing = usize::try_from(into - (ROUNDS_PER_EPISODE - PAIRS as i64)).ok();
        let slot = closing.unwrap_or(random.below(PAIRS as u32) as usize);
        let times = self.times(round, 5 + i64::from(random.below(10)), &mut random);
        let quote = self.quote(slot, times.event);
        let held = self.positions[slot].size;
        let (mut order, fate) = match closing {
            Some(_) if held != 0 => (self.close(slot, round), Fate::Filled),
            Some(_) => (self.draw(slot, round, quote, &mut random), Fate::Canceled { after_a_fill: false }),
            None => {
                let fate = draw_fate(&mut random);
                (self.draw(slot, round, quote, &mut random), fate)
            }
        };
        match fate {
            Fate::Filled => {}
            Fate::Canceled { .. } => order.limit = Some(order.limit.unwrap_or(quote.bid)),
            // Nobody meets its price, and it does not wait.
            Fate::Expired => order.time_in_force = "IOC",
        }
        let untouched = matches!(fate, Fate::Canceled { after_a_fill: false } | Fate::Expired);
        if untouched {
            order.limit = Some(far_from(quote, order.side));
        }
        tell(times.event, order.payload(times, Step::New));
        let fills = match fate {
            _ if untouched => 0,
            Fate::Filled => (1 + i64::from(random.below(FILLS_MAX as u32))).min(order.size),
            Fate::Canceled { .. } | Fate::Expired => 1,
        };
        for number in 0..fills {
            let is_last = fate == Fate::Filled && number + 1 == fills;
            let rest = order.size - order.filled;
            let size = if is_last { rest } else { (rest / (FILLS_MAX + 1 - number)).max(1) };
            let times = self.times(round, 20 + 20 * number + i64::from(random.below(15)), &mut random);
            self.fill(slot, &mut order, Fill { id: round * FILLS_MAX + number + 1, size, times }, tell);
        }
        let times = self.times(round, 80 + i64::from(random.below(15)), &mut random);
        match fate {
            Fate::Canceled { .. } if order.filled < order.size => {
                tell(times.event, order.payload(times, Step::Canceled));
            }
            Fate::Expired => tell(times.event, order.payload(times, Step::Expired)),
            Fate::Filled | Fate::Canceled { .. } => {}
        }
    }

    /// Brings the wallet back to what an episode begins with.
    fn settle(&mut self, times: Times, tell: &mut Tell<'_>) {
        debug_assert!(self.positions.iter().all(|position| position.size == 0), "an episode ends flat");
        if self.wallet == WALLET {
            return;
        }
        let reason = if self.wallet < WALLET { "DEPOSIT" } else { "WITHDRAW" };
        self.wallet = WALLET;
        let update = AccountUpdate { reason, wallet: WALLET, cross_wallet: WALLET, position: None };
        tell(times.event, update.payload(times));
    }

    /// A market order for all that is held.
    fn close(&self, slot: usize, round: i64) -> Order {
        let held = self.positions[slot].size;
        let side = if held > 0 { Side::Sell } else { Side::Buy };
        Order { limit: None, side, size: held.abs(), ..self.order(slot, round) }
    }

    /// Some order that fits what is held: none turns a position round, and one that grew too large is reduced.
    fn draw(&self, slot: usize, round: i64, quote: Tick, random: &mut Sequence) -> Order {
        let instrument = self.instrument(slot);
        let scale = 10i128.pow(instrument.price_digits + instrument.size_digits);
        let held = self.positions[slot];
        let worth = i128::from(200 + random.below(2_800)) * scale;
        let drawn = i64::try_from(worth / i128::from(quote.quote)).unwrap_or(i64::MAX).max(1);
        let is_large = held.cost.abs() > POSITION_MAX * scale;
        let buys = if is_large { held.size < 0 } else { random.below(2) == 0 };
        let reduces = held.size != 0 && buys == (held.size < 0);
        let size = if reduces { drawn.min(held.size.abs()) } else { drawn };
        let side = if buys { Side::Buy } else { Side::Sell };
        // A few ticks into the other side, or whatever it costs.
        let eager = i64::from(random.below(4)) * instrument.spread;
        let limit = match side {
            Side::Buy => quote.ask + eager,
            Side::Sell => (quote.bid - eager).max(1),
        };
        let is_market = random.below(10) < 3;
        Order { limit: (!is_market).then_some(limit), side, size, ..self.order(slot, round) }
    }

    fn order(&self, slot: usize, round: i64) -> Order {
        Order {
            instrument: self.instrument(slot),
            id: round,
            side: Side::Buy,
            limit: None,
            time_in_force: "GTC",
            size: 0,
            filled: 0,
            filled_value: 0,
        }
    }

    /// Fills a part of the order at the market's price, though never beyond its limit, and tells what follows.
    fn fill(&mut self, slot: usize, order: &mut Order, fill: Fill, tell: &mut Tell<'_>) {
        let Fill { id, size, times } = fill;
        let quote = self.quote(slot, times.event);
        let price = match (order.side, order.limit) {
            (Side::Buy, limit) => quote.ask.min(limit.unwrap_or(i64::MAX)),
            (Side::Sell, limit) => quote.bid.max(limit.unwrap_or(0)),
        };
        order.filled += size;
        order.filled_value += i128::from(size) * i128::from(price);
        let signed = if order.side == Side::Buy { size } else { -size };
        let profit = self.positions[slot].take(signed, price);
        let Instrument { price_digits, size_digits, .. } = *order.instrument;
        self.wallet += profit * 10i128.pow(WALLET_DIGITS - price_digits - size_digits);
        tell(times.event, order.payload(times, Step::Trade { id, size, price, profit }));
        let update = AccountUpdate {
            reason: "ORDER",
            wallet: self.wallet,
            cross_wallet: self.wallet - self.margin(),
            position: Some((order.instrument, self.positions[slot], quote.quote)),
        };
        tell(times.event, update.payload(times));
    }

    /// What secures all positions.
    fn margin(&self) -> i128 {
        let secures = |(slot, position): (usize, &Position)| {
            let Instrument { price_digits, size_digits, .. } = *self.instrument(slot);
            let cost = position.cost.abs() * 10i128.pow(WALLET_DIGITS - price_digits - size_digits);
            divide_half_even(cost, LEVERAGE)
        };
        self.positions.iter().enumerate().map(secures).sum()
    }

    fn instrument(&self, slot: usize) -> &'static Instrument {
        &INSTRUMENTS[self.pairs[slot]]
    }

    /// What the pair's ticks say at the second.
    fn quote(&self, slot: usize, at: i64) -> Tick {
        self.past.ticks(symbol::of_pair(self.pairs[slot])).at(at.div_euclid(1_000))
    }

    /// A moment of the round, after so many hundredths of it; a transaction is told some ms later.
    fn times(&self, round: i64, hundredths: i64, random: &mut Sequence) -> Times {
        let event = round * self.round_ms + self.round_ms * hundredths / 100;
        Times { event, transaction: event - 1 - i64::from(random.below(40)) }
    }
}

struct Fill {
    id: i64,
    size: i64,
    times: Times,
}

impl Position {
    /// Adds lots bought (or, negative, sold) at a price and says what was earned by those that closed others.
    fn take(&mut self, size: i64, price: i64) -> i128 {
        let value = i128::from(size) * i128::from(price);
        if self.size == 0 || (self.size > 0) == (size > 0) {
            self.size += size;
            self.cost += value;
            return 0;
        }
        debug_assert!(size.abs() <= self.size.abs(), "no order turns a position round");
        // The closed part takes its share of the cost along; the last part takes all, so nothing is lost by rounding.
        let closed = divide_half_even(self.cost * i128::from(-size), self.size.into());
        self.size += size;
        self.cost -= closed;
        -value - closed
    }
}

fn draw_fate(random: &mut Sequence) -> Fate {
    match random.below(20) {
        0..2 => Fate::Canceled { after_a_fill: false },
        2 => Fate::Canceled { after_a_fill: true },
        3 => Fate::Expired,
        _ => Fate::Filled,
    }
}

/// A price half a percent away from where anything would happen.
fn far_from(quote: Tick, side: Side) -> i64 {
    match side {
        Side::Buy => (quote.bid - quote.bid / 200 - 1).max(1),
        Side::Sell => quote.ask + quote.ask / 200 + 1,
    }
}

const _: () = {
    let mut index = 0;
    while index < INSTRUMENTS.len() {
        let digits = INSTRUMENTS[index].price_digits + INSTRUMENTS[index].size_digits;
        assert!(digits <= WALLET_DIGITS, "a wallet holds every value exactly");
        index += 1;
    }
};
