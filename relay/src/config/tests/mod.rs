//! Whole configurations: what they become, what is said about the wrong ones, and that the documents are true.

mod access;
mod documents;
mod errors;
mod hub;
mod kinds;
mod merge;
mod record;
mod upstreams;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::{Config, Outcome, parse};

const CORES: usize = 4;

/// One run of `relay`: its flags, variables, and `relay.toml`.
#[derive(Default)]
struct Start<'a> {
    flags: &'a str,
    env: &'a [(&'a str, &'a str)],
    file: &'a str,
}

impl Start<'_> {
    fn outcome(&self) -> Outcome {
        let variables: HashMap<&str, &str> = self.env.iter().copied().collect();
        let read_file = |path: &Path| match path.to_str() {
            Some("relay.toml") => Ok(self.file.to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        };
        let args = std::iter::once("relay").chain(self.flags.split_whitespace()).map(Into::into);
        parse(args, &|name| variables.get(name).map(|value| (*value).to_owned()), &read_file, CORES)
    }

    fn config(&self) -> Config {
        match self.outcome() {
            Outcome::Run(config) => *config,
            Outcome::Print { text, .. } => panic!("not a configuration to run:\n{text}"),
            other => panic!("is something else: {other:?}"),
        }
    }

    fn printed(&self) -> (String, u8) {
        match self.outcome() {
            Outcome::Run(config) => panic!("runs: {config:?}"),
            Outcome::Print { text, exit_code } => (text, exit_code),
            Outcome::Check { text, .. } => (text, 0),
            other => panic!("is something else: {other:?}"),
        }
    }
}

fn flags(flags: &str) -> Start<'_> {
    Start { flags, ..Start::default() }
}

fn file(file: &str) -> Start<'_> {
    Start { flags: "--config relay.toml", file, ..Start::default() }
}
