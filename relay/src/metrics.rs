//! Everything that is counted, in one place, and how it is shown.
//!
//! Each shard and each upstream has its own set, so that no cache line is shared on the path of a frame; a scrape
//! adds them up.

mod legs;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use hdrhistogram::Histogram;

use crate::fanout::topics::Refused;
use crate::venue::merge::LAG_BOUNDS_MS;
use crate::wire::close::CloseReason;

/// A number that only goes up.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// By the one thread whose set it is in: no locked instruction is needed.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed) + n, Relaxed);
    }

    pub fn one(&self) {
        self.add(1);
    }

    /// For counters that somebody else keeps.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! counters {
    ($(#[$doc:meta])* $set:ident { $($field:ident: $name:literal, $labels:literal, $kind:literal, $help:literal;)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $set { $(#[doc = $help] pub $field: Counter,)* }

        impl $set {
            /// Name, labels, kind, help and value of each.
            fn rows(&self) -> Vec<Row> {
                vec![$(($name, $labels, $kind, $help, self.$field.get()),)*]
            }
        }
    };
}

counters! {
    /// What one shard counts.
    ShardCounters {
        accepted: "relay_connections_accepted_total", "", "counter", "Sockets accepted.";
        accept_errors: "relay_accept_errors_total", "", "counter", "Failed accepts; each makes the listener pause.";
        refused_full: "relay_refused_total", "reason=\"connections_max\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_ip: "relay_refused_total", "reason=\"connections_per_ip\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_origin: "relay_refused_total", "reason=\"origin\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_names: "relay_refused_total", "reason=\"too_many_names\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_request: "relay_refused_total", "reason=\"bad_request\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_drain: "relay_refused_total", "reason=\"draining\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_listen_key: "relay_refused_total", "reason=\"listen_key\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_key: "relay_refused_total", "reason=\"key\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_account: "relay_refused_total", "reason=\"connections_of_account\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_http_streams: "relay_refused_total", "reason=\"http_streams\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_test_calls: "relay_refused_total", "reason=\"test_call\"", "counter", "Clients refused before the upgrade, by reason.";
        refused_proxy: "relay_refused_total", "reason=\"proxy_header\"", "counter", "Clients refused before the upgrade, by reason.";
        head_timeouts: "relay_handshakes_dropped_total", "reason=\"timeout\"", "counter", "Connections that ended before their request was whole, by reason.";
        head_shed: "relay_handshakes_dropped_total", "reason=\"shed\"", "counter", "Connections that ended before their request was whole, by reason.";
        head_too_big: "relay_handshakes_dropped_total", "reason=\"too_big\"", "counter", "Connections that ended before their request was whole, by reason.";
        head_gone: "relay_handshakes_dropped_total", "reason=\"gone\"", "counter", "Connections that ended before their request was whole, by reason.";
        http_requests: "relay_http_requests_total", "", "counter", "Requests on the public port, upgrades included.";
        http_timeouts: "relay_http_timeouts_total", "", "counter", "Snapshots whose stream had no data in time.";
        http_streams: "relay_http_streams", "", "gauge", "Answers that stay open now.";
        http_delivered: "relay_http_frames_delivered_total", "", "counter", "Frames put into event streams, each client counted.";
        http_skipped: "relay_http_frames_skipped_total", "", "counter", "Frames a slow reader of an event stream was spared because a newer one replaced them.";
        http_stream_bytes: "relay_http_stream_bytes_total", "", "counter", "Bytes of event streams.";
        http_too_slow: "relay_http_streams_ended_total", "reason=\"too_slow\"", "counter", "Event streams the relay ended for their client's sake or fault, by reason.";
        http_stalled: "relay_http_streams_ended_total", "reason=\"stalled\"", "counter", "Event streams the relay ended for their client's sake or fault, by reason.";
        upgraded: "relay_upgrades_total", "", "counter", "WebSocket connections opened.";
        messages_in: "relay_client_messages_total", "", "counter", "Messages from clients, pings and pongs included.";
        bytes_in: "relay_client_read_bytes_total", "", "counter", "Bytes read from clients after the upgrade.";
        command_errors: "relay_command_errors_total", "", "counter", "Requests of clients answered with an error.";
        refused_upstream_full: "relay_subscriptions_refused_total", "reason=\"upstream_full\"", "counter", "Subscriptions refused, by reason.";
        refused_unproven: "relay_subscriptions_refused_total", "reason=\"too_many_unproven\"", "counter", "Subscriptions refused, by reason.";
        refused_topics: "relay_subscriptions_refused_total", "reason=\"too_many_topics\"", "counter", "Subscriptions refused, by reason.";
        refused_not_allowed: "relay_subscriptions_refused_total", "reason=\"not_allowed\"", "counter", "Subscriptions refused, by reason.";
        refused_no_upstream: "relay_subscriptions_refused_total", "reason=\"no_upstream\"", "counter", "Subscriptions refused, by reason.";
        refused_subscriptions: "relay_subscriptions_refused_total", "reason=\"subscriptions_per_connection\"", "counter", "Subscriptions refused, by reason.";
        pings: "relay_pings_total", "", "counter", "Pings sent to clients.";
        moved: "relay_connections_moved_total", "", "counter", "Connections handed to another shard.";
        gone: "relay_connections_lost_total", "", "counter", "Connections that ended without a close handshake.";
        delivered: "relay_frames_delivered_total", "", "counter", "Frames written to clients, each client counted.";
        written_bytes: "relay_client_written_bytes_total", "", "counter", "Bytes written to clients after the upgrade.";
        skipped: "relay_frames_skipped_total", "", "counter", "Frames a slow client was spared because a newer one replaced them (conflation).";
        abandoned: "relay_frames_abandoned_total", "", "counter", "Frames that waited for a client when its subscription ended.";
        subscribed: "relay_subscriptions_total", "change=\"begun\"", "counter", "Subscriptions begun and ended.";
        unsubscribed: "relay_subscriptions_total", "change=\"ended\"", "counter", "Subscriptions begun and ended.";
        blocked: "relay_clients_blocked_total", "", "counter", "Times a client stopped taking bytes.";
        turns: "relay_turns_total", "", "counter", "Rounds of handing out.";
        writes: "relay_writes_total", "", "counter", "Writes to client sockets; deliveries per write tell how much is batched.";
        socketio_polling: "relay_socketio_sessions", "transport=\"polling\"", "gauge", "Socket.IO sessions, by transport.";
        socketio_websocket: "relay_socketio_sessions", "transport=\"websocket\"", "gauge", "Socket.IO sessions, by transport.";
        socketio_polls: "relay_socketio_requests_total", "kind=\"poll\"", "counter", "Requests to Socket.IO sessions that are polled.";
        socketio_posts: "relay_socketio_requests_total", "kind=\"post\"", "counter", "Requests to Socket.IO sessions that are polled.";
        socketio_upgrades: "relay_socketio_upgrades_total", "", "counter", "Socket.IO sessions that went from polling to WebSocket.";
        socketio_unknown_events: "relay_socketio_unknown_events_total", "", "counter", "Events from Socket.IO clients that are none of the documented ones.";
        socketio_unknown_transport: "relay_socketio_refused_total", "reason=\"unknown_transport\"", "counter", "Socket.IO requests refused, by reason.";
        socketio_unknown_sid: "relay_socketio_refused_total", "reason=\"unknown_sid\"", "counter", "Socket.IO requests refused, by reason.";
        socketio_bad_method: "relay_socketio_refused_total", "reason=\"bad_handshake_method\"", "counter", "Socket.IO requests refused, by reason.";
        socketio_bad_request: "relay_socketio_refused_total", "reason=\"bad_request\"", "counter", "Socket.IO requests refused, by reason.";
        socketio_forbidden: "relay_socketio_refused_total", "reason=\"origin\"", "counter", "Socket.IO requests refused, by reason.";
        socketio_unsupported: "relay_socketio_refused_total", "reason=\"unsupported_protocol\"", "counter", "Socket.IO requests refused, by reason.";
        socketio_too_large: "relay_socketio_refused_total", "reason=\"too_large\"", "counter", "Socket.IO requests refused, by reason.";
        socketio_unauthorized: "relay_socketio_refused_total", "reason=\"unauthorized\"", "counter", "Socket.IO requests refused, by reason.";
        connections: "relay_connections", "", "gauge", "Open connections, handshakes included.";
        channels: "relay_channels", "", "gauge", "Channels with subscribers, added up over the shards.";
    }
}

