//! What one shard's core has counted. Published = delivered + skipped + abandoned + waiting, per subscription.

/// Plain counters; the shard copies them out for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames written to clients, each client counted.
    pub delivered: u64,
    pub written_bytes: u64,
    /// Frames that a slow client was spared because a newer one replaced them.
    pub skipped: u64,
    /// Frames of a keyed channel that a new subscriber was spared because newer ones of their keys came.
    pub replaced: u64,
    /// Frames that were waiting for a client when its subscription ended.
    pub abandoned: u64,
    pub subscribed: u64,
    pub unsubscribed: u64,
    /// Times a client stopped taking bytes.
    pub blocked: u64,
    pub turns: u64,
    pub writes: u64,
}
