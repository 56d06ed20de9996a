//! Patterns of stream names: `*` stands for any text, everything else for itself.

use std::fmt;

use super::problem::Reason;
use crate::limits::NAME_BYTES_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, Reason> {
        if text.is_empty()
            || text.len() > NAME_BYTES_MAX
            || text.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            let expected = format!(r#"a pattern such as "*@trade", up to {NAME_BYTES_MAX} bytes without spaces"#);
            return Err(Reason::must(expected));
        }
        Ok(Pattern(text.to_owned()))
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
}
