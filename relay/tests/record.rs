//! Recordings: what a venue sent is written as it came, survives a crash, and is played to clients as if it came again.

mod support;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use support::client::Client;
use support::frame::{PING, unmasked};
use support::relay::{Relay, run};
use support::until;
use support::venue::Venue;

/// A relay that serves clients of this venue and records it.
fn recording(venue: &Venue, directory: &Path, more: &str) -> Relay {
    let (url, directory) = (venue.url(), directory.display());
    let text = format!(
        "[[upstream]]\nkind = \"stream\"\nname = \"venue\"\nurl = \"{url}\"\n[record]\ndirectory = \"{directory}\"\n{more}\n"
    );
    Relay::configured(&text, &[])
}

/// A relay whose data comes from recordings.
fn replaying(file: &Path, more: &str) -> Relay {
    let text = format!("[[upstream]]\nkind = \"replay\"\nfile = \"{}\"\n{more}\n", file.display());
    Relay::configured(&text, &[])
}

fn payload(number: usize) -> String {
    format!(r#"{{"e":"trade","s":"BTCUSDT","p":"64000.10","n":{number}}}"#)
}

/// Lets the venue send so many trades, and sees them at the client.
fn trade(venue: &Venue, client: &mut Client, numbers: std::ops::Range<usize>) {
    for number in numbers.clone() {
        venue.send("btcusdt@trade", &payload(number));
    }
    expect(client, numbers);
}

#[track_caller]
fn expect(client: &mut Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        assert_eq!(client.text(), payload(number));
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// What `relay record --list --json` says of each file.
fn list(path: &Path) -> Vec<Value> {
    let said = run(&["record", "--list", path.to_str().expect("text"), "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn messages(listed: &Value) -> u64 {
    let streams = listed["upstreams"][0]["streams"].as_array().expect("a list");
    let trades = streams.iter().find(|stream| stream["stream"] == "btcusdt@trade");
    trades.map_or(0, |stream| stream["messages"].as_u64().expect("a number"))
}

/// Proves that a client of a replay gets what a client of the venue got, in the same order; at every speed.
#[test]
fn what_was_recorded_is_played() {
    let (venue, directory) = (Venue::start(), tempfile::tempdir().expect("a directory"));
    let mut relay = recording(&venue, directory.path(), "");
    let mut client = relay.client("/ws/btcusdt@trade");
    venue.until_asked("btcusdt@trade");
    trade(&venue, &mut client, 0..100);
    venue.send_text("btcusdt@trade", "not JSON");
    trade(&venue, &mut client, 100..200);
    drop(client);
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(0));
    let found = files(directory.path());
    let [file] = found.as_slice() else { panic!("one file: {found:?}") };
    let listed = &list(file)[0];
    assert_eq!((messages(listed), listed["complete"].as_bool()), (200, Some(true)), "{listed}");
    let upstream = &listed["upstreams"][0];
    assert_eq!(
        (&upstream["name"], &upstream["kind"], &upstream["connects"]),
        (&"venue".into(), &"stream".into(), &1.into())
    );
    for speed in ["1x", "1000x", "max"] {
        let replay = replaying(directory.path(), &format!("speed = \"{speed}\""));
        let mut client = replay.client("/ws/btcusdt@trade");
        expect(&mut client, 0..200);
        until("the end is said", || replay.log().contains("the recording is over"));
        until("a relay without data is not ready", || ready(&replay).contains(r#""state":"down""#));
        assert_eq!(replay.count_where("relay_upstream_dropped_total", "not_json"), 1.0);
    }
}

fn ready(relay: &Relay) -> String {
    support::http::get(relay.admin, "/readyz").body
}

/// Proves that what was on the disk when the process was killed is still there, and that a torn end costs its block only.
#[test]
fn a_crash_costs_the_last_second() {
    let (venue, directory) = (Venue::start(), tempfile::tempdir().expect("a directory"));
    let relay = recording(&venue, directory.path(), "");
    let mut client = relay.client("/ws/btcusdt@trade");
    venue.until_asked("btcusdt@trade");
    trade(&venue, &mut client, 0..50);
    // Not by the clock: by what a reader finds.
    let found = || files(directory.path()).first().map_or(0, |file| messages(&list(file)[0]));
    until("the first block is written", || found() == 50);
    trade(&venue, &mut client, 50..60);
    until("the second block is written", || found() == 60);
    // Its child is killed when it goes.
    drop(relay);
    let file = files(directory.path()).remove(0);
    let listed = &list(&file)[0];
    assert_eq!((listed["complete"].as_bool(), listed["torn_bytes"].as_u64()), (Some(false), Some(0)), "{listed}");
    assert_eq!(messages(listed), 60);
    let bytes = std::fs::metadata(&file).expect("it is there").len();
    OpenOptions::new().write(true).open(&file).and_then(|file| file.set_len(bytes - 1)).expect("it is cut");
    let listed = &list(&file)[0];
    assert!(listed["torn_bytes"].as_u64() > Some(0) && messages(listed) < 60, "{listed}");
    let whole = messages(listed) as usize;
    let replay = replaying(&file, "speed = \"max\"");
    let mut client = replay.client("/ws/btcusdt@trade");
    expect(&mut client, 0..whole);
    until("what is missing is said", || replay.log().contains("damaged recording"));
}

/// Proves that a relay lives on, and says so once, when it cannot write; and that it records again when it can.
#[test]
fn a_disk_that_fails_costs_the_recording_only() {
    let (venue, parent) = (Venue::start(), tempfile::tempdir().expect("a directory"));
    let directory = parent.path().join("recordings");
    let mut relay = recording(&venue, &directory, "file_age = \"1s\"");
    let mut client = relay.client("/ws/btcusdt@trade");
    venue.until_asked("btcusdt@trade");
    trade(&venue, &mut client, 0..10);
    until("a file is begun", || relay.count("relay_record_files_total") == 1.0);
    // A file stands where the directory was: not even the administrator can write there.
    std::fs::rename(&directory, parent.path().join("away")).expect("it is moved");
    std::fs::write(&directory, "").expect("it is written");
    let mut number = 10;
    let mut go_on = |client: &mut Client| {
        trade(&venue, client, number..number + 1);
        number += 1;
    };
    until("it fails", || {
        go_on(&mut client);
        relay.count("relay_record_errors_total") >= 2.0
    });
    assert!(relay.count_where("relay_record_left_out_total", "disk") >= 1.0);
    assert_eq!(relay.log().matches("the recording cannot be written").count(), 1, "{}", relay.log());
    std::fs::remove_file(&directory).and_then(|()| std::fs::create_dir(&directory)).expect("it is made again");
    until("it goes on", || {
        go_on(&mut client);
        relay.log().contains("the recording goes on")
    });
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(0));
    let missed: u64 = list(&directory).iter().map(|listed| listed["missed"].as_u64().expect("a number")).sum();
    assert!(missed >= 1, "the recording tells what it lacks");
}

/// Proves that an outage is played as one: clients are told that the stream is recovering, and that it is live again.
#[test]
fn an_outage_is_played_as_one() {
    let (mut venue, directory) = (Venue::start(), tempfile::tempdir().expect("a directory"));
    let mut relay = recording(&venue, directory.path(), "");
    let mut client = relay.client("/ws/btcusdt@trade");
    venue.until_asked("btcusdt@trade");
    trade(&venue, &mut client, 0..3);
    venue.vanish();
    until("the relay noticed", || relay.count("relay_upstream_losses_total") >= 1.0);
    venue.listen();
    venue.until_asked("btcusdt@trade");
    trade(&venue, &mut client, 3..6);
    drop(client);
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(0));
    let replay = replaying(directory.path(), "speed = \"max\"");
    let mut client = replay.client("/ws/btcusdt@trade");
    expect(&mut client, 0..6);
    until("one gap", || replay.count_where("relay_upstream_gaps_total", "replay") >= 1.0);
}

/// Proves that two legs are recorded and merged again as they were: a leg that dies is no outage, and no number comes twice.
#[test]
fn legs_are_played_as_legs() {
    let (mut first, second, directory) = (Venue::start(), Venue::start(), tempfile::tempdir().expect("a directory"));
    let text = format!(
        "[[upstream]]\nkind = \"stream\"\nurl = \"{}\"\nlegs = [\"{}\"]\n[record]\ndirectory = \"{}\"\n",
        first.url(),
        second.url(),
        directory.path().display()
    );
    let mut relay = Relay::configured(&text, &[]);
    let name = "btcusdt@aggTrade";
    let send = |venue: &Venue, number: u64| {
        venue.send(name, &format!(r#"{{"e":"aggTrade","E":1,"s":"BTCUSDT","a":{number}}}"#));
    };
    let mut client = relay.client(&format!("/ws/{name}"));
    first.until_asked(name);
    second.until_asked(name);
    send(&first, 1);
    assert_eq!(client.json()["a"], 1);
    for number in 1..4 {
        send(&second, number);
    }
    for number in 2..4 {
        assert_eq!(client.json()["a"], number);
    }
    first.vanish();
    until("the relay noticed", || relay.count("relay_upstream_losses_total") >= 1.0);
    send(&second, 4);
    assert_eq!(client.json()["a"], 4);
    drop(client);
    relay.signal(Signal::TERM);
    assert_eq!(relay.ended().code(), Some(0));
    let listed = list(directory.path());
    assert_eq!(listed[0]["upstreams"][0]["connects"], 2, "{listed:?}");
    let replay = replaying(directory.path(), "speed = \"max\"\nrepeat = true");
    let mut client = replay.client(&format!("/ws/{name}"));
    for _ in 0..3 {
        for number in 1..5 {
            assert_eq!(client.json()["a"], number);
        }
    }
    let once = replaying(directory.path(), "speed = \"max\"");
    let mut client = once.client(&format!("/ws/{name}"));
    for number in 1..5 {
        assert_eq!(client.json()["a"], number);
    }
    until("both are counted", || once.count_where("relay_upstream_dropped_total", "duplicate") == 1.0);
}

/// Proves that the part between two times is played, at once and again and again if that is wanted.
#[test]
fn a_part_is_played_for_ever() {
    let (venue, directory) = (Venue::start(), tempfile::tempdir().expect("a directory"));
    let mut relay = recording(&venue, directory.path(), "");
    let mut client = relay.client("/ws/btcusdt@trade");
    venue.until_asked("btcusdt@trade");
    trade(&venue, &mut client, 0..3);
    drop(client);
    relay.signal(Signal::TERM);
    relay.ended();
    let last = list(directory.path())[0]["last"].as_str().expect("a time").to_owned();
    let replay = replaying(directory.path(), "speed = \"max\"\nto = \"2020-01-01T00:00:00Z\"\nstart = \"at once\"");
    until("nothing is in it", || replay.log().contains("the recording is over"));
    let day = last.split('T').next().expect("a day");
    let part = format!("speed = \"1000x\"\nfrom = \"{day}T00:00:00Z\"\nto = \"2099-01-01T00:00:00Z\"\nrepeat = true");
    let replay = replaying(directory.path(), &part);
    let mut client = replay.client("/ws/btcusdt@trade");
    for _ in 0..5 {
        expect(&mut client, 0..3);
    }
    // Only the first round is told.
    let log = replay.log();
    assert_eq!((log.matches("playing").count(), log.matches("begins again").count()), (1, 1), "{log}");
}

/// A recorder: `relay record`.
struct Recorder {
    child: Child,
    said: String,
}

impl Recorder {
    fn start(config: &Path, args: &[&str]) -> Recorder {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relay"));
        command.args(["record", "--admin", "127.0.0.1:0", "--config"]).arg(config).args(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("/metrics") {
            assert!(stdout.read_line(&mut said).expect("text") > 0, "no greeting: {said}");
        }
        Recorder { child, said }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Proves that `relay record` holds the streams of `always` without clients, and ends properly: at a signal or by itself.
#[test]
fn a_recorder_needs_no_clients() {
    let (venue, parent) = (Venue::start(), tempfile::tempdir().expect("a directory"));
    let (config, directory) = (parent.path().join("relay.toml"), parent.path().join("recordings"));
    let text = format!(
        "[[upstream]]\nkind = \"stream\"\nurl = \"{}\"\nalways = [\"btcusdt@trade\", \"btcusdt@ticker\"]\n\
         [record]\nname = \"mine\"\nstreams = [\"*@trade\"]\n",
        venue.url()
    );
    std::fs::write(&config, text).expect("it is written");
    let to = ["--directory", directory.to_str().expect("text")];
    let mut recorder = Recorder::start(&config, &to);
    assert!(recorder.said.contains("serves nobody"), "{}", recorder.said);
    venue.until_asked("btcusdt@ticker");
    venue.send("btcusdt@trade", &payload(1));
    venue.send("btcusdt@ticker", r#"{"c":"1"}"#);
    venue.send_bytes("btcusdt@trade", &unmasked(0x80 | PING, b"p"));
    // Frames that were read are recorded: the end of a recording waits for what was handed over.
    until("all was read", || !venue.pongs().is_empty());
    kill_process(Pid::from_raw(recorder.child.id() as i32).expect("a process id"), Signal::TERM).expect("it runs");
    assert_eq!(recorder.child.wait().expect("it ends").code(), Some(0));
    let listed = list(&directory);
    let [listed] = listed.as_slice() else { panic!("one file: {listed:?}") };
    assert!(listed["file"].as_str().expect("text").contains("/mine-"), "{listed}");
    assert_eq!((messages(listed), listed["complete"].as_bool()), (1, Some(true)), "{listed}");
    assert_eq!(listed["upstreams"][0]["streams"].as_array().expect("a list").len(), 1, "only trades: {listed}");
    let text = run(&["record", "--list", directory.to_str().expect("text")]).stdout;
    assert!(text.contains("btcusdt@trade") && text.contains("complete"), "{text}");
    let mut recorder = Recorder::start(&config, &[&to[..], &["--for", "1s"]].concat());
    assert_eq!(recorder.child.wait().expect("it ends by itself").code(), Some(0));
}

/// Proves that what is no recording is told before anything starts.
#[test]
fn what_is_no_recording_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "{\"stream\":1}").expect("it is written");
    let path = file.path().to_str().expect("text");
    let said = run(&["record", "--list", path]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""));
    assert!(said.stderr.contains(path) && said.stderr.contains("not a recording"), "{}", said.stderr);
    let config = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(config.path(), format!("[[upstream]]\nkind = \"replay\"\nfile = \"{path}\""))
        .expect("it is written");
    let args = ["--listen", "127.0.0.1:0", "--admin", "off", "--config", config.path().to_str().expect("text")];
    let said = run(&args);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("not a recording"), "{}", said.stderr);
}
