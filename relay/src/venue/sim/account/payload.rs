//! The two events of the document "User Data Streams", key by key in its order.

use crate::venue::decimal::divide_half_even;
use crate::venue::sim::instrument::Instrument;
use crate::venue::sim::json::Json;

/// Digits of balances: enough for the product of any price and size.
pub const WALLET_DIGITS: u32 = 8;

const AVERAGE_DIGITS: u32 = 8;

/// An event happened at `transaction` and is told at `event`.
#[derive(Clone, Copy)]
pub struct Times {
    pub event: i64,
    pub transaction: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy,
    Sell,
}

/// An order as it stands. Prices in ticks, sizes in lots, values in ticks times lots.
#[derive(Clone)]
pub struct Order {
    pub instrument: &'static Instrument,
    pub id: i64,
    pub side: Side,
    /// None for a market order.
    pub limit: Option<i64>,
    pub time_in_force: &'static str,
    pub size: i64,
    pub filled: i64,
    pub filled_value: i128,
}

/// What happened to an order.
#[derive(Clone, Copy)]
pub enum Step {
    New,
    Trade { id: i64, size: i64, price: i64, profit: i128 },
    Canceled,
    Expired,
}

/// Lots held (negative when sold short) and what they cost.
#[derive(Clone, Copy, Default)]
pub struct Position {
    pub size: i64,
    pub cost: i128,
}

pub struct AccountUpdate<'a> {
    pub reason: &'static str,
    /// In 10^-[`WALLET_DIGITS`].
    pub wallet: i128,
    /// The wallet without what secures positions.
    pub cross_wallet: i128,
    /// The position that changed, and the price to value it at.
    pub position: Option<(&'a Instrument, Position, i64)>,
}

impl Order {
    pub fn payload(&self, times: Times, step: Step) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let json = &mut Json { out: &mut out };
        let Instrument { price_digits, size_digits, .. } = *self.instrument;
        head(json, "ORDER_TRADE_UPDATE", times);
        json.key("o");
        json.open(b'{');
        json.text("s", self.instrument.symbol);
        json.text("c", &format!("sim-{}", self.id));
        json.text("S", if self.side == Side::Buy { "BUY" } else { "SELL" });
        json.text("o", if self.limit.is_some() { "LIMIT" } else { "MARKET" });
        json.text("f", self.time_in_force);
        decimal(json, "q", self.size.into(), size_digits);
        decimal(json, "p", self.limit.unwrap_or(0).into(), price_digits);
        decimal(json, "ap", average(self.filled_value, self.filled, price_digits), AVERAGE_DIGITS);
        json.text("sp", "0");
        let (execution, status) = match step {
            Step::New => ("NEW", "NEW"),
            Step::Trade { .. } if self.filled < self.size => ("TRADE", "PARTIALLY_FILLED"),
            Step::Trade { .. } => ("TRADE", "FILLED"),
            Step::Canceled => ("CANCELED", "CANCELED"),
            Step::Expired => ("EXPIRED", "EXPIRED"),
        };
        json.text("x", execution);
        json.text("X", status);
        json.integer("i", self.id.into());
        let (trade, size, price, profit) = match step {
            Step::Trade { id, size, price, profit } => (id, size, price, profit),
            Step::New | Step::Canceled | Step::Expired => (0, 0, 0, 0),
        };
        decimal(json, "l", size.into(), size_digits);
        decimal(json, "z", self.filled.into(), size_digits);
        decimal(json, "L", price.into(), price_digits);
        json.integer("T", times.transaction.into());
        json.integer("t", trade.into());
        decimal(json, "rp", profit, price_digits + size_digits);
        json.close(b'}');
        json.close(b'}');
        out
    }
}

impl AccountUpdate<'_> {
    pub fn payload(&self, times: Times) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let json = &mut Json { out: &mut out };
        head(json, "ACCOUNT_UPDATE", times);
        json.key("a");
        json.open(b'{');
        json.text("m", self.reason);
        json.key("B");
        json.open(b'[');
        json.open(b'{');
        json.text("a", "USDT");
        json.decimal("wb", self.wallet, WALLET_DIGITS);
        json.decimal("cw", self.cross_wallet, WALLET_DIGITS);
        json.close(b'}');
        json.close(b']');
        json.key("P");
        json.open(b'[');
        if let Some((instrument, position, price)) = self.position {
            let Instrument { price_digits, size_digits, .. } = *instrument;
            let profit = i128::from(price) * i128::from(position.size) - position.cost;
            json.open(b'{');
            json.text("s", instrument.symbol);
            decimal(json, "pa", position.size.into(), size_digits);
            decimal(json, "ep", average(position.cost, position.size, price_digits), AVERAGE_DIGITS);
            decimal(json, "up", profit, price_digits + size_digits);
            json.close(b'}');
        }
        json.close(b']');
        json.close(b'}');
        json.close(b'}');
        out
    }
}

fn head(json: &mut Json<'_>, event: &str, times: Times) {
    json.open(b'{');
    json.text("e", event);
    json.integer("E", times.event.into());
    json.integer("T", times.transaction.into());
}

/// Nothing is written as a bare `0`, as the document does.
fn decimal(json: &mut Json<'_>, key: &str, units: i128, scale: u32) {
    json.decimal(key, units, if units == 0 { 0 } else { scale });
}

/// In 10^-[`AVERAGE_DIGITS`]; zero of nothing.
fn average(value: i128, size: i64, price_digits: u32) -> i128 {
    if size == 0 {
        return 0;
    }
    divide_half_even(value * 10i128.pow(AVERAGE_DIGITS - price_digits), size.into())
}
