//! What can go wrong, as it is asked for: on the control port, in a scenario, at random.

mod active;
pub mod scenario;

pub use active::{Act, Faults, Handling, Mishap};

use super::span;
use anyhow::{Result, bail, ensure};
use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Messages are not sent; the numbers go on.
    DropFrames,
    Duplicate,
    /// A message comes after the next one of its stream.
    Reorder,
    Corrupt(Corruption),
    /// No data; the connection answers.
    Stall,
    /// Nothing is read or written, and no FIN comes.
    HalfOpen,
    Slow {
        bytes_per_second: u64,
    },
    /// A reset.
    Cut,
    Close {
        code: u16,
        reason: String,
    },
    /// Connects are refused.
    Refuse,
    /// Upgrades and REST calls get this status.
    Http {
        status: u16,
        retry_after: Option<u64>,
    },
    /// Every address is banned: its connections are closed, and it is told 418.
    Ban,
    /// Every connection closes; the market goes on.
    Restart,
    /// The venue's notice, and a close when its time is over.
    Shutdown {
        after_ms: u64,
    },
    /// One acknowledged stream stops until it is asked for again.
    SilentStream,
    /// OKX's maintenance: the numbers of its books begin anew.
    BookReset,
    TlsFail,
    TlsWrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    Garbage,
    Utf8,
    Truncated,
    /// A header that promises 64 MiB, and the 64 MiB.
    Huge,
    /// A frame that RFC 6455 forbids.
    Protocol,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    All,
    One,
    Percent(u64),
    Id(u64),
}

#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub for_ms: Option<u64>,
    pub connections: Pick,
    /// Patterns with `*`; none means every stream.
    pub streams: Vec<String>,
    /// Of 100 messages.
    pub percent: u64,
    /// Ends after so many messages.
    pub count: Option<u64>,
    /// As it was asked for.
    pub asked: Value,
}

/// Every kind, for the help and for random choice.
pub const KINDS: [&str; 18] = [
    "drop-frames",
    "duplicate",
    "reorder",
    "corrupt",
    "stall",
    "half-open",
    "slow",
    "cut",
    "close",
    "refuse",
    "http",
    "ban",
    "restart",
    "shutdown",
    "silent-stream",
    "book-reset",
    "tls-fail",
    "tls-wrong",
];

impl Fault {
    /// Parses `{"kind":…, "for":…, …}`; a key that means nothing to the kind is an error.
    pub fn parse(asked: &Value) -> Result<Self> {
        let Some(fields) = asked.as_object() else {
            bail!("a fault is an object with a kind");
        };
        let mut fields = Fields { fields: fields.clone() };
        let name = fields.text("kind")?.unwrap_or_default();
        let kind = match name.as_str() {
            "drop-frames" => Kind::DropFrames,
            "duplicate" => Kind::Duplicate,
            "reorder" => Kind::Reorder,
            "corrupt" => Kind::Corrupt(match fields.text("how")?.as_deref() {
                None | Some("garbage") => Corruption::Garbage,
                Some("utf8") => Corruption::Utf8,
                Some("truncated") => Corruption::Truncated,
                Some("huge") => Corruption::Huge,
                Some("protocol") => Corruption::Protocol,
                Some(how) => bail!("how '{how}': must be garbage, utf8, truncated, huge or protocol"),
            }),
            "stall" => Kind::Stall,
            "half-open" => Kind::HalfOpen,
            "slow" => Kind::Slow { bytes_per_second: fields.number("bytes_per_second")?.unwrap_or(1000).max(1) },
            "cut" => Kind::Cut,
            "close" => Kind::Close {
                code: u16::try_from(fields.number("code")?.unwrap_or(1001))?,
                reason: fields.text("reason")?.unwrap_or_default(),
            },
            "refuse" => Kind::Refuse,
            "http" => Kind::Http {
                status: u16::try_from(fields.number("status")?.unwrap_or(503))?,
                retry_after: fields.number("retry_after")?,
            },
            "ban" => Kind::Ban,
            "restart" => Kind::Restart,
            "shutdown" => Kind::Shutdown { after_ms: fields.time("after")?.unwrap_or(10_000) },
            "silent-stream" => Kind::SilentStream,
            "book-reset" => Kind::BookReset,
            "tls-fail" => Kind::TlsFail,
            "tls-wrong" => Kind::TlsWrong,
            name => bail!("kind '{name}' is none of {}", KINDS.join(", ")),
        };
        let connections = match fields.fields.remove("connections") {
            None => Pick::All,
            Some(Value::Number(id)) if id.is_u64() => Pick::Id(id.as_u64().unwrap_or(0)),
            Some(Value::String(text)) if text == "all" => Pick::All,
            Some(Value::String(text)) if text == "one" => Pick::One,
            Some(Value::String(text)) => match text.strip_suffix('%').map(str::parse) {
                Some(Ok(percent @ 0..=100)) => Pick::Percent(percent),
                _ => bail!("connections '{text}' must be all, one, a percentage or a connection's number"),
            },
            Some(other) => bail!("connections {other} must be all, one, a percentage or a connection's number"),
        };
        let streams = match fields.fields.remove("streams") {
            None => Vec::new(),
            Some(Value::Array(names)) => names
                .into_iter()
                .map(|name| name.as_str().map(str::to_owned).ok_or_else(|| anyhow::anyhow!("streams are texts")))
                .collect::<Result<_>>()?,
            Some(other) => bail!("streams {other} must be a list of names"),
        };
        let for_ms = fields.time("for")?;
        let percent = fields.number("percent")?.unwrap_or(100);
        ensure!(percent <= 100, "percent {percent} is more than 100");
        let mut count = fields.number("count")?;
        let is_of_messages = matches!(kind, Kind::DropFrames | Kind::Duplicate | Kind::Reorder | Kind::Corrupt(_));
        // A fault of messages without any end is one message.
        if is_of_messages && count.is_none() && for_ms.is_none() {
            count = Some(1);
        }
        if let Some(key) = fields.fields.keys().next() {
            bail!("'{key}' means nothing to a fault of kind {name}");
        }
        if let Kind::Close { code, reason } = &kind {
            ensure!((1000..5000).contains(code), "code {code} must be 1000 to 4999");
            ensure!(reason.len() <= 123, "a reason of {} bytes, the limit is 123", reason.len());
        }
        if let Kind::Http { status, .. } = kind {
            ensure!((300..600).contains(&status), "status {status} must be 300 to 599");
        }
        Ok(Self { kind, for_ms, connections, streams, percent, count, asked: asked.clone() })
    }

