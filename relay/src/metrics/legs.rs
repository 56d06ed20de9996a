//! How the legs of an upstream fare against each other.

use std::fmt::Write as _;

use super::{UpstreamMetrics, head};
use crate::venue::merge::LAG_BOUNDS_MS;

/// A row for each leg of each upstream that has any.
pub(super) fn render(upstreams: &[UpstreamMetrics], out: &mut String) {
    let legs: Vec<_> = upstreams
        .iter()
        .flat_map(|upstream| upstream.legs.iter().enumerate().map(|(number, leg)| (&upstream.name, number, leg)))
        .collect();
    let Some((_, _, first)) = legs.first() else { return };
    for (at, (name, _, kind, help, _)) in first.counters.rows().into_iter().enumerate() {
        head(out, name, kind, help);
        for (upstream, number, leg) in &legs {
            let value = leg.counters.rows()[at].4;
            let _ = writeln!(out, "{name}{{upstream=\"{upstream}\",leg=\"{number}\"}} {value}");
        }
    }
    let name = "relay_upstream_leg_lag_seconds";
    head(out, name, "histogram", "How much later a leg brought what another one had brought.");
    for (upstream, number, leg) in &legs {
        let labels = format!("upstream=\"{upstream}\",leg=\"{number}\"");
        let mut count = 0;
        for (bound_ms, lags) in LAG_BOUNDS_MS.iter().map(Some).chain([None]).zip(&leg.lags) {
            count += lags.get();
            let bound = bound_ms.map_or("+Inf".to_owned(), |ms| (*ms as f64 / 1e3).to_string());
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
        }
        let _ = writeln!(out, "{name}_sum{{{labels}}} {}", leg.lag_ns.get() as f64 / 1e9);
        let _ = writeln!(out, "{name}_count{{{labels}}} {count}");
    }
}
