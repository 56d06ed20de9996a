//! One connection to OKX: requests, answers, pushes.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::super::field;
use super::super::requests::Requests;
use super::super::{Conversation, Invalid, Ping, Said};
use super::book::{Chain, Change, Step};
use super::find;
use super::instrument::{Instrument, Instruments};
use super::payload::{Encoder, Funding, Written};
use super::stream::Kind;
use crate::wire::json::{self, Array, Object, Value, append};

/// The connection is about to be closed for an upgrade.
const CODE_UPGRADE: &str = "64008";

pub struct Talk {
    instruments: Arc<Instruments>,
    /// By channel and instrument, as [`write_key`] joins them.
    arguments: HashMap<Box<str>, Argument, RandomState>,
    requests: Requests,
    key: String,
    payload: Vec<u8>,
}

/// What we have asked for: a channel of an instrument.
struct Argument {
    stream: Box<str>,
    kind: Kind,
    instrument: Arc<Instrument>,
    /// False from when its end was asked for.
    wanted: bool,
    chain: Chain,
    funding: Option<Funding>,
}

/// The members that tell what a message is; of several with one key the last counts.
#[derive(Default)]
struct Fields<'a> {
    event: Option<Value<'a>>,
    arg: Option<Value<'a>>,
    action: Option<Value<'a>>,
    data: Option<Value<'a>>,
    id: Option<Value<'a>>,
    code: Option<Value<'a>>,
    msg: Option<Value<'a>>,
}

impl Conversation for Talk {
    fn subscribe(&mut self, streams: &[&str], id: u64) -> String {
        self.request("subscribe", streams, id)
    }

    fn unsubscribe(&mut self, streams: &[&str], id: u64) -> String {
        self.request("unsubscribe", streams, id)
    }

    fn ping(&mut self) -> Ping {
        Ping::Text("ping".to_owned())
    }

    fn decode(&mut self, message: &[u8], now_ms: u64, said: &mut dyn FnMut(Said<'_>)) {
        let Ok(text) = json::utf8(message) else {
            return said(Said::Invalid(Invalid::NotUtf8));
        };
        if text == "pong" {
            return said(Said::Other);
        }
        let Some(object) = Object::open(text) else {
            let is_json = json::validate(message).is_ok();
            return said(if is_json { Said::Other } else { Said::Invalid(Invalid::NotJson) });
        };
        let Some(fields) = Fields::read(object) else {
            return said(Said::Invalid(Invalid::NotJson));
        };
        let understood = match (fields.event, fields.data) {
            (Some(event), _) => self.answer(event, &fields, said),
            (None, Some(data)) => self.push(data, &fields, now_ms, said),
            (None, None) => {
                said(Said::Other);
                Ok(())
            }
        };
        if let Err(invalid) = understood {
            said(Said::Invalid(invalid));
        }
    }
}

impl Talk {
    pub fn new(instruments: Arc<Instruments>) -> Talk {
        Talk {
            instruments,
            arguments: HashMap::default(),
            requests: Requests::default(),
            key: String::new(),
            payload: Vec::new(),
        }
    }

    /// `{"id":"7","op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}`
    fn request(&mut self, op: &str, streams: &[&str], id: u64) -> String {
        let mut out = format!("{{\"id\":\"{id}\",\"op\":\"{op}\",\"args\":[").into_bytes();
        let mut comma = "";
        for stream in streams {
            let found = find(&self.instruments, stream);
            debug_assert!(found.is_some(), "{stream} has no lane here");
            let Some((kind, instrument)) = found else { continue };
            let has_funding = kind == Kind::MarkPrice && instrument.id.ends_with("-SWAP");
            for kind in [Some(kind), has_funding.then_some(Kind::Funding)].into_iter().flatten() {
                append(
                    &mut out,
                    format_args!("{comma}{{\"channel\":\"{}\",\"instId\":\"{}\"}}", kind.channel(), instrument.id),
                );
                comma = ",";
                self.note(op == "subscribe", stream, kind, &instrument);
            }
        }
        self.requests.sent(id, streams);
        out.extend_from_slice(b"]}");
        String::from_utf8(out).expect("it is made of text")
    }

    /// What was held before keeps its place in its chain: messages of that time may still come.
    fn note(&mut self, wanted: bool, stream: &str, kind: Kind, instrument: &Arc<Instrument>) {
        write_key(&mut self.key, kind.channel(), &instrument.id);
        if let Some(argument) = self.arguments.get_mut(self.key.as_str()) {
            argument.wanted = wanted;
        } else if wanted {
            let (stream, instrument) = (stream.into(), instrument.clone());
            let argument = Argument { stream, kind, instrument, wanted, chain: Chain::default(), funding: None };
            self.arguments.insert(self.key.as_str().into(), argument);
        }
    }

