//! The control port: faults begin and end, the truth is told.

use super::fault::Fault;
use super::http::{self, Reply, Request};
use super::server::Venue;
use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

pub async fn accept(venue: Venue, listener: std::net::TcpListener) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        if let Ok((mut stream, _)) = listener.accept().await {
            let venue = venue.clone();
            tokio::task::spawn_local(async move {
                let mut buffer = Vec::new();
                while let Some(request) = http::read_request(&mut stream, &mut buffer).await {
                    if stream.write_all(&answer(&venue, &request).encode()).await.is_err() {
                        return;
                    }
                }
            });
        }
    }
}

fn answer(venue: &Venue, request: &Request) -> Reply {
    let now_ms = venue.clock.now_ms();
    let mut world = venue.world.borrow_mut();
    let ok = |value: Value| Reply::json(200, &value.to_string());
    let bad = |status, reason: &str| Reply::json(status, &json!({ "error": reason }).to_string());
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/truth") => ok(world.tell()),
        ("GET", "/fault") => {
            ok(world.faults.active().map(|active| json!({"id": active.id, "fault": active.fault.asked})).collect())
        }
        ("POST", "/fault") => {
            let fault = serde_json::from_slice(&request.body).map_err(anyhow::Error::from);
            let fault = fault.and_then(|asked| Fault::parse(&asked));
            let suits = |fault: Fault| fault.suits(world.kind(), venue.tls.is_some()).map(|()| fault);
            match fault.and_then(suits) {
                Ok(fault) => ok(json!({ "id": world.begin(fault, now_ms) })),
                Err(error) => bad(400, &format!("{error:#}")),
            }
        }
        ("DELETE", "/fault") => {
            world.faults.end_all(now_ms);
            ok(json!({}))
        }
        ("DELETE", target) => match target.strip_prefix("/fault/").and_then(|id| id.parse().ok()) {
            Some(id) if world.faults.end(id, now_ms) => ok(json!({})),
            _ => bad(404, "no such fault goes on"),
        },
        _ => bad(404, "GET /truth, GET /fault, POST /fault, DELETE /fault, DELETE /fault/N"),
    }
}
