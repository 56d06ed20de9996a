//! One connection to Deriv: requests, answers, ticks.
//!
//! A request for several symbols is answered for each of them: by its first tick, which brings the id of the
//! subscription, or by an error. Only with that id can a subscription be ended.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::super::field::{self, read};
use super::super::requests::Requests;
use super::super::{Conversation, Invalid, Ping, Said};
use super::symbol::Symbols;
use super::symbol_of;
use crate::venue::decimal::DECIMAL_DIGITS_MAX;
use crate::wire::json::{self, Object, Value, append};

const PING: &str = "{\"ping\":1}";

pub struct Talk {
    symbols: Arc<Symbols>,
    /// By the venue's spelling.
    held: HashMap<Box<str>, Held, RandomState>,
    requests: Requests,
    /// Requests of our own that wait for a message to answer.
    farewells: VecDeque<String>,
    payload: Vec<u8>,
}

struct Held {
    stream: Box<str>,
    /// What its ticks repeat; none where that is not known.
    request: Option<u64>,
    /// By which it is ended.
    subscription: Option<Box<str>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Wanted,
    /// To be ended as soon as its id is known.
    Unwanted,
    /// `forget` was sent.
    Leaving,
}

/// The members that tell what a message is; of several with one key the last counts.
struct Fields<'a> {
    kind: Option<Value<'a>>,
    id: Option<u64>,
    error: Option<Value<'a>>,
    tick: Option<Value<'a>>,
    subscription: Option<Value<'a>>,
    echo: Option<Value<'a>>,
}

/// Whom an error concerns.
enum Scope {
    /// One symbol of a request.
    Symbol,
    /// One symbol that we hold already.
    Held,
    Request,
    Connection,
}

impl Conversation for Talk {
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String {
        let mut symbols = Vec::with_capacity(streams.len());
        for stream in streams {
            let symbol = symbol_of(&self.symbols, stream);
            debug_assert!(symbol.is_some(), "{stream} has no lane here");
            let Some(symbol) = symbol else { continue };
            // A subscription whose end was asked for may still send; what it sends is as good.
            let held = Held { stream: (*stream).into(), request: Some(id), subscription: None, state: State::Wanted };
            self.held.insert(symbol.clone(), held);
            symbols.push(symbol);
        }
        self.requests.sent(id, &symbols.iter().map(|symbol| &**symbol).collect::<Vec<_>>());
        // Of letters, digits and underscores: there is nothing to escape.
        let list = match symbols.as_slice() {
            [symbol] => format!("\"{symbol}\""),
            symbols => format!("[\"{}\"]", symbols.join("\",\"")),
        };
        format!("{{\"ticks\":{list},\"subscribe\":1,\"req_id\":{id}}}")
    }

    /// A stream whose id is not known yet is ended when it comes; a ping brings the answer until then.
    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        let mut line = None;
        for stream in streams {
            let symbol = symbol_of(&self.symbols, stream);
            let Some(held) = symbol.and_then(|symbol| self.held.get_mut(&symbol)) else { continue };
            let Some(subscription) = &held.subscription else {
                held.state = State::Unwanted;
                continue;
            };
            held.state = State::Leaving;
            match line {
                None => line = Some(forget(subscription, Some(id))),
                Some(_) => self.farewells.push_back(forget(subscription, None)),
            }
        }
        line.unwrap_or_else(|| format!("{{\"ping\":1,\"req_id\":{id}}}"))
    }

    fn ping(&mut self) -> Ping {
        Ping::Text(PING.to_owned())
    }

    fn decode(&mut self, message: &[u8], _now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        let Ok(text) = json::utf8(message) else {
            return said(Said::Invalid(Invalid::NotUtf8));
        };
        let Some(object) = Object::open(text) else {
            let is_json = json::validate(message).is_ok();
            return said(if is_json { Said::Other } else { Said::Invalid(Invalid::NotJson) });
        };
        let Some(fields) = Fields::read(object) else {
            return said(Said::Invalid(Invalid::NotJson));
        };
        let understood = match (fields.error, fields.tick) {
            (Some(error), _) => self.error(error, &fields, said),
            (None, Some(tick)) => self.tick(tick, &fields, said),
            (None, None) => {
                self.answer(&fields, said);
                Ok(())
            }
        };
        if let Err(invalid) = understood {
            said(Said::Invalid(invalid));
        }
        for farewell in self.farewells.drain(..) {
            said(Said::Answer(&farewell));
        }
    }
}

impl Talk {
    pub fn new(symbols: Arc<Symbols>) -> Talk {
        Talk {
            symbols,
            held: HashMap::default(),
            requests: Requests::default(),
            farewells: VecDeque::new(),
            payload: Vec::new(),
        }
    }

