//! What a client wishes: eight events, all with an object for data.

use super::packet::Event;
use super::reply::ErrorCode;
use crate::limits::CURRENCY_BYTES_MAX;
use crate::wire::json::{Array, Object, Value, ValueKind};

/// The two tables of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Fiat,
    Crypto,
}

impl Class {
    /// The event that pushes come on.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Fiat => "currency",
            Self::Crypto => "crypto",
        }
    }

    /// What names the priced thing, in wishes and in rows.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Fiat => "currency",
            Self::Crypto => "symbol",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Changes from now on.
    Listen,
    /// The present, once.
    Ack,
}

/// A good wish. Names are in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub class: Class,
    pub mode: Mode,
    pub base: Box<str>,
    /// `None` for all of the table.
    pub symbol: Option<Box<str>>,
}

/// What to do about an event. An acknowledgement that is waited for never stays out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// With `Mode::Listen` and an id to acknowledge, `reply::ack_ok` follows the subscription.
    Wish(Wish),
    /// An acknowledging event without data is answered with an empty list.
    Nothing,
    Bad(Problem),
    /// Not one of ours, and nobody waits: the reference server has no answer either. Count it.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: ErrorCode,
    pub message: &'static str,
}

const fn bad_request(message: &'static str) -> Problem {
    Problem { code: ErrorCode::BadRequest, message }
}

pub const UNKNOWN_EVENT: Problem = Problem { code: ErrorCode::UnknownEvent, message: "unknown event" };
const NO_ACK: Problem = bad_request("this event answers by acknowledgement, and none was asked for");
const NO_OBJECT: Problem = bad_request("the data must be an object");

pub fn read(event: &Event<'_>) -> Asked {
    let Some((class, is_all, mode)) = known(&event.name) else {
        return if event.ack.is_some() { Asked::Bad(UNKNOWN_EVENT) } else { Asked::Unknown };
    };
    if mode == Mode::Ack && event.ack.is_none() {
        return Asked::Bad(NO_ACK);
    }
    let Some(data) = data(event.args) else {
        return if mode == Mode::Ack { Asked::Nothing } else { Asked::Bad(Field::BASE.is_required) };
    };
    match wish(class, is_all, mode, &data) {
        Ok(wish) => Asked::Wish(wish),
        Err(problem) => Asked::Bad(problem),
    }
}

fn known(name: &str) -> Option<(Class, bool, Mode)> {
    let (class, what) = name.split_once('/')?;
    let class = match class {
        "fiat" => Class::Fiat,
        "crypto" => Class::Crypto,
        _ => return None,
    };
    let (is_all, mode) = match what {
        "allListen" => (true, Mode::Listen),
        "allAck" => (true, Mode::Ack),
        "onlyListen" => (false, Mode::Listen),
        "onlyAck" => (false, Mode::Ack),
        _ => return None,
    };
    Some((class, is_all, mode))
}

/// The first argument; `undefined` travels as null.
fn data(args: &str) -> Option<Value<'_>> {
    let mut args = Array::open(args)?;
    args.next().ok()??;
    args.next().ok()?.filter(|data| data.kind != ValueKind::Null)
}

fn wish(class: Class, is_all: bool, mode: Mode, data: &Value<'_>) -> Result<Wish, Problem> {
    let mut object = Object::open(data.text).ok_or(NO_OBJECT)?;
    let (mut base, mut symbol) = (None, None);
    // The data was read as JSON before, and of several members with one key the last counts.
    while let Ok(Some(member)) = object.next() {
        match &*member.key() {
            "base" => base = Some(member.value),
            key if key == class.field() => symbol = Some(member.value),
            _ => {}
        }
    }
    let base = Field::BASE.read(base)?;
    let field = match class {
        Class::Fiat => Field::CURRENCY,
        Class::Crypto => Field::SYMBOL,
    };
    let symbol = if is_all { None } else { Some(field.read(symbol)?) };
    Ok(Wish { class, mode, base, symbol })
}

