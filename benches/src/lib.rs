//! What the benches share: payloads of the sizes that venues send, and channels to put them into.
//!
//! The benches are in `benches/`, one file for each stop on a frame's way. Their names are kept, so that results can be
//! compared over time.

use std::fmt::Write as _;
use std::sync::Arc;

use relay::fanout::channel::Channel;
use relay::fanout::kind::Kind;
use relay::fanout::log::{Appender, Budget, log};
use relay::wire::dialect::Dialect;

/// A trade as the venue sends it, about 120 bytes.
pub fn trade() -> String {
    r#"{"e":"trade","E":1765211445001,"s":"BTCUSDT","t":3371120042,"p":"42150.50000000","q":"0.00215000","T":1765211445000,"m":false,"M":true}"#.to_owned()
}

/// A ticker, about 400 bytes.
pub fn ticker() -> String {
    r#"{"e":"24hrTicker","E":1765211445000,"s":"BTCUSDT","p":"1007.55000000","P":"2.449","w":"41680.12345678","x":"41142.94000000","c":"42150.50000000","Q":"0.00215000","b":"42150.49000000","B":"1.20310000","a":"42150.50000000","A":"0.54020000","o":"41142.95000000","h":"42390.00000000","l":"40980.10000000","v":"28311.55021000","q":"1180031245.11870020","O":1765125045000,"C":1765211445000,"F":3370012345,"L":3371120042,"n":1107698}"#.to_owned()
}

/// The best `levels` of a book on both sides, about 70 bytes for each level.
pub fn depth(levels: usize) -> String {
    let mut text = String::from(r#"{"lastUpdateId":16012345678,"#);
    for (side, step, end) in [("bids", -1, ","), ("asks", 1, "}")] {
        let _ = write!(text, r#""{side}":["#);
        for level in 0..levels as i64 {
            let comma = if level == 0 { "" } else { "," };
            let cents = 4_215_050 + step * (level + 1);
            let _ = write!(text, r#"{comma}["{}.{:02}000000","{}.20310000"]"#, cents / 100, cents % 100, level % 7);
        }
        let _ = write!(text, "]{end}");
    }
    text
}

/// A payload in the venue's combined wrapper.
pub fn combined(stream: &str, data: &str) -> String {
    format!(r#"{{"stream":"{stream}","data":{data}}}"#)
}

/// 200 bytes, the size the design's figures are about.
pub const PAYLOAD: [u8; 200] = [b'7'; 200];

/// Channels with their writers, numbered from 0, for one shard.
pub fn channels(count: usize, kind: Kind) -> Vec<(Arc<Channel>, Appender)> {
    let budget = Arc::new(Budget::new(1 << 30));
    let channel = |id: usize| {
        let (appender, log) = log(kind, budget.clone());
        (Arc::new(Channel::new(id as u32, &format!("s{id}usdt@trade"), kind, Dialect::Stream, log, 1)), appender)
    };
    (0..count).map(channel).collect()
}
