//! Messages as a relay sends them, for the tests.

use super::read::{Push, Quote};
use crate::market::{base, price, write_trade};

pub fn stream(quote: Quote) -> Vec<u8> {
    let mut out = Vec::new();
    write_trade(&mut out, quote.pair, quote.seq, quote.time_ms);
    out
}

pub fn hub(quote: Quote) -> Vec<u8> {
    let Quote { pair, seq, time_ms } = quote;
    let name = format!("trade-{}", base(pair).to_ascii_lowercase());
    update(&name, pair, seq, &iso(time_ms), "", time_ms)
}

pub fn board(push: Push) -> Vec<u8> {
    let source = format!(r#","source_timestamp":"{}""#, iso(push.source_ms));
    update("board", push.pair, push.seq, &iso(push.time_ms), &source, push.source_ms)
}

pub fn deriv(pair: u32, seq: u64, epoch_s: u64, req_id: usize) -> Vec<u8> {
    let (symbol, price) = (format!("cry{}USD", base(pair)), price(pair, seq));
    format!(
        r#"{{"echo_req":{{"ticks":"{symbol}","subscribe":1,"req_id":{req_id}}},"req_id":{req_id},"subscription":{{"id":"abc"}},"tick":{{"id":"abc","ask":{price},"bid":{price},"epoch":{epoch_s},"pip_size":2,"quote":{price},"symbol":"{symbol}"}},"msg_type":"tick"}}"#
    )
    .into_bytes()
}

pub fn socketio(quote: Quote) -> Vec<u8> {
    let Quote { pair, seq, time_ms } = quote;
    let (base, price) = (base(pair), price(pair, seq));
    format!(r#"42["crypto",{{"base":"USD","symbol":"{base}","price":"{price}","timestamp":{time_ms}}}]"#).into_bytes()
}

fn update(channel: &str, pair: u32, seq: u64, time: &str, source: &str, venue_ms: u64) -> Vec<u8> {
    let (base, price) = (base(pair), price(pair, seq));
    format!(
        r#"{{"type":"price_update","connector_id":"{channel}","exchange":"okx","instrument":"{base}/USDT","price":{price},"timestamp":"{time}"{source},"data":{{"instType":"SPOT","instId":"{base}-USDT","last":"{price}","lastSz":"0.01000000","ts":"{venue_ms}"}}}}"#
    )
    .into_bytes()
}

/// Times of 2025-12-08 from 16:30 on, which is all the tests need.
fn iso(time_ms: u64) -> String {
    let rest = time_ms - 1_765_211_400_000;
    format!("2025-12-08T16:{:02}:{:02}.{:03}Z", 30 + rest / 60_000, rest / 1000 % 60, rest % 1000)
}
