//! Simulates venues and clients, measures what arrives, and judges it.
//!
//! Shares no code with the relay, so that a mistake cannot hide in both. Every command is one thread around one epoll
//! set (the mock venues: around one tokio runtime), open loop: a latency counts from when a message was due, so a stall on any side shows.
//!
//! Results go to stdout as one JSON object, errors to stderr.

mod clock;
mod connect;
mod listen;
mod poll;

mod event;
mod frame;
mod handshake;
mod market;

mod bare;
mod hostile;
mod mixed;
mod mock;
mod process;
mod run;
mod venue;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

// The fleet's buffers come and go per connection; glibc's arenas would keep them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit status: 0 as expected, 1 could not run, 3 something was lost or wrong (1 with mixed, which reports it), 4 the run proves nothing (invalid)."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Be a venue: of a kind, with its limits and faults, or (without one) of the stream dialect at a fixed rate
    Venue(Box<VenueArgs>),
    /// Open many connections, check every frame, and report latency, losses and what the relay spent
    Run(run::Args),
    /// Open clients of four dialects on the same instruments, and check that all are told the same
    Mixed(mixed::Args),
    /// Be the cheapest relay there can be: one plain send() per subscriber, nothing checked
    Bare(bare::Args),
    /// Misbehave in a named way and check what the relay answers
    Hostile(hostile::Args),
}

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
struct VenueArgs {
    #[command(subcommand)]
    kind: Option<mock::Command>,
    #[command(flatten)]
    scheduled: venue::Args,
}

/// What the exit status says.
enum Outcome {
    AsExpected,
    Wrong,
    /// The same of `mixed`, whose callers know but good and bad.
    Violated,
    Invalid,
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Venue(args) => match &args.kind {
            Some(kind) => mock::run(kind),
            None => venue::run(&args.scheduled),
        },
        Command::Run(args) => run::run(&args),
        Command::Mixed(args) => mixed::run(&args),
        Command::Bare(args) => bare::run(&args),
        Command::Hostile(args) => hostile::run(&args),
    };
    match done {
        Ok(Outcome::AsExpected) => ExitCode::SUCCESS,
        Ok(Outcome::Wrong) => ExitCode::from(3),
        Ok(Outcome::Violated) => ExitCode::FAILURE,
        Ok(Outcome::Invalid) => ExitCode::from(4),
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes one JSON value as a line of stdout, at once: scripts wait for it.
fn report(value: &serde_json::Value) -> anyhow::Result<()> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{value}")?;
    Ok(stdout.flush()?)
}
