use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::market::decode;
use crate::market::event::Event;
use crate::venue::adapter::{Invalid, Ping, Said};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../testdata/okx/", $name))
    };
}

const NOW: u64 = 1_765_211_445_100;

fn okx() -> Okx {
    Okx::new("/", ["BTC-USDT", "BTC-USDT-SWAP=0.01"]).unwrap()
}

fn talk(streams: &[&str]) -> Box<dyn Conversation> {
    let mut talk = okx().converse(PUBLIC);
    talk.subscribe(streams, 1);
    talk
}

/// What a message means, a line for each: `btcusdt@trade {…}`, or the variant.
fn hear(talk: &mut dyn Conversation, message: &[u8]) -> Vec<String> {
    let mut heard = Vec::new();
    talk.decode(message, NOW, &mut |said| {
        heard.push(match said {
            Said::Data { stream, payload } => format!("{stream} {}", std::str::from_utf8(payload).unwrap()),
            Said::Granted { stream } => format!("granted {stream}"),
            Said::Refused { stream, msg } => format!("refused {stream}: {msg}"),
            Said::Broken { stream } => format!("broken {stream}"),
            Said::Error { id, code, msg } => format!("error {id:?} {code}: {msg}"),
            Said::Invalid(invalid) => format!("invalid {invalid:?}"),
            other => format!("{other:?}"),
        });
    });
    heard
}

fn check(talk: &mut dyn Conversation, message: &str, expected: &[&str]) {
    assert_eq!(hear(talk, message.as_bytes()), expected, "{message}");
}

