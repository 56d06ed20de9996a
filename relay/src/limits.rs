//! Everything that can grow has its bound here, with the reason for it.

use std::time::Duration;

/// A client's message, its fragments joined. Commands are small; this is what a broken client may cost.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The same on `/echo`, which the conformance suite drives with large messages.
pub const ECHO_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A proxy's answer to a CONNECT.
pub const PROXY_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Texts a venue waits for that its limit of messages holds up; above it the connection is ended.
pub const UPSTREAM_ANSWERS_MAX: usize = 16;

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

/// Names in one message of a hub client.
pub const HUB_NAMES_MAX: usize = 64;

/// Errors a hub client may be answered within this time; the last of them closes it.
pub const HUB_ERRORS_MAX: usize = 20;
pub const HUB_ERRORS_MS: u64 = 10_000;

/// Addresses whose calls of `POST /ws/test` are counted at a time; above it unknown ones wait for the next second.
pub const HUB_TEST_CALLERS_MAX: usize = 10_000;

/// Hub channels: each has a log, and is made of streams we hold while somebody wants it.
pub const HUB_CHANNELS_MAX: usize = 256;

/// Instruments of one hub channel: a push sends a message for each.
pub const HUB_INSTRUMENTS_MAX: usize = 500;

/// Rows taken of one CoinGecko document; it lists at most this many on a page.
pub const HUB_COINS_MAX: usize = 250;

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

/// Bytes of a Deriv request, compacted: every push of its subscription repeats them. A hundred symbols of 30 letters fit.
pub const DERIV_REQUEST_BYTES_MAX: usize = 4096;

/// Live subscriptions of one Deriv connection, and symbols of one `ticks` call.
pub const DERIV_SUBSCRIPTIONS_MAX: usize = 100;

/// Calls of one Deriv connection in a minute, `ping` aside.
pub const DERIV_CALLS_PER_MINUTE: u32 = 220;

/// The same in an hour.
pub const DERIV_CALLS_PER_HOUR: u32 = 14_400;

/// Calls of `ping` in a second.
pub const DERIV_PINGS_PER_SECOND: u32 = 10;

/// A Deriv connection with no frame either way for so long is closed, unless the configuration says otherwise.
pub const DERIV_IDLE: Duration = Duration::from_secs(180);

/// Ticks or candles in one answer of `ticks_history`, ticks kept per symbol, and minutes kept per symbol: more than
/// that nobody can ask for at once.
pub const DERIV_HISTORY_MAX: usize = 5000;

/// Candles from before the start that a symbol keeps for the next who asks: two whole answers.
pub const DERIV_PAST_CANDLES_MAX: usize = 2 * DERIV_HISTORY_MAX;

/// Seconds of the past that one piece of work adds up to candles: about half a millisecond, and 32 symbols may be
/// worked on in one round.
pub const DERIV_WORK_SECONDS: u64 = 10 * 86_400;

/// Binary attachments a Socket.IO packet may announce. None of our events has any; the reference parser stops at ten.
pub const ATTACHMENTS_MAX: u8 = 10;

/// Digits of a Socket.IO acknowledgement id, which is repeated in the answer. The largest JS number has 309.
pub const ACK_DIGITS_MAX: usize = 320;

/// Bytes of a currency or a symbol in a Socket.IO wish. Real ones are under 12.
pub const CURRENCY_BYTES_MAX: usize = 32;

/// Packets waiting for the next poll of a Socket.IO client; a single larger packet is taken into an empty outbox.
pub const OUTBOX_BYTES_MAX: usize = 64 * 1024;

/// Packets a Socket.IO client may send in any second.
pub const SOCKETIO_PACKETS_PER_SECOND: usize = 100;

/// Acknowledgements that one Socket.IO client may wait for at once.
pub const SOCKETIO_QUESTIONS_MAX: usize = 32;

/// Bytes of an API key or a token that stands for one. Ours have 67; those of others may be signed documents.
pub const KEY_BYTES_MAX: usize = 4096;

/// API keys of all accounts: each connection that brings a key is compared with all of them, 20 ns each.
pub const KEYS_MAX: usize = 4096;

/// Live listen keys of accounts that are not in the configuration, made up by who sends a token. Each costs
/// about 400 bytes.
pub const LISTEN_KEYS_MAX: usize = 16_384;

/// The same from one address: who makes up tokens uses up its own share only.
pub const LISTEN_KEYS_PER_IP_MAX: usize = 64;

/// Requests about listen keys in a minute, of one account or one address. Clients need two an hour.
pub const LISTEN_REQUESTS_PER_MINUTE_MAX: usize = 60;