    fn tick(&mut self, tick: Value<'_>, fields: &Fields<'_>, said: &mut dyn FnMut(Said<'_>)) -> Result<(), Invalid> {
        let keys = ["symbol", "underlying_symbol", "quote", "bid", "ask", "epoch", "pip_size", "id"];
        let [symbol, other_symbol, quote, bid, ask, epoch, pip_size, tick_id] =
            read(tick.text, keys).ok_or(Invalid::Malformed)?;
        let symbol = field::plain(symbol.or(other_symbol)).ok_or(Invalid::NoStreamName)?;
        let Some(held) = self.held.get_mut(symbol) else {
            // Of a stream that has just ended.
            said(Said::Other);
            return Ok(());
        };
        let is_of_request = fields.id.is_none() || held.request.is_none() || fields.id == held.request;
        if is_of_request {
            let id = fields.subscription.and_then(|subscription| read(subscription.text, ["id"]));
            let id = field::plain(id.and_then(|[id]| id)).or(field::plain(tick_id));
            if id.is_some_and(is_id) && held.subscription.as_deref() != id {
                held.subscription = id.map(Box::from);
            }
        }
        if self.requests.answered(fields.id, symbol) {
            said(Said::Granted { stream: &held.stream });
        }
        if held.state != State::Wanted {
            said(Said::Other);
            if let (State::Unwanted, Some(subscription)) = (held.state, &held.subscription) {
                held.state = State::Leaving;
                self.farewells.push_back(forget(subscription, None));
            }
        } else {
            let numbers = [("p", quote), ("b", bid), ("a", ask)];
            write(&mut self.payload, symbol, numbers, epoch, pip_size).ok_or(Invalid::Malformed)?;
            said(Said::Data { stream: &held.stream, payload: &self.payload });
        }
        self.settle(said);
        Ok(())
    }

    /// An answer that is no tick.
    fn answer(&mut self, fields: &Fields<'_>, said: &mut dyn FnMut(Said<'_>)) {
        let kind = field::plain(fields.kind);
        if kind == Some("forget") {
            let asked = fields.echo.and_then(|echo| read(echo.text, ["forget"]));
            if let Some(id) = field::plain(asked.and_then(|[id]| id)) {
                // One that is wanted again has forgotten this id.
                self.held.retain(|_, held| held.state == State::Wanted || held.subscription.as_deref() != Some(id));
            }
        }
        match (kind, fields.id) {
            // Without an id of ours it is not the answer to a request of the manager's.
            (Some("forget" | "ping"), Some(id)) => said(Said::Ack { id: Some(id) }),
            _ => said(Said::Other),
        }
    }

