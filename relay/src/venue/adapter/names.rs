//! Names of streams, taken apart as far as adapters need it.

/// Of `btcusdt@depth5@100ms` the symbol, `depth5` and `100ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    pub symbol: &'a str,
    pub base: &'a str,
    pub parameter: Option<&'a str>,
}

/// None for what is about all symbols, and for names that venues acknowledge and never serve: those of symbols in upper case.
pub fn parts(stream: &str) -> Option<Parts<'_>> {
    let (symbol, rest) = stream.split_once('@')?;
    let is_lower = !symbol.chars().any(char::is_uppercase);
    if symbol.is_empty() || symbol.starts_with('!') || !is_lower {
        return None;
    }
    let (base, parameter) = rest.split_once('@').map_or((rest, None), |(base, parameter)| (base, Some(parameter)));
    Some(Parts { symbol, base, parameter })
}

/// The levels of `depth5`, `depth10` and `depth20`.
pub fn levels(base: &str) -> Option<usize> {
    match base {
        "depth5" => Some(5),
        "depth10" => Some(10),
        "depth20" => Some(20),
        _ => None,
    }
}

/// The intervals that every venue of this dialect has; Binance's spot market has `1s` beside them.
pub fn is_interval(text: &str) -> bool {
    let minutes_or_hours = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h"];
    minutes_or_hours.contains(&text) || matches!(text, "1d" | "3d" | "1w" | "1M")
}

/// A symbol as payloads have it. Character by character, as names are brought to lower case.
pub fn in_payload(symbol: &str) -> String {
    symbol.chars().flat_map(char::to_uppercase).collect()
}

/// And back.
pub fn in_name(symbol: &str) -> String {
    symbol.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart() {
        let check = |text, expected: Option<(&str, &str, Option<&str>)>| {
            let found = parts(text).map(|parts| (parts.symbol, parts.base, parts.parameter));
            assert_eq!(found, expected, "{text}");
        };
        check("btcusdt@trade", Some(("btcusdt", "trade", None)));
        check("btcusdt_261225@depth5@100ms", Some(("btcusdt_261225", "depth5", Some("100ms"))));
        check("币@kline_1m@+08:00", Some(("币", "kline_1m", Some("+08:00"))));
        check("BTCUSDT@trade", None);
        check("!ticker@arr", None);
        check("@trade", None);
        check("btcusdt", None);
    }
}
