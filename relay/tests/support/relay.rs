//! The relay as a process of its own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::client::Client;
use super::metrics::{self, Metrics};
use super::{PATIENCE, until};

/// A relay on ports of its own; it is killed when the test is over.
pub struct Relay {
    child: Child,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub greeting: String,
    log: Arc<Mutex<String>>,
    _config: Option<tempfile::NamedTempFile>,
}

/// What a relay that does not run said.
pub struct Refusal {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Relay {
    /// The default relay with the built-in venue.
    pub fn start() -> Relay {
        Relay::with(&[])
    }

    pub fn with(args: &[&str]) -> Relay {
        Relay::spawn(command(), args, None)
    }

    /// With a configuration file of this text.
    pub fn configured(toml: &str, args: &[&str]) -> Relay {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(toml.as_bytes()).expect("it takes the text");
        Relay::spawn(command(), args, Some(file))
    }

    /// With at most so many open files.
    pub fn with_file_limit(files: usize, args: &[&str]) -> Relay {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" \"$@\"")).arg(program());
        Relay::spawn(shell, args, None)
    }

    fn spawn(mut command: Command, args: &[&str], config: Option<tempfile::NamedTempFile>) -> Relay {
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(args);
        if let Some(file) = &config {
            command.arg("--config").arg(file.path());
        }
        without_variables(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the relay starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (child.stderr.take().expect("it is piped"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().expect("nobody panics with it").push_str(&(line + "\n"));
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut greeting = String::new();
        while !greeting.contains("/metrics") {
            if stdout.read_line(&mut greeting).expect("text") == 0 {
                let status = child.wait().expect("it ended");
                panic!("no greeting, {status}: {greeting}{}", log.lock().expect("nobody panics with it"));
            }
        }
        // Were the pipe closed, a later word of the relay would fail.
        std::thread::spawn(move || stdout.read_to_string(&mut String::new()));
        let public = between(&greeting, "listens on ", ",").parse().expect("an address");
        let admin = between(&greeting, "admin      http://", "/metrics").parse().expect("an address");
        Relay { child, public, admin, greeting, log, _config: config }
    }

    /// A client at this path.
    #[track_caller]
    pub fn client(&self, target: &str) -> Client {
        Client::open(self.public, target)
    }

    pub fn metrics(&self) -> Metrics {
        metrics::scrape(self.admin)
    }

    /// The sum of a metric over all its labels.
    pub fn count(&self, name: &str) -> f64 {
        self.metrics().sum(name)
    }

    /// The sum of its rows with this label.
    pub fn count_where(&self, name: &str, label: &str) -> f64 {
        self.metrics().sum_where(name, label)
    }

    /// Waits until the metric is at least that; some are published once a second.
    #[track_caller]
    pub fn until_count(&self, name: &str, label: &str, least: f64) {
        until(&format!("{name}{{{label}}} is at least {least}"), || self.count_where(name, label) >= least);
    }

    /// Sends a signal once the relay is prepared for it; that is a moment after its greeting.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        until("the relay catches SIGTERM and SIGINT", || self.catches(Signal::TERM) && self.catches(Signal::INT));
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process id");
        kill_process(pid, signal).expect("the relay runs");
    }

    fn catches(&self, signal: Signal) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("proc(5) has it").trim();
        let mask = u64::from_str_radix(mask, 16).expect("a mask in hexadecimal");
        mask >> (signal.as_raw() - 1) & 1 == 1
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the relay does not end");
            // Only so that asking does not keep a core busy.
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Time on a processor so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace().collect();
        // User and system time are fields 14 and 15 (proc(5)), the name being the second.
        let ticks: f64 = [11, 12].iter().map(|&at: &usize| fields[at].parse::<f64>().expect("ticks")).sum();
        ticks / rustix::param::clock_ticks_per_second() as f64
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the relay's log\n{}---", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program until it ends by itself.
pub fn run(args: &[&str]) -> Refusal {
    run_with_input(args, "")
}

/// The same, with this on its standard input.
pub fn run_with_input(args: &[&str], input: &str) -> Refusal {
    // A file, so that nobody waits for a program that does not read all of it.
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(input.as_bytes()).and_then(|()| file.rewind()).expect("it is written");
    let mut command = command();
    without_variables(&mut command);
    let output = command.args(args).stdin(file).output().expect("it runs");
    Refusal {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

fn command() -> Command {
    Command::new(program())
}

/// The build that cargo made for the tests, or another one, such as a release.
fn program() -> OsString {
    std::env::var_os("RELAY_UNDER_TEST").unwrap_or_else(|| env!("CARGO_BIN_EXE_relay").into())
}

/// Settings of whoever runs the tests are not the tests'.
fn without_variables(command: &mut Command) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RELAY_")) {
        command.env_remove(name);
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).expect("the greeting says it").1;
    rest.split_once(after).expect("the greeting says it").0
}