    fn error(&mut self, error: Value<'_>, fields: &Fields<'_>, said: &mut dyn FnMut(Said<'_>)) -> Result<(), Invalid> {
        let [name, message] = read(error.text, ["code", "message"]).ok_or(Invalid::Malformed)?;
        let name = name.and_then(|name| name.string()).ok_or(Invalid::Malformed)?;
        let message = message.and_then(|message| message.string()).unwrap_or_default();
        let text = format!("{name}: {message}");
        let (scope, code) = scope(&name);
        // Where the venue does not recognise a request, it does not repeat its kind.
        let is_of_ticks = field::plain(fields.kind) == Some("ticks") || self.requests.is_open(fields.id);
        match scope {
            Scope::Connection => said(Said::End { msg: &text }),
            Scope::Symbol | Scope::Held if is_of_ticks => {
                let is_held = matches!(scope, Scope::Held);
                match self.named(&message, fields.id, is_held) {
                    Some(symbol) => {
                        self.requests.answered(fields.id, &symbol);
                        self.judge(&symbol, is_held, &text, said);
                        self.settle(said);
                    }
                    None if self.requests.unnamed(fields.id, &text) => {
                        if !self.settle(said) {
                            said(Said::Other);
                        }
                    }
                    None => said(Said::Error { id: fields.id, code, msg: &text }),
                }
            }
            Scope::Request | Scope::Symbol | Scope::Held if is_of_ticks => {
                said(Said::Error { id: fields.id, code, msg: &text });
                for symbol in self.requests.failed(fields.id) {
                    self.drop_symbol(&symbol);
                }
            }
            // Answers to `forget` and `ping`: without an id nobody waits for them.
            _ if fields.id.is_none() => said(Said::Other),
            _ => said(Said::Error { id: fields.id, code, msg: &text }),
        }
        Ok(())
    }

    /// The symbol that a text names, if we wait for its answer.
    fn named(&self, message: &str, id: Option<u64>, is_held: bool) -> Option<Box<str>> {
        let is_of_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let mut words = message.split(|char| !is_of_word(char));
        let symbol = words.find_map(|word| self.held.get_key_value(word))?.0;
        (is_held || self.requests.is_waiting_in(id, symbol)).then(|| symbol.clone())
    }

    /// Errors that name nothing, once it is known whose they are. False if there are none.
    fn settle(&mut self, said: &mut dyn FnMut(Said<'_>)) -> bool {
        let mut any = false;
        while let Some(refused) = self.requests.take_refused() {
            for (symbol, text) in refused {
                let is_held = text.starts_with(ALREADY_SUBSCRIBED);
                self.judge(&symbol, is_held, &text, said);
                any = true;
            }
        }
        any
    }

    /// A symbol that the venue sends already is as good as granted; its ticks repeat an earlier request.
    fn judge(&mut self, symbol: &str, is_held: bool, text: &str, said: &mut dyn FnMut(Said<'_>)) {
        let Some(held) = self.held.get_mut(symbol) else {
            return said(Said::Other);
        };
        if is_held {
            held.request = None;
            return said(Said::Granted { stream: &held.stream });
        }
        said(Said::Refused { stream: &held.stream, msg: text });
        self.drop_symbol(symbol);
    }

    fn drop_symbol(&mut self, symbol: &str) {
        if !self.requests.is_waiting(symbol) {
            self.held.remove(symbol);
        }
    }
}

impl<'a> Fields<'a> {
    /// `None` if the message is not whole.
    fn read(mut object: Object<'a>) -> Option<Fields<'a>> {
        let mut fields = Fields { kind: None, id: None, error: None, tick: None, subscription: None, echo: None };
        while let Some(member) = object.next().ok()? {
            let field = match &*member.key() {
                "msg_type" => &mut fields.kind,
                "error" => &mut fields.error,
                "tick" => &mut fields.tick,
                "subscription" => &mut fields.subscription,
                "echo_req" => &mut fields.echo,
                "req_id" => {
                    fields.id = member.value.text.parse().ok();
                    continue;
                }
                _ => continue,
            };
            *field = Some(member.value);
        }
        Some(fields)
    }
}

const ALREADY_SUBSCRIBED: &str = "AlreadySubscribed";

/// Whom an error concerns, and a number for it: where HTTP has one that says the same, that, else zero.
fn scope(name: &str) -> (Scope, i64) {
    match name {
        "InvalidAppID" | "InvalidToken" => (Scope::Connection, 401),
        ALREADY_SUBSCRIBED => (Scope::Held, 409),
        "InvalidSymbol" => (Scope::Symbol, 404),
        "MarketIsClosed" => (Scope::Symbol, 0),
        "RateLimit" => (Scope::Request, 429),
        "InputValidationFailed" | "UnrecognisedRequest" => (Scope::Request, 400),
        "AuthorizationRequired" => (Scope::Request, 401),
        "WrongResponse" => (Scope::Request, 500),
        _ => (Scope::Request, 0),
    }
}

fn forget(subscription: &str, id: Option<u64>) -> String {
    match id {
        Some(id) => format!("{{\"forget\":\"{subscription}\",\"req_id\":{id}}}"),
        None => format!("{{\"forget\":\"{subscription}\"}}"),
    }
}

/// `^[\w-]{32,128}$`, as the venue checks it. It goes into requests, so nothing else may stand there.
fn is_id(text: &str) -> bool {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (32..=128).contains(&text.len()) && text.bytes().all(is_of_id)
}

/// `{"e":"tick","E":ms,"s":"R_100","p":"1558.59","b":"1558.47","a":"1558.71","d":2}`
fn write(
    out: &mut Vec<u8>,
    symbol: &str,
    numbers: [(&str, Option<Value<'_>>); 3],
    epoch: Option<Value<'_>>,
    pip_size: Option<Value<'_>>,
) -> Option<()> {
    let time_ms = field::integer(epoch)?.checked_mul(1000).filter(|time_ms| *time_ms >= 0)?;
    let pip_size = usize::try_from(field::integer(pip_size)?).ok().filter(|digits| *digits <= DECIMAL_DIGITS_MAX)?;
    out.clear();
    append(out, format_args!("{{\"e\":\"tick\",\"E\":{time_ms},\"s\":\"{symbol}\""));
    for (key, number) in numbers {
        append(out, format_args!(",\"{key}\":\"{}\"", field::number(number)?));
    }
    append(out, format_args!(",\"d\":{pip_size}}}"));
    Some(())
}
