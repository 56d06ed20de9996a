//! Which pages may read our answers, and the headers that tell their browser.
//!
//! The origin is repeated rather than answered with `*`, because `*` does not go with credentials, which some pages
//! turn on. No cookie of ours exists, so a page gains nothing by them.

use super::url::Refusal;

/// Pages that are let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    #[default]
    Any,
    /// As browsers write them: scheme, host, and port if it is not the scheme's own. A page from a file is `null`.
    Listed(Vec<Box<str>>),
}

/// Names in lower case.
pub type Header = (&'static str, String);

pub const PREFLIGHT_STATUS: u16 = 204;

/// What a page that asks for nothing else needs.
const REQUEST_HEADERS: &str = "content-type";

/// Longer lists of headers are answered as if there were none.
const REQUEST_HEADERS_BYTES_MAX: usize = 1024;

impl Origins {
    /// Judges a request by its `Origin`. Programs that are no browsers send none and are let in. The headers belong on
    /// every answer that follows, refusals included.
    pub fn admit(&self, origin: Option<&[u8]>) -> Result<Vec<Header>, Refusal> {
        let Some(origin) = origin else {
            return Ok(vec![vary()]);
        };
        let is_clean = origin.iter().all(|byte| (b' '..=b'~').contains(byte));
        let origin = std::str::from_utf8(origin).ok().filter(|_| is_clean).ok_or(Refusal::BadRequest)?;
        if let Self::Listed(listed) = self
            && !listed.iter().any(|known| is_same(known, origin))
        {
            return Err(Refusal::Forbidden);
        }
        Ok(vec![
            ("access-control-allow-origin", origin.to_owned()),
            ("access-control-allow-credentials", "true".to_owned()),
            vary(),
        ])
    }
}

/// The answer depends on who asks, which caches must know.
fn vary() -> Header {
    ("vary", "origin".to_owned())
}

/// Slashes at the end are what people write in lists.
fn is_same(known: &str, origin: &str) -> bool {
    known.trim_end_matches('/').eq_ignore_ascii_case(origin)
}

/// The answer to a preflight that was admitted, besides the headers of [`Origins::admit`]. Any header may be sent.
pub fn preflight(requested: Option<&[u8]>) -> [Header; 3] {
    let is_list = |text: &&str| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~, ".contains(&byte);
        !text.is_empty() && text.len() <= REQUEST_HEADERS_BYTES_MAX && text.bytes().all(is_token)
    };
    let requested = requested.and_then(|value| std::str::from_utf8(value).ok()).filter(is_list);
    [
        ("access-control-allow-methods", "GET,POST".to_owned()),
        ("access-control-allow-headers", requested.unwrap_or(REQUEST_HEADERS).to_owned()),
        ("access-control-max-age", "600".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &Origins, origin: Option<&str>, expected: Result<Option<&str>, Refusal>) {
        let headers = origins.admit(origin.map(str::as_bytes));
        let allowed = headers.as_ref().map(|headers| {
            let find = |name| headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str());
            assert_eq!(find("vary"), Some("origin"));
            assert_eq!(find("access-control-allow-credentials").is_some(), origin.is_some());
            find("access-control-allow-origin")
        });
        assert_eq!(allowed.map_err(|refusal| *refusal), expected, "{origin:?}");
    }

    #[test]
    fn every_page_is_let_in_without_a_list() {
        check(&Origins::Any, Some("https://example.org"), Ok(Some("https://example.org")));
        check(&Origins::Any, Some("null"), Ok(Some("null")));
        check(&Origins::Any, None, Ok(None));
        check(&Origins::Any, Some("a\r\nb: c"), Err(Refusal::BadRequest));
        check(&Origins::Any, Some("é"), Err(Refusal::BadRequest));
    }

    #[test]
    fn a_list_lets_in_its_pages_and_programs() {
        let origins = Origins::Listed(vec!["https://a.example/".into(), "null".into()]);
        check(&origins, Some("https://A.example"), Ok(Some("https://A.example")));
        check(&origins, Some("null"), Ok(Some("null")));
        check(&origins, None, Ok(None));
        check(&origins, Some("http://a.example"), Err(Refusal::Forbidden));
        check(&origins, Some("https://a.example.evil"), Err(Refusal::Forbidden));
    }

    #[test]
    fn preflights_allow_what_was_asked() {
        let check = |requested: Option<&str>, expected| {
            let headers = preflight(requested.map(str::as_bytes));
            assert_eq!(headers[0], ("access-control-allow-methods", "GET,POST".to_owned()));
            assert_eq!(headers[1].1, expected);
        };
        check(None, "content-type");
        check(Some(""), "content-type");
        check(Some("content-type,x-token"), "content-type,x-token");
        check(Some("a\r\nb: c"), "content-type");
        check(Some(&"a".repeat(1025)), "content-type");
    }
}
