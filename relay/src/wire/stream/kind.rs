//! The types of streams there are, and what each owes to a client that fell behind (promise 2 of the design).

use crate::fanout::kind::Kind;

/// The kind of a canonical name; `None` for a type nobody documents.
pub fn kind_of(text: &str) -> Option<Kind> {
    if let Some(all_market) = text.strip_prefix('!') {
        return kind_of_all_market(all_market);
    }
    let (symbol, stream) = text.split_once('@')?;
    if symbol.is_empty() {
        return None;
    }
    let (base, parameter) = stream.split_once('@').map_or((stream, None), |(base, rest)| (base, Some(rest)));
    match base {
        "markPrice" => matches!(parameter, None | Some("1s")).then_some(Kind::State),
        "depth" => is_speed(parameter).then_some(Kind::Event),
        "depth5" | "depth10" | "depth20" => is_speed(parameter).then_some(Kind::State),
        "rpiDepth" => is_speed(parameter).then_some(Kind::Event),
        _ if base.contains('_') => kind_of_window(base, parameter),
        _ if parameter.is_some() => None,
        "ticker" | "miniTicker" | "bookTicker" | "avgPrice" => Some(Kind::State),
        "trade" | "aggTrade" | "forceOrder" | "referencePrice" | "blockTrade" => Some(Kind::Event),
        "compositeIndex" | "assetIndex" => Some(Kind::Event),
        _ => None,
    }
}

/// Types whose name carries an interval: `kline_1m`, `ticker_1h`.
fn kind_of_window(base: &str, parameter: Option<&str>) -> Option<Kind> {
    let (base, window) = base.split_once('_')?;
    match (base, parameter) {
        ("kline", None | Some("+08:00")) => is_interval(window).then_some(Kind::Kline),
        ("continuousKline" | "indexPriceKline" | "markPriceKline", None) => is_interval(window).then_some(Kind::Kline),
        ("ticker", None) => is_ticker_window(window).then_some(Kind::State),
        _ => None,
    }
}

/// A frame of these holds the rows that changed, so that the newest one does not replace those before it.
fn kind_of_all_market(text: &str) -> Option<Kind> {
    let known = match text {
        "ticker@arr" | "miniTicker@arr" | "bookTicker" | "markPrice@arr" | "markPrice@arr@1s" => true,
        "forceOrder@arr" | "assetIndex@arr" | "contractInfo" | "tradingSession" => true,
        _ => {
            let window = text.strip_prefix("ticker_").and_then(|rest| rest.strip_suffix("@arr"));
            window.is_some_and(is_ticker_window)
        }
    };
    known.then_some(Kind::Event)
}

fn is_speed(parameter: Option<&str>) -> bool {
    matches!(parameter, None | Some("100ms" | "250ms" | "500ms"))
}

fn is_ticker_window(window: &str) -> bool {
    matches!(window, "1h" | "4h" | "1d")
}

fn is_interval(interval: &str) -> bool {
    let minutes_or_hours = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h"];
    minutes_or_hours.contains(&interval) || matches!(interval, "1s" | "1d" | "3d" | "1w" | "1M")
}
