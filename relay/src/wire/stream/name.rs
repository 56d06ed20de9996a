//! Names of streams: `btcusdt@kline_1m`, `!ticker@arr`.

use std::borrow::Cow;

use super::kind::kind_of;
use crate::fanout::kind::Kind;
use crate::limits::NAME_BYTES_MAX;

/// Whose rules a client gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// A name of no known type is refused; upper-case symbols are the lower-case ones.
    #[default]
    Bitzoom,
    /// Whatever looks like a name is acknowledged; upper-case symbols and unknown types stay silent.
    Binance,
}

/// The name of a stream somebody may subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    text: Box<str>,
    kind: Kind,
    is_dead: bool,
}

/// The name can be no stream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid stream")]
pub struct InvalidStream;

impl Name {
    /// Reads a name as a client wrote it. The part after the symbol is case-sensitive: `kline_1m` is a minute,
    /// `kline_1M` a month.
    pub fn parse(text: &str, profile: Profile) -> Result<Self, InvalidStream> {
        if !is_stream_shaped(text) {
            return Err(InvalidStream);
        }
        let text = canonical(text, profile);
        if text.len() > NAME_BYTES_MAX {
            return Err(InvalidStream);
        }
        let known = kind_of(&text);
        let is_dead = match profile {
            Profile::Bitzoom if known.is_none() => return Err(InvalidStream),
            Profile::Bitzoom => false,
            Profile::Binance => known.is_none() || has_upper_case_symbol(&text) || is_silent_speed(&text),
        };
        Ok(Self { text: text.into(), kind: known.unwrap_or(Kind::Event), is_dead })
    }

    /// What is listed, wrapped and asked for upstream.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Acknowledged and listed, but no data ever comes: such a name never goes upstream.
    pub fn is_dead(&self) -> bool {
        self.is_dead
    }
}

/// The form under which a name is kept, also one that is no stream's: under Bitzoom the symbol in lower case,
/// under Binance what was written.
pub fn canonical(text: &str, profile: Profile) -> Cow<'_, str> {
    if profile == Profile::Binance || !has_upper_case_symbol(text) {
        return Cow::Borrowed(text);
    }
    let (symbol, rest) = split_symbol(text);
    // Character by character: `str::to_lowercase` treats a final sigma by its neighbours.
    Cow::Owned(symbol.chars().flat_map(char::to_lowercase).chain(rest.chars()).collect())
}

/// A listen key is exactly 64 characters of `[a-z0-9]`; nothing else that stands in its place is one.
pub fn is_listen_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// What could be the name of a stream, known or not. Characters that part names in a URL or quote them in JSON
/// are in none.
fn is_stream_shaped(text: &str) -> bool {
    let names_something = text.starts_with('!') || text.contains('@');
    let alien = |char: char| char.is_whitespace() || char.is_control() || matches!(char, '/' | '"' | '\\');
    names_something && text.len() <= NAME_BYTES_MAX && !text.contains(alien)
}

/// The symbol, and the rest from its `@` on. What starts with `!` is about all symbols and has none.
fn split_symbol(text: &str) -> (&str, &str) {
    if text.starts_with('!') {
        return ("", text);
    }
    text.split_at(text.find('@').unwrap_or(0))
}

fn has_upper_case_symbol(text: &str) -> bool {
    let (symbol, _) = split_symbol(text);
    symbol.chars().any(|char| match char.is_ascii() {
        true => char.is_ascii_uppercase(),
        false => !char.to_lowercase().eq([char]),
    })
}

