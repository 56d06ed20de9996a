//! The relay's program: what was asked for, then run, then the exit code.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use rand::TryRng as _;
use relay::access::account::Required;
use relay::app::{Addresses, App};
use relay::config::{self, Config, KeyCommand, ListCommand, LogFormat, Outcome, Said};
use relay::limits::KEY_BYTES_MAX;
use relay::record::list::Summary;
use relay::record::reader;

/// Small blocks of many sizes from several threads: it keeps less per connection than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The configuration or the address is wrong; nothing was started.
const EXIT_USAGE: u8 = 2;
/// Never half a relay: a panic anywhere ends the process.
const EXIT_PANIC: i32 = 70;

fn main() -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let read = |path: &std::path::Path| std::fs::read_to_string(path);
    match config::parse(std::env::args_os(), &|name| std::env::var(name).ok(), &read, cores) {
        Outcome::Print { text, exit_code: 0 } => {
            say(text.trim_end());
            ExitCode::SUCCESS
        }
        Outcome::Print { text, exit_code } => {
            eprintln!("{}", text.trim_end());
            ExitCode::from(exit_code)
        }
        Outcome::Check { config, text } => match App::check(&config) {
            Ok(()) => {
                say(text.trim_end());
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("relay: {error:#}");
                ExitCode::from(EXIT_USAGE)
            }
        },
        Outcome::Key(command) => match key(&command) {
            Ok(Said { out, err }) => {
                say(&out);
                if !err.is_empty() {
                    eprintln!("{err}");
                }
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("relay: {error:#}");
                ExitCode::from(EXIT_USAGE)
            }
        },
        Outcome::List(command) => list(&command),
        Outcome::Run(config) => run(*config, None),
        Outcome::Record { config, time } => run(*config, time),
    }
}

/// Makes a key out of the system's chance, or hashes the one on the standard input.
fn key(command: &KeyCommand) -> anyhow::Result<Said> {
    match command {
        KeyCommand::New { account } => {
            let mut random = [0; 32];
            rand::rngs::SysRng.try_fill_bytes(&mut random).context("the system gives no random numbers")?;
            Ok(Said::of_new_key(account, random))
        }
        KeyCommand::Hash => {
            let mut stdin = std::io::stdin().lock();
            let mut line = String::new();
            if stdin.is_terminal() {
                eprintln!("Paste the key and press Enter (a key from a file or a pipe does not show):");
                std::io::BufRead::read_line(&mut stdin, &mut line).context("the key cannot be read")?;
            } else {
                // One byte too many is enough to be told so.
                let bytes_max = KEY_BYTES_MAX as u64 + 3;
                stdin.take(bytes_max).read_to_string(&mut line).context("the key cannot be read")?;
            }
            Ok(Said::of_digest(&line)?)
        }
    }
}

/// Says what is in recordings. One that cannot be read keeps nobody from seeing the others.
fn list(command: &ListCommand) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for given in &command.files {
        let listed = reader::expand(given).map_err(|error| error.to_string()).and_then(|files| {
            for file in files {
                let summary = Summary::of(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                say(if command.json { summary.json(&file) } else { summary.text(&file) }.trim_end());
            }
            Ok(())
        });
        if let Err(error) = listed {
            eprintln!("relay: {error}");
            code = ExitCode::from(EXIT_USAGE);
        }
    }
    code
}

