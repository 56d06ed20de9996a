//! What a session answers, packet by packet and moment by moment.

use proptest::collection::vec;
use proptest::prelude::*;

use super::output::{End, Output, Outputs};
use super::packet::{Broken, Event};
use super::reply;
use super::session::{KeyRule, Session, Timing};
use super::sid::Sid;
use super::url::{Refusal, Request, Transport};
use crate::limits::ATTACHMENTS_MAX;
use crate::wire::close::CloseReason;

const TIMING: Timing = Timing {
    ping_interval_ms: 25_000,
    ping_timeout_ms: 20_000,
    connect_timeout_ms: 45_000,
    upgrade_timeout_ms: 10_000,
};

const PING: Output<'static> = Output::Send(std::borrow::Cow::Borrowed("2"));

fn open(transport: Transport) -> Session {
    Session::open(transport, KeyRule::Optional, 0, &TIMING)
}

/// A session whose client is in.
fn joined(transport: Transport) -> Session {
    let mut session = open(transport);
    check(&mut session, "40", &[Output::Connect { api_key: None }]);
    assert_eq!(session.accept("S").as_deref(), Some(r#"40{"sid":"S"}"#));
    session
}

fn check(session: &mut Session, text: &str, expected: &[Output<'_>]) {
    assert_eq!(session.text(text, 0, &TIMING).as_slice(), expected, "{text}");
}

fn check_ends(transport: Transport, text: &str, end: End) {
    let mut session = joined(transport);
    check(&mut session, text, &[Output::Close(end)]);
    assert!(session.is_closed() && session.due_ms() == u64::MAX);
    check(&mut session, "42[\"a\"]", &[]);
}

fn event(args: &str) -> Output<'_> {
    Output::Event(Event { ack: None, name: "a".into(), args })
}

/// Proves the measured table: these are answered by nothing, and the session goes on.
#[test]
fn what_means_nothing_does_nothing() {
    for text in ["3", "3probe", "0", "5", "6", "43[]", "431[]"] {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let mut session = joined(transport);
            check(&mut session, text, &[]);
            check(&mut session, "42[\"a\"]", &[event("[\"a\"]")]);
        }
    }
    let mut session = joined(Transport::WebSocket);
    check(&mut session, "1", &[]);
    check(&mut session, "42[\"a\"]", &[event("[\"a\"]")]);
}

/// Proves the measured table: these close.
#[test]
fn what_breaks_the_protocol_closes() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        check_ends(transport, "2", End::ClientPing);
        check_ends(transport, "2probe", End::ClientPing);
        check_ends(transport, "9", Broken::EngineType.into());
        check_ends(transport, "", Broken::EngineType.into());
        check_ends(transport, "4", Broken::PacketType.into());
        check_ends(transport, "48", Broken::PacketType.into());
        check_ends(transport, "42[]", Broken::Data.into());
        check_ends(transport, "42{}", Broken::Data.into());
        check_ends(transport, "42[\"connect\"]", Broken::Reserved.into());
        check_ends(transport, "40", End::Namespace);
        check_ends(transport, "44{}", End::Namespace);
        check_ends(transport, "42/x,[\"a\"]", End::Namespace);
        check_ends(transport, "41/x,", End::Namespace);
        check_ends(transport, "bAQID", End::Attachments);
    }
    check_ends(Transport::Polling, "1", End::Client);
    let mut session = joined(Transport::WebSocket);
    assert_eq!(session.binary().as_slice(), [Output::Close(End::Attachments)]);
}

#[test]
fn nothing_but_connect_comes_before_the_answer_to_it() {
    for text in ["42[\"a\"]", "41", "43[]", "451-[\"a\"]"] {
        check(&mut open(Transport::WebSocket), text, &[Output::Close(End::Namespace)]);
        let mut asked = open(Transport::WebSocket);
        check(&mut asked, "40", &[Output::Connect { api_key: None }]);
        check(&mut asked, text, &[Output::Close(End::Namespace)]);
        assert_eq!((asked.accept("S"), asked.refuse()), (None, None), "the answer comes too late");
    }
    let mut asked = open(Transport::WebSocket);
    check(&mut asked, "40", &[Output::Connect { api_key: None }]);
    check(&mut asked, "40", &[Output::Close(End::Namespace)]);
}

