//! What a configuration means, in a few lines: the answer of `relay check`.

use std::fmt::Write;

use super::access::Access;
use super::hub::Hub;
use super::record::Record;
use super::run::Config;
use super::upstream::{Source, Upstream};
use super::value::{show_duration, show_size};
use crate::access::account::Required;
use crate::access::pattern::Pattern;
use crate::market::pair::Pair;

pub(super) fn summary(config: &Config) -> String {
    let mut text = String::new();
    let admin = config.admin.map_or("off".to_owned(), |admin| admin.to_string());
    let limits = &config.limits;
    let number = |limit: Option<u32>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<10}{value}").expect("a String takes any text");
    };
    line("listen", format!("{}, admin {admin}, {} shards", config.listen, config.shards));
    line("profile", config.profile.name().to_owned());
    let per_client = format!(
        "connections per IP {}, subscriptions {}, messages/s {}, ping {}, pong within {}",
        number(limits.connections_per_ip),
        limits.subscriptions_per_connection,
        number(limits.messages_per_second),
        show_duration(limits.ping_interval),
        show_duration(limits.pong_timeout),
    );
    line("clients", per_client);
    let loopback = if limits.exempt_loopback { "exempt from the limits" } else { "limited like all" };
    line("loopback", loopback.to_owned());
    line("access", access(config));
    let memory = format!("{} topics, logs up to {}", config.topics_max, show_size(config.log_bytes_max));
    line("memory", memory);
    for (index, upstream) in config.upstreams.iter().enumerate() {
        line("upstream", describe(upstream, &config.upstreams[..index]));
    }
    line("hub", describe_hub(&config.hub));
    if let Some(record) = &config.record {
        line("record", describe_record(record));
    }
    text
}

fn describe_record(record: &Record) -> String {
    let Record { directory, name, upstreams, .. } = record;
    let upstreams = if upstreams.is_empty() { "no upstream".to_owned() } else { upstreams.join(" ") };
    let streams: Vec<String> = record.streams.iter().map(Pattern::to_string).collect();
    let streams = if streams.is_empty() { "*".to_owned() } else { streams.join(" ") };
    format!(
        "{upstreams} to {}/{name}-*.rec, streams {streams}, files of {} or {}, up to {}",
        directory.display(),
        show_size(record.file_bytes),
        show_duration(record.file_age),
        show_size(record.disk_bytes_max)
    )
}

fn describe_hub(hub: &Hub) -> String {
    let pairs = match &hub.symbols {
        Some(pairs) => pairs.iter().map(Pair::to_string).collect::<Vec<_>>().join(" "),
        None => "those of the upstreams".to_owned(),
    };
    let test = if hub.test { "on" } else { "off" };
    let channels = hub.specs(&[]).len();
    format!(
        "{channels} channels, scheduled ones every {}; pairs {pairs}; POST /ws/test {test}",
        show_duration(hub.interval)
    )
}

fn access(config: &Config) -> String {
    let Access { accounts, .. } = &config.access;
    let needed = match accounts.required() {
        Required::Nobody => "no key needed",
        Required::Remote => "a key needed but for loopback",
        Required::Everybody => "a key needed",
    };
    let names: Vec<&str> = accounts.iter().map(|(_, account)| account.name.as_str()).collect();
    match names.as_slice() {
        [] => format!("{needed}, no accounts"),
        names => {
            let needed_there = if config.socketio.require_key { ", Socket.IO needs an account's key" } else { "" };
            format!("{needed}, accounts {}{needed_there}", names.join(" "))
        }
    }
}

fn describe(upstream: &Upstream, before: &[Upstream]) -> String {
    let patterns: Vec<String> = upstream.streams.iter().map(Pattern::to_string).collect();
    let source = describe_source(upstream);
    let mut text = format!("{} ({}): {source}; streams {}", upstream.name, upstream.kind(), patterns.join(" "));
    // Only these have every stream.
    let has_all = |other: &&Upstream| matches!(other.source, Source::Sim { .. } | Source::Stream { .. });
    let takes_all = |other: &&Upstream| other.streams.iter().any(Pattern::is_any);
    if let Some(other) = before.iter().filter(has_all).find(takes_all) {
        text += &format!("; note: {} comes first and takes every stream", other.name);
    }
    for (key, given, allowed) in upstream.beyond_limits() {
        text += &format!("; warning: {key} {given} is above the venue's {allowed}, it may close or ban us");
    }
    text
}

fn describe_source(upstream: &Upstream) -> String {
    match &upstream.source {
        Source::Sim { seed, full } => {
            format!("seed {seed}, {} fields", if *full { "full" } else { "documented" })
        }
        Source::Rest(rest) => {
            let symbols = match rest.symbols.len() {
                0 => "all symbols".to_owned(),
                count => format!("{count} symbols"),
            };
            // Without its query, in which some venues take keys.
            let path = rest.url.path().split('?').next().unwrap_or_default();
            let (host, every) = (rest.url.authority(), show_duration(rest.interval));
            format!("{} of {host}{path} every {every}, {symbols}", rest.format.name())
        }
        Source::Replay { file, speed, repeat, .. } => {
            format!("{} at {speed}{}", file.display(), if *repeat { ", repeated" } else { "" })
        }
        source => {
            let server = source.server();
            let mut text = server.map(|server| server.url.to_string()).unwrap_or_default();
            for leg in server.into_iter().flat_map(|server| &server.legs) {
                text += &format!(" and {leg}");
            }
            let Upstream { connections, streams_per_connection, messages_per_second, .. } = upstream;
            text + &format!(
                ", {connections} connections of {streams_per_connection} streams, {messages_per_second} messages/s each"
            )
        }
    }
}