/// For so long, if it is said, else until a signal.
fn run(config: Config, time: Option<Duration>) -> ExitCode {
    start_log(&config);
    end_on_panic();
    let greeting = Greeting::of(&config);
    let app = match App::bind(config) {
        Ok(app) => app,
        Err(error) => {
            eprintln!("relay: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let result = app.addresses().and_then(|addresses| {
        greeting.say(addresses);
        app.run(time)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn describe(upstream: &config::Upstream) -> String {
    match &upstream.source {
        config::Source::Sim { seed, .. } => format!("{} (built in, seed {seed})", upstream.name),
        config::Source::Rest(rest) => format!("{} ({})", upstream.name, rest.url.authority()),
        config::Source::Replay { file, speed, .. } => format!("{} ({} at {speed})", upstream.name, file.display()),
        source => match source.server() {
            Some(server) => format!("{} ({})", upstream.name, server.url),
            None => upstream.name.clone(),
        },
    }
}

/// What is said once the relay runs.
struct Greeting {
    upstreams: String,
    /// A symbol of Deriv's that there is.
    tick: &'static str,
    key: &'static str,
    /// Where what is recorded goes.
    directory: Option<String>,
}

impl Greeting {
    fn of(config: &Config) -> Greeting {
        let upstreams: Vec<String> = config.upstreams.iter().map(describe).collect();
        let is_sim = |upstream: &config::Upstream| matches!(upstream.source, config::Source::Sim { .. });
        let key = match config.access.accounts.required() {
            Required::Nobody => "",
            Required::Remote => {
                "\n  a key is needed from other machines: add ?api_key=KEY or the header X-API-Key (docs/keys.md)"
            }
            Required::Everybody => "\n  a key is needed: add ?api_key=KEY or the header X-API-Key (docs/keys.md)",
        };
        let tick = if config.upstreams.iter().any(is_sim) { "R_100" } else { "cryBTCUSD" };
        let directory = config.record.as_ref().map(|record| record.directory.display().to_string());
        Greeting { upstreams: upstreams.join(", "), tick, key, directory }
    }

    fn say(&self, addresses: Addresses) {
        let Greeting { upstreams, tick, key, directory } = self;
        let Addresses { public, admin } = addresses;
        let admin = admin.map_or(String::new(), |admin| format!("\n  admin      http://{admin}/metrics"));
        let record = directory.as_ref().map_or(String::new(), |directory| format!("\n  recording  {directory}"));
        let admin = record + &admin;
        let Some(public) = public else {
            return say(&format!("relay {} serves nobody, upstream: {upstreams}{admin}", env!("CARGO_PKG_VERSION")));
        };
        say(&format!(
            r#"relay {} listens on {public}, upstream: {upstreams}{key}
  browser    http://{public}/
  stream     ws://{public}/ws/btcusdt@trade
             ws://{public}/stream?streams=btcusdt@ticker/ethusdt@depth5
             ws://{public}/ws  then  {{"method":"SUBSCRIBE","params":["btcusdt@ticker"],"id":1}}
  hub        ws://{public}/ws  then  {{"type":"subscribe","channels":["bitcoinprice"]}}
  deriv      ws://{public}/websockets/v3?app_id=1089  then  {{"ticks":"{tick}","subscribe":1}}
  socket.io  io("http://{public}", {{ auth: {{ "api-key": "any" }}, path: "/currency/" }})
  http       http://{public}/sse?streams=btcusdt@trade  http://{public}/api/v1/snapshot/btcusdt@ticker{admin}"#,
            env!("CARGO_PKG_VERSION"),
        ));
    }
}

/// To stdout; that nobody listens there (any more) is no reason to stop.
fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

fn start_log(config: &Config) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(config.log).with_target(false);
    match config.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}

fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::exit(EXIT_PANIC);
    }));
}

#[cfg(test)]
mod tests {
    /// A panic on any thread ends the whole process, with the code that says so.
    #[test]
    fn a_panic_is_exit_70() {
        const CHILD: &str = "RELAY_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            super::end_on_panic();
            let _ = std::thread::spawn(|| panic!("on purpose")).join();
            unreachable!("the process is gone");
        }
        let program = std::env::current_exe().expect("this test is a program");
        let mut child = std::process::Command::new(program);
        let ended = child.args(["--exact", "tests::a_panic_is_exit_70"]).env(CHILD, "1").output().expect("it starts");
        assert_eq!(ended.status.code(), Some(super::EXIT_PANIC));
    }
}
