//! From a configured source to the adapter that speaks to it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::config::{Config, Source, Upstream, Url};
use crate::net::feed::{self, Target};
use crate::venue::adapter::Adapter;
use crate::venue::adapter::binance::{Binance, BinanceUsdm};
use crate::venue::adapter::bitzoom::Bitzoom;
use crate::venue::adapter::deriv::Deriv;
use crate::venue::adapter::okx::Okx;
use crate::venue::adapter::stream::Stream;
use crate::venue::manager::{self, Window};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// None: it is no WebSocket venue. An error is a slip in the configuration that only the adapter can tell.
pub fn adapter(source: &Source) -> anyhow::Result<Option<Arc<dyn Adapter + Send + Sync>>> {
    Ok(Some(match source {
        Source::Binance { server, .. } => Arc::new(Binance::new(server.url.path())),
        Source::BinanceUsdm { server, .. } => Arc::new(BinanceUsdm::new(server.url.path())),
        Source::Bitzoom { server } => Arc::new(Bitzoom::new(server.url.path())),
        Source::Okx { server, instruments } => {
            let instruments = instruments.iter().map(String::as_str);
            Arc::new(Okx::new(server.url.path(), instruments).context("symbols")?)
        }
        Source::Deriv { server, app_id, symbols } => {
            let symbols = symbols.iter().map(String::as_str);
            Arc::new(Deriv::new(server.url.path(), Some(*app_id), symbols).context("symbols")?)
        }
        Source::Stream { server } => Arc::new(Stream::new(Target::parse(&server.url.to_string())?.path())),
        _ => return Ok(None),
    }))
}

/// What the feeds of an upstream need, one for each leg, read before anything starts: the certificates come from files.
pub fn feeds(config: &Config, upstream: &Upstream) -> anyhow::Result<Vec<feed::Settings>> {
    let (Some(adapter), Some(server)) = (adapter(&upstream.source)?, upstream.source.server()) else {
        return Ok(Vec::new());
    };
    let urls: Vec<&Url> = std::iter::once(&server.url).chain(&server.legs).collect();
    let tls = match urls.iter().any(|url| url.tls()) {
        true => Some(feed::tls::config(server.ca_file.as_deref())?),
        false => None,
    };
    let manager = manager(config, upstream, adapter.lanes().len());
    let leg = |url: &&Url| feed::Settings {
        // The paths are the lanes'.
        target: Target::exact(url.tls(), url.host(), url.port(), "/"),
        adapter: adapter.clone(),
        tls: tls.clone(),
        manager: manager.clone(),
        always: Vec::new(),
        // The hasher's keys are the system's randomness: relays started together do not reconnect together.
        seed: RandomState::new().build_hasher().finish(),
    };
    Ok(urls.iter().map(leg).collect())
}

/// What the venue allows, and how patient we are with it.
fn manager(config: &Config, upstream: &Upstream, lanes: usize) -> manager::Settings {
    let limits = upstream.limits();
    manager::Settings {
        messages_per_second: limits.messages_per_second as usize,
        message_window_ms: limits.message_window_ms,
        requests_per_window: limits
            .requests_per_hour
            .map(|count| Window { count_max: count as usize, window_ms: HOUR_MS }),
        streams_per_connection: limits.streams_per_connection,
        // All lanes connect from the same address.
        connections: (limits.connections / lanes).max(1),
        connects_per_window: limits.connects.count as usize,
        connect_window_ms: limits.connects.window_ms,
        names_per_request: limits.names_per_request,
        names_per_unsubscribe: limits.names_per_request,
        request_bytes_max: Some(limits.request_bytes_max),
        linger_ms: ms(upstream.linger),
        unproven_ms: ms(config.limits.unproven_silence),
        silence_ms: ms(config.limits.unproven_silence),
        stale_ms: ms(config.stale_after),
        topic_quiet_ms: upstream.silence.map(ms),
        quiet_ms: limits.quiet_ms,
        life_ms: limits.life_ms,
        ..manager::Settings::default()
    }
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// Whether this relay can run such an upstream at all.
pub fn check(upstream: &Upstream) -> anyhow::Result<()> {
    match upstream.source {
        Source::SocketIo { .. } | Source::Rest(_) => {
            bail!("upstream {}: the kind {:?} cannot run yet", upstream.name, upstream.kind())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Outcome, parse};

    fn of(kind: &str) -> Upstream {
        let args = ["relay", "--upstream", kind].map(Into::into).into_iter();
        match parse(args, &|_| None, &|_| panic!("no file is named"), 1) {
            Outcome::Run(mut config) => config.upstreams.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_adapter_goes_where_the_configuration_points() {
        let check = |kind: &str, paths: &[&str]| {
            let adapter = adapter(&of(kind).source).unwrap().unwrap();
            let found: Vec<&str> = adapter.lanes().iter().map(|lane| &*lane.path).collect();
            assert_eq!(found, paths, "{kind}");
        };
        check("binance", &["/stream"]);
        check("binance=ws://127.0.0.1:1/spot", &["/spot/stream"]);
        check("binance-usdm", &["/public/stream", "/market/stream"]);
        check("bitzoom", &["/ws"]);
        check("bitzoom=ws://127.0.0.1:1/stream", &["/stream"]);
    }

    #[test]
    fn what_cannot_run_says_so() {
        assert!(check(&of("sim")).is_ok() && check(&of("stream=ws://a/")).is_ok());
        let error = check(&of("rest")).unwrap_err();
        assert_eq!(error.to_string(), "upstream okx: the kind \"okx\" cannot run yet");
    }
}
