//! Clients that break the rules, and whether the relay answers as it should.
//!
//! `cases` are single messages in a table, `crowds` take many connections or some time. After each case a client with
//! manners must be served within a second, or the case has failed whatever the answer was.

mod cases;
mod client;
mod crowds;

use crate::run::resolve;
use crate::{Outcome, report};
use anyhow::{Context, Result, ensure};
use client::{Client, Said};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Args {
    /// The relay
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    url: String,
    /// A case of --list; repeat for several. Default: all
    #[arg(long)]
    case: Vec<String>,
    /// The address to come from, such as 127.0.0.9
    #[arg(long)]
    source: Option<std::net::IpAddr>,
    /// Print the names of all cases
    #[arg(long)]
    list: bool,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let names: Vec<&str> =
        cases::CASES.iter().map(|case| case.name).chain(crowds::CROWDS.iter().map(|crowd| crowd.0)).collect();
    if args.list {
        report(&json!(names))?;
        return Ok(Outcome::AsExpected);
    }
    for case in &args.case {
        ensure!(names.contains(&case.as_str()), "there is no case '{case}'; --list prints them");
    }
    if let Some(source) = args.source {
        client::SOURCE.get_or_init(|| source);
    }
    let address = resolve(&args.url)?;
    polite(address).context("the relay does not serve a client with manners, before anything was tried")?;
    let chosen = |name: &str| args.case.is_empty() || args.case.iter().any(|case| case == name);
    let mut all_ok = true;
    let mut judge = |name: &str, observed: Value, expected: String, ok: bool| {
        let served = polite(address);
        let ok = ok && served.is_ok();
        all_ok &= ok;
        let served = served.map_or_else(|error| json!(format!("{error:#}")), |took| json!(took.as_secs_f64() * 1e3));
        report(&json!({"case": name, "observed": observed, "expected": expected, "served_after_ms": served, "ok": ok}))
    };
    for case in cases::CASES.iter().filter(|case| chosen(case.name)) {
        let (observed, ok) = match cases::run(case, address) {
            Ok((said, ok)) => (json!(said.iter().map(Said::to_string).collect::<Vec<_>>()), ok),
            Err(error) => (json!(format!("{error:#}")), false),
        };
        judge(case.name, observed, case.expect.to_string(), ok)?;
    }
    for (name, crowd) in crowds::CROWDS.iter().filter(|crowd| chosen(crowd.0)) {
        match crowd(address) {
            Ok(finding) => judge(name, finding.observed, finding.expected.to_owned(), finding.ok)?,
            Err(error) => judge(name, json!(format!("{error:#}")), "to be able to try".to_owned(), false)?,
        }
    }
    Ok(if all_ok { Outcome::AsExpected } else { Outcome::Wrong })
}

/// How long a client with manners waits for its upgrade and one reply.
fn polite(address: SocketAddr) -> Result<Duration> {
    let started = Instant::now();
    let mut client = Client::upgrade(address, "/ws")?;
    client.send_text(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#);
    let said = client.next(Duration::from_secs(1));
    ensure!(said == Said::Result, "a polite request got: {said}");
    ensure!(started.elapsed() < Duration::from_secs(1), "a polite request took {:?}", started.elapsed());
    Ok(started.elapsed())
}