/// Binance acknowledges `@depth…@250ms` and sends nothing; the bare name has that speed.
fn is_silent_speed(text: &str) -> bool {
    text.ends_with("@250ms")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `Some` is the canonical text and the kind, `None` a refusal.
    fn check(text: &str, expected: Option<(&str, Kind)>) {
        let name = Name::parse(text, Profile::Bitzoom).ok();
        assert_eq!(name.as_ref().map(|name| (name.text(), name.kind())), expected, "{text}");
        assert!(name.is_none_or(|name| !name.is_dead()), "{text}: Bitzoom refuses rather than stays silent");
    }

    /// Whether Binance would send data; `None` for a refusal.
    fn check_binance(text: &str, is_live: Option<bool>) {
        let name = Name::parse(text, Profile::Binance).ok();
        assert_eq!(name.as_ref().map(|name| !name.is_dead()), is_live, "{text}");
        assert!(name.is_none_or(|name| name.text() == text), "{text}: Binance lists what was written");
    }

    #[test]
    fn kinds_follow_the_table_of_promise_2() {
        let all = |kind, names: &[&str]| names.iter().for_each(|name| check(name, Some((name, kind))));
        all(Kind::State, &["btcusdt@ticker", "btcusdt@miniTicker", "btcusdt@bookTicker", "btcusdt@avgPrice"]);
        all(Kind::State, &["btcusdt@markPrice", "btcusdt@markPrice@1s", "btcusdt@ticker_1h", "btcusdt@ticker_1d"]);
        all(Kind::State, &["btcusdt@depth5", "btcusdt@depth10@100ms", "btcusdt@depth20@250ms", "x@depth5@500ms"]);
        all(Kind::Kline, &["btcusdt@kline_1m", "btcusdt@kline_1M", "btcusdt@kline_1s", "btcusdt@kline_1h@+08:00"]);
        all(Kind::Kline, &["btcusdt_perpetual@continuousKline_1m"]);
        all(Kind::Event, &["btcusdt@trade", "btcusdt@aggTrade", "btcusdt@forceOrder", "btcusdt@blockTrade"]);
        all(Kind::Event, &["btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@500ms", "btcusdt@rpiDepth@500ms"]);
        all(Kind::Event, &["!ticker@arr", "!miniTicker@arr", "!markPrice@arr@1s", "!ticker_4h@arr", "!bookTicker"]);
    }

    #[test]
    fn symbols_keep_their_script() {
        check("BTCUSDT@ticker", Some(("btcusdt@ticker", Kind::State)));
        check("BtcUsdt_261225@aggTrade", Some(("btcusdt_261225@aggTrade", Kind::Event)));
        check("币安人生USDT@trade", Some(("币安人生usdt@trade", Kind::Event)));
        check("ÉΣ@trade", Some(("éσ@trade", Kind::Event)));
        check("İ@trade", Some(("i\u{307}@trade", Kind::Event)));
    }

    #[test]
    fn bitzoom_refuses_types_that_are_not_in_its_table() {
        let refused = ["btcusdt@depth7", "btcusdt@trdae", "btcusdt@kline_7m", "btcusdt@kline_1H", "btcusdt@TICKER"];
        refused.into_iter().for_each(|name| check(name, None));
        let refused = ["btcusdt@depth5@1s", "btcusdt@trade@100ms", "btcusdt@ticker_2h", "btcusdt@kline_1m@+09:00"];
        refused.into_iter().for_each(|name| check(name, None));
        let refused = ["!TICKER@arr", "!ticker", "!", "@trade", "btcusdt@", "btcusdt@ticker@", "@", "btcusdt@kline_"];
        refused.into_iter().for_each(|name| check(name, None));
    }

    #[test]
    fn binance_acknowledges_whatever_looks_like_a_name() {
        check_binance("btcusdt@trade", Some(true));
        check_binance("币安人生usdt@trade", Some(true));
        check_binance("!miniTicker@arr", Some(true));
        check_binance("BTCUSDT@trade", Some(false));
        check_binance("btcusdt@trdae", Some(false));
        check_binance("!nosuch", Some(false));
        check_binance("@trade", Some(false));
        check_binance("btcusdt@depth5@100ms", Some(true));
        check_binance("btcusdt@depth5@250ms", Some(false));
    }

    #[test]
    fn what_is_no_name_is_refused_by_both() {
        let long = format!("{}@trade", "x".repeat(NAME_BYTES_MAX));
        let texts = [
            "",
            " ",
            "not a stream",
            "btcusdt",
            "btc usdt@trade",
            "a@b\n",
            "a/b@trade",
            "a\"@trade",
            "a\\@trade",
            "a\u{a0}@trade",
        ];
        for text in texts.into_iter().chain([&*long]) {
            check(text, None);
            check_binance(text, None);
        }
        let longest = format!("{}@trade", "x".repeat(NAME_BYTES_MAX - 6));
        check(&longest, Some((&longest, Kind::Event)));
    }

    #[test]
    fn listen_keys_have_one_shape() {
        let check = |text: &str, expected| assert_eq!(is_listen_key(text), expected, "{text}");
        check("pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1", true);
        check(&"0".repeat(64), true);
        check(&"0".repeat(63), false);
        check(&"0".repeat(65), false);
        check(&"A".repeat(64), false);
        check("0", false);
    }

    proptest! {
        /// What we list and send upstream is read back as the same name.
        #[test]
        fn canonical_names_are_stable(text in "(!|\\PC{0,6}@)(\\PC{0,8}|trade|kline_1m|depth5@100ms)") {
            for profile in [Profile::Bitzoom, Profile::Binance] {
                if let Ok(name) = Name::parse(&text, profile) {
                    let again = Name::parse(name.text(), profile);
                    prop_assert_eq!(again.as_ref(), Ok(&name));
                    prop_assert!(name.text().len() <= NAME_BYTES_MAX);
                }
            }
        }
    }
}