impl ShardCounters {
    /// A subscription was refused.
    pub fn refused(&self, why: Refused) {
        match why {
            Refused::NoUpstream => self.refused_no_upstream.one(),
            Refused::UpstreamFull => self.refused_upstream_full.one(),
            Refused::TooManyUnproven => self.refused_unproven.one(),
            Refused::TooManyTopics => self.refused_topics.one(),
            Refused::NotAllowed => self.refused_not_allowed.one(),
        }
    }
}

counters! {
    /// What one upstream counts.
    UpstreamCounters {
        published: "relay_upstream_frames_total", "", "counter", "Frames published.";
        bytes: "relay_upstream_bytes_total", "", "counter", "Bytes of the payloads published.";
        repeated: "relay_upstream_dropped_total", "reason=\"repeated\"", "counter", "Upstream messages not published, by reason.";
        not_utf8: "relay_upstream_dropped_total", "reason=\"not_utf8\"", "counter", "Upstream messages not published, by reason.";
        not_json: "relay_upstream_dropped_total", "reason=\"not_json\"", "counter", "Upstream messages not published, by reason.";
        too_big: "relay_upstream_dropped_total", "reason=\"too_big\"", "counter", "Upstream messages not published, by reason.";
        unknown: "relay_upstream_dropped_total", "reason=\"not_subscribed\"", "counter", "Upstream messages not published, by reason.";
        unnamed: "relay_upstream_dropped_total", "reason=\"no_stream_name\"", "counter", "Upstream messages not published, by reason.";
        malformed: "relay_upstream_dropped_total", "reason=\"malformed\"", "counter", "Upstream messages not published, by reason.";
        binary: "relay_upstream_dropped_total", "reason=\"binary\"", "counter", "Upstream messages not published, by reason.";
        duplicate: "relay_upstream_dropped_total", "reason=\"duplicate\"", "counter", "Upstream messages not published, by reason.";
        out_of_date: "relay_upstream_dropped_total", "reason=\"out_of_date\"", "counter", "Upstream messages not published, by reason.";
        connected: "relay_upstream_connects_total", "", "counter", "Connections made to the venue.";
        lost: "relay_upstream_losses_total", "", "counter", "Connections to the venue lost, failed attempts included.";
        gaps: "relay_upstream_gaps_total", "cause=\"outage\"", "counter", "Times a live stream missed something: its connections were lost, or numbers were missing though they stood.";
        gaps_missing: "relay_upstream_gaps_total", "cause=\"missing\"", "counter", "Times a live stream missed something: its connections were lost, or numbers were missing though they stood.";
        missing: "relay_upstream_missing_total", "", "counter", "Numbers that are missing in streams whose frames are numbered one by one.";
        disorder: "relay_upstream_disorder_total", "", "counter", "Frames whose numbers stood still or went back; they are published as they came.";
        late: "relay_upstream_late_total", "", "counter", "Events published after newer ones: another leg brought them when nobody waited any more.";
        held: "relay_upstream_held_total", "", "counter", "Frames that waited for another leg to fill the hole before them.";
        refused: "relay_upstream_refused_total", "", "counter", "Streams the venue refused.";
        gave_up: "relay_upstream_given_up_total", "", "counter", "Streams given up because no data ever came.";
        governed: "relay_upstream_governed_total", "", "counter", "Times a message waited for the venue's limit.";
        blocks: "relay_upstream_blocks_total", "", "counter", "Times the venue refused us so that nothing was tried for a while.";
        blocked: "relay_upstream_blocked", "", "gauge", "1 while nothing is tried because the venue refused us.";
        rotations: "relay_upstream_rotations_total", "", "counter", "Connections replaced while they worked.";
        renewed: "relay_upstream_renewed_total", "", "counter", "Streams asked for again, silent or with a broken chain.";
        connections: "relay_upstream_connections", "", "gauge", "Open connections to the venue.";
        streams: "relay_upstream_streams", "", "gauge", "Streams held at the venue.";
        stale: "relay_upstream_streams_stale", "", "gauge", "Streams whose connection is lost.";
        topics_live: "relay_upstream_topics", "state=\"live\"", "gauge", "Topics by how their data stands; unproven ones had none yet.";
        topics_recovering: "relay_upstream_topics", "state=\"recovering\"", "gauge", "Topics by how their data stands; unproven ones had none yet.";
        topics_stale: "relay_upstream_topics", "state=\"stale\"", "gauge", "Topics by how their data stands; unproven ones had none yet.";
        topics_unproven: "relay_upstream_topics", "state=\"unproven\"", "gauge", "Topics by how their data stands; unproven ones had none yet.";
    }
}