/// The venue's side of a session, and ours where it is a request that we would make.
fn venue_texts(fixture: &str) -> Vec<String> {
    let lines = fixture.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = lines.filter(|line| line["from"] == "venue" && line["text"].is_string());
    texts.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

fn payload(name: &str) -> String {
    let payloads: Value = serde_json::from_str(fixture!("payloads.json")).unwrap();
    payloads[name].to_string()
}

/// A stream goes to the connection that carries its channel, and nowhere if the venue has none.
#[test]
fn streams_have_their_lanes() {
    let okx = okx();
    assert_eq!(okx.lanes().iter().map(|lane| &*lane.path).collect::<Vec<_>>(), ["/ws/v5/public", "/ws/v5/business"]);
    for stream in ["btcusdt@trade", "ethusdt@book", "btcusdt-swap@markPrice@1s", "dogeusdt@depth5@100ms"] {
        assert_eq!(okx.lane_of(stream), Some(PUBLIC), "{stream}");
    }
    assert_eq!(okx.lane_of("btcusdt@kline_1M"), Some(BUSINESS));
    for stream in ["btcusdt@depth20", "btcusdt@kline_8h", "r_100@tick", "!ticker@arr", "ethusdt-swap@trade", "", "@"] {
        assert_eq!(okx.lane_of(stream), None, "{stream}");
    }
    assert_eq!(&*Okx::new("/okx", []).unwrap().lanes()[BUSINESS].path, "/okx/ws/v5/business");
}

#[test]
fn requests_list_channels() {
    let mut talk = okx().converse(PUBLIC);
    assert_eq!(
        talk.subscribe(&["btcusdt@ticker", "btcusdt@book"], 1512),
        r#"{"id":"1512","op":"subscribe","args":[{"channel":"tickers","instId":"BTC-USDT"},{"channel":"books","instId":"BTC-USDT"}]}"#
    );
    assert_eq!(
        talk.unsubscribe(&["btcusdt@ticker"], 2),
        r#"{"id":"2","op":"unsubscribe","args":[{"channel":"tickers","instId":"BTC-USDT"}]}"#
    );
    assert_eq!(
        talk.subscribe(&["btcusdt-swap@markPrice@1s"], 3),
        r#"{"id":"3","op":"subscribe","args":[{"channel":"mark-price","instId":"BTC-USDT-SWAP"},{"channel":"funding-rate","instId":"BTC-USDT-SWAP"}]}"#
    );
    assert_eq!((talk.hello(), talk.ping()), (None, Ping::Text("ping".to_owned())));
}

/// The recorded-style public session: one acknowledgement for each channel, data, pong, upgrade.
#[test]
fn the_public_session() {
    let mut talk = okx().converse(PUBLIC);
    talk.subscribe(&["btcusdt@ticker", "btcusdt@trade"], 1512);
    talk.subscribe(&["btcusdt@bookTicker", "btcusdt@depth5@100ms"], 1513);
    let mut heard = Vec::new();
    for text in venue_texts(fixture!("public_session.jsonl")) {
        if text.contains("unsubscribe") {
            talk.unsubscribe(&["btcusdt@ticker"], 1514);
        }
        heard.extend(hear(&mut *talk, text.as_bytes()));
    }
    let expected = [
        "granted btcusdt@ticker",
        "granted btcusdt@trade",
        r#"btcusdt@ticker {"e":"24hrTicker","E":1765211445000,"s":"BTCUSDT","p":"1007.6","P":"2.449","w":"41680.20600659","c":"42150.5","Q":"0.00215","b":"42150.4","B":"1.2031","a":"42150.5","A":"0.5402","o":"41142.9","h":"42390","l":"40980.1","v":"28311.55021","q":"1180031245.1187002","O":1765125045000,"C":1765211445000,"F":null,"L":null,"n":null}"#,
        r#"btcusdt@trade {"e":"trade","E":1765211445000,"s":"BTCUSDT","t":130639474,"p":"42219.9","q":"0.12060306","T":1765211445000,"m":false}"#,
        "granted btcusdt@bookTicker",
        "granted btcusdt@depth5@100ms",
        r#"btcusdt@bookTicker {"e":"bookTicker","u":335226848533,"E":1765211445000,"T":1765211445000,"s":"BTCUSDT","b":"42150.4","B":"1.2031","a":"42150.5","A":"0.5402"}"#,
        r#"btcusdt@depth5@100ms {"e":"depthUpdate","E":1765211445000,"s":"BTCUSDT","U":335226848531,"u":335226848531,"b":[["42150.4","1.2031"],["42150.3","0.1"],["42150","2.5"],["42149.5","0.4"],["42149","3.1"]],"a":[["42150.5","0.5402"],["42150.6","0.2"],["42151","1.7"],["42151.5","0.9"],["42152","4"]]}"#,
        "Other",
        "granted btcusdt@ticker",
        "Other",
        "Shutdown",
    ];
    assert_eq!(heard, expected);
    check(&mut *talk, &payload("tickers"), &["Other"]);
}

/// Candles come with the end of their bar and the time we heard of them; a channel we did not ask for is nobody's.
#[test]
fn the_business_session() {
    let mut talk = okx().converse(BUSINESS);
    talk.subscribe(&["btcusdt@kline_1m", "btcusdt@kline_1d"], 1);
    let heard: Vec<_> = venue_texts(fixture!("business_session.jsonl"))
        .iter()
        .flat_map(|text| hear(&mut *talk, text.as_bytes()))
        .collect();
    let minute = |closed| {
        format!(
            r#"btcusdt@kline_1m {{"e":"kline","E":1765211445100,"s":"BTCUSDT","k":{{"t":1765211400000,"T":1765211459999,"s":"BTCUSDT","i":"1m","o":"42148","c":"42150.5","h":"42151","l":"42147.1","v":"12.4412","n":null,"x":{closed},"q":"524390.1122"}}}}"#
        )
    };
    let day = r#"btcusdt@kline_1d {"e":"kline","E":1765211445100,"s":"BTCUSDT","k":{"t":1765152000000,"T":1765238399999,"s":"BTCUSDT","i":"1d","o":"41900.1","c":"42150.5","h":"42390","l":"41800","v":"20110.2","n":null,"x":false,"q":"843001200.5"}}"#;
    let (open, closed) = (minute(false), minute(true));
    let expected = ["granted btcusdt@kline_1m", "granted btcusdt@kline_1d", "Other", &open, day, "Other", &closed];
    assert_eq!(heard, expected);
}

/// Keepalive and maintenance are no gaps; a gap is told once, and the next snapshot mends it.
#[test]
fn a_book_is_followed() {
    let mut talk = talk(&["btcusdt@book"]);
    let heard: Vec<_> = venue_texts(fixture!("books_sync.jsonl"))
        .iter()
        .flat_map(|text| {
            if text.contains("\"unsubscribe\"") {
                talk.unsubscribe(&["btcusdt@book"], 2);
                talk.subscribe(&["btcusdt@book"], 3);
            }
            hear(&mut *talk, text.as_bytes())
        })
        .collect();
    let expected = [
        "granted btcusdt@book",
        r#"btcusdt@book {"e":"bookSnapshot","E":1765211445010,"s":"BTCUSDT","pu":-1,"u":10,"b":[["8476.97","256"],["8475.55","101"],["8475.54","100"]],"a":[["8476.98","415"],["8477","7"],["8477.34","85"]]}"#,
        r#"btcusdt@book {"e":"bookUpdate","E":1765211445015,"s":"BTCUSDT","pu":10,"u":15,"b":[["8476.97","250"]],"a":[["8477","0"]]}"#,
        "Other",
        r#"btcusdt@book {"e":"bookUpdate","E":1765211445003,"s":"BTCUSDT","pu":15,"u":3,"b":[],"a":[["8478","3"]]}"#,
        r#"btcusdt@book {"e":"bookUpdate","E":1765211445005,"s":"BTCUSDT","pu":3,"u":5,"b":[["8475.55","0"]],"a":[]}"#,
        "broken btcusdt@book",
        "granted btcusdt@book",
        "granted btcusdt@book",
        r#"btcusdt@book {"e":"bookSnapshot","E":1765211445020,"s":"BTCUSDT","pu":-1,"u":20,"b":[["8476.97","256"],["8475.55","101"],["8475.54","100"]],"a":[["8476.98","415"],["8477","7"],["8477.34","85"]]}"#,
    ];
    assert_eq!(heard, expected);
}

/// What cannot be read is missing: the book is broken at once, and once more where it was the snapshot that was to mend it.
#[test]
fn an_unreadable_book_is_broken() {
    let texts = venue_texts(fixture!("books_sync.jsonl"));
    let (snapshot, update) = (&texts[1], &texts[2]);
    let mut talk = talk(&["btcusdt@book"]);
    hear(&mut *talk, snapshot.as_bytes());
    let bad = |text: &str| text.replace("\"8477\"", "\"x\"");
    check(&mut *talk, &bad(update), &["broken btcusdt@book", "invalid Malformed"]);
    check(&mut *talk, &bad(update), &["invalid Malformed"]);
    check(&mut *talk, update, &["Other"]);
    check(&mut *talk, &bad(snapshot), &["broken btcusdt@book", "invalid Malformed"]);
    // Granted again, it has to begin with a snapshot; that it does not is news.
    check(&mut *talk, update, &["Other"]);
    check(&mut *talk, &texts[0], &["granted btcusdt@book"]);
    check(&mut *talk, update, &["broken btcusdt@book"]);
    assert!(hear(&mut *talk, snapshot.as_bytes())[0].starts_with("btcusdt@book {\"e\":\"bookSnapshot\""));
    assert!(hear(&mut *talk, update.as_bytes())[0].starts_with("btcusdt@book {\"e\":\"bookUpdate\""));
}

/// An error is one stream's where it names it or only one can be meant, else its request's.
#[test]
fn errors_find_their_stream() {
    let texts = venue_texts(fixture!("errors.jsonl"));
    let mut talk = okx().converse(PUBLIC);
    talk.subscribe(&["btcusdt@trade"], 6);
    let request = r#"Invalid request: {"op": "subscribe", "argss":[{ "channel" : "books", "instId" : "BTC-USDT"}]}"#;
    check(&mut *talk, &texts[0], &[&format!("error None 60012: {request}")]);
    talk.subscribe(&["nopeusdt@ticker", "btcusdt@ticker"], 7);
    let rest = "doesn't exist. Please use the correct URL, channel and parameters referring to API document.";
    let refused = format!("refused nopeusdt@ticker: Wrong URL or channel:tickers,instId:NOPE-USDT {rest}");
    check(&mut *talk, &texts[1], &[&refused]);
    let granted = r#"{"id":"7","event":"subscribe","arg":{"channel":"tickers","instId":"BTC-USDT"}}"#;
    check(&mut *talk, granted, &["granted btcusdt@ticker"]);
    talk.subscribe(&["btcusdt@kline_1m"], 8);
    let refused = format!("refused btcusdt@kline_1m: Wrong URL or channel:candle1m,instId:BTC-USDT {rest}");
    check(&mut *talk, &texts[2], &[&refused]);
    for (text, expected) in [
        (&texts[3], "error None 60011: Please log in"),
        (&texts[4], "error None 60019: Invalid op: nope"),
        (&texts[5], "error None 60014: Requests too frequent"),
    ] {
        check(&mut *talk, text, &[expected]);
    }
    check(&mut *talk, &payload("trades"), &["Other"]);
}

/// An error that names nothing waits until the other streams of its request have their answers.
#[test]
fn errors_without_a_name() {
    let mut talk = okx().converse(PUBLIC);
    let tier = r#"{"id":"1","event":"error","code":"64003","msg":"Your tier is too low"}"#;
    talk.subscribe(&["btcusdt@trade", "btcusdt@book", "ethusdt@trade"], 1);
    check(&mut *talk, tier, &["Other"]);
    let granted = |instrument: &str| {
        format!(r#"{{"id":"1","event":"subscribe","arg":{{"channel":"trades","instId":"{instrument}"}}}}"#)
    };
    check(&mut *talk, &granted("BTC-USDT"), &["granted btcusdt@trade"]);
    let refused = "refused btcusdt@book: Your tier is too low";
    check(&mut *talk, &granted("ETH-USDT"), &["granted ethusdt@trade", refused]);
    check(&mut *talk, tier, &["error Some(1) 64003: Your tier is too low"]);

    talk.subscribe(&["btcusdt@ticker", "btcusdt@bookTicker"], 2);
    check(
        &mut *talk,
        r#"{"event":"subscribe","arg":{"channel":"bbo-tbt","instId":"BTC-USDT"}}"#,
        &["granted btcusdt@bookTicker"],
    );
    let often = r#"{"id":"2","event":"error","code":"60014","msg":"Requests too frequent"}"#;
    check(&mut *talk, often, &["error Some(2) 60014: Requests too frequent"]);
}

/// Where the end of a stream is refused, it goes on.
#[test]
fn a_refused_end_is_none() {
    let mut talk = talk(&["btcusdt@trade"]);
    talk.unsubscribe(&["btcusdt@trade"], 2);
    check(
        &mut *talk,
        r#"{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#,
        &["granted btcusdt@trade"],
    );
    let often = r#"{"id":"2","event":"error","code":"60014","msg":"Requests too frequent"}"#;
    check(&mut *talk, often, &["error Some(2) 60014: Requests too frequent"]);
    assert_eq!(hear(&mut *talk, payload("trades").as_bytes()).len(), 1);
    assert!(hear(&mut *talk, payload("trades").as_bytes())[0].starts_with("btcusdt@trade {"));
}

/// Sizes of derivatives are contracts, which are worth something.
#[test]
fn contracts_are_counted_in_the_base() {
    let mut talk = talk(&["btcusdt-swap@trade", "btcusdt-swap@bookTicker", "btcusdt-swap@ticker"]);
    let swap = |name: &str| payload(name).replace("BTC-USDT", "BTC-USDT-SWAP");
    let trade = swap("trades").replace("\"0.12060306\"", "\"12.5\"").replace("\"buy\"", "\"sell\"");
    check(
        &mut *talk,
        &trade,
        &[
            r#"btcusdt-swap@trade {"e":"trade","E":1765211445000,"s":"BTCUSDT-SWAP","t":130639474,"p":"42219.9","q":"0.125","T":1765211445000,"m":true}"#,
        ],
    );
    let top = r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT-SWAP"},"data":[{"asks":[],"bids":[["42150.4","3","0","6"]],"ts":"5","seqId":7}]}"#;
    check(
        &mut *talk,
        top,
        &[
            r#"btcusdt-swap@bookTicker {"e":"bookTicker","u":7,"E":5,"T":5,"s":"BTCUSDT-SWAP","b":"42150.4","B":"0.03","a":"0","A":"0.00"}"#,
        ],
    );
    let ticker = &hear(&mut *talk, swap("tickers").as_bytes())[0];
    assert!(ticker.contains(r#""v":"1180031245.1187002","q":null"#) && ticker.contains(r#""w":null"#), "{ticker}");
}

/// What is not known yet is no figure: an instrument that never traded has no ticker, one without quotes no quotes.
#[test]
fn empty_strings_are_not_told() {
    let mut talk = talk(&["btcusdt@ticker"]);
    let ticker = payload("tickers");
    check(&mut *talk, &ticker.replace("\"last\":\"42150.5\"", "\"last\":\"\""), &["Other"]);
    let quoteless = ticker.replace("\"askPx\":\"42150.5\"", "\"askPx\":\"\"").replace("\"0.00215\"", "\"\"");
    let heard = &hear(&mut *talk, quoteless.as_bytes())[0];
    assert!(heard.contains(r#""Q":null,"b":"42150.4","B":"1.2031","o":"#), "{heard}");
    let still = ticker.replace("\"41142.9\"", "\"0\"").replace("\"28311.55021\"", "\"0\"");
    let heard = &hear(&mut *talk, still.as_bytes())[0];
    assert!(heard.contains(r#""p":"42150.5","P":null,"w":null"#), "{heard}");
}

/// A mark price carries what was last told about its funding.
#[test]
fn mark_price_with_funding() {
    let mut talk = talk(&["btcusdt-swap@markPrice@1s"]);
    let mark = r#"{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","markPx":"42150.10","ts":"1765211445000"}]}"#;
    let price = r#"btcusdt-swap@markPrice@1s {"e":"markPriceUpdate","E":1765211445000,"s":"BTCUSDT-SWAP","p":"42150.10","i":null"#;
    check(&mut *talk, mark, &[&format!(r#"{price},"r":null,"T":null}}"#)]);
    let funding = r#"{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"fundingRate":"0.0001875391284828","fundingTime":"1765238400000","nextFundingTime":"1765267200000"}]}"#;
    check(&mut *talk, funding, &["Other"]);
    check(&mut *talk, mark, &[&format!(r#"{price},"r":"0.0001875391284828","T":1765238400000}}"#)]);
    let refused = r#"{"id":"1","event":"error","code":"60018","msg":"Wrong URL or channel:funding-rate,instId:BTC-USDT-SWAP doesn't exist."}"#;
    check(&mut *talk, refused, &["Other"]);
    let granted = r#"{"id":"1","event":"subscribe","arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"}}"#;
    check(&mut *talk, granted, &["granted btcusdt-swap@markPrice@1s"]);
}

/// An instrument without mark price has no funding either: both refusals are its own, and nobody else's.
#[test]
fn mark_price_and_funding_are_refused() {
    let mut talk = talk(&["btcusdt@trade", "btcusdt-swap@markPrice@1s", "ethusdt@trade"]);
    let refused = |channel: &str| {
        format!(
            r#"{{"id":"1","event":"error","code":"60018","msg":"Wrong URL or channel:{channel},instId:BTC-USDT-SWAP doesn't exist."}}"#
        )
    };
    let granted =
        |id: &str| format!(r#"{{"id":"1","event":"subscribe","arg":{{"channel":"trades","instId":"{id}"}}}}"#);
    check(&mut *talk, &granted("BTC-USDT"), &["granted btcusdt@trade"]);
    let msg = "Wrong URL or channel:mark-price,instId:BTC-USDT-SWAP doesn't exist.";
    check(&mut *talk, &refused("mark-price"), &[&format!("refused btcusdt-swap@markPrice@1s: {msg}")]);
    check(&mut *talk, &refused("funding-rate"), &["Other"]);
    // A name that is not ours (any more) is no riddle either.
    check(&mut *talk, &refused("funding-rate"), &["Other"]);
    check(&mut *talk, &refused("index-tickers"), &["Other"]);
    check(&mut *talk, &granted("ETH-USDT"), &["granted ethusdt@trade"]);
}

/// What the market reads, it can read of ours.
#[test]
fn payloads_are_events() {
    let streams = ["btcusdt@trade", "btcusdt@ticker", "btcusdt@depth5@100ms", "btcusdt@bookTicker"];
    let mut talk = talk(&streams);
    for (stream, name) in streams.iter().zip(["trades", "tickers", "books5", "bbo-tbt"]) {
        let mut count = 0;
        talk.decode(payload(name).as_bytes(), NOW, &mut |said| {
            let Said::Data { stream: told, payload } = said else { panic!("{said:?}") };
            assert_eq!(told, *stream);
            let event = decode::decode(stream, payload);
            assert!(event.is_some_and(|event| !matches!(event, Event::Document(_))), "{stream}");
            count += 1;
        });
        assert_eq!(count, 1);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let mut talk = talk(&["btcusdt@trade", "btcusdt@book", "btcusdt@kline_1m"]);
    let invalid = |invalid: Invalid| format!("invalid {invalid:?}");
    let (malformed, nameless, not_json) =
        (invalid(Invalid::Malformed), invalid(Invalid::NoStreamName), invalid(Invalid::NotJson));
    for text in ["", "ping pong", "{", r#"{"arg":{}} x"#, r#"{"data":[{]}"#] {
        check(&mut *talk, text, &[&not_json]);
    }
    for text in ["[]", "1", "{}", r#"{"event":"login"}"#, r#"{"event":"notice","code":"64009","msg":""}"#] {
        check(&mut *talk, text, &["Other"]);
    }
    for text in [r#"{"data":[]}"#, r#"{"arg":{"channel":"trades"},"data":[]}"#, r#"{"arg":1,"data":[]}"#] {
        check(&mut *talk, text, &[&nameless]);
    }
    for text in [r#"{"event":1}"#, r#"{"event":"error"}"#, r#"{"event":"subscribe"}"#] {
        check(&mut *talk, text, &[&malformed]);
    }
    assert_eq!(hear(&mut *talk, b"{\"event\":\"\xff\"}"), [invalid(Invalid::NotUtf8)]);
    let trade = payload("trades");
    for (right, wrong) in [
        ("\"buy\"", "\"BUY\""),
        ("\"42219.9\"", "\"4e4\""),
        ("\"42219.9\"", "42219.9"),
        ("\"130639474\"", "\"x1\""),
        ("\"1765211445000\"", "null"),
    ] {
        assert!(trade.contains(right));
        check(&mut *talk, &trade.replace(right, wrong), &[&malformed]);
    }
    check(&mut *talk, r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":{}}"#, &[&malformed]);
    check(&mut *talk, r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}"#, &["Other"]);
    let bar = payload("candle1m");
    check(&mut *talk, &bar.replace("\"0\"]", "\"2\"]"), &[&malformed]);
    check(&mut *talk, &bar.replace("\"524390.1122\",\"0\"", "\"0\""), &[&malformed]);
}

/// Of several rows a malformed one costs no other.
#[test]
fn rows_are_told_one_by_one() {
    let mut talk = talk(&["btcusdt@trade"]);
    let row = |id: &str| format!(r#"{{"tradeId":"{id}","px":"1","sz":"2","side":"buy","ts":"3"}}"#);
    let rows = format!(
        r#"{{"data":[{},{},{}],"arg":{{"instId":"BTC-USDT","channel":"trades"}}}}"#,
        row("7"),
        row("x"),
        row("8")
    );
    let heard = hear(&mut *talk, rows.as_bytes());
    assert_eq!(heard.len(), 3);
    assert!(heard[0].contains("\"t\":7") && heard[1].contains("\"t\":8") && heard[2] == "invalid Malformed");
}

const STREAMS: [&str; 8] = [
    "btcusdt@trade",
    "btcusdt@ticker",
    "btcusdt@depth5@100ms",
    "btcusdt@bookTicker",
    "btcusdt@book",
    "btcusdt@kline_1M",
    "btcusdt-swap@markPrice@1s",
    "btcusdt-swap@ticker",
];

fn samples() -> Vec<String> {
    let names = ["tickers", "trades", "books5", "bbo-tbt", "candle1m", "candle1Dutc"];
    let mut samples: Vec<String> = names.map(payload).into();
    samples.push(payload("candle1m").replace("candle1m", "candle1Mutc"));
    for fixture in [fixture!("public_session.jsonl"), fixture!("books_sync.jsonl"), fixture!("errors.jsonl")] {
        samples.extend(venue_texts(fixture));
    }
    samples
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(!hear(&mut *talk(&STREAMS), &bytes).is_empty());
    }

    /// A message with a piece cut out or written over is judged, and what is passed on is JSON.
    #[test]
    fn damage_is_judged(index in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "\\PC{0,6}", cut in 0..8usize) {
        let samples = samples();
        let sample: Vec<char> = index.get(&samples).chars().collect();
        let at = at.index(sample.len());
        let rest = &sample[(at + cut).min(sample.len())..];
        let text: String = sample[..at].iter().chain(&with.chars().collect::<Vec<_>>()).chain(rest).collect();
        for line in hear(&mut *talk(&STREAMS), text.as_bytes()) {
            if let Some((_, payload)) = line.split_once(" {")
                && STREAMS.iter().any(|stream| line.starts_with(stream))
            {
                let payload = format!("{{{payload}");
                prop_assert!(serde_json::from_str::<Value>(&payload).is_ok(), "{payload}");
            }
        }
    }

    /// Prices and sizes come out as they went in.
    #[test]
    fn numbers_keep_their_digits(price in "(0|[1-9][0-9]{0,30})\\.[0-9]{1,20}", size in "(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?") {
        let text = format!(r#"{{"arg":{{"channel":"trades","instId":"BTC-USDT"}},"data":[{{"tradeId":"1","px":"{price}","sz":"{size}","side":"buy","ts":"3"}}]}}"#);
        let expected = format!(r#"btcusdt@trade {{"e":"trade","E":3,"s":"BTCUSDT","t":1,"p":"{price}","q":"{size}","T":3,"m":false}}"#);
        prop_assert_eq!(hear(&mut *talk(&STREAMS), text.as_bytes()), [expected]);
    }
}
