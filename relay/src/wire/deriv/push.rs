//! What a subscription is told, in two pieces: its own head, then the tail that all subscriptions of the topic share.
//!
//! `{"echo_req":{…},"req_id":3,"subscription":{"id":"X"},"tick":{"id":"X",` and
//! `"ask":1558.71,…,"symbol":"R_100"},"msg_type":"tick"}`. Identical requests have identical heads.

use super::id::SubscriptionId;
use super::reply;
use super::request::Echo;
use crate::wire::json::append;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PushKind {
    Tick,
    Ohlc,
}

impl PushKind {
    /// `msg_type`, and the key of the value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Ohlc => "ohlc",
        }
    }
}

/// Before every tail of a subscription, the first answer of `ticks` included.
pub fn head(echo: &Echo, kind: PushKind, id: &SubscriptionId) -> Vec<u8> {
    let mut out = Vec::new();
    reply::open(Some(echo), &mut out);
    reply::subscription(id, &mut out);
    open_value(kind, id, &mut out);
    out
}

/// Before the one tail of `ticks` without `subscribe`. Its tick has an id too, which nothing answers to.
pub fn one_shot_head(echo: &Echo, id: &SubscriptionId) -> Vec<u8> {
    let mut out = Vec::new();
    reply::open(Some(echo), &mut out);
    open_value(PushKind::Tick, id, &mut out);
    out
}

/// The bytes that `open_value` writes, whatever the kind.
const OPEN_VALUE_BYTES: usize = r#""tick":{"id":"","#.len() + size_of::<SubscriptionId>();

/// The part of a subscription's head before the value: what repeats the request and names the subscription.
pub(super) fn envelope(head: &[u8]) -> &[u8] {
    &head[..head.len().saturating_sub(OPEN_VALUE_BYTES)]
}

fn open_value(kind: PushKind, id: &SubscriptionId, out: &mut Vec<u8>) {
    append(out, format_args!("\"{}\":{{\"id\":\"", kind.name()));
    out.extend_from_slice(id);
    out.extend_from_slice(b"\",");
}

/// One tick. Prices are numbers as JSON writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickView<'a> {
    pub ask: &'a str,
    pub bid: &'a str,
    pub quote: &'a str,
    pub epoch_s: u64,
    pub pip_size: u32,
    pub symbol: &'a str,
}

pub fn tick_tail(tick: &TickView<'_>, out: &mut Vec<u8>) {
    let TickView { ask, bid, quote, epoch_s, pip_size, symbol } = tick;
    append(
        out,
        format_args!(
            "\"ask\":{ask},\"bid\":{bid},\"epoch\":{epoch_s},\"pip_size\":{pip_size},\"quote\":{quote},\
             \"symbol\":\"{symbol}\"}},\"msg_type\":\"tick\"}}"
        ),
    );
}

/// An open candle as of its last tick. Prices are plain decimals, and are sent as strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OhlcView<'a> {
    pub open: &'a str,
    pub high: &'a str,
    pub low: &'a str,
    pub close: &'a str,
    /// Of the last tick.
    pub epoch_s: u64,
    /// Where the candle starts.
    pub open_s: u64,
    pub granularity_s: u32,
    pub pip_size: u32,
    pub symbol: &'a str,
}

pub fn ohlc_tail(candle: &OhlcView<'_>, out: &mut Vec<u8>) {
    let OhlcView { open, high, low, close, epoch_s, open_s, granularity_s, pip_size, symbol } = candle;
    append(
        out,
        format_args!(
            "\"close\":\"{close}\",\"epoch\":{epoch_s},\"granularity\":{granularity_s},\"high\":\"{high}\",\
             \"low\":\"{low}\",\"open\":\"{open}\",\"open_time\":{open_s},\"pip_size\":{pip_size},\
             \"symbol\":\"{symbol}\"}},\"msg_type\":\"ohlc\"}}"
        ),
    );
}