counters! {
    /// What one leg of an upstream counts.
    LegCounters {
        connections: "relay_upstream_leg_connections", "", "gauge", "Open connections of each leg.";
        wins: "relay_upstream_leg_wins_total", "", "counter", "Frames a leg brought first while another one was there.";
    }
}

/// One of the URLs that bring the same streams.
#[derive(Default)]
pub struct LegMetrics {
    pub counters: LegCounters,
    /// Frames that another leg had brought before, by how much later they came.
    pub lags: [Counter; LAG_BOUNDS_MS.len() + 1],
    pub lag_ns: Counter,
}

counters! {
    /// What the market counts, which makes the messages of hub, Deriv and Socket.IO out of streams.
    MarketCounters {
        decoded: "relay_market_events_total", "result=\"decoded\"", "counter", "Messages of streams that products read, by what became of them.";
        undecodable: "relay_market_events_total", "result=\"undecodable\"", "counter", "Messages of streams that products read, by what became of them.";
        stray: "relay_market_events_total", "result=\"stray\"", "counter", "Messages of streams that products read, by what became of them.";
        skipped: "relay_market_skipped_total", "", "counter", "Values that products left out: missing, senseless, or said before.";
        emitted: "relay_market_messages_total", "", "counter", "Messages made for the clients of derived topics.";
        late_answers: "relay_market_late_answers_total", "", "counter", "Questions of clients that found no data in time.";
        refused: "relay_market_refused_total", "", "counter", "Topics and questions there was no room for.";
        products: "relay_market_products", "", "gauge", "Products at work: hub channels, Deriv symbols, tables of rates.";
    }
}

