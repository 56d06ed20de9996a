//! Everything that can grow has its bound here, with the reason for it.

/// A client's message, its fragments joined. Commands are small; this is what a broken client may cost.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The same on `/echo`, which the conformance suite drives with large messages.
pub const ECHO_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A venue's message, its fragments joined.
pub const UPSTREAM_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Replies and control frames waiting for one client; above it the client is not read any more.
pub const LANE_BYTES_MAX: usize = 16 * 1024;

/// A request's head: method, target and headers.
pub const REQUEST_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Names in one URL; more are answered 400.
pub const URL_NAMES_MAX: usize = 200;

/// Subscriptions of one connection that no profile limits (loopback): what a lookup by scanning still bears.
pub const SUBSCRIPTIONS_HARD_MAX: usize = 1024;

/// Bytes of a stream name. Real ones are under 40.
pub const NAME_BYTES_MAX: usize = 128;

/// Frames a state channel keeps besides the newest.
pub const STATE_FRAMES_KEPT: u64 = 64;

/// Frames an event channel always keeps while somebody subscribes.
pub const EVENT_FRAMES_KEPT: u64 = 256;

/// Bytes an event channel keeps at most.
pub const EVENT_BYTES_KEPT: usize = 16 * 1024 * 1024;

/// How far back an event channel reaches at its own rate.
pub const EVENT_HORIZON_MS: u64 = 10_000;

/// A batch stops growing here; what follows goes into the next one.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;
/// A batch's frames: a turn's latency report costs a little for each.
pub const BATCH_FRAMES_MAX: usize = 4096;

/// Bytes composed for one client that is served by itself (after a pause, or at a subscription).
pub const SERVE_BYTES_MAX: usize = 64 * 1024;

/// Writes of one turn, about 5 ms of the kernel's work; then upstreams and handshakes get their share.
pub const TURN_WRITES_MAX: usize = 1024;

/// Pieces of one gathered write; the kernel takes 1024.
pub const WRITE_PIECES_MAX: usize = 256;

/// What one read of a client's socket may bring; a client gets one such read in a round.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Events taken from a shard's epoll set at a time.
pub const EVENTS_PER_WAIT: usize = 256;

/// Unsent bytes the kernel may hold for one client: above it staleness stays with us, where it can be conflated.
pub const NOTSENT_BYTES_MAX: u32 = 16 * 1024;

/// Connections above the limit that are answered 503; those beyond are closed at once and counted.
pub const REFUSED_AT_ONCE_MAX: usize = 128;

/// Descriptors kept back from clients: upstreams, listeners, epoll sets, files, and those being refused.
pub const DESCRIPTORS_KEPT: usize = 256;

/// Text of an event stream on its way to one client; one frame may be longer. Besides, hyper holds 16 KiB of buffers for
/// every connection, so that an answer that stays open costs 24 KiB at most.
pub const SSE_CHUNK_BYTES_MAX: usize = 8 * 1024;

/// Closed candles copied at a time for a reader that fell behind.
pub const FOLLOWED_CLOSED_BYTES_MAX: usize = 64 * 1024;

/// Channels that stay held for a while after the last HTTP request that wanted them; above it they go at once.
pub const HTTP_HOLDS_LINGERING_MAX: usize = 1024;

/// Rows of `/api/v1/topics` in one answer.
pub const TOPIC_ROWS_MAX: usize = 10_000;

/// Rows copied under the table's lock at a time.
pub const TOPIC_ROWS_AT_ONCE: usize = 512;
