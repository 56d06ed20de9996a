//! What was typed: flags and variables, as text, not yet judged.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::command::{KeyCommand, ListCommand};
use super::given::{Given, Place, Value};
use super::settings::{FLAGS, Flag, SECTIONS, SectionName};
use super::upstream::label;
use super::value::duration;

pub(super) enum Typed {
    Args(Args),
    Key(KeyCommand),
    List(ListCommand),
}

pub(super) struct Args {
    pub verb: Verb,
    pub config: Option<PathBuf>,
    /// Keys above the first section, the variables' before the flags'.
    pub top: Vec<Given>,
    pub limits: Vec<Given>,
    /// `KIND=URL` each. If there are any, the file's upstreams are not used.
    pub upstreams: Vec<Given>,
    /// Keys of `[record]`.
    pub record: Vec<Given>,
    /// How long to record.
    pub time: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Run,
    Check,
    Record,
}

/// Help and the version, or what is wrong with the flags.
pub(super) struct Text {
    pub text: String,
    pub exit_code: u8,
}

const EXAMPLES: &str = "\
Examples:
  relay
      Serve the built-in venue on 127.0.0.1:8000.
  relay --listen 0.0.0.0:8000 --upstream stream=wss://stream.bitzoom.com/ws
      Hold each stream of a feed once, for any number of clients.
  relay --config relay.toml --log debug
      Run a file, with one setting changed. Flags win over variables, variables over the file.
  relay check --config relay.toml
      Say what is wrong with a file, or what it means, without running it.
  relay record --config relay.toml --for 10m
      Write what the venues send into files, without clients. `relay record --list FILE` says what is in one.
  relay key new --account alice
      Make an API key, and the lines of the file that let its bearer in.";

pub(super) fn parse(args: impl Iterator<Item = OsString>, env: &dyn Fn(&str) -> Option<String>) -> Result<Typed, Text> {
    let matches = command().try_get_matches_from(args).map_err(|error| {
        let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        Text { text: error.render().to_string(), exit_code: if asked_for { 0 } else { 2 } }
    })?;
    let (verb, matches) = match matches.subcommand() {
        Some(("check", matches)) => (Verb::Check, matches),
        Some(("key", matches)) => return Ok(Typed::Key(key_command(matches))),
        Some(("record", matches)) if matches.contains_id(LIST) => {
            let files = matches.get_many(LIST).into_iter().flatten().cloned().collect();
            return Ok(Typed::List(ListCommand { files, json: matches.get_flag(JSON) }));
        }
        Some(("record", matches)) => (Verb::Record, matches),
        _ => (Verb::Run, &matches),
    };
    let mut args = Args {
        verb,
        config: None,
        top: Vec::new(),
        limits: Vec::new(),
        upstreams: Vec::new(),
        record: Vec::new(),
        time: None,
    };
    for flag in flags_of(verb) {
        args.take(flag, matches, env);
    }
    if verb == Verb::Record {
        args.time = matches.get_one(FOR).copied();
        let directory = matches.get_one::<String>(DIRECTORY).map(|directory| Given {
            key: DIRECTORY.to_owned(),
            place: Place::Flag(format!("--{DIRECTORY} {directory}")),
            value: Value::Typed(directory.clone()),
        });
        args.record.extend(directory);
    }
    Ok(Typed::Args(args))
}

fn key_command(matches: &ArgMatches) -> KeyCommand {
    match matches.subcommand() {
        Some(("new", matches)) => KeyCommand::New { account: matches.get_one(ACCOUNT).cloned().unwrap_or_default() },
        _ => KeyCommand::Hash,
    }
}

impl Args {
    fn take(&mut self, flag: &Flag, matches: &ArgMatches, env: &dyn Fn(&str) -> Option<String>) {
        // An empty variable is an unset one: shells and compose files make no difference.
        let variable = env(&flag.variable()).filter(|value| !value.is_empty());
        if flag.name == "config" {
            let typed = matches.get_one::<PathBuf>(flag.name).cloned();
            self.config = typed.or_else(|| variable.map(PathBuf::from));
            return;
        }
        let typed: Vec<&String> = matches.get_many(flag.name).into_iter().flatten().collect();
        if flag.name == "upstream" {
            let variable = variable.as_deref().unwrap_or_default().split(',').map(str::trim);
            self.upstreams = match typed.as_slice() {
                [] => variable.filter(|one| !one.is_empty()).map(|one| from_variable(flag, one)).collect(),
                typed => typed.iter().map(|one| from_flag(flag, one)).collect(),
            };
            return;
        }
        let given = variable.map(|value| from_variable(flag, &value)).into_iter();
        let given = given.chain(typed.into_iter().map(|value| from_flag(flag, value)));
        match flag.key.split_once('.') {
            Some((_, key)) => self.limits.extend(given.map(|given| inverted(key, given))),
            None => self.top.extend(given),
        }
    }
}

fn from_variable(flag: &Flag, value: &str) -> Given {
    let place = Place::Variable(format!("{}={value}", flag.variable()));
    Given { key: flag.key.to_owned(), place, value: Value::Typed(value.to_owned()) }
}

fn from_flag(flag: &Flag, value: &str) -> Given {
    let between = if flag.is_switch() { "=" } else { " " };
    let place = Place::Flag(format!("--{}{between}{value}", flag.name));
    Given { key: flag.key.to_owned(), place, value: Value::Typed(value.to_owned()) }
}

