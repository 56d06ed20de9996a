//! Mock venues: the dialects and the limits of the real ones, a market from a seed, faults on command, and the truth
//! about what was sent.
//!
//! `market` makes the data, `kind` says it as a venue does, `world` decides who gets what and what goes wrong, and
//! `server` and `control` are the sockets around it.

pub mod args;
mod control;
mod fault;
mod http;
mod kind;
mod line;
mod market;
mod rules;
mod server;
mod span;
#[cfg(test)]
mod tests;
mod tls;
mod truth;
mod world;
mod writer;

use crate::listen::listen;
use crate::{Outcome, report};
use anyhow::{Context, Result};
use args::Args;
use kind::Kind;
use market::{Market, STEP_MS, Settings};
use serde_json::json;
use server::{Clock, Venue};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use world::{Plan, World};

/// Which venue; each has the same flags.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Binance spot: /ws and /stream, REST under /api/v3
    Binance(Args),
    /// Binance USD-M futures: /public and /market, REST under /fapi/v1
    BinanceUsdm(Args),
    /// Bitzoom: 5 connections, 200 streams, 10 messages per second
    Bitzoom(Args),
    /// Any venue of the stream dialect, without limits
    Stream(Args),
    /// OKX v5: /ws/v5/public and /ws/v5/business
    Okx(Args),
    /// CoinGecko's documents, Binance's REST, and plain JSON at /prices
    Rest(Args),
    /// Deriv: /websockets/v3?app_id=N
    Deriv(Args),
    /// Engine.IO v4 at /currency/, events fiat/… and crypto/…
    Socketio(Args),
}

impl Command {
    fn parts(&self) -> (Kind, &Args) {
        match self {
            Self::Binance(args) => (Kind::Binance, args),
            Self::BinanceUsdm(args) => (Kind::BinanceUsdm, args),
            Self::Bitzoom(args) => (Kind::Bitzoom, args),
            Self::Stream(args) => (Kind::Stream, args),
            Self::Okx(args) => (Kind::Okx, args),
            Self::Rest(args) => (Kind::Rest, args),
            Self::Deriv(args) => (Kind::Deriv, args),
            Self::Socketio(args) => (Kind::SocketIo, args),
        }
    }
}

pub fn run(command: &Command) -> Result<Outcome> {
    let (kind, args) = command.parts();
    args.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(kind, args))
}

async fn serve(kind: Kind, args: &Args) -> Result<Outcome> {
    let clock = Clock { epoch_ms: crate::clock::wall_ms(), started: Instant::now() };
    let settings = Settings {
        seed: args.seed,
        epoch_ms: args.epoch_ms.unwrap_or(clock.epoch_ms),
        trades_per_second: args.rate,
        book_every_ms: kind.book_every_ms(),
    };
    let mut market = Market::new(&kind.instruments(&args.names(kind)), settings);
    // One that is restarted goes on where its twin is by now.
    market.run_until(clock.now_ms());
    let scenario = args.scenario()?;
    scenario.check(|fault| fault.suits(kind, args.tls_dir.is_some())).context("--faults")?;
    let plan = Plan {
        kind,
        rules: args.rules(kind),
        market,
        scenario,
        seed: args.seed,
        documents_every_ms: args.documents_every,
    };
    let tls = args.tls_dir.as_deref().map(tls::acceptors).transpose()?.map(Rc::new);
    let venue = Venue { world: Rc::new(RefCell::new(World::new(plan))), clock, tls };
    let (listener, control) = (listen(&args.listen)?, listen(&args.control)?);
    tell(kind, args, &listener, &control)?;
    let serving = tokio::task::spawn_local(server::accept(venue.clone(), listener));
    let controlling = tokio::task::spawn_local(control::accept(venue.clone(), control));

    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut steps = tokio::time::interval(Duration::from_millis(STEP_MS));
    // The world catches up by itself.
    steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let end_ms = args.duration.map(|duration| clock.epoch_ms + duration);
    while end_ms.is_none_or(|end| clock.now_ms() < end) {
        tokio::select! {
            _ = steps.tick() => venue.world.borrow_mut().tick(clock.now_ms()),
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
        }
    }
    serving.abort();
    venue.world.borrow_mut().stop(clock.now_ms());
    // The sockets' tasks write what waits and let go of the messages: only then is all of the truth known.
    tokio::time::sleep(Duration::from_millis(200)).await;
    controlling.abort();
    let truth = venue.world.borrow().tell();
    if let Some(path) = &args.truth {
        let text = serde_json::to_string_pretty(&truth)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    report(&json!({"violations_total": truth["violations_total"], "violations": truth["violations"]}))?;
    Ok(if truth["violations_total"] == 0 { Outcome::AsExpected } else { Outcome::Wrong })
}

/// Where it is, for scripts, and what to try, for people.
fn tell(kind: Kind, args: &Args, listener: &std::net::TcpListener, control: &std::net::TcpListener) -> Result<()> {
    let (address, control) = (listener.local_addr()?, control.local_addr()?);
    let secure = if args.tls_dir.is_some() { "s" } else { "" };
    let rest_url = format!("http{secure}://{address}");
    let url = match kind {
        Kind::Rest => rest_url.clone(),
        _ => format!("ws{secure}://{address}{}", kind.path()),
    };
    report(&json!({
        "listening": address.to_string(),
        "control": control.to_string(),
        "kind": kind.name(),
        "url": url,
        "rest_url": rest_url,
    }))?;
    let ca_file = args.tls_dir.as_ref().map(|folder| folder.join("ca.pem"));
    eprintln!("{}", hint(kind, &url, &rest_url, ca_file.as_deref()));
    eprintln!("faults: curl -d '{{\"kind\":\"cut\"}}' http://{control}/fault    truth: curl http://{control}/truth");
    Ok(())
}

/// How a relay is pointed here: a flag where that says all, and a section of its file, which always does.
fn hint(kind: Kind, url: &str, rest_url: &str, ca_file: Option<&Path>) -> String {
    let name = kind.name();
    let mut lines = vec!["[[upstream]]".to_owned(), format!("kind = \"{name}\"")];
    match kind {
        Kind::Rest => {
            lines.push(format!("url = \"{url}/api/v3/global\""));
            lines.push("format = \"coingecko-global\"".to_owned());
        }
        _ => lines.push(format!("url = \"{url}\"")),
    }
    match kind {
        Kind::Binance | Kind::BinanceUsdm => lines.push(format!("rest_url = \"{rest_url}\"")),
        Kind::SocketIo => lines.push("api_key = \"any\"".to_owned()),
        _ => {}
    }
    if let Some(file) = ca_file {
        lines.push(format!("ca_file = {:?}", file.display().to_string()));
    }
    let section = lines.join("\n  ");
    match kind {
        Kind::Rest | Kind::SocketIo => format!("try, in the relay's file:\n  {section}"),
        _ if ca_file.is_some() => format!("try, in the relay's file:\n  {section}"),
        _ => format!("try: relay --upstream {name}={url}\nor, in its file:\n  {section}"),
    }
}