counters! {
    /// What the recording counts; all zero without one.
    RecordCounters {
        records: "relay_record_records_total", "", "counter", "Messages and events taken into the recording.";
        record_bytes: "relay_record_bytes_total", "", "counter", "Their bytes, as venues sent them.";
        written_bytes: "relay_record_written_bytes_total", "", "counter", "Bytes written to recordings, compressed.";
        slow: "relay_record_left_out_total", "reason=\"slow\"", "counter", "Messages missing in the recording, by reason.";
        lost: "relay_record_left_out_total", "reason=\"disk\"", "counter", "Messages missing in the recording, by reason.";
        too_big: "relay_record_left_out_total", "reason=\"too_big\"", "counter", "Messages missing in the recording, by reason.";
        errors: "relay_record_errors_total", "", "counter", "Failed attempts to write a recording.";
        files: "relay_record_files_total", "", "counter", "Recordings begun.";
        deleted: "relay_record_files_deleted_total", "", "counter", "Recordings deleted to stay within record.disk_bytes_max.";
        disk_bytes: "relay_record_disk_bytes", "", "gauge", "All recordings of this name in the directory.";
    }
}

impl MarketCounters {
    /// Takes over what the market itself counts.
    pub fn set(&self, counts: &crate::market::Counters, product_count: usize) {
        for (counter, value) in [
            (&self.decoded, counts.decoded_total),
            (&self.undecodable, counts.undecodable_total),
            (&self.stray, counts.stray_total),
            (&self.skipped, counts.skipped_total),
            (&self.emitted, counts.emitted_total),
            (&self.late_answers, counts.late_answers_total),
            (&self.refused, counts.refused_total),
            (&self.products, product_count as u64),
        ] {
            counter.set(value);
        }
    }
}