/// Accounts and addresses whose requests are counted at a time; above it unknown ones wait for the next minute.
pub const LISTEN_CALLERS_MAX: usize = 65_536;

/// A form in the body of a request about listen keys: one name, one key.
pub const FORM_BYTES_MAX: usize = 4096;
/// What makes the messages of one derived subject (a hub channel, a Deriv symbol, a table of rates): each keeps its
/// own state, a symbol's ticks being the largest with some hundred KiB.
pub const PRODUCTS_MAX: usize = 4096;

/// How long one is kept warm after the last client: one that reconnects finds the present at once.
pub const PRODUCT_LINGER_MS: u64 = 30_000;

/// How long an account's own stream is kept after its last listener: who comes right back costs the venue no new key.
pub const USER_LINGER: Duration = Duration::from_secs(5);

/// Questions that wait for data, or whose answers wait to be fetched.
pub const QUESTIONS_MAX: usize = 16 * 1024;

/// A question that no source helped to answer by then is told so.
pub const QUESTION_WAIT_MS: u64 = 5_000;

/// How long a whole table of rates waits for sources that have said nothing yet.
pub const RATES_WARM_UP_MS: u64 = 1_500;
const _: () = assert!(RATES_WARM_UP_MS < QUESTION_WAIT_MS);
/// The longest candle the built-in venue adds up: a month, which is 44 640 minutes to look at.
pub const SIM_CANDLE_SECONDS_MAX: u64 = 31 * 86_400;

/// Digits after the point of a Deriv symbol that is made of a pair whose digits nobody told.
pub const DERIV_PIP_SIZE_USUAL: u32 = 2;

/// Questions about the past that one Deriv client may wait for at once.
pub const DERIV_QUESTIONS_MAX: usize = 32;

/// How often the relay pings a hub client, and after which silence it is gone.
pub const HUB_PING_INTERVAL: Duration = Duration::from_secs(30);
pub const HUB_SILENCE: Duration = Duration::from_secs(60);
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

/// Body of a venue's answer to one of our own requests.
pub const UPSTREAM_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A token's file.
pub const TOKEN_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Replies waiting for a client that asks for large ones: above it, more large ones are refused.
pub const LARGE_REPLIES_BYTES_MAX: usize = 256 * 1024;

/// The same whatever it asked: above it, it is closed. Four histories of 5000 candles fit.
pub const LANE_BYTES_HARD_MAX: usize = 4 * 1024 * 1024;

/// Histories that one Deriv client may wait for at once.
pub const DERIV_HISTORIES_MAX: usize = 4;

/// Symbols made of pairs whose spots one `active_symbols` asks for: each takes two streams upstream for a while.
pub const DERIV_SPOTS_OF_PAIRS_MAX: usize = 32;

/// Bytes a log of keyed frames keeps: whoever comes reads all of it for the newest of each key.
pub const KEYED_BYTES_KEPT: usize = 1024 * 1024;

/// A request's body must have come by then.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Requests of one upstream connection whose answers, one for each stream, are awaited; the oldest is forgotten. The
/// manager gives up far fewer.
pub const ANSWERS_AWAITED_MAX: usize = 256;

/// Levels of one side of an OKX book whose checksum is verified; a longer one is asked for again. The venue has 400.
pub const OKX_BOOK_LEVELS_MAX: usize = 1024;
/// Body of a REST source's answer. A book of 5000 levels has about 350 KiB, all of Binance's tickers have 2 MiB.
pub const POLL_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Answers of one REST source kept to ask whether they changed, and their bytes.
pub const POLL_CACHE_ANSWERS_MAX: usize = 64;
pub const POLL_CACHE_BYTES_MAX: usize = 8 * 1024 * 1024;
const _: () = assert!(POLL_BODY_BYTES_MAX <= POLL_CACHE_BYTES_MAX);

/// Symbols that one REST source does not know and that are not asked for again for a minute.
pub const POLL_REFUSED_MAX: usize = 1024;
/// How long frames behind a hole wait for another leg to fill it.
pub const MERGE_HOLD_MS: u64 = 100;

/// Frames and bytes of one topic that wait so; above it the hole is given up at once.
pub const MERGE_HELD_FRAMES_MAX: usize = 1024;
pub const MERGE_HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Frames of a topic that are remembered while another source may bring them again: 40 bytes each. One that is further
/// behind than that is known by its numbers alone.
pub const MERGE_RECENT_FRAMES: usize = 256;

