//! Runs the built-in venue: it is asked what is due, and what it says is published.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use super::ingest::{Ingest, Link};
use crate::fanout::topics::Demand;
use crate::venue::merge::Source;
use crate::venue::sim::Sim;

/// The shortest pause between two looks: trades come out at most this late.
const PAUSE: Duration = Duration::from_millis(10);

/// Until the relay ends.
pub async fn run(mut sim: Sim, mut ingest: Ingest, mut demand: UnboundedReceiver<Demand>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ingest.connection(0, Link::Up);
    loop {
        let due_ms = sim.next_due();
        let wait = Duration::from_millis(due_ms.saturating_sub(ingest.calendar_ms()).min(60_000)).max(PAUSE);
        tokio::select! {
            asked = demand.recv() => {
                let Some(asked) = asked else { return };
                take(&mut sim, &mut ingest, asked);
                // Whatever else was asked meanwhile is answered by the same look.
                while let Ok(asked) = demand.try_recv() {
                    take(&mut sim, &mut ingest, asked);
                }
            }
            () = tokio::time::sleep(wait), if due_ms != u64::MAX => {}
            _ = second.tick() => ingest.tick(),
        }
        let read_ns = ingest.now_ns();
        sim.poll(ingest.calendar_ms(), &mut |name, payload, _| {
            ingest.frame(Source::default(), name, payload, read_ns);
        });
        ingest.flush();
    }
}

fn take(sim: &mut Sim, ingest: &mut Ingest, demand: Demand) {
    match ingest.demand(demand) {
        Some((id, channel, true)) if !sim.want(&channel.name) => ingest.gave_up(id),
        Some((id, channel, false)) => {
            sim.unwant(&channel.name);
            ingest.released(id);
        }
        _ => {}
    }
}
