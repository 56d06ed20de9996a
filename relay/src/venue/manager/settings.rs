//! What one upstream allows and how patient we are with it.

use crate::venue::backoff::Shape;

/// So many in any stretch of so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub count_max: usize,
    pub window_ms: u64,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Client messages per second and connection: JSON, PING and PONG together.
    pub messages_per_second: usize,
    /// The window for them. Longer than a second: what leaves us a second apart may arrive closer together.
    pub message_window_ms: u64,
    /// Requests per connection over a long time, where the venue counts them apart (OKX: 480 per hour). The second half
    /// of it is spread evenly over the window, so that demand is never left waiting for all of it.
    pub requests_per_window: Option<Window>,
    pub streams_per_connection: usize,
    /// Of each lane.
    pub connections: usize,
    /// So many more while connections are replaced. None where the venue counts strictly: with all of them in use one is
    /// then replaced after its end, not before it.
    pub spare_connections: usize,
    pub connects_per_window: usize,
    pub connect_window_ms: u64,
    pub names_per_request: usize,
    /// The same for what ends streams: Deriv forgets one at a time.
    pub names_per_unsubscribe: usize,
    /// A longer request is halved.
    pub request_bytes_max: Option<usize>,
    /// How long demand is collected before it becomes a request.
    pub gather_ms: u64,
    /// How long a stream is kept after its last client left.
    pub linger_ms: u64,
    pub backoff: Shape,
    /// A connection that lived this long ends the outage; shorter lives let the waits go on growing.
    pub healthy_ms: u64,
    /// A request unanswered for this long means a dead connection.
    pub reply_ms: u64,
    /// A connection without any frame for this long is pinged, and
    pub quiet_ms: u64,
    /// given up when nothing came for this long after the ping.
    pub ping_reply_ms: u64,
    /// A name that never had data may be given up from here on when another needs its slot, and
    pub unproven_ms: u64,
    /// is given up from here on in any case.
    pub silence_ms: u64,
    /// A lost topic that has not come back after this long is stale.
    pub stale_ms: u64,
    /// A live topic without data for this long is asked for again, and stale if that does not help within `stale_ms`.
    /// None by default: quiet streams are normal.
    pub topic_quiet_ms: Option<u64>,
    /// The age at which the venue cuts a connection. It is replaced a little earlier, each at its own time.
    pub life_ms: Option<u64>,
    /// How long a connection that is replaced goes on beside the new one, once that holds all of its streams.
    pub overlap_ms: u64,
    /// How long after its announcement a venue ends a connection.
    pub notice_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            messages_per_second: 10,
            message_window_ms: 1_100,
            requests_per_window: None,
            streams_per_connection: 1_024,
            connections: 5,
            spare_connections: 1,
            connects_per_window: 300,
            connect_window_ms: 5 * 60_000,
            names_per_request: 200,
            names_per_unsubscribe: 200,
            request_bytes_max: None,
            gather_ms: 100,
            linger_ms: 30_000,
            backoff: Shape::default(),
            healthy_ms: 10_000,
            reply_ms: 10_000,
            quiet_ms: 60_000,
            ping_reply_ms: 10_000,
            unproven_ms: 60_000,
            silence_ms: 60_000,
            stale_ms: 10_000,
            topic_quiet_ms: None,
            life_ms: None,
            overlap_ms: 5_000,
            notice_ms: 60_000,
        }
    }
}