/// Connections closed, by reason.
pub struct Closes([Counter; CloseReason::ALL.len()]);

impl Default for Closes {
    fn default() -> Closes {
        Closes(std::array::from_fn(|_| Counter::default()))
    }
}

impl Closes {
    pub fn one(&self, reason: CloseReason) {
        let index = CloseReason::ALL.iter().position(|&other| other == reason);
        self.0[index.expect("ALL names every reason")].one();
    }
}

/// From the read of an event's bytes to the named stage, in nanoseconds.
pub struct Stages {
    pub published: Histogram<u64>,
    pub first_write: Histogram<u64>,
    pub last_write: Histogram<u64>,
}

impl Default for Stages {
    fn default() -> Stages {
        let new = || Histogram::new_with_bounds(100, 60_000_000_000, 2).expect("these bounds are valid");
        Stages { published: new(), first_write: new(), last_write: new() }
    }
}

/// Histograms that a thread of its own fills and a scrape reads.
#[derive(Default)]
pub struct SharedStages(Mutex<Stages>);

impl SharedStages {
    /// Takes over what a thread has gathered, unless a scrape is reading; then it waits for the next time.
    pub fn take_over(&self, stages: &mut Stages) {
        if let Ok(mut shared) = self.0.try_lock() {
            shared.take(stages);
        }
    }
}

impl Stages {
    /// Moves what `other` has here.
    fn take(&mut self, other: &mut Stages) {
        for (ours, theirs) in [
            (&mut self.published, &mut other.published),
            (&mut self.first_write, &mut other.first_write),
            (&mut self.last_write, &mut other.last_write),
        ] {
            if !theirs.is_empty() {
                ours.add(&*theirs).expect("the bounds are the same");
                theirs.reset();
            }
        }
    }
}

#[derive(Default)]
pub struct ShardMetrics {
    pub counters: ShardCounters,
    pub closes: Closes,
    pub stages: SharedStages,
}

#[derive(Default)]
pub struct UpstreamMetrics {
    pub name: String,
    pub counters: UpstreamCounters,
    pub legs: Vec<LegMetrics>,
    pub stages: SharedStages,
}

/// The sets of the whole process.
pub struct Metrics {
    pub shards: Vec<ShardMetrics>,
    pub upstreams: Vec<UpstreamMetrics>,
    pub market: MarketCounters,
    /// Filled by the recording's own thread.
    pub record: Arc<RecordCounters>,
}

/// One value that only the scrape knows.
pub struct Gauge {
    pub name: &'static str,
    pub help: &'static str,
    pub value: f64,
}

impl Metrics {
    /// Of each upstream the name and how many legs it has.
    pub fn new(shards: usize, upstreams: impl Iterator<Item = (String, usize)>) -> Metrics {
        let upstream = |(name, legs)| {
            let legs = (0..legs).map(|_| LegMetrics::default()).collect();
            UpstreamMetrics { name, legs, ..UpstreamMetrics::default() }
        };
        Metrics {
            shards: (0..shards).map(|_| ShardMetrics::default()).collect(),
            upstreams: upstreams.map(upstream).collect(),
            market: MarketCounters::default(),
            record: Arc::default(),
        }
    }

