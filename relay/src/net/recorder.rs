//! Starts the recording that the configuration asks for.

use std::sync::Arc;

use anyhow::Context as _;

use super::clock::Clock;
use crate::config::{Config, Source, Upstream};
use crate::metrics::RecordCounters;
use crate::record::format::Origin;
use crate::record::tape::Bounds;
use crate::record::writer::{Recorder, Recording, Settings};

/// The recording, and for each upstream of the configuration its recorder, if it is recorded.
pub fn start(
    config: &Config,
    clock: Clock,
    counters: Arc<RecordCounters>,
) -> anyhow::Result<(Option<Recording>, Vec<Option<Recorder>>)> {
    let Some(record) = &config.record else { return Ok((None, vec![None; config.upstreams.len()])) };
    let is_recorded = |upstream: &&Upstream| record.upstreams.contains(&upstream.name);
    let settings = Settings {
        directory: record.directory.clone(),
        name: record.name.clone(),
        bounds: Bounds {
            file_bytes: record.file_bytes,
            file_age_ns: record.file_age.as_nanos() as u64,
            disk_bytes_max: record.disk_bytes_max,
            sync: record.sync,
        },
        origins: config.upstreams.iter().filter(is_recorded).map(origin).collect(),
        streams: record.streams.clone(),
    };
    let recording = Recording::start(settings, clock, counters)
        .with_context(|| format!("record.directory {}", record.directory.display()))?;
    let mut place = 0;
    let recorders = config.upstreams.iter().map(|upstream| {
        is_recorded(&upstream).then(|| {
            place += 1;
            recording.recorder(place - 1)
        })
    });
    let recorders = recorders.collect();
    Ok((Some(recording), recorders))
}

fn origin(upstream: &Upstream) -> Origin {
    let url = upstream.source.server().map(|server| server.url.to_string()).unwrap_or_default();
    // Keys stand in queries.
    let url = url.split('?').next().unwrap_or_default().to_owned();
    let symbols = match &upstream.source {
        Source::Okx { instruments, .. } => instruments.clone(),
        Source::Deriv { symbols, .. } => symbols.clone(),
        _ => Vec::new(),
    };
    Origin { name: upstream.name.clone(), kind: upstream.kind().to_owned(), url, symbols }
}