/// `--limit-loopback` is the opposite of `exempt_loopback`.
fn inverted(key: &str, given: Given) -> Given {
    let value = match given.value {
        Value::Typed(text) if text == "true" => Value::Boolean(false),
        Value::Typed(text) if text == "false" => Value::Boolean(true),
        value => value,
    };
    Given { key: key.to_owned(), place: given.place, value }
}

pub(super) fn command() -> Command {
    Command::new("relay")
        .bin_name("relay")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Fans market-data streams out to thousands of WebSocket clients")
        .long_about(
            "Fans market-data streams out to thousands of WebSocket clients.\n\n\
             Every setting has a default: `relay` alone serves a built-in venue. A setting is a key of the file;\n\
             the common ones are flags and variables as well. Flags win over variables, variables over the file.",
        )
        .after_help("`relay --help` tells more: variables, keys of the file, examples.")
        .after_long_help(format!("{}\n{EXAMPLES}", keys_of_the_file()))
        .args(FLAGS.iter().map(arg))
        .subcommand(
            Command::new("check")
                .about("Check a configuration and say what it means, without running it")
                .args(FLAGS.iter().map(arg)),
        )
        .subcommand(record())
        .subcommand(key())
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
}

const DIRECTORY: &str = "directory";
const FOR: &str = "for";
const LIST: &str = "list";
const JSON: &str = "json";

/// The longest time that is not for ever.
const RECORD_TIME_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Without clients most flags mean nothing.
fn flags_of(verb: Verb) -> impl Iterator<Item = &'static Flag> {
    let is_for_record = |flag: &&Flag| ["admin", "upstream", "log", "log-format", "config"].contains(&flag.name);
    FLAGS.iter().filter(move |flag| verb != Verb::Record || is_for_record(flag))
}

fn record() -> Command {
    let time = |text: &str| {
        let range = Duration::from_secs(1)..=RECORD_TIME_MAX;
        duration(range)(&Value::Typed(text.to_owned())).map_err(|reason| reason.to_string())
    };
    let directory = Arg::new(DIRECTORY)
        .long(DIRECTORY)
        .value_name("DIRECTORY")
        .help("Where recordings are written [default: that of [record]]");
    let time = Arg::new(FOR)
        .long(FOR)
        .value_name("DURATION")
        .value_parser(time)
        .help("Stop after this time [default: at SIGINT or SIGTERM]");
    let list = Arg::new(LIST)
        .long(LIST)
        .value_name("FILE")
        .num_args(1..)
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(PathBuf))
        .conflicts_with_all([DIRECTORY, FOR])
        .help("Say what is in these files, or directories, and record nothing");
    let json = Arg::new(JSON)
        .long(JSON)
        .action(ArgAction::SetTrue)
        .requires(LIST)
        .help("List as JSON, an object on a line for each file");
    Command::new("record")
        .about("Write what the venues send into files, or say what is in such files")
        .long_about(
            "Holds the streams that the upstreams have in `always`, without clients, and writes every message of the\n\
             venues into compressed files. An upstream of the kind \"replay\" plays them. With `directory` in [record] a\n\
             relay that serves clients records as well. docs/recording.md tells more.",
        )
        .args(flags_of(Verb::Record).map(arg))
        .args([directory, time, list, json])
}

const ACCOUNT: &str = "account";

fn key() -> Command {
    let account = Arg::new(ACCOUNT)
        .long(ACCOUNT)
        .value_name("NAME")
        .default_value("main")
        .value_parser(|text: &str| label(text).map_err(|reason| reason.to_string()))
        .help("The account the lines are for");
    let new = Command::new("new")
        .about("Make an API key")
        .long_about(
            "Makes an API key and prints it, followed by the lines of the configuration that let its bearer in.\n\
             The key is printed this once: the configuration has only its digest, which opens nothing.",
        )
        .arg(account);
    let hash = Command::new("hash").about("Print the digest of a key").long_about(
        "Reads a key from the standard input, one line, and prints its digest for `keys` of an [[account]].\n\
         Use random keys: a digest of something people choose can be guessed.",
    );
    Command::new("key")
        .about("Make an API key, or print the digest of one")
        .subcommands([new, hash])
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
}

fn arg(flag: &Flag) -> Arg {
    let (meaning, default, variable) = (flag.meaning(), flag.default(), flag.variable());
    let key = match flag.key {
        "" => String::new(),
        "upstream" => " [key: [[upstream]]]".to_owned(),
        key => format!(" [key: {key}]"),
    };
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .value_name(flag.value)
        .help_heading(flag.heading)
        .help(format!("{meaning} [default: {default}]"))
        .long_help(format!("{meaning}\n[default: {default}] [env: {variable}]{key}"));
    match flag.name {
        "config" => arg.value_parser(clap::value_parser!(PathBuf)),
        "upstream" => arg.action(ArgAction::Append),
        _ if flag.is_switch() => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    }
}

/// The keys without a flag, which `--help` lists as well.
fn keys_of_the_file() -> String {
    let mut text = String::from("Keys of the file only (docs/configuration.md tells more):\n");
    for section in SECTIONS {
        if section != SectionName::Top {
            text += &format!("  {}\n", section.in_words().trim_start_matches("in "));
        }
        for setting in section.settings() {
            if section != SectionName::Top || FLAGS.iter().all(|flag| flag.key != setting.key) {
                text += &format!("  {}\n      {} [default: {}]\n", setting.key, setting.meaning, setting.default);
            }
        }
    }
    text
}
