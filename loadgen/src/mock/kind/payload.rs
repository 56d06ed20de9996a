//! Payloads of the stream dialect, as Binance's spot and futures and Bitzoom write them.

use super::{Message, Source};
use crate::mock::market::candle::Candle;
use crate::mock::market::number::{ONE, fixed, signed};
use crate::mock::market::{Book, Diff, Interval, Market, RATES_MS, Symbol};
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Spot,
    Usdm,
    Bitzoom,
}

/// On futures the numbers of a book skip: only `pu` chains.
pub const USDM_ID_STEP: u64 = 7;

/// Levels of a side in a message, by the most there can be.
type Levels = [(u64, u64)];

impl Style {
    fn price(self, symbol: &Symbol, value: u64) -> String {
        self.wide_price(symbol, u128::from(value))
    }

    fn wide_price(self, symbol: &Symbol, value: u128) -> String {
        fixed(value, if self == Self::Spot { 8 } else { symbol.digits })
    }

    fn quantity(self, value: u128) -> String {
        fixed(value, if self == Self::Spot { 8 } else { 3 })
    }

    /// As the venue numbers a book's changes.
    pub fn book_id(self, id: u64) -> u64 {
        if self == Self::Usdm { id * USDM_ID_STEP } else { id }
    }
}

/// What `source` says with the market's last step; mostly nothing.
pub fn encode(style: Style, source: &Source, market: &Market) -> Vec<Message> {
    let now = market.now_ms();
    let dated = |body: String| vec![Message { from: now, to: now, body }];
    let slow_ms = if style == Style::Usdm { 2000 } else { 1000 };
    match *source {
        Source::Trade(symbol) => trades(style, market.symbol(symbol), now),
        Source::Aggregate(symbol) => aggregates(style, market.symbol(symbol), now),
        Source::Kline(symbol, interval) => klines(style, market, market.symbol(symbol), interval),
        Source::MiniTicker(symbol) if changed(market, symbol, slow_ms) => {
            dated(mini_ticker(style, market.symbol(symbol), now))
        }
        Source::Ticker(symbol) if changed(market, symbol, slow_ms) => dated(ticker(style, market.symbol(symbol), now)),
        Source::BookTicker(symbol) if market.symbol(symbol).book.best_changed => {
            let symbol = market.symbol(symbol);
            let id = style.book_id(symbol.book.last_id());
            vec![Message { from: id, to: id, body: book_ticker(style, symbol, now) }]
        }
        Source::Diff(symbol, rate_ms) => {
            let symbol = market.symbol(symbol);
            let rate = RATES_MS.iter().position(|&rate| rate == rate_ms).expect("only rates of the table are parsed");
            symbol.book.diff(rate).map(|changes| diff(style, symbol, changes, now)).into_iter().collect()
        }
        Source::Levels(symbol, count, rate_ms) if market.is_due(rate_ms) => {
            let symbol = market.symbol(symbol);
            let rate = RATES_MS.iter().position(|&rate| rate == rate_ms).expect("only rates of the table are parsed");
            let Some(changes) = symbol.book.diff(rate) else {
                return Vec::new();
            };
            let id = style.book_id(changes.last);
            vec![Message { from: id, to: id, body: best_levels(style, symbol, count, changes, now) }]
        }
        Source::MarkPrice(symbol, rate_ms) if market.is_due(rate_ms) => dated(mark_price(market.symbol(symbol), now)),
        Source::AveragePrice(symbol) if market.is_due(1000) => {
            let symbol = market.symbol(symbol);
            let average = fixed(symbol.day.weighted_average(), 8);
            dated(format!(
                r#"{{"e":"avgPrice","E":{now},"s":"{}","i":"5m","w":"{average}","T":{}}}"#,
                symbol.upper, symbol.day.changed_ms
            ))
        }
        Source::MiniTickers if market.is_due(1000) => {
            array(market, |symbol| mini_ticker(style, symbol, now)).map(dated).unwrap_or_default()
        }
        Source::Tickers if market.is_due(1000) => {
            array(market, |symbol| ticker(style, symbol, now)).map(dated).unwrap_or_default()
        }
        Source::MarkPrices(rate_ms) if market.is_due(rate_ms) => {
            let rows: Vec<String> = market.symbols().iter().map(|symbol| mark_price(symbol, now)).collect();
            // Two frames, as the venue sends them.
            rows.chunks(rows.len().div_ceil(2).max(1))
                .map(|rows| Message { from: now, to: now, body: format!("[{}]", rows.join(",")) })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Whether it traded within the period that ends with this step.
fn changed(market: &Market, symbol: usize, period_ms: u64) -> bool {
    market.is_due(period_ms) && market.symbol(symbol).day.changed_ms + period_ms > market.now_ms()
}

/// The rows of those that traded within the last second; none if nobody did.
fn array(market: &Market, row: impl Fn(&Symbol) -> String) -> Option<String> {
    let now = market.now_ms();
    let rows: Vec<String> =
        market.symbols().iter().filter(|symbol| symbol.day.changed_ms + 1000 > now).map(row).collect();
    (!rows.is_empty()).then(|| format!("[{}]", rows.join(",")))
}

fn trades(style: Style, symbol: &Symbol, now: u64) -> Vec<Message> {
    let fills = symbol.takers.iter().flat_map(|taker| taker.fills.iter().map(move |fill| (taker, fill)));
    let tail = match style {
        Style::Spot => r#","M":true"#,
        Style::Usdm => r#","X":"MARKET","st":1"#,
        Style::Bitzoom => "",
    };
    fills
        .map(|(taker, fill)| {
            let (price, quantity) = (style.price(symbol, taker.price), style.quantity(fill.quantity.into()));
            // Futures write T before t, and Bitzoom's document orders as spot does.
            let body = format!(
                r#"{{"e":"trade","E":{now},"s":"{}","t":{},"p":"{price}","q":"{quantity}","T":{now},"m":{}{tail}}}"#,
                symbol.upper, fill.id, taker.buyer_is_maker
            );
            Message { from: fill.id, to: fill.id, body }
        })
        .collect()
}

fn aggregates(style: Style, symbol: &Symbol, now: u64) -> Vec<Message> {
    let message = |taker: &crate::mock::market::Taker| {
        let (price, quantity) = (style.price(symbol, taker.price), style.quantity(taker.quantity.into()));
        let (first, last) = (taker.fills[0].id, taker.fills[taker.fills.len() - 1].id);
        let (id, name, maker) = (taker.id, &symbol.upper, taker.buyer_is_maker);
        let body = match style {
            Style::Usdm => format!(
                r#"{{"e":"aggTrade","E":{now},"a":{id},"s":"{name}","p":"{price}","q":"{quantity}","nq":"{quantity}","f":{first},"l":{last},"T":{now},"m":{maker},"st":1}}"#
            ),
            _ => format!(
                r#"{{"e":"aggTrade","E":{now},"s":"{name}","a":{id},"p":"{price}","q":"{quantity}","f":{first},"l":{last},"T":{now},"m":{maker}{}}}"#,
                if style == Style::Spot { r#","M":true"# } else { "" }
            ),
        };
        Message { from: id, to: id, body }
    };
    symbol.takers.iter().map(message).collect()
}

fn klines(style: Style, market: &Market, symbol: &Symbol, interval: Interval) -> Vec<Message> {
    let now = market.now_ms();
    let period_ms = match (style, interval) {
        (Style::Spot, Interval::Second) => 1000,
        (Style::Spot, _) => 2000,
        _ => 250,
    };
    let mut messages = Vec::new();
    let mut say = |candle: &Candle, closed| {
        messages.push(Message { from: now, to: now, body: kline(style, symbol, interval, candle, closed, now) });
    };
    if let Some(closed) = symbol.closed(interval) {
        say(closed, true);
    }
    let candle = symbol.candle(interval);
    if market.is_due(period_ms) && candle.changed_ms + period_ms > now && candle.count > 0 {
        say(candle, false);
    }
    messages
}

fn kline(style: Style, symbol: &Symbol, interval: Interval, candle: &Candle, closed: bool, now: u64) -> String {
    let (name, text) = (&symbol.upper, interval.name());
    let price = |value| style.price(symbol, value);
    let quantity = |value| style.quantity(value);
    let Candle { open_ms, close_ms, count, .. } = *candle;
    let (open, close, high, low) = (price(candle.open), price(candle.close), price(candle.high), price(candle.low));
    let (volume, quote) = (quantity(candle.volume), style.wide_price(symbol, candle.quote));
    if style == Style::Bitzoom {
        return format!(
            r#"{{"e":"kline","E":{now},"s":"{name}","k":{{"t":{open_ms},"T":{close_ms},"s":"{name}","i":"{text}","o":"{open}","c":"{close}","h":"{high}","l":"{low}","v":"{volume}","n":{count},"x":{closed},"q":"{quote}"}}}}"#
        );
    }
    let (first, last) = candle.ids.map_or((-1, -1), |ids| (ids.0 as i64, ids.1 as i64));
    let (taker, taker_quote) = (quantity(candle.taker_volume), style.wide_price(symbol, candle.taker_quote));
    format!(
        r#"{{"e":"kline","E":{now},"s":"{name}","k":{{"t":{open_ms},"T":{close_ms},"s":"{name}","i":"{text}","f":{first},"L":{last},"o":"{open}","c":"{close}","h":"{high}","l":"{low}","v":"{volume}","n":{count},"x":{closed},"q":"{quote}","V":"{taker}","Q":"{taker_quote}","B":"0"}}}}"#
    )
}

fn mini_ticker(style: Style, symbol: &Symbol, now: u64) -> String {
    let day = &symbol.day;
    let price = |value| style.price(symbol, value);
    format!(
        r#"{{"e":"24hrMiniTicker","E":{now},"s":"{}","c":"{}","o":"{}","h":"{}","l":"{}","v":"{}","q":"{}"{}}}"#,
        symbol.upper,
        price(day.close),
        price(day.open),
        price(day.high),
        price(day.low),
        style.quantity(day.volume),
        style.wide_price(symbol, day.quote),
        if style == Style::Usdm { r#","st":1"# } else { "" },
    )
}

fn ticker(style: Style, symbol: &Symbol, now: u64) -> String {
    let day = &symbol.day;
    let price = |value| style.price(symbol, value);
    let (bid, ask) = (symbol.book.best_bid(), symbol.book.best_ask());
    let change = signed(day.change(), if style == Style::Spot { 8 } else { symbol.digits });
    let percent = signed(day.change_percent(), if style == Style::Bitzoom { 2 } else { 3 });
    let mut text = format!(r#"{{"e":"24hrTicker","E":{now},"s":"{}","p":"{change}","P":"{percent}""#, symbol.upper);
    let mut add = |key: &str, value: String| {
        write!(text, r#","{key}":"{value}""#).expect("a String takes every write");
    };
    add("w", style.wide_price(symbol, day.weighted_average()));
    if style == Style::Spot {
        add("x", price(day.open));
    }
    add("c", price(day.close));
    add("Q", style.quantity(day.last_quantity.into()));
    if style == Style::Spot {
        add("b", price(bid.0));
        add("B", style.quantity(bid.1.into()));
        add("a", price(ask.0));
        add("A", style.quantity(ask.1.into()));
    }
    add("o", price(day.open));
    add("h", price(day.high));
    add("l", price(day.low));
    add("v", style.quantity(day.volume));
    add("q", style.wide_price(symbol, day.quote));
    let (first, last) = (day.first_id, day.last_id);
    format!(
        r#"{text},"O":{},"C":{now},"F":{first},"L":{last},"n":{}{}}}"#,
        day.open_ms,
        day.count,
        if style == Style::Usdm { r#","st":1"# } else { "" }
    )
}

fn book_ticker(style: Style, symbol: &Symbol, now: u64) -> String {
    let (bid, ask) = (symbol.book.best_bid(), symbol.book.best_ask());
    let (id, name) = (style.book_id(symbol.book.last_id()), &symbol.upper);
    let best = format!(
        r#""b":"{}","B":"{}","a":"{}","A":"{}""#,
        style.price(symbol, bid.0),
        style.quantity(bid.1.into()),
        style.price(symbol, ask.0),
        style.quantity(ask.1.into()),
    );
    match style {
        Style::Spot => format!(r#"{{"u":{id},"s":"{name}",{best}}}"#),
        Style::Usdm => {
            format!(r#"{{"e":"bookTicker","u":{id},"E":{now},"T":{now},"s":"{name}","ps":"{name}",{best},"st":1}}"#)
        }
        Style::Bitzoom => format!(r#"{{"e":"bookTicker","u":{id},"E":{now},"T":{now},"s":"{name}",{best}}}"#),
    }
}

/// `[["price","quantity"],…]`.
pub fn levels(style: Style, symbol: &Symbol, levels: &Levels) -> String {
    let rows: Vec<String> = levels
        .iter()
        .map(|level| format!(r#"["{}","{}"]"#, style.price(symbol, level.0), style.quantity(level.1.into())))
        .collect();
    format!("[{}]", rows.join(","))
}

pub fn best(levels: impl Iterator<Item = (u64, u64)>, count: usize) -> Vec<(u64, u64)> {
    levels.take(count).collect()
}

fn diff(style: Style, symbol: &Symbol, changes: &Diff, now: u64) -> Message {
    let sides = (levels(style, symbol, &changes.bids), levels(style, symbol, &changes.asks));
    update(style, symbol, changes, sides, now)
}

fn update(style: Style, symbol: &Symbol, changes: &Diff, sides: (String, String), now: u64) -> Message {
    let (name, (bids, asks)) = (&symbol.upper, sides);
    let (last, previous) = (style.book_id(changes.last), style.book_id(changes.previous));
    let (first, body) = match style {
        Style::Usdm => {
            let first = style.book_id(changes.first) - 2;
            let body = format!(
                r#"{{"e":"depthUpdate","E":{now},"T":{now},"s":"{name}","U":{first},"u":{last},"pu":{previous},"b":{bids},"a":{asks},"ps":"{name}","st":1}}"#
            );
            (first, body)
        }
        _ => {
            let first = changes.first;
            let body =
                format!(r#"{{"e":"depthUpdate","E":{now},"s":"{name}","U":{first},"u":{last},"b":{bids},"a":{asks}}}"#);
            (first, body)
        }
    };
    Message { from: first, to: last, body }
}

fn best_levels(style: Style, symbol: &Symbol, count: usize, changes: &Diff, now: u64) -> String {
    let book: &Book = &symbol.book;
    let bids = levels(style, symbol, &best(book.bids(), count));
    let asks = levels(style, symbol, &best(book.asks(), count));
    match style {
        Style::Spot => format!(r#"{{"lastUpdateId":{},"bids":{bids},"asks":{asks}}}"#, changes.last),
        _ => update(style, symbol, changes, (bids, asks), now).body,
    }
}

fn mark_price(symbol: &Symbol, now: u64) -> String {
    const FUNDING_MS: u64 = 8 * 3_600_000;
    let middle = symbol.book.best_bid().0.midpoint(symbol.book.best_ask().0);
    let next = (now / FUNDING_MS + 1) * FUNDING_MS;
    let (mark, index) = (fixed(middle.into(), 8), fixed(u128::from(middle + ONE / 1000), 8));
    format!(
        r#"{{"e":"markPriceUpdate","E":{now},"s":"{}","p":"{mark}","ap":"{mark}","P":"{index}","i":"{index}","r":"0.00010000","T":{next},"st":1}}"#,
        symbol.upper
    )
}
