//! From a configured source to the adapter that speaks to it.

use std::sync::Arc;

use anyhow::bail;

use crate::config::{Source, Upstream};
use crate::venue::adapter::Adapter;
use crate::venue::adapter::binance::{Binance, BinanceUsdm};
use crate::venue::adapter::bitzoom::Bitzoom;

/// None: nothing here speaks to such a source as an adapter does.
pub fn adapter(source: &Source) -> Option<Arc<dyn Adapter + Send + Sync>> {
    match source {
        Source::Binance { server, .. } => Some(Arc::new(Binance::new(server.url.path()))),
        Source::BinanceUsdm { server, .. } => Some(Arc::new(BinanceUsdm::new(server.url.path()))),
        Source::Bitzoom { server } => Some(Arc::new(Bitzoom::new(server.url.path()))),
        _ => None,
    }
}

/// Whether this relay can run such an upstream at all.
pub fn check(upstream: &Upstream) -> anyhow::Result<()> {
    match upstream.source {
        Source::Sim { .. } | Source::Stream { .. } => Ok(()),
        _ => bail!("upstream {}: the kind {:?} cannot run yet", upstream.name, upstream.kind()),
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
            let adapter = adapter(&of(kind).source).unwrap();
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
        let error = check(&of("okx")).unwrap_err();
        assert_eq!(error.to_string(), "upstream okx: the kind \"okx\" cannot run yet");
    }
}
