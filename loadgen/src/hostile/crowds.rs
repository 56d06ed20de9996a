//! Misbehaviour that takes time or many connections.

use super::client::{Client, Said};
use crate::frame;
use crate::handshake;
use anyhow::Result;
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(3);

/// What was seen, what was hoped for, and whether they agree.
pub struct Finding {
    pub observed: Value,
    pub expected: &'static str,
    pub ok: bool,
}

pub type Crowd = fn(SocketAddr) -> Result<Finding>;

pub const CROWDS: &[(&str, Crowd)] = &[
    ("drip", drip),
    ("half-open", half_open),
    ("reset", reset),
    ("fin-without-close", fin_without_close),
    ("frames-after-close", frames_after_close),
    ("invented-names", invented_names),
];

/// 5 000 sockets that send their request by the byte, one each second.
fn drip(address: SocketAddr) -> Result<Finding> {
    const SOCKETS: usize = 5000;
    const SECONDS: usize = 12;
    let request = handshake::request(&address.to_string(), "/ws");
    let mut sockets: Vec<TcpStream> = Vec::with_capacity(SOCKETS);
    let (mut refused, mut slowest) = (0, Duration::ZERO);
    for _ in 0..SOCKETS {
        match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                sockets.push(socket);
            }
            Err(_) => refused += 1,
        }
    }
    for second in 0..SECONDS {
        let started = Instant::now();
        sockets.retain_mut(|socket| socket.write(&request[second..=second]).is_ok() && is_alive(socket));
        // Somebody with manners comes in between.
        let asked = Instant::now();
        Client::upgrade(address, "/ws")?;
        slowest = slowest.max(asked.elapsed());
        std::thread::sleep(Duration::from_secs(1).saturating_sub(started.elapsed()));
    }
    let left = sockets.iter_mut().filter_map(|socket| is_alive(socket).then_some(())).count();
    Ok(Finding {
        observed: json!({"refused": refused, "left_after_12_s": left, "slowest_good_upgrade_ms": slowest.as_secs_f64() * 1e3}),
        expected: "all ended within 12 s, a good upgrade always within 1 s",
        ok: left == 0 && slowest < Duration::from_secs(1),
    })
}

/// Connections that never say a word.
fn half_open(address: SocketAddr) -> Result<Finding> {
    let mut clients = (0..100).map(|_| Client::connect(address)).collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let mut ended = 0;
    for client in &mut clients {
        ended += usize::from(client_ends(client, Duration::from_secs(8).saturating_sub(started.elapsed())));
    }
    Ok(Finding {
        observed: json!({"ended": ended, "of": 100, "after_s": started.elapsed().as_secs_f64()}),
        expected: "all ended within 8 s",
        ok: ended == 100,
    })
}

/// 200 subscribers that vanish with a reset.
fn reset(address: SocketAddr) -> Result<Finding> {
    for _ in 0..200 {
        let client = Client::upgrade(address, "/ws/s0usdt@trade")?;
        socket2::SockRef::from(&client.socket).set_linger(Some(Duration::ZERO))?;
    }
    Ok(Finding { observed: json!({"resets": 200}), expected: "others are served as before", ok: true })
}

/// The end of our side without a word: the relay must not keep its half.
fn fin_without_close(address: SocketAddr) -> Result<Finding> {
    let mut client = Client::upgrade(address, "/ws/s0usdt@trade")?;
    client.socket.shutdown(std::net::Shutdown::Write)?;
    let started = Instant::now();
    let said = client.all(Duration::from_secs(5), 3);
    Ok(Finding {
        observed: json!({"said": words(&said), "after_s": started.elapsed().as_secs_f64()}),
        expected: "end within 5 s",
        ok: matches!(said.last(), Some(Said::End | Said::Reset)),
    })
}

/// A request in the same packet as the CLOSE, behind it.
fn frames_after_close(address: SocketAddr) -> Result<Finding> {
    let mut client = Client::upgrade(address, "/ws")?;
    let mut wire = Vec::new();
    frame::encode_client(&mut wire, frame::CLOSE, &1000u16.to_be_bytes());
    frame::encode_client(&mut wire, frame::TEXT, br#"{"method":"SUBSCRIBE","params":["s0usdt@trade"],"id":1}"#);
    client.send(&wire);
    let said = client.all(PATIENCE, 4);
    Ok(Finding {
        observed: json!(words(&said)),
        expected: "close 1000, then end",
        ok: matches!(said[..], [Said::Close(1000), Said::End | Said::Reset]),
    })
}

/// 1 000 names that nobody has, through 5 connections. What they may cost upstream is for the venue to tell.
fn invented_names(address: SocketAddr) -> Result<Finding> {
    let mut clients = (0..5).map(|_| Client::upgrade(address, "/ws")).collect::<Result<Vec<_>>>()?;
    let (mut accepted, mut errors, mut other) = (0, Vec::new(), Vec::new());
    for (number, client) in clients.iter_mut().enumerate() {
        for part in 0..4 {
            let names: Vec<String> = (0..50).map(|i| format!("invented{number}x{part}x{i}usdt@trade")).collect();
            client.send_text(&json!({"method": "SUBSCRIBE", "params": names, "id": part}).to_string());
            match client.next(PATIENCE) {
                Said::Result => accepted += 50,
                Said::Error(code) => errors.push(code),
                said => other.push(said.to_string()),
            }
            // Five connections of one address share its message rate.
            std::thread::sleep(Duration::from_millis(250));
        }
    }
    let ok = other.is_empty() && errors.iter().all(|code| *code == 4);
    Ok(Finding {
        observed: json!({"names_accepted": accepted, "errors": errors, "other": other}),
        expected: "every request acknowledged or answered with error 4, no connection ended",
        ok,
    })
}

fn client_ends(client: &mut Client, patience: Duration) -> bool {
    let said = client.all(patience.max(Duration::from_millis(1)), 3);
    matches!(said.last(), Some(Said::End | Said::Reset | Said::Http(_)))
}

/// Whether a non-blocking socket is still connected; what it received is of no interest.
fn is_alive(socket: &mut TcpStream) -> bool {
    let mut buffer = [0; 1024];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

fn words(said: &[Said]) -> Vec<String> {
    said.iter().map(Said::to_string).collect()
}