    fn answer(&mut self, event: Value<'_>, fields: &Fields<'_>, said: &mut dyn FnMut(Said<'_>)) -> Result<(), Invalid> {
        let event = event.string().ok_or(Invalid::Malformed)?;
        match &*event {
            "subscribe" => self.granted(true, fields, said),
            "unsubscribe" => self.granted(false, fields, said),
            "error" => self.error(fields, said),
            "notice" => {
                let is_upgrade = fields.code.and_then(|code| code.string()).is_some_and(|code| code == CODE_UPGRADE);
                said(if is_upgrade { Said::Shutdown } else { Said::Other });
                Ok(())
            }
            // What is told about other connections of ours, and what is not known yet.
            _ => {
                said(Said::Other);
                Ok(())
            }
        }
    }

    fn granted(&mut self, begins: bool, fields: &Fields<'_>, said: &mut dyn FnMut(Said<'_>)) -> Result<(), Invalid> {
        read_key(fields.arg.ok_or(Invalid::Malformed)?, &mut self.key).ok_or(Invalid::Malformed)?;
        let Some(argument) = self.arguments.get_mut(self.key.as_str()) else {
            said(Said::Other);
            return Ok(());
        };
        if begins {
            argument.chain.begin();
        }
        if argument.kind == Kind::Funding {
            said(Said::Other);
        } else {
            self.requests.answered(fields.id(), &argument.stream);
            said(Said::Granted { stream: &argument.stream });
        }
        if !begins && !argument.wanted {
            self.arguments.remove(self.key.as_str());
        }
        self.settle(said);
        Ok(())
    }

    fn error(&mut self, fields: &Fields<'_>, said: &mut dyn FnMut(Said<'_>)) -> Result<(), Invalid> {
        let id = fields.id();
        let msg = fields.msg.and_then(|msg| msg.string()).ok_or(Invalid::Malformed)?;
        // It is a string there; a number does no harm.
        let code = field::integer(fields.code).ok_or(Invalid::Malformed)?;
        let is_named = self.name(&msg);
        if is_named && let Some(argument) = self.arguments.get(self.key.as_str()) {
            if argument.kind == Kind::Funding {
                said(Said::Other);
                self.arguments.remove(self.key.as_str());
                return Ok(());
            }
            let stream = argument.stream.clone();
            self.requests.answered(id, &stream);
            said(Said::Refused { stream: &stream, msg: &msg });
            if !self.requests.is_waiting(&stream) {
                self.drop_stream(&stream);
            }
            self.settle(said);
            return Ok(());
        }
        if is_named && is_about_one(code) {
            // Of what was let go meanwhile: it is not one of those that wait.
            said(Said::Other);
            return Ok(());
        }
        if is_about_one(code) && self.requests.unnamed(id, &msg) {
            if !self.settle(said) {
                said(Said::Other);
            }
            return Ok(());
        }
        said(Said::Error { id, code, msg: &msg });
        for stream in self.requests.failed(id) {
            self.drop_stream(&stream);
        }
        Ok(())
    }

    /// Refuses what is known by now to be refused. False if that is nothing.
    fn settle(&mut self, said: &mut dyn FnMut(Said<'_>)) -> bool {
        let mut any = false;
        while let Some(refused) = self.requests.take_refused() {
            for (stream, msg) in refused {
                any = true;
                said(Said::Refused { stream: &stream, msg: &msg });
                self.drop_stream(&stream);
            }
        }
        any
    }

    /// A stream whose subscription was refused. Where its end was refused, it goes on. Its funding has an answer of its
    /// own, which is to find it.
    fn drop_stream(&mut self, stream: &str) {
        let is_kept = |argument: &Argument| !argument.wanted || argument.kind == Kind::Funding;
        self.arguments.retain(|_, argument| *argument.stream != *stream || is_kept(argument));
    }

    /// True if a text names a channel of an instrument, which is the key then.
    fn name(&mut self, msg: &str) -> bool {
        let part = |label: &str| {
            let (_, rest) = msg.split_once(label)?;
            let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '-').unwrap_or(rest.len());
            Some(&rest[..end])
        };
        let (Some(channel), Some(instrument)) = (part("channel:"), part("instId:")) else { return false };
        write_key(&mut self.key, channel, instrument);
        true
    }