#[test]
fn a_refused_client_may_ask_again() {
    let mut session = open(Transport::WebSocket);
    let asks = |key: &'static str| [Output::Connect { api_key: Some(key.into()) }];
    check(&mut session, "40{\"api-key\":\"bad\"}", &asks("bad"));
    assert_eq!(session.refuse(), Some(reply::UNAUTHORIZED));
    assert_eq!(session.refuse(), None);
    check(&mut session, "40{\"api-key\":\"bad\",\"api-key\":\"good\"}", &asks("good"));
    assert!(session.accept("S").is_some() && session.is_joined());
    check(&mut session, "41", &[Output::Leave]);
    assert!(!session.is_joined());
    check(&mut session, "40{\"api-key\":7}", &asks("7"));
}

#[test]
fn a_key_that_is_required_is_asked_for() {
    let mut session = Session::open(Transport::WebSocket, KeyRule::Required, 0, &TIMING);
    for text in ["40", "40{}", r#"40{"api-key":""}"#, r#"40{"api-key":null}"#, r#"40{"key":"k"}"#] {
        check(&mut session, text, &[Output::Send(reply::UNAUTHORIZED.into())]);
        assert_eq!(session.accept("S"), None);
    }
    check(&mut session, r#"40{"api-key":"\u006b"}"#, &[Output::Connect { api_key: Some("k".into()) }]);
}

#[test]
fn other_namespaces_do_not_exist() {
    let mut session = open(Transport::WebSocket);
    let answer = Output::Send(r#"44/x,{"message":"Invalid namespace"}"#.into());
    check(&mut session, "40/x,{\"api-key\":\"k\"}", std::slice::from_ref(&answer));
    check(&mut session, "40", &[Output::Connect { api_key: None }]);
    check(&mut session, "40/x", &[answer]);
}

#[test]
fn attachments_are_counted_and_then_answered() {
    let mut session = joined(Transport::WebSocket);
    check(&mut session, "452-3[\"a\",{\"_placeholder\":true,\"num\":0}]", &[]);
    assert!(session.binary().is_empty());
    assert_eq!(session.binary().as_slice(), [Output::Binary { ack: Some("3".into()) }]);
    check(&mut session, "461-3[]", &[]);
    check(&mut session, "bAQID", &[]);
    check(&mut session, "450-[\"a\"]", &[event("[\"a\"]")]);
    check(&mut session, "451-[\"a\"]", &[]);
    check(&mut session, "3", &[]);
    check(&mut session, "42[\"a\"]", &[Output::Close(End::Attachments)]);
    check_ends(Transport::WebSocket, &format!("45{}-[\"a\"]", ATTACHMENTS_MAX + 1), Broken::Attachments.into());
}

fn pass(session: &mut Session, now_ms: u64, expected: &[Output<'_>]) {
    if !expected.is_empty() {
        assert_eq!(session.due_ms(), now_ms);
        assert!(session.poll(now_ms - 1, &TIMING).is_empty(), "nothing is due before {now_ms}");
    }
    assert_eq!(session.poll(now_ms, &TIMING).as_slice(), expected, "at {now_ms}");
}

#[test]
fn pings_are_answered_or_the_session_ends() {
    let mut session = joined(Transport::WebSocket);
    pass(&mut session, 25_000, &[PING]);
    assert!(session.text("3", 25_020, &TIMING).is_empty());
    assert!(session.text("3", 40_000, &TIMING).is_empty(), "a pong without a ping moves nothing");
    pass(&mut session, 50_020, &[PING]);
    pass(&mut session, 70_020, &[Output::Close(End::PongTimeout)]);
    pass(&mut session, 90_000, &[]);
    assert_eq!(End::PongTimeout.reason(), CloseReason::PongTimeout);
}

/// Proves that a sweep which comes late does not count its delay against the client.
#[test]
fn a_late_sweep_gives_the_client_its_time() {
    let mut session = joined(Transport::WebSocket);
    assert_eq!(session.poll(60_000, &TIMING).as_slice(), [PING]);
    pass(&mut session, 80_000, &[Output::Close(End::PongTimeout)]);
}

#[test]
fn a_client_that_stays_outside_is_closed() {
    let mut session = open(Transport::Polling);
    pass(&mut session, 25_000, &[PING]);
    assert!(session.text("3", 26_000, &TIMING).is_empty());
    pass(&mut session, 45_000, &[Output::Close(End::ConnectTimeout)]);
    let mut left = joined(Transport::Polling);
    check(&mut left, "41", &[Output::Leave]);
    assert_eq!(left.due_ms(), 25_000, "who was in once may stay outside");
}

#[test]
fn an_upgrade_moves_the_session() {
    let mut session = joined(Transport::Polling);
    assert!(session.poll_started().is_empty());
    assert!(session.probe_opened(0, &TIMING).is_empty());
    assert_eq!(session.probe("2probe").as_slice(), [Output::Reply("3probe"), Output::ReleasePoll]);
    session.poll_ended();
    // A poll that was under way is released as well, so that the client can stop.
    assert_eq!(session.poll_started().as_slice(), [Output::ReleasePoll]);
    session.poll_ended();
    check(&mut session, "42[\"a\"]", &[event("[\"a\"]")]);
    assert_eq!(session.transport(), Transport::Polling);
    assert_eq!(session.probe("5").as_slice(), [Output::Upgraded]);
    assert_eq!(session.transport(), Transport::WebSocket);
    check(&mut session, "42[\"a\"]", &[event("[\"a\"]")]);
    pass(&mut session, 25_000, &[PING]);
}

#[test]
fn a_poll_that_waits_at_the_upgrade_is_released() {
    let mut session = joined(Transport::Polling);
    assert!(session.probe_opened(0, &TIMING).is_empty());
    assert!(session.poll_started().is_empty());
    assert_eq!(session.probe("5").as_slice(), [Output::Upgraded, Output::ReleasePoll]);
}

#[test]
fn a_failed_probe_leaves_the_session() {
    for text in ["2", "2probes", "40", "9", "", "42[\"a\"]"] {
        let mut session = joined(Transport::Polling);
        assert!(session.probe_opened(0, &TIMING).is_empty());
        assert_eq!(session.probe(text).as_slice(), [Output::CloseProbe], "{text}");
        assert!(session.probe("2probe").is_empty());
        check(&mut session, "42[\"a\"]", &[event("[\"a\"]")]);
        assert!(session.probe_opened(0, &TIMING).is_empty(), "it may try again");
        assert_eq!(session.probe_binary().as_slice(), [Output::CloseProbe]);
    }
    let mut session = joined(Transport::Polling);
    assert!(session.probe_opened(0, &TIMING).is_empty());
    assert_eq!(session.probe_opened(0, &TIMING).as_slice(), [Output::CloseProbe]);
    pass(&mut session, 10_000, &[Output::CloseProbe]);
    assert!(session.probe_opened(10_000, &TIMING).is_empty());
    assert_eq!(session.transport_closed().as_slice(), [Output::CloseProbe, Output::Close(End::Client)]);
}

#[test]
fn requests_fit_the_state() {
    let sid = Sid::new(0, [0; 16]);
    let check = |session: &Session, poll, upgrade| {
        assert_eq!(session.admit(&Request::Poll(sid)), poll);
        assert_eq!(session.admit(&Request::Post(sid)), poll);
        assert_eq!(session.admit(&Request::Upgrade(sid)), upgrade);
    };
    let mut session = joined(Transport::Polling);
    check(&session, Ok(()), Ok(()));
    assert!(session.probe_opened(0, &TIMING).is_empty());
    check(&session, Ok(()), Err(Refusal::BadRequest));
    assert_eq!(session.probe("5").as_slice(), [Output::Upgraded]);
    check(&session, Err(Refusal::BadRequest), Err(Refusal::BadRequest));
    let _ = session.transport_closed();
    check(&session, Err(Refusal::UnknownSid), Err(Refusal::UnknownSid));
}

#[test]
fn two_of_a_kind_at_once_close() {
    let mut session = joined(Transport::Polling);
    assert!(session.poll_started().is_empty() && session.post_started().is_empty());
    session.poll_ended();
    assert!(session.poll_started().is_empty());
    assert_eq!(session.poll_started().as_slice(), [Output::Close(End::Overlap)]);
    let mut session = joined(Transport::Polling);
    assert!(session.post_started().is_empty());
    session.post_ended();
    assert!(session.post_started().is_empty());
    assert_eq!(session.post_started().as_slice(), [Output::Close(End::Overlap)]);
}

#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Binary,
    ProbeOpened,
    Probe(String),
    ProbeClosed,
    Poll(bool),
    Post(bool),
    Accept,
    Refuse,
    Time(u64),
    Gone,
}

fn step() -> impl Strategy<Value = Step> {
    let known = prop::sample::select(vec![
        "40",
        "40{\"api-key\":\"k\"}",
        "41",
        "42[\"a\"]",
        "421[\"a\"]",
        "451-[\"a\"]",
        "43[]",
        "3",
        "2",
        "1",
        "bAQID",
        "2probe",
        "5",
        "40/x,",
    ]);
    let text = prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[0-9b]{0,2}\\PC{0,10}"];
    prop_oneof![
        6 => text.clone().prop_map(Step::Text),
        1 => Just(Step::Binary),
        2 => Just(Step::ProbeOpened),
        3 => text.prop_map(Step::Probe),
        1 => Just(Step::ProbeClosed),
        2 => any::<bool>().prop_map(Step::Poll),
        2 => any::<bool>().prop_map(Step::Post),
        4 => Just(Step::Accept),
        1 => Just(Step::Refuse),
        3 => (0u64..30_000).prop_map(Step::Time),
        1 => Just(Step::Gone),
    ]
}

proptest! {
    /// Nothing panics, nothing is said after the end, events come from inside only, and time never stands still.
    #[test]
    fn any_steps_keep_the_rules(steps in vec(step(), 0..60), polling: bool) {
        let transport = if polling { Transport::Polling } else { Transport::WebSocket };
        let mut session = open(transport);
        let (mut now_ms, mut is_over) = (0, false);
        for step in &steps {
            let was_joined = session.is_joined();
            let outputs: Outputs<'_> = match step {
                Step::Text(text) => session.text(text, now_ms, &TIMING),
                Step::Binary => session.binary(),
                Step::ProbeOpened => session.probe_opened(now_ms, &TIMING),
                Step::Probe(text) => session.probe(text),
                Step::ProbeClosed => { session.probe_closed(); Outputs::new() }
                Step::Poll(true) => session.poll_started(),
                Step::Poll(false) => { session.poll_ended(); Outputs::new() }
                Step::Post(true) => session.post_started(),
                Step::Post(false) => { session.post_ended(); Outputs::new() }
                Step::Accept => { prop_assert!(session.accept("S").is_none() || !is_over); Outputs::new() }
                Step::Refuse => { prop_assert!(session.refuse().is_none() || !is_over); Outputs::new() }
                Step::Time(ms) => { now_ms += ms; session.poll(now_ms, &TIMING) }
                Step::Gone => session.transport_closed(),
            };
            for output in &outputs {
                // A socket that comes too late is still told to go.
                prop_assert!(!is_over || *output == Output::CloseProbe, "{output:?} after the end");
                let from_inside = matches!(output, Output::Event(_) | Output::Binary { .. } | Output::Leave);
                prop_assert!(was_joined || !from_inside);
                is_over |= matches!(output, Output::Close(_));
            }
            prop_assert_eq!(is_over, session.is_closed());
            prop_assert!(!matches!(step, Step::Time(_)) || session.due_ms() > now_ms);
        }
    }
}
