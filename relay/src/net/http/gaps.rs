//! What upstreams missed, over plain HTTP.

use hyper::StatusCode;

use super::Http;
use super::answer::{Answer, json};
use super::rest::{append, not_stored};
use crate::access::account::Entitlement;
use crate::limits::GAP_ROWS_MAX;
use crate::venue::gap::{End, Extent, Gap};
use crate::wire::http::target::Target;
use crate::wire::json::write_string;
use crate::wire::stream::name::canonical;

/// Rows of an answer when nobody says how many.
const ROWS: u64 = 100;

/// What is asked.
struct Query {
    stream: Option<String>,
    /// Gaps that ended before are left out.
    since_ms: u64,
    /// The same for those with this number and above, for the next page.
    before: u64,
    limit: usize,
}

impl Http {
    /// The last gaps, the newest first.
    pub(super) fn missed(&self, target: &Target<'_>, rights: &Entitlement) -> Answer {
        let query = match self.query(target) {
            Ok(query) => query,
            Err(why) => return self.deny(StatusCode::BAD_REQUEST, &why),
        };
        let is_shown = |gap: &Gap| {
            let until_ms = match gap.end {
                End::Open => u64::MAX,
                End::Missed { until_ms } | End::Healed { until_ms, .. } => until_ms,
            };
            // User data is nobody else's business, its name included.
            query.stream.as_ref().is_none_or(|stream| **stream == *gap.topic)
                && until_ms >= query.since_ms
                && !gap.topic.starts_with("user ")
                && rights.allows_topic(&gap.topic)
        };
        // Copied first: whoever has a gap to tell does not wait until the text is written.
        let mut rows: Vec<(u64, Gap)> = {
            let gaps = self.shared.gaps.lock().expect("a panic ends the process");
            let shown = gaps.newest(query.before).filter(|(_, gap)| is_shown(gap));
            shown.take(query.limit + 1).map(|(number, gap)| (number, gap.clone())).collect()
        };
        let has_more = rows.len() > query.limit;
        rows.truncate(query.limit);
        let mut body = b"{\"gaps\":[".to_vec();
        for (at, (number, gap)) in rows.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            self.write_gap(*number, gap, &mut body);
        }
        match rows.last().filter(|_| has_more) {
            Some((number, _)) => append(&mut body, format_args!("],\"next\":{number}}}\n")),
            None => body.extend_from_slice(b"],\"next\":null}\n"),
        }
        not_stored(json(StatusCode::OK, body))
    }

    fn query(&self, target: &Target<'_>) -> Result<Query, String> {
        let number = |name: &str, default: u64| match target.value(name) {
            Some(value) => value.parse::<u64>().map_err(|_| format!("{name} must be a number")),
            None => Ok(default),
        };
        let limit = number("limit", ROWS)?;
        if !(1..=GAP_ROWS_MAX as u64).contains(&limit) {
            return Err(format!("limit must be 1 to {GAP_ROWS_MAX}"));
        }
        let profile = self.shared.config.profile;
        Ok(Query {
            stream: target.value("stream").map(|stream| canonical(&stream, profile).into_owned()),
            since_ms: number("since", 0)?,
            before: number("before", u64::MAX)?,
            limit: limit as usize,
        })
    }

    fn write_gap(&self, number: u64, gap: &Gap, out: &mut Vec<u8>) {
        append(out, format_args!("{{\"id\":{number},\"stream\":"));
        write_string(&gap.topic, out);
        out.extend_from_slice(b",\"upstream\":");
        write_string(&self.shared.metrics.upstreams[gap.upstream].name, out);
        append(out, format_args!(",\"leg\":{}", or_null(gap.leg)));
        let (from, to, missing) = match gap.extent {
            Extent::Unknown => (None, None, None),
            Extent::Numbers { from, to, is_counted } => {
                (Some(from), Some(to), is_counted.then(|| (to - from).saturating_add(1)))
            }
        };
        append(
            out,
            format_args!(",\"from\":{},\"to\":{},\"missing\":{}", or_null(from), or_null(to), or_null(missing)),
        );
        let (state, until_ms, by) = match gap.end {
            End::Open => ("open", None, None),
            End::Missed { until_ms } => ("missed", Some(until_ms), None),
            End::Healed { until_ms, by } => ("healed", Some(until_ms), Some(by)),
        };
        append(out, format_args!(",\"since\":{},\"until\":{}", gap.since_ms, or_null(until_ms)));
        append(out, format_args!(",\"state\":\"{state}\",\"healed_by\":"));
        match by {
            Some(by) => append(out, format_args!("\"{}\"}}", by.name())),
            None => out.extend_from_slice(b"null}"),
        }
    }
}

fn or_null<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}
