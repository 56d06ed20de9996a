//! Whatever a Socket.IO client sends, a session says what to do about it, and no answer is broken JSON.

use relay::wire::socketio::event::{self, Asked};
use relay::wire::socketio::output::{Output, Outputs};
use relay::wire::socketio::session::{KeyRule, Session, Timing};
use relay::wire::socketio::url::Transport;
use relay::wire::socketio::{payload, reply};

use super::input::{as_json, mutate, spell};

#[rustfmt::skip] // A list.
const WORDS: &[&str] = &[
    "4", "40", "42", "45", "\u{1e}", "\u{1e}42", "\u{1e}40", "0", "07", "1-", "/", "/x,", ",", " ", "[", "]", "{", "}",
    "\"", ":", "\"fiat/allListen\"", "\"crypto/onlyAck\"", "{\"base\":\"usd\",\"symbol\":1}", "\"base\"", "\"\\ud800\"",
    "7", "null", "\"connect\"", "b", "AQID", "bAQID\u{1e}", "2probe", "3", "5", "1",
];

fn check(body: &[u8]) {
    let timing = Timing::default();
    let mut session = Session::open(Transport::Polling, KeyRule::Optional, 0, &timing);
    apply(session.text("40", 0, &timing));
    assert!(session.accept("S").is_some());
    let Ok(packets) = payload::split(body) else { return };
    for packet in packets {
        apply(session.text(packet, 0, &timing));
    }
}

fn apply(outputs: Outputs<'_>) {
    for output in outputs {
        let Output::Event(event) = output else { continue };
        let mut out = Vec::new();
        match (event::read(&event), event.ack) {
            (Asked::Bad(problem), Some(ack)) => reply::ack_error(ack, problem, &mut out),
            (Asked::Bad(problem), None) => reply::error(&event.name, problem, &mut out),
            (Asked::Wish(wish), Some(ack)) => {
                let row = reply::Row { base: &wish.base, name: "X", price: "1", time_ms: 0, is_computed: true };
                let mut rows = Vec::new();
                reply::write_row(wish.class, &row, &mut rows);
                reply::ack(ack, &rows, &mut out);
            }
            (Asked::Nothing, ack) => reply::ack_nothing(ack.unwrap(), &mut out),
            (Asked::Unknown | Asked::Wish(_), _) => continue,
        }
        let json = out.iter().position(|byte| *byte == b'[').unwrap();
        assert!(as_json(&out[json..]).is_array());
    }
}

/// Words of the protocol in any order.
#[test]
fn fuzz_socketio_words() {
    bolero::check!().with_max_len(60).for_each(|input: &[u8]| check(spell(input, WORDS).as_bytes()));
}

/// Real requests with some damage.
#[test]
fn fuzz_socketio_damage() {
    let samples = [
        "42[\"fiat/allListen\",{\"base\":\"USD\"}]\u{1e}420[\"fiat/allAck\",{\"base\":\"USD\"}]",
        "421[\"crypto/onlyAck\",{\"base\":\"USD\",\"symbol\":\"BTC\"}]\u{1e}3\u{1e}41",
        "452-7[\"a\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID\u{1e}bBAUG\u{1e}42/,[7]",
    ];
    let samples = samples.map(|sample| sample.as_bytes().to_vec());
    bolero::check!().with_max_len(33).for_each(|input: &[u8]| check(&mutate(input, &samples)));
}
