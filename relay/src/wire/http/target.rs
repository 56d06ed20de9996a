//! A request target: its path and its query (RFC 9112 section 3.2).

use std::borrow::Cow;

/// What a request asks for, escapes still in place; every part decodes to text.
///
/// An escape that is none, such as `%zz` or a `%` at the end, stands for itself: clients build URLs by hand.
/// Escapes that decode to no UTF-8 refuse the whole target. `+` is a plus: intervals such as `+08:00` carry one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    path: &'a str,
    query: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    #[error("the request target is neither a path nor a URL")]
    Form,
    #[error("the request target does not decode to UTF-8")]
    NotUtf8,
}

impl<'a> Target<'a> {
    /// Reads the origin form `/path?query` and the absolute form `ws://host:port/path?query`, also with http and TLS.
    pub fn parse(target: &'a str) -> Result<Self, BadTarget> {
        let origin = if target.starts_with('/') { target } else { absolute(target)? };
        let origin = origin.split_once('#').map_or(origin, |(before, _)| before);
        let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
        let path = if path.is_empty() { "/" } else { path };
        for part in [path, query] {
            decoded(part)?;
        }
        Ok(Self { path, query })
    }

    /// The path, decoded; it starts with a slash.
    pub fn path(&self) -> Cow<'a, str> {
        decode(self.path)
    }

    /// The path as it was written.
    pub fn raw_path(&self) -> &'a str {
        self.path
    }

    /// The segments of the path, decoded one by one: an escaped slash does not part them.
    pub fn segments(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        self.path[1..].split('/').map(decode)
    }

    /// Names and values of the query in order, decoded. A name without `=` has an empty value.
    pub fn query(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
    }

    /// The first value of that name.
    pub fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

/// What follows scheme and authority.
fn absolute(target: &str) -> Result<&str, BadTarget> {
    let (scheme, rest) = target.split_once("://").ok_or(BadTarget::Form)?;
    if !["ws", "wss", "http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(BadTarget::Form);
    }
    let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if authority_len == 0 {
        return Err(BadTarget::Form);
    }
    Ok(&rest[authority_len..])
}

/// For parts of a target that was parsed, where nothing can fail any more.
fn decode(part: &str) -> Cow<'_, str> {
    decoded(part).unwrap_or(Cow::Borrowed(part))
}

fn decoded(part: &str) -> Result<Cow<'_, str>, BadTarget> {
    if !part.contains('%') {
        return Ok(Cow::Borrowed(part));
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match escape(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| BadTarget::NotUtf8)
}

fn escape(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(target: &str, path: &str, query: &[(&str, &str)]) {
        let parsed = Target::parse(target).unwrap();
        assert_eq!(parsed.path(), path, "{target}");
        let actual: Vec<_> = parsed.query().collect();
        let expected: Vec<_> = query.iter().map(|(name, value)| (Cow::from(*name), Cow::from(*value))).collect();
        assert_eq!(actual, expected, "{target}");
    }

    #[test]
    fn both_forms_give_path_and_query() {
        check("/", "/", &[]);
        check("/ws", "/ws", &[]);
        check("/ws/btcusdt@trade/", "/ws/btcusdt@trade/", &[]);
        check("/stream?streams=a@b/c@d", "/stream", &[("streams", "a@b/c@d")]);
        check("/ws?a=1&&b&c==&a=2", "/ws", &[("a", "1"), ("b", ""), ("c", "="), ("a", "2")]);
        check("/ws?", "/ws", &[]);
        check("/ws#x?y=1", "/ws", &[]);
        // The document's own example, a path of nothing but a slash in the absolute form.
        check("ws://websocketexample.com:8181/", "/", &[]);
        check("ws://websocketexample.com:8181", "/", &[]);
        check("HTTP://[::1]:80/ws?x=1", "/ws", &[("x", "1")]);
        check("wss://h?x=1", "/", &[("x", "1")]);
    }

    #[test]
    fn escapes_decode_where_they_are_escapes() {
        check("/ws/btcusdt%40trade%2Fethusdt%40trade", "/ws/btcusdt@trade/ethusdt@trade", &[]);
        check("/ws/%e5%b8%81usdt@trade", "/ws/币usdt@trade", &[]);
        check("/x?k=%E5%B8%81%26&%6b=+", "/x", &[("k", "币&"), ("k", "+")]);
        check("/100%/%zz/%4", "/100%/%zz/%4", &[]);
        let target = Target::parse("/a%2Fb/c").unwrap();
        assert_eq!(target.segments().collect::<Vec<_>>(), ["a/b", "c"]);
        assert_eq!(target.raw_path(), "/a%2Fb/c");
    }

    #[test]
    fn values_are_found_by_name() {
        let target = Target::parse("/ws?notices=1&notices=0").unwrap();
        assert_eq!(target.value("notices").as_deref(), Some("1"));
        assert_eq!(target.value("other"), None);
    }

    #[test]
    fn other_forms_are_refused() {
        let check = |target, expected| assert_eq!(Target::parse(target), Err(expected), "{target}");
        check("", BadTarget::Form);
        check("*", BadTarget::Form);
        check("example.com:80", BadTarget::Form);
        check("ftp://h/x", BadTarget::Form);
        check("ws:///x", BadTarget::Form);
        check("/%ff", BadTarget::NotUtf8);
        check("/x?a=%e5", BadTarget::NotUtf8);
    }

    proptest! {
        #[test]
        fn any_target_is_judged(target in "(/|ws://h)?[a-z%0-9/?&=#@é ]{0,40}") {
            if let Ok(target) = Target::parse(&target) {
                prop_assert!(target.path().starts_with('/'));
                target.segments().for_each(drop);
                target.query().for_each(drop);
            }
        }
    }
}