/// The problems that a field may have.
struct Field {
    is_required: Problem,
    is_wrong_kind: Problem,
    is_too_long: Problem,
    has_blanks: Problem,
}

macro_rules! field {
    ($name:literal) => {
        Field {
            is_required: bad_request(concat!($name, " is required")),
            is_wrong_kind: bad_request(concat!($name, " must be a string or a number")),
            is_too_long: bad_request(concat!($name, " is too long")),
            has_blanks: bad_request(concat!($name, " must not contain blanks or control characters")),
        }
    };
}

impl Field {
    const BASE: Self = field!("base");
    const CURRENCY: Self = field!("currency");
    const SYMBOL: Self = field!("symbol");

    /// The name in upper case. Blanks part the words of a topic's name, so none may be inside.
    fn read(&self, value: Option<Value<'_>>) -> Result<Box<str>, Problem> {
        let value = value.filter(|value| value.kind != ValueKind::Null).ok_or(self.is_required)?;
        let text = match value.kind {
            ValueKind::Number => value.text.into(),
            ValueKind::String => value.string().ok_or(self.is_wrong_kind)?,
            _ => return Err(self.is_wrong_kind),
        };
        if text.is_empty() {
            return Err(self.is_required);
        }
        if text.len() > CURRENCY_BYTES_MAX {
            return Err(self.is_too_long);
        }
        if text.contains(|char: char| char.is_whitespace() || char.is_control()) {
            return Err(self.has_blanks);
        }
        let upper = text.to_uppercase();
        // Some letters are longer in upper case.
        if upper.len() > CURRENCY_BYTES_MAX { Err(self.is_too_long) } else { Ok(upper.into()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::socketio::packet::{Content, Packet};

    fn asked(message: &str) -> Asked {
        match Packet::parse(message).unwrap().content {
            Content::Event(event) => read(&event),
            other => panic!("{other:?}"),
        }
    }

    fn check(message: &str, class: Class, mode: Mode, base: &str, symbol: Option<&str>) {
        let wish = Wish { class, mode, base: base.into(), symbol: symbol.map(Into::into) };
        assert_eq!(asked(message), Asked::Wish(wish), "{message}");
    }

    fn check_bad(message: &str, text: &str) {
        match asked(message) {
            Asked::Bad(problem) => {
                assert_eq!((problem.code, problem.message), (ErrorCode::BadRequest, text), "{message}")
            }
            other => panic!("{message}: {other:?}"),
        }
    }

    #[test]
    fn the_eight_events_are_wishes() {
        let usd = r#"{"base":"USD"}"#;
        let eur = r#"{"base":"USD","currency":"EUR"}"#;
        let btc = r#"{"base":"USD","symbol":"BTC"}"#;
        check(&format!(r#"2["fiat/allListen",{usd}]"#), Class::Fiat, Mode::Listen, "USD", None);
        check(&format!(r#"20["fiat/allAck",{usd}]"#), Class::Fiat, Mode::Ack, "USD", None);
        check(&format!(r#"2["fiat/onlyListen",{eur}]"#), Class::Fiat, Mode::Listen, "USD", Some("EUR"));
        check(&format!(r#"21["fiat/onlyAck",{eur}]"#), Class::Fiat, Mode::Ack, "USD", Some("EUR"));
        check(&format!(r#"2["crypto/allListen",{usd}]"#), Class::Crypto, Mode::Listen, "USD", None);
        check(&format!(r#"22["crypto/allAck",{usd}]"#), Class::Crypto, Mode::Ack, "USD", None);
        check(&format!(r#"2["crypto/onlyListen",{btc}]"#), Class::Crypto, Mode::Listen, "USD", Some("BTC"));
        check(&format!(r#"23["crypto/onlyAck",{btc}]"#), Class::Crypto, Mode::Ack, "USD", Some("BTC"));
    }

    #[test]
    fn names_come_in_any_case_and_as_numbers() {
        let check_name = |json: &str, expected| {
            let message = format!(r#"20["crypto/onlyAck",{{"symbol":"x","base":"eur","symbol":{json}}}]"#);
            check(&message, Class::Crypto, Mode::Ack, "EUR", Some(expected));
        };
        check_name("\"btc\"", "BTC");
        check_name("\"\\u0062tc\"", "BTC");
        check_name("1", "1");
        check_name("1e3", "1E3");
        check_name("\"币\"", "币");
        check_name(&format!("\"{}\"", "a".repeat(CURRENCY_BYTES_MAX)), &"A".repeat(CURRENCY_BYTES_MAX));
        check(r#"2["crypto/allListen",{"base":"usd","symbol":[]}]"#, Class::Crypto, Mode::Listen, "USD", None);
    }

    #[test]
    fn bad_data_is_named() {
        for data in ["{}", r#"{"base":null}"#, r#"{"base":""}"#, r#"{"Base":"USD"}"#] {
            check_bad(&format!(r#"2["fiat/allListen",{data}]"#), "base is required");
            check_bad(&format!(r#"20["fiat/allAck",{data}]"#), "base is required");
        }
        check_bad(r#"2["fiat/onlyListen",{"base":"USD"}]"#, "currency is required");
        check_bad(r#"2["fiat/onlyListen",{"base":"USD","symbol":"EUR"}]"#, "currency is required");
        check_bad(r#"2["crypto/onlyListen",{"base":"USD","currency":"EUR"}]"#, "symbol is required");
        check_bad(r#"2["fiat/allListen",{"base":true}]"#, "base must be a string or a number");
        check_bad(r#"2["fiat/allListen",{"base":"\ud800"}]"#, "base must be a string or a number");
        check_bad(r#"2["fiat/allListen",{"base":"U D"}]"#, "base must not contain blanks or control characters");
        let long = "a".repeat(CURRENCY_BYTES_MAX + 1);
        check_bad(&format!(r#"2["fiat/allListen",{{"base":"{long}"}}]"#), "base is too long");
        let grows = "ŉ".repeat(CURRENCY_BYTES_MAX / 2);
        check_bad(&format!(r#"2["fiat/allListen",{{"base":"{grows}"}}]"#), "base is too long");
        for data in ["[]", "\"USD\"", "7", "true"] {
            check_bad(&format!(r#"2["fiat/allListen",{data}]"#), "the data must be an object");
        }
    }

    /// Proves that odd uses are answered, so that nobody waits for nothing.
    #[test]
    fn odd_uses_have_an_answer() {
        assert_eq!(asked(r#"20["fiat/allAck"]"#), Asked::Nothing);
        assert_eq!(asked(r#"20["crypto/onlyAck",null]"#), Asked::Nothing);
        check_bad(r#"2["fiat/allListen"]"#, "base is required");
        check_bad(r#"20["fiat/allListen"]"#, "base is required");
        check_bad(r#"2["fiat/allAck",{"base":"USD"}]"#, NO_ACK.message);
        check(r#"20["fiat/allListen",{"base":"USD"}]"#, Class::Fiat, Mode::Listen, "USD", None);
        for name in ["7", "\"x\"", "\"fiat/\"", "\"fiat/alllisten\"", "\"fiat/allListen/\"", "\"gold/allListen\""] {
            assert_eq!(asked(&format!("2[{name}]")), Asked::Unknown);
            assert_eq!(asked(&format!("20[{name}]")), Asked::Bad(UNKNOWN_EVENT));
        }
    }

    proptest! {
        #[test]
        fn any_event_is_judged(
            name in "(fiat|crypto)/(all|only)(Ack|Listen)",
            data in "(null|\\{(\"(base|symbol|currency)\":(\"\\PC{0,10}\"|-?[0-9]{1,4}|\\[\\]),?){0,3}\\})",
        ) {
            if let Ok(Packet { content: Content::Event(event), .. }) = Packet::parse(&format!("20[\"{name}\",{data}]"))
                && let Asked::Wish(wish) = read(&event)
            {
                let names = [Some(&wish.base), wish.symbol.as_ref()];
                prop_assert!(names.into_iter().flatten().all(|name| !name.is_empty() && !name.contains(' ')));
            }
        }
    }
}
