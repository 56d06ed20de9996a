//! The generator against itself: a venue, the bare send loop, a fleet, each as a process of the built binary.

// The lint knows `#[test]` functions only, not their helpers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Ends with the test, however that ends.
struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(arguments.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in '{line}'"))
    }

    fn address(&mut self) -> String {
        self.line()["listening"].as_str().unwrap().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &str) -> Value {
    Process::start(&format!("run --ramp 1000 --settle 0.3 --late-ms-max 2000 {arguments}")).line()
}

/// Every event that was due reaches every connection, in order and unchanged, and the counts add up.
#[test]
fn everything_arrives() {
    let mut venue = Process::start("venue --rate 100 --topics 4 --size 300");
    let mut bare = Process::start(&format!("bare --upstream {}", venue.address()));
    let url = bare.address();
    let pid = bare.child.id();
    let report =
        run(&format!("--url ws://{url} --connections 20 --topics 4 --duration 1 --churn 20 --relay-pid {pid}"));
    assert_eq!(report["verdict"], "ok", "{report}");
    let deliveries = report["deliveries"].as_u64().unwrap();
    assert!((480..=520).contains(&deliveries), "100 events/s over 4 topics, 5 connections each: {report}");
    assert_eq!(report["delivered_bytes"], deliveries * 300);
    assert_eq!(report["relay"]["descriptors_after"], report["relay"]["descriptors_before"]);
    assert!(report["groups"]["moving"]["opened"].as_u64().unwrap() > 100);
}

/// Combined frames of several topics come with their names; the venue itself serves them.
#[test]
fn combined() {
    let mut venue = Process::start("venue --rate 100 --topics 6 --kind ticker --name s{t}usdt@ticker");
    let url = venue.address();
    let report = run(&format!(
        "--url ws://{url} --connections 4 --topics 6 --topics-each 3 --duration 1 --name s{{t}}usdt@ticker --path /stream?streams={{names}} --expect-state"
    ));
    assert_eq!(report["verdict"], "ok", "{report}");
}

/// A run without a venue behind the relay proves nothing, and says so.
#[test]
fn silence_is_invalid() {
    let mut venue = Process::start("venue --rate 1 --topics 1 --name other{t}@trade");
    let url = venue.address();
    let report = run(&format!("--url ws://{url} --connections 2 --duration 0.3"));
    assert_eq!(report["verdict"], "invalid", "{report}");
}

/// The mixed fleet verifies what a venue says of its pairs; a client that is promised more than comes reports it and fails.
#[test]
fn mixed() {
    let mut venue = Process::start("venue --pairs 3 --rate 60");
    let hello = venue.line();
    let (url, epoch_ns) = (hello["listening"].as_str().unwrap(), &hello["epoch_ns"]);
    let common = format!("--url ws://{url} --clients 6 --pairs 3 --dialects stream --epoch-ns {epoch_ns} --duration 4");
    let mixed = |arguments: &str| {
        let mut process = Process::start(&format!("mixed --late-ms-max 2000 {common} {arguments}"));
        let report = process.line();
        (report, process.child.wait().unwrap().code())
    };
    let (report, code) = mixed("--rate 60");
    assert_eq!((&report["verdict"], code), (&"ok".into(), Some(0)), "{report}");
    assert_eq!((&report["deliveries"], &report["events"]), (&480.into(), &240.into()), "{report}");
    let (report, code) = mixed("--rate 90");
    assert_eq!((&report["verdict"], code), (&"violated".into(), Some(1)), "{report}");
    assert!(report["violations"]["lost"].as_u64().unwrap() > 100, "{report}");
    assert_eq!(report["first_violations"].as_array().unwrap().len(), 9, "6 clients lack some, and 3 pairs: {report}");
}
