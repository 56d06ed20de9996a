//! `[edge]`: who may connect, and whose word on the client's address we take.

use super::cidr::Cidr;
use super::given::{Given, Place, Value};
use super::problem::{Problems, Reason};
use super::section::Section;
use super::settings::SectionName;
use super::value::{or_off, parsed, switch};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Empty: any page may connect.
    pub origins: Vec<Origin>,
    pub forwarded: Option<Forwarded>,
    /// Only what these peers say is believed. Not empty if `forwarded` is set.
    pub trusted_proxies: Vec<Cidr>,
}

/// How our proxies name the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// In this header, its name in lower case.
    Header(String),
    /// In a PROXY protocol line ahead of the request.
    ProxyProtocol,
}

/// A page's scheme, host and port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub fn parse(text: &str) -> Result<Origin, Reason> {
        let expected = || Reason::must(r#"an origin such as "https://app.example.com", without a path"#);
        let (scheme, host) = text.split_once("://").ok_or_else(expected)?;
        let letter = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let host_letter = |c: char| c.is_ascii_graphic() && !"/?#@\\*,".contains(c);
        if scheme.is_empty() || host.is_empty() || !scheme.chars().all(letter) || !host.chars().all(host_letter) {
            return Err(expected());
        }
        Ok(Origin(text.to_ascii_lowercase()))
    }

    /// Whether an `Origin` header names this page.
    pub fn matches(&self, header: &str) -> bool {
        self.0.eq_ignore_ascii_case(header)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn read(given: Vec<Given>, problems: &mut Problems) -> Edge {
    let mut section = Section::new(SectionName::Edge, Place::File, given, problems);
    let origins = section.list("origins", parsed(Origin::parse)).unwrap_or_default();
    let header = section.value("trusted_header", None, or_off(header_name));
    let proxy_protocol = section.value("proxy_protocol", false, switch);
    let trusted_proxies = section.list("trusted_proxies", parsed(Cidr::parse)).unwrap_or_default();

    if header.is_some() && proxy_protocol {
        let text = "trusted_header and proxy_protocol exclude each other: our proxies name the client in one way";
        section.conflict("proxy_protocol", &["trusted_header"], Reason::conflict(text));
    }
    let forwarded = match header {
        _ if proxy_protocol => Some(Forwarded::ProxyProtocol),
        header => header.map(Forwarded::Header),
    };
    if trusted_proxies.is_empty()
        && let Some(forwarded) = &forwarded
    {
        let cause = match forwarded {
            Forwarded::Header(_) => "trusted_header",
            Forwarded::ProxyProtocol => "proxy_protocol",
        };
        let text =
            format!("{cause} needs trusted_proxies, such as [\"10.0.0.0/8\"]: else anybody could claim any address");
        section.conflict(cause, &["trusted_proxies"], Reason::conflict(text));
    }
    Edge { origins, forwarded, trusted_proxies }
}

fn header_name(value: &Value) -> Result<String, Reason> {
    let expected = || Reason::must(r#"a header's name, such as "X-Forwarded-For""#);
    // RFC 9110 section 5.6.2, token.
    let letter = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let parse = |text: &str| match !text.is_empty() && text.chars().all(letter) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(expected()),
    };
    parsed(parse)(value).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let check = |text, expected| assert_eq!(Origin::parse(text).is_ok(), expected, "{text:?}");
        check("https://app.example.com", true);
        check("http://localhost:3000", true);
        check("chrome-extension://abcdef", true);
        check("https://app.example.com/", false);
        check("app.example.com", false);
        check("https://", false);
        check("https://*.example.com", false);
        check("*", false);
        assert!(Origin::parse("https://App.example.com").unwrap().matches("https://app.Example.com"));
        assert!(!Origin::parse("https://app.example.com").unwrap().matches("https://app.example.com:8443"));
    }
}
