//! Where a request carries its key.
//!
//! From the first of these places that has something: `Authorization: Bearer`, `X-API-Key`, `X-MBX-APIKEY`, then the
//! query's `api_key`, `apikey`, `token`. Headers come first because URLs end up in the logs of others. A Socket.IO key in
//! the CONNECT packet is the dialect's own matter and comes as text.

use super::account::{Accounts, Entitlement, Visitor};
use super::key::Key;
use super::refusal::Why;
use crate::wire::dialect::Dialect;
use crate::wire::http::target::Target;

/// In this order.
const HEADERS: [Header; 3] = [
    Header { name: "authorization", scheme: Some("bearer") },
    Header { name: "x-api-key", scheme: None },
    Header { name: "x-mbx-apikey", scheme: None },
];
const QUERY: [&str; 3] = ["api_key", "apikey", "token"];

struct Header {
    name: &'static str,
    /// The word before the key; with another one the header is not about us.
    scheme: Option<&'static str>,
}

/// The key a request brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried<'a> {
    Nothing,
    Key(Key<'a>),
    /// Something stands in a key's place that is none, or two different keys stand in one place. It is refused as a
    /// wrong key is, never taken for no key at all.
    Malformed,
}

/// Looks through a request. An empty value is none.
pub fn carried<'a, 'h>(headers: impl Iterator<Item = (&'h str, &'a [u8])> + Clone, target: &Target<'a>) -> Carried<'a> {
    for place in HEADERS {
        let here = headers.clone().filter(|(name, _)| name.eq_ignore_ascii_case(place.name));
        let found = here.filter_map(|(_, value)| place.read(value)).fold(Carried::Nothing, Carried::and);
        if found != Carried::Nothing {
            return found;
        }
    }
    for name in QUERY {
        let here = target.query().filter(|(found, value)| found == name && !value.is_empty());
        let here = here.map(|(_, value)| Key::parse(value).map_or(Carried::Malformed, Carried::Key));
        let found = here.fold(Carried::Nothing, Carried::and);
        if found != Carried::Nothing {
            return found;
        }
    }
    Carried::Nothing
}

impl Header {
    /// What the header carries, if it is about a key.
    fn read<'a>(&self, value: &'a [u8]) -> Option<Carried<'a>> {
        let value = value.trim_ascii();
        let value = match self.scheme {
            None => value,
            Some(scheme) => {
                let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
                let (first, rest) = value.split_at(end);
                if !first.eq_ignore_ascii_case(scheme.as_bytes()) {
                    return None;
                }
                rest.trim_ascii()
            }
        };
        if value.is_empty() {
            return None;
        }
        let key = std::str::from_utf8(value).ok().and_then(|text| Key::parse(text).ok());
        Some(key.map_or(Carried::Malformed, Carried::Key))
    }
}

impl<'a> Carried<'a> {
    /// Two in one place have to be the same: which of them somebody in front of us has judged, nobody knows.
    fn and(self, other: Self) -> Self {
        match self {
            Self::Nothing => other,
            same if same == other => same,
            _ => Self::Malformed,
        }
    }