    /// The text format of Prometheus.
    pub fn render(&self, gauges: &[Gauge]) -> String {
        let mut out = String::with_capacity(16 * 1024);
        for gauge in gauges {
            head(&mut out, gauge.name, "gauge", gauge.help);
            let _ = writeln!(out, "{} {}", gauge.name, gauge.value);
        }
        let rows: Vec<_> = self.shards.iter().map(|shard| shard.counters.rows()).collect();
        let mut last = "";
        for at in 0..rows.first().map_or(0, Vec::len) {
            let (name, labels, kind, help, _) = rows[0][at];
            if name != last {
                head(&mut out, name, kind, help);
                last = name;
            }
            for (shard, row) in rows.iter().enumerate() {
                let comma = if labels.is_empty() { "" } else { "," };
                let _ = writeln!(out, "{name}{{shard=\"{shard}\"{comma}{labels}}} {}", row[at].4);
            }
        }
        head(&mut out, "relay_closes_total", "counter", "Connections the relay closed, by reason.");
        for (index, reason) in CloseReason::ALL.iter().enumerate() {
            let count: u64 = self.shards.iter().map(|shard| shard.closes.0[index].get()).sum();
            let _ =
                writeln!(out, "relay_closes_total{{reason=\"{}\",code=\"{}\"}} {count}", reason.name(), reason.code());
        }
        self.render_upstreams(&mut out);
        legs::render(&self.upstreams, &mut out);
        render_single(&mut out, self.market.rows());
        render_single(&mut out, self.record.rows());
        self.render_stages(&mut out);
        out
    }

    fn render_upstreams(&self, out: &mut String) {
        let rows: Vec<_> = self.upstreams.iter().map(|upstream| upstream.counters.rows()).collect();
        let mut last = "";
        for at in 0..rows.first().map_or(0, Vec::len) {
            let (name, labels, kind, help, _) = rows[0][at];
            if name != last {
                head(out, name, kind, help);
                last = name;
            }
            for (upstream, row) in self.upstreams.iter().zip(&rows) {
                let comma = if labels.is_empty() { "" } else { "," };
                let _ = writeln!(out, "{name}{{upstream=\"{}\"{comma}{labels}}} {}", upstream.name, row[at].4);
            }
        }
    }

    fn render_stages(&self, out: &mut String) {
        let mut all = Stages::default();
        let shared = self.shards.iter().map(|shard| &shard.stages);
        for stages in shared.chain(self.upstreams.iter().map(|upstream| &upstream.stages)) {
            let stages = stages.0.lock().expect("a panic ends the process");
            all.published.add(&stages.published).expect("the bounds are the same");
            all.first_write.add(&stages.first_write).expect("the bounds are the same");
            all.last_write.add(&stages.last_write).expect("the bounds are the same");
        }
        for (name, help, stage) in [
            ("relay_event_published_seconds", "From the read of an event's bytes to its log.", &all.published),
            (
                "relay_event_first_write_seconds",
                "From the read of an event's bytes to the first write of its channel, per shard.",
                &all.first_write,
            ),
            (
                "relay_event_last_write_seconds",
                "From the read of an event's bytes to the last write of its channel's round, per shard.",
                &all.last_write,
            ),
        ] {
            head(out, name, "summary", help);
            for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
                let seconds = stage.value_at_quantile(quantile) as f64 / 1e9;
                let _ = writeln!(out, "{name}{{quantile=\"{quantile}\"}} {seconds}");
            }
            let _ = writeln!(out, "{name}_sum {}", stage.mean() * stage.len() as f64 / 1e9);
            let _ = writeln!(out, "{name}_count {}", stage.len());
        }
    }
}

/// Name, labels, kind, help and value.
type Row = (&'static str, &'static str, &'static str, &'static str, u64);

/// A set that the process has once.
fn render_single(out: &mut String, rows: Vec<Row>) {
    let mut last = "";
    for (name, labels, kind, help, value) in rows {
        if name != last {
            head(out, name, kind, help);
            last = name;
        }
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{name}{labels} {value}");
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