    /// Whether a venue can do this at all.
    pub fn suits(&self, kind: crate::mock::kind::Kind, has_tls: bool) -> Result<()> {
        match self.kind {
            Kind::BookReset if kind != crate::mock::kind::Kind::Okx => bail!("book-reset is a fault of okx only"),
            Kind::TlsFail | Kind::TlsWrong if !has_tls => bail!("tls faults need a venue with --tls-dir"),
            _ => Ok(()),
        }
    }

    /// Whether it is over as soon as it was done.
    pub fn is_momentary(&self) -> bool {
        matches!(self.kind, Kind::Cut | Kind::Close { .. } | Kind::Restart | Kind::Shutdown { .. } | Kind::BookReset)
    }

    pub fn matches_stream(&self, name: &str) -> bool {
        self.streams.is_empty() || self.streams.iter().any(|pattern| matches_pattern(pattern, name))
    }
}

/// `*` stands for anything.
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches_pattern(rest, &tail[at..]))
        }),
    }
}

/// The keys of a fault that were not read yet.
struct Fields {
    fields: Map<String, Value>,
}

impl Fields {
    fn text(&mut self, key: &str) -> Result<Option<String>> {
        match self.fields.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => bail!("{key} {other} must be a text"),
        }
    }

    fn number(&mut self, key: &str) -> Result<Option<u64>> {
        match self.fields.remove(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => bail!("{key} {value} must be a whole number"),
            },
        }
    }

    fn time(&mut self, key: &str) -> Result<Option<u64>> {
        self.text(key)?.map(|text| span::parse_ms(&text)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is asked for is understood as a whole, or refused with the reason.
    #[test]
    fn parsing() {
        let fault = Fault::parse(&json!({"kind": "half-open", "for": "5s", "connections": "25%"})).unwrap();
        assert_eq!((fault.kind, fault.for_ms, fault.connections), (Kind::HalfOpen, Some(5000), Pick::Percent(25)));
        let fault = Fault::parse(&json!({"kind": "drop-frames", "streams": ["*@trade"]})).unwrap();
        assert_eq!(fault.count, Some(1));
        assert!(fault.matches_stream("btcusdt@trade") && !fault.matches_stream("btcusdt@tradex"));
        for (wrong, reason) in [
            (json!([]), "object"),
            (json!({"kind": "nope"}), "drop-frames"),
            (json!({"kind": "stall", "code": 1}), "'code' means nothing to a fault of kind stall"),
            (json!({"kind": "stall", "for": 5}), "must be a text"),
            (json!({"kind": "close", "code": 5000}), "1000 to 4999"),
            (json!({"kind": "stall", "connections": "some"}), "percentage"),
            (json!({"kind": "corrupt", "how": "x"}), "garbage"),
            (json!({"kind": "stall", "percent": 101}), "more than 100"),
        ] {
            let error = Fault::parse(&wrong).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        for kind in KINDS {
            assert!(Fault::parse(&json!({ "kind": kind })).is_ok(), "{kind}");
        }
    }

    #[test]
    fn patterns() {
        assert!(matches_pattern("*", "") && matches_pattern("a*c", "abc") && matches_pattern("*@depth*", "x@depth5"));
        assert!(!matches_pattern("a", "ab") && !matches_pattern("a*d", "abc"));
    }
}