    fn push(
        &mut self,
        data: Value<'_>,
        fields: &Fields<'_>,
        now_ms: u64,
        said: &mut dyn FnMut(Said<'_>),
    ) -> Result<(), Invalid> {
        read_key(fields.arg.ok_or(Invalid::NoStreamName)?, &mut self.key).ok_or(Invalid::NoStreamName)?;
        let Some(argument) = self.arguments.get_mut(self.key.as_str()) else {
            // Of a stream that has just ended.
            said(Said::Other);
            return Ok(());
        };
        let mut rows = Array::open(data.text).ok_or(Invalid::Malformed)?;
        let mut funding = None;
        let mut any = false;
        let mut result = Ok(());
        while let Some(row) = rows.next().map_err(|_| Invalid::Malformed)? {
            any = true;
            let read = match argument.kind {
                Kind::Funding => Funding::read(row.text).map(|row| funding = Some(row)).ok_or(Invalid::Malformed),
                Kind::Book => argument.book(row.text, fields.action, &mut self.payload, said),
                _ => argument.row(row.text, now_ms, &mut self.payload, said),
            };
            // The other rows count all the same.
            result = result.and(read);
        }
        if let Some(funding) = funding {
            let instrument = argument.instrument.clone();
            write_key(&mut self.key, Kind::MarkPrice.channel(), &instrument.id);
            if let Some(argument) = self.arguments.get_mut(self.key.as_str()) {
                argument.funding = Some(funding);
            }
            any = false;
        }
        if !any {
            said(Said::Other);
        }
        result
    }
}

impl Argument {
    fn row(
        &self,
        row: &str,
        now_ms: u64,
        payload: &mut Vec<u8>,
        said: &mut dyn FnMut(Said<'_>),
    ) -> Result<(), Invalid> {
        payload.clear();
        let mut encoder = Encoder { out: payload, instrument: &self.instrument };
        let written = match self.kind {
            Kind::Trade => encoder.trade(row),
            Kind::Ticker => encoder.ticker(row),
            Kind::Depth => encoder.depth(row),
            Kind::Top => encoder.top(row),
            Kind::MarkPrice => encoder.mark_price(row, self.funding.as_ref()),
            Kind::Kline(bar) => encoder.kline(row, bar, i64::try_from(now_ms).unwrap_or(i64::MAX)),
            Kind::Book | Kind::Funding => Some(Written::Nothing),
        };
        match written {
            Some(Written::Payload) => said(Said::Data { stream: &self.stream, payload }),
            Some(Written::Nothing) => said(Said::Other),
            None => return Err(Invalid::Malformed),
        }
        Ok(())
    }

    fn book(
        &mut self,
        row: &str,
        action: Option<Value<'_>>,
        payload: &mut Vec<u8>,
        said: &mut dyn FnMut(Said<'_>),
    ) -> Result<(), Invalid> {
        let is_snapshot = field::plain(action) == Some("snapshot");
        match self.step(row, action, payload) {
            Some(Step::Next) => said(Said::Data { stream: &self.stream, payload }),
            Some(Step::Broken) => said(Said::Broken { stream: &self.stream }),
            Some(Step::Unchanged | Step::Useless) => said(Said::Other),
            None => {
                if self.chain.fail(is_snapshot) {
                    said(Said::Broken { stream: &self.stream });
                }
                return Err(Invalid::Malformed);
            }
        }
        Ok(())
    }

    /// `None` if the row is malformed, be it in a level.
    fn step(&mut self, row: &str, action: Option<Value<'_>>, payload: &mut Vec<u8>) -> Option<Step> {
        let (change, time_ms) = read_change(row, action)?;
        payload.clear();
        let mut encoder = Encoder { out: payload, instrument: &self.instrument };
        encoder.book(&change, time_ms)?;
        self.chain.take(&change)
    }
}

impl<'a> Fields<'a> {
    /// `None` if the message is not whole.
    fn read(mut object: Object<'a>) -> Option<Fields<'a>> {
        let mut fields = Fields::default();
        while let Some(member) = object.next().ok()? {
            let field = match &*member.key() {
                "event" => &mut fields.event,
                "arg" => &mut fields.arg,
                "action" => &mut fields.action,
                "data" => &mut fields.data,
                "id" => &mut fields.id,
                "code" => &mut fields.code,
                "msg" => &mut fields.msg,
                _ => continue,
            };
            *field = Some(member.value);
        }
        Some(fields)
    }

    /// Ours are numbers.
    fn id(&self) -> Option<u64> {
        field::plain(self.id)?.parse().ok()
    }
}

fn read_change<'a>(row: &'a str, action: Option<Value<'a>>) -> Option<(Change<'a>, i64)> {
    let is_snapshot = match field::plain(action)? {
        "snapshot" => true,
        "update" => false,
        _ => return None,
    };
    let keys = ["asks", "bids", "ts", "checksum", "prevSeqId", "seqId"];
    let [asks, bids, time, checksum, previous, id] = field::read(row, keys)?;
    let checksum = checksum.map_or(Some(0), |checksum| field::integer(Some(checksum)))?;
    let (previous, id) = (field::integer(previous)?, field::integer(id)?);
    let change = Change { is_snapshot, previous, id, checksum, bids: bids?.text, asks: asks?.text };
    Some((change, field::integer(time)?))
}

/// Errors that concern one stream of a request, and do not always say which.
fn is_about_one(code: i64) -> bool {
    matches!(code, 60008 | 60018 | 60027 | 60033 | 64000..=64004)
}

fn write_key(key: &mut String, channel: &str, instrument: &str) {
    key.clear();
    key.push_str(channel);
    // In neither of the two.
    key.push(' ');
    key.push_str(instrument);
}

/// The key of `{"channel":…,"instId":…}`.
fn read_key(arg: Value<'_>, key: &mut String) -> Option<()> {
    let [channel, instrument] = field::read(arg.text, ["channel", "instId"])?;
    write_key(key, field::plain(channel)?, field::plain(instrument)?);
    Some(())
}
