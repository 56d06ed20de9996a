//! What the relay is asked to do: flags, environment and file, judged as a whole before anything starts.
//!
//! `args` takes what was typed and `file` what was written, both as `given` values that know their place.
//! A `section` turns them into types with the readers of `value`, notes every `problem`, and stops at none;
//! `settings` is the one table of what exists. The result is a [`Config`], which cannot be wrong, or all problems at once.
//! Nothing here reads a file, the environment or the clock: [`parse`] is given all of it.

mod args;
mod command;
mod file;
mod given;
mod near;
mod section;
mod settings;
mod summary;
mod value;

mod access;
mod cidr;
mod deriv;
mod edge;
mod hub;
mod limits;
mod problem;
mod profile;
mod record;
mod run;
mod socketio;
mod upstream;
mod url;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

pub use access::{Access, UserStream};
pub use cidr::Cidr;
pub use command::{KeyCommand, ListCommand, Said};
pub use deriv::Deriv;
pub use edge::{Edge, Forwarded, Origin};
pub use hub::{Hub, HubChannel};
pub use limits::Limits;
pub use problem::Reason;
pub use profile::Profile;
pub use record::Record;
pub use run::{Config, LogFormat, SHARDS_MAX};
pub use socketio::SocketIo;
pub use upstream::{ApiKey, Begin, Format, Pointers, Rest, Secret, Server, Source, Speed, Upstream};
pub use url::Url;

pub use crate::access::pattern::Pattern;

use args::{Args, Typed, Verb};
use file::File;
use given::Place;
use problem::Problems;

/// What `main` does next.
#[derive(Debug)]
pub enum Outcome {
    Run(Box<Config>),
    /// Record without clients, for so long or until a signal.
    Record {
        config: Box<Config>,
        time: Option<Duration>,
    },
    /// Say what is in recordings.
    List(ListCommand),
    /// Make or hash a key, which takes chance or a typed text.
    Key(KeyCommand),
    /// Say what it means, if the files it names and the names in it are sound as well.
    Check {
        config: Box<Config>,
        text: String,
    },
    /// Print and exit: to stdout if the code is 0, else to stderr.
    Print {
        text: String,
        exit_code: u8,
    },
}

/// Decides what to do. `args` starts with the program's name, as `std::env::args_os` does.
pub fn parse(
    args: impl Iterator<Item = OsString>,
    env: &dyn Fn(&str) -> Option<String>,
    read_file: &dyn Fn(&Path) -> io::Result<String>,
    cores: usize,
) -> Outcome {
    let args = match args::parse(args, env) {
        Ok(Typed::Args(args)) => args,
        Ok(Typed::Key(command)) => return Outcome::Key(command),
        Ok(Typed::List(command)) => return Outcome::List(command),
        Err(args::Text { text, exit_code }) => return Outcome::Print { text, exit_code },
    };
    let verb = args.verb;
    let (file, problems) = read(&args, read_file);
    let time = args.time;
    match (Config::resolve(args, file, cores, problems), verb) {
        (Ok(config), Verb::Run) => Outcome::Run(Box::new(config)),
        (Ok(config), Verb::Record) => Outcome::Record { config: Box::new(config), time },
        (Ok(config), Verb::Check) => {
            let text = format!("ok\n{}", summary::summary(&config));
            Outcome::Check { config: Box::new(config), text }
        }
        (Err(problems), _) => Outcome::Print { text: problems.to_string(), exit_code: 2 },
    }
}

fn read(args: &Args, read_file: &dyn Fn(&Path) -> io::Result<String>) -> (File, Problems) {
    let Some(path) = &args.config else {
        return (File::default(), Problems::default());
    };
    let mut problems = Problems::of_file(path.display().to_string());
    let file = match read_file(path) {
        Ok(text) => file::parse(&text, &mut problems),
        Err(error) => {
            problems.file_unread = true;
            problems.at(Place::File, "", Reason::File(format!("cannot be read: {error}")));
            File::default()
        }
    };
    (file, problems)
}
