//! Where connections go and what they get there.

use super::Args;
use anyhow::{Context, Result, bail};
use std::net::{SocketAddr, ToSocketAddrs};

/// Where the connection at an index goes, and the topics it gets there.
pub fn target(args: &Args, index: usize) -> (String, Vec<u32>) {
    let first = (index as u64 * u64::from(args.topics_each)) % u64::from(args.topics);
    let topics: Vec<u32> = (0..args.topics_each).map(|k| (first as u32 + k) % args.topics).collect();
    let names: Vec<String> = topics.iter().map(|&topic| args.name.name(topic)).collect();
    (args.path.replace("{t}", &topics[0].to_string()).replace("{names}", &names.join("/")), topics)
}

pub fn resolve(url: &str) -> Result<SocketAddr> {
    let Some(host) = url.strip_prefix("ws://") else { bail!("'{url}' must start with ws://") };
    let host = host.trim_end_matches('/');
    let found =
        host.to_socket_addrs().with_context(|| format!("'{host}' must be host:port"))?.find(SocketAddr::is_ipv4);
    found.with_context(|| format!("'{host}' has no IPv4 address"))
}
