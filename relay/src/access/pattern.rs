//! Patterns of names: `*` stands for any text, everything else for itself.

use std::fmt;

use crate::limits::NAME_BYTES_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// No name can fit; the text says what is one, as the end of "must be …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("a pattern such as \"*@trade\", up to {NAME_BYTES_MAX} bytes without spaces")]
    OfStreams,
    #[error("a pattern such as \"*@trade\" or \"hub *\", up to {NAME_BYTES_MAX} bytes, words parted by one space")]
    OfTopics,
}

impl Pattern {
    /// A pattern of stream names.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        match is_pattern(text) {
            true => Ok(Pattern(text.to_owned())),
            false => Err(PatternError::OfStreams),
        }
    }

    /// A pattern of topics: streams, and the channels of the other dialects, whose names are words such as `hub okx_prices`.
    pub fn parse_topics(text: &str) -> Result<Pattern, PatternError> {
        let is_sound = text.len() <= NAME_BYTES_MAX && text.split(' ').all(is_pattern);
        if is_sound { Ok(Pattern(text.to_owned())) } else { Err(PatternError::OfTopics) }
    }

    /// The pattern that matches every name.
    pub fn any() -> Pattern {
        Pattern("*".to_owned())
    }

    pub fn is_any(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }

    /// Whether `name` fits, letter for letter. The parts between the stars are found from the left, each as early as
    /// possible, which leaves the most room for the rest: no going back, so no name is slow to match.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let Some(mut name) = name.strip_prefix(first) else {
            return false;
        };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            match name.find(part) {
                Some(at) => name = &name[at + part.len()..],
                None => return false,
            }
        }
        name.ends_with(last)
    }
}

fn is_pattern(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains(odd)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        let check = |pattern, name, expected| {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        };
        check("*", "", true);
        check("*", "btcusdt@trade", true);
        check("btcusdt@trade", "btcusdt@trade", true);
        check("btcusdt@trade", "btcusdt@trades", false);
        check("*@trade", "btcusdt@trade", true);
        check("*@trade", "btcusdt@aggTrade", false);
        check("btc*", "btcusdt@trade", true);
        check("btc*", "ethusdt@trade", false);
        check("!*@arr", "!ticker@arr", true);
        check("!*@arr", "!ticker@arr@1s", false);
        check("*usdt@kline_*", "btcusdt@kline_1m", true);
        check("*usdt@kline_*", "btcusdc@kline_1m", false);
        check("a*a", "a", false);
        check("a*a", "aa", true);
        check("*ab*b", "ab", false);
        check("*ab*b", "abb", true);
        check("**", "x", true);
        check("a**b", "ab", true);
        check("*币*", "btc币usdt@trade", true);
    }

    /// The definition, slow: a star is nothing, or any letter and the star again.
    fn fits(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], name) => name.is_empty(),
            (['*', rest @ ..], name) => fits(rest, name) || !name.is_empty() && fits(pattern, &name[1..]),
            ([letter, rest @ ..], [first, others @ ..]) => letter == first && fits(rest, others),
            (_, []) => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn matches_as_defined(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = fits(&letters(&pattern), &letters(&name));
            proptest::prop_assert_eq!(Pattern::parse(&pattern).unwrap().matches(&name), expected);
        }
    }

    #[test]
    fn refuses_what_no_name_can_be() {
        for text in ["", "a b", "a\n", "\u{0}", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(Pattern::parse(text).is_err(), "{text:?}");
        }
    }

    /// A blank parts the words of a topic's name; a stream's has none.
    #[test]
    fn topics_have_words() {
        let check = |text: &str, expected| assert_eq!(Pattern::parse_topics(text).is_ok(), expected, "{text:?}");
        check("hub *", true);
        check("ticks* R_*", true);
        check("*@trade", true);
        check("*", true);
        check("hub  *", false);
        check(" hub", false);
        check("hub ", false);
        check("", false);
        check("hub\t*", false);
        check(&"x".repeat(NAME_BYTES_MAX + 1), false);
        assert!(Pattern::parse_topics("hub *").unwrap().matches("hub okx_prices"));
        assert!(!Pattern::parse_topics("hub *").unwrap().matches("btcusdt@trade"));
    }
}