    /// What somebody with this key may: see [`Accounts::admit`].
    pub fn admit(
        &self,
        accounts: &Accounts,
        dialects: &[Dialect],
        is_loopback: bool,
        needs_key: bool,
    ) -> Result<Entitlement, Why> {
        let key = match self {
            Self::Nothing => None,
            Self::Key(key) => Some(key),
            Self::Malformed => return Err(Why::WrongKey),
        };
        accounts.admit(Visitor { dialects, key, is_loopback, needs_key })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::access::account::Required;

    fn read<'a>(headers: &[(&'a str, &'a str)], target: &'a str) -> Carried<'a> {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        carried(headers, &Target::parse(target).unwrap())
    }

    fn check(headers: &[(&str, &str)], target: &str, expected: Option<&str>) {
        let expected = expected.map_or(Carried::Nothing, |text| Carried::Key(Key::parse(text).unwrap()));
        assert_eq!(read(headers, target), expected, "{headers:?} {target}");
    }

    fn check_malformed(headers: &[(&str, &str)], target: &str) {
        assert_eq!(read(headers, target), Carried::Malformed, "{headers:?} {target}");
    }

    #[test]
    fn keys_come_in_six_places() {
        check(&[("Authorization", "Bearer T")], "/ws", Some("T"));
        check(&[("authorization", "bearer  T ")], "/ws", Some("T"));
        check(&[("X-API-Key", "T")], "/ws", Some("T"));
        check(&[("X-MBX-APIKEY", "T")], "/ws", Some("T"));
        check(&[], "/ws?api_key=T", Some("T"));
        check(&[], "/ws?x=y&apikey=T", Some("T"));
        check(&[], "/stream?streams=a@trade&token=T", Some("T"));
        check(&[], "/ws?token=a%2Bb", Some("a+b"));
    }

    #[test]
    fn the_first_place_counts() {
        let all = [("X-MBX-APIKEY", "3"), ("x-api-key", "2"), ("authorization", "Bearer 1")];
        let target = "/ws?token=6&apikey=5&api_key=4";
        check(&all, target, Some("1"));
        check(&all[..2], target, Some("2"));
        check(&all[..1], target, Some("3"));
        check(&[], target, Some("4"));
        check(&[], "/ws?token=6&apikey=5", Some("5"));
        // What is empty is not there.
        check(&[("authorization", "Bearer "), ("x-api-key", "")], "/ws?api_key=&apikey=&token=6", Some("6"));
    }

    #[test]
    fn what_is_not_about_keys_is_left_alone() {
        check(&[], "/ws", None);
        check(&[("authorization", "Basic dXNlcjpwYXNz")], "/ws", None);
        check(&[("authorization", "Bearer")], "/ws", None);
        check(&[("authorization", "BearerT")], "/ws", None);
        check(&[("cookie", "token=T"), ("x-token", "T")], "/ws?API_KEY=T&app_id=1", None);
    }

    #[test]
    fn a_broken_key_is_a_wrong_one() {
        check_malformed(&[("authorization", "Bearer a b")], "/ws");
        check_malformed(&[("x-api-key", "schlüssel")], "/ws?token=T");
        check_malformed(&[], "/ws?token=a%20b");
        check_malformed(&[], "/ws?token=%00");
        check_malformed(&[("x-api-key", &"x".repeat(crate::limits::KEY_BYTES_MAX + 1))], "/ws");
        check_malformed(&[("x-api-key", "a"), ("X-API-KEY", "b")], "/ws");
        check_malformed(&[], "/ws?token=a&token=b");
        check(&[("x-api-key", "a"), ("X-API-KEY", "a")], "/ws", Some("a"));
        let accounts = Accounts::default();
        assert_eq!(accounts.required(), Required::Nobody);
        let admitted = |carried: Carried<'_>| carried.admit(&accounts, &[Dialect::Stream], true, false);
        assert!(admitted(Carried::Nothing).is_ok());
        assert_eq!(admitted(Carried::Malformed).err(), Some(Why::WrongKey));
    }

    proptest! {
        #[test]
        fn any_request_is_read(
            name in "[aA]uthorization|x-api-key|x-mbx-apikey",
            value in proptest::collection::vec(any::<u8>(), 0..40),
            bearer in any::<bool>(),
            query in "((api_key|apikey|token)=[a-z%0-9]{0,6}&?){0,4}",
        ) {
            let value = if bearer { [b"Bearer ".as_slice(), &value].concat() } else { value };
            let target = format!("/ws?{query}");
            if let Ok(target) = Target::parse(&target)
                && let Carried::Key(key) = carried([(name.as_str(), value.as_slice())].into_iter(), &target)
            {
                prop_assert!(key.text().bytes().all(|byte| byte.is_ascii_graphic()) && !key.text().is_empty());
            }
        }
    }
}
