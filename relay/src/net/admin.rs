//! The admin listener: metrics and health, off the public port and off the shards.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::shared::Shared;
use crate::metrics::Gauge;

/// Scrapes and probes at once; more wait.
const CONNECTIONS_MAX: usize = 32;

const PAGE: &str = "relay admin\n\n/metrics   counters and latencies, Prometheus text\n/healthz   the process lives\n/readyz    the upstreams are connected\n";

/// Until the relay ends.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = places.clone().acquire_owned().await?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed on the admin listener");
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                continue;
            }
        };
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&shared, &request))));
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(shared.config.limits.keepalive);
            // A scraper that leaves early is no event.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return page(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "Only GET\n".into());
    }
    match request.uri().path() {
        "/" => page(StatusCode::OK, "text/plain; charset=utf-8", PAGE.into()),
        "/metrics" => {
            let mut text = shared.metrics.render(&gauges(shared));
            render_accounts(shared, &mut text);
            page(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
        }
        "/healthz" => page(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".into()),
        "/readyz" => ready(shared),
        _ => page(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", PAGE.into()),
    }
}

/// Ready while no upstream that somebody needs is without a connection.
fn ready(shared: &Shared) -> Response<Full<Bytes>> {
    let mut all = !shared.is_draining();
    let mut rows = Vec::new();
    for upstream in &shared.metrics.upstreams {
        let (connections, streams) = (upstream.counters.connections.get(), upstream.counters.streams.get());
        let state = match (connections, streams) {
            (0, 0) => "idle",
            (0, _) => "down",
            _ => "up",
        };
        all &= state != "down";
        rows.push(format!(
            r#"{{"upstream":"{}","state":"{state}","connections":{connections},"streams":{streams}}}"#,
            upstream.name
        ));
    }
    let draining = shared.is_draining();
    let text = format!("{{\"ready\":{all},\"draining\":{draining},\"upstreams\":[{}]}}\n", rows.join(","));
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    page(status, "application/json", text)
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn gauges(shared: &Shared) -> Vec<Gauge> {
    let census = shared.topics.census();
    let budget = shared.topics.budget();
    let gauge = |name, help, value| Gauge { name, help, value };
    vec![
        gauge("relay_connections_max", "Connections the relay takes.", shared.admission.connections_max() as f64),
        gauge("relay_listen_keys", "Live listen keys.", shared.listen_keys() as f64),
        gauge("relay_topics", "Names in the table, lingering ones included.", census.topics as f64),
        gauge("relay_topics_watched", "Names with subscribers.", census.watched as f64),
        gauge("relay_topics_unproven", "Names upstream that had no data yet.", census.unproven as f64),
        gauge("relay_log_bytes", "Memory of all logs.", budget.used() as f64),
        gauge("relay_log_bytes_max", "Bound of it (log_bytes_max).", budget.max() as f64),
        gauge("relay_log_horizon_seconds", "How far back event channels reach now.", budget.horizon_ms() as f64 / 1e3),
        gauge("relay_memory_resident_bytes", "Memory of the process, sockets not included.", resident_bytes()),
        gauge("relay_kernel_tcp_bytes", "The kernel's memory for the data of all TCP sockets here.", tcp_bytes()),
        gauge("relay_open_descriptors", "Open descriptors of the process.", open_descriptors()),
        gauge("relay_uptime_seconds", "Since the start.", shared.clock.now_ns() as f64 / 1e9),
    ]
}

/// The accounts of the configuration by name; whoever makes up a token has none.
fn render_accounts(shared: &Shared, out: &mut String) {
    let name = "relay_account_connections";
    let _ = writeln!(out, "# HELP {name} Open connections of each account.\n# TYPE {name} gauge");
    for ((_, account), count) in shared.config.access.accounts.iter().zip(shared.admission.by_account()) {
        let _ = writeln!(out, "{name}{{account=\"{}\"}} {count}", account.name);
    }
}

fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(f64::NAN);
    pages * rustix::param::page_size() as f64
}

/// `mem` of `/proc/net/sockstat` is in pages.
fn tcp_bytes() -> f64 {
    let stat = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = stat.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let pages: f64 = line.rsplit(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or(f64::NAN);
    pages * rustix::param::page_size() as f64
}

fn open_descriptors() -> f64 {
    std::fs::read_dir("/proc/self/fd").map_or(f64::NAN, |entries| entries.count() as f64)
}