/// Frames of a topic without numbers that are remembered so if they came within the last seconds: only their bytes tell
/// what another leg brings again after a burst.
pub const MERGE_RECENT_BURST_FRAMES: usize = 8192;

/// Sources of one topic that are told apart: two connections for each of eight legs.
pub const MERGE_SOURCES_MAX: usize = 16;

/// For so long after its last frame a connection that was replaced may still bring what its successor has brought.
pub const MERGE_OVERLAP_MS: u64 = 10_000;

/// For so long after a connection came up beside another one the frames of both are remembered: the old one is left soon.
pub const MERGE_DOUBLED_MS: u64 = 30_000;

/// Frames in a row with numbers behind those of the same source, after which its new numbers count.
pub const MERGE_BACKWARD_MAX: u8 = 16;

/// How long a source is dropped for numbers that nobody is known to have published, while nothing else is published;
/// then they count.
pub const MERGE_STUCK_MS: u64 = 2_000;

/// Places that carry the same streams of one upstream, the first of them included.
pub const LEGS_MAX: usize = 4;
const _: () = assert!(2 * LEGS_MAX <= MERGE_SOURCES_MAX);

/// Gaps remembered for `/api/v1/gaps`, about 150 bytes each.
pub const GAPS_MAX: usize = 10_000;

/// Gaps in one answer.
pub const GAP_ROWS_MAX: usize = 1000;

/// Bytes of one recorded message. Venues' WebSocket messages are far below; bodies of REST books are larger.
pub const RECORD_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
const _: () = assert!(RECORD_BODY_BYTES_MAX >= UPSTREAM_MESSAGE_BYTES_MAX);

/// A block of a recording is written when its records have this much; the last one may go beyond.
pub const RECORD_BLOCK_BYTES: usize = 256 * 1024;
pub const RECORD_BLOCK_BYTES_MAX: usize = RECORD_BLOCK_BYTES + RECORD_BODY_BYTES_MAX + 64;

/// The same packed. What cannot be compressed grows by a 255th at most.
pub const RECORD_PACKED_BYTES_MAX: usize = RECORD_BLOCK_BYTES_MAX + RECORD_BLOCK_BYTES_MAX / 128;

/// Blocks of one recording, whose index is in memory while it is written or read: 32 bytes each.
pub const RECORD_BLOCKS_MAX: usize = 1024 * 1024;

/// Each so many blocks of a recording, a reader may begin: it has to read as many more than it wants, and each such block
/// repeats the names of all streams.
pub const RECORD_KEY_BLOCKS: usize = 32;

/// Upstreams of one recording, and the bytes of its header, which names them.
pub const RECORD_UPSTREAMS_MAX: usize = 1024;
pub const RECORD_HEADER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What waits to be recorded: above it messages are left out of the recording. The writer needs 20 ms of them.
pub const RECORD_QUEUE_MAX: usize = 64 * 1024;
pub const RECORD_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Streams counted one by one in a list of what a recording has; the others are counted together.
pub const RECORD_STREAMS_LISTED_MAX: usize = 100_000;

/// A longer recording is played without a look for the streams it has: that takes a second or two for so many bytes.
pub const RECORD_NAMED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Refused streams of an upstream's leg that are told once; above it all are forgotten, and told once more.
pub const REFUSALS_REMEMBERED_MAX: usize = 10_000;

/// Headers of our own in a request to a REST endpoint.
pub const REST_HEADERS_MAX: usize = 16;

/// Questions to a Socket.IO venue that wait for an answer on one connection; the oldest is given up for another.
pub const SOCKETIO_VENUE_QUESTIONS_MAX: usize = 1024;
/// Levels on a side of a local book, some 130 bytes each. A snapshot has as many at most; prices beyond are far from any
/// trade.
pub const BOOK_LEVELS_MAX: usize = 5_000;

/// Diffs that wait for the snapshot of a local book: 100 s at the fastest speed, and snapshots come every 5 s.
pub const BOOK_WAITING_MAX: usize = 1_000;

/// Their levels' text.
pub const BOOK_WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A book that is crossed for longer has missed something.
pub const BOOK_CROSSED_MS_MAX: u64 = 1_000;

/// Levels gathered into one diff; above it, it is sent before its time.
pub const DIFF_LEVELS_MAX: usize = 10_000;

/// Symbols of `!ticker@arr` where it is put together: each is a stream upstream, and a connection carries as many.
pub const ARRAY_SYMBOLS_MAX: usize = 1_024;

/// Buckets without a trade that are closed at a stretch; after more than that the relay slept, and knows nothing of them.
pub const EMPTY_KLINES_MAX: usize = 1_000;
