//! What a client asks for: `{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`.
//!
//! Where a request is wrong in several ways, the first of these is answered: JSON, id, method, params.

use std::borrow::Cow;

use super::name::{self, Name, Profile};
pub use super::reply::{Id, Reject};
use crate::limits::SUBSCRIPTIONS_HARD_MAX;
use crate::wire::json::{self, Array, Object, Value, ValueKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: Id,
    pub command: Command,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// At least one name, in the client's order, doubles included.
    Subscribe(Vec<Name>),
    /// The same with listen keys in the list, which stand for user data streams; there may be no name.
    SubscribeUser {
        keys: Vec<String>,
        names: Vec<Name>,
    },
    /// Names in the form they are kept under; any text is acknowledged, and so is an empty list.
    Unsubscribe(Vec<String>),
    List,
    SetCombined(bool),
    GetCombined,
}

/// Reads one text message.
pub fn parse(text: &str, profile: Profile) -> Result<Request, Reject> {
    let fields = Fields::read(text)?;
    let Some(id) = fields.id.as_ref().and_then(Id::read) else {
        return Err(Reject::new(2, ID_EXPECTED, None));
    };
    match command(text, &fields, profile) {
        Ok(command) => Ok(Request { id, command }),
        Err((code, msg)) => Err(Reject { code, msg, id: Some(id) }),
    }
}

const ID_EXPECTED: &str = "Invalid request: request ID must be an unsigned integer";
const METHOD_STRING: &str = "Invalid request: method must be a string";
const PARAMS_ARRAY: &str = "Invalid request: params must be an array";
const PARAMS_EMPTY: &str = "Invalid request: params must not be empty";
const PARAMS_TOO_MANY: &str = "Invalid request: too many parameters";
const PROPERTY_STRING: &str = "Invalid request: property name must be a string";

/// Characters of an unknown method that are repeated in the answer.
const METHOD_CHARS_MAX: usize = 64;

type Problem = (i32, Cow<'static, str>);

fn problem(msg: &'static str) -> Problem {
    (2, Cow::Borrowed(msg))
}

/// The members we know; of several with one key the last counts.
#[derive(Default)]
struct Fields<'a> {
    method: Option<Value<'a>>,
    params: Option<Value<'a>>,
    id: Option<Value<'a>>,
    /// Where the object ends.
    end: usize,
}

impl<'a> Fields<'a> {
    fn read(text: &'a str) -> Result<Self, Reject> {
        let not_json = |error| Reject::new(3, format!("Invalid JSON: {error}"), None);
        let mut fields = Self::default();
        let Some(mut object) = Object::open(text) else {
            // Without an object there is no id, which is what the caller then says.
            return json::validate(text.as_bytes()).map(|()| fields).map_err(not_json);
        };
        while let Some(member) = object.next().map_err(not_json)? {
            let field = match &*member.key() {
                "method" => &mut fields.method,
                "params" => &mut fields.params,
                "id" => &mut fields.id,
                _ => continue,
            };
            *field = Some(member.value);
        }
        fields.end = object.end();
        Ok(fields)
    }
}

fn command(text: &str, fields: &Fields<'_>, profile: Profile) -> Result<Command, Problem> {
    let Some(method) = &fields.method else {
        return Err(missing(text, fields, "method"));
    };
    if method.kind != ValueKind::String {
        return Err(problem(METHOD_STRING));
    }
    let word = method.string().unwrap_or(Cow::Borrowed(method.text));
    match &*word {
        "SUBSCRIBE" => subscribe(params(text, fields)?, profile),
        "UNSUBSCRIBE" => unsubscribe(params(text, fields)?, profile),
        "LIST_SUBSCRIPTIONS" => no_params(fields).map(|()| Command::List),
        "SET_PROPERTY" => set_property(fields),
        "GET_PROPERTY" => get_property(fields),
        _ => Err(unknown(text, method, &word)),
    }
}

/// The position is the one after the object.
fn missing(text: &str, fields: &Fields<'_>, field: &str) -> Problem {
    let (line, column) = json::position(text.as_bytes(), fields.end);
    let column = column + 1;
    (2, format!("Invalid request: missing field `{field}` at line {line} column {column}").into())
}

/// The position is the end of the method.
fn unknown(text: &str, method: &Value<'_>, word: &str) -> Problem {
    let (line, column) = json::position(text.as_bytes(), method.end);
    let word: String = word.chars().take(METHOD_CHARS_MAX).collect();
    let msg = format!(
        "Invalid request: unknown variant `{word}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, \
         `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line {line} column {column}"
    );
    (2, msg.into())
}

/// The list of a command that needs one, with as many elements as a list of names may have.
fn params<'a>(text: &str, fields: &Fields<'a>) -> Result<Elements<'a>, Problem> {
    let Some(params) = &fields.params else {
        return Err(missing(text, fields, "params"));
    };
    elements(params).ok_or(problem(PARAMS_ARRAY))
}

type Elements<'a> = Result<Vec<Value<'a>>, TooMany>;

struct TooMany;

/// The elements of an array; one that is longer than any list of names may be is not read to its end.
fn elements<'a>(params: &Value<'a>) -> Option<Elements<'a>> {
    let mut array = Array::open(params.text)?;
    let mut elements = Vec::new();
    while let Ok(Some(element)) = array.next() {
        if elements.len() == SUBSCRIPTIONS_HARD_MAX {
            return Some(Err(TooMany));
        }
        elements.push(element);
    }
    Some(Ok(elements))
}

/// One bad name refuses the whole list.
fn subscribe(params: Elements<'_>, profile: Profile) -> Result<Command, Problem> {
    let params = params.map_err(|TooMany| (4, Reject::too_many_subscriptions(None).msg))?;
    if params.is_empty() {
        return Err(problem(PARAMS_EMPTY));
    }
    let (mut names, mut keys) = (Vec::new(), Vec::new());
    for value in &params {
        let text = value.string().ok_or_else(invalid_stream)?;
        match Name::parse(&text, profile) {
            Ok(name) => names.push(name),
            Err(_) if name::is_listen_key(&text) => keys.push(text.into_owned()),
            Err(_) => return Err(invalid_stream()),
        }
    }
    Ok(if keys.is_empty() { Command::Subscribe(names) } else { Command::SubscribeUser { keys, names } })
}

fn unsubscribe(params: Elements<'_>, profile: Profile) -> Result<Command, Problem> {
    let params = params.map_err(|TooMany| problem(PARAMS_TOO_MANY))?;
    let names = params.iter().map(|value| Some(name::canonical(&value.string()?, profile).into_owned()));
    names.collect::<Option<_>>().map(Command::Unsubscribe).ok_or_else(invalid_stream)
}

fn invalid_stream() -> Problem {
    (2, Reject::invalid_stream(None).msg)
}

/// `null` and `[]` are no parameters; client libraries send them where there are none.
fn no_params(fields: &Fields<'_>) -> Result<(), Problem> {
    let params = fields.params.as_ref().filter(|params| params.kind != ValueKind::Null);
    match params.map(elements) {
        None => Ok(()),
        Some(Some(Ok(elements))) if elements.is_empty() => Ok(()),
        Some(_) => Err(problem(PARAMS_TOO_MANY)),
    }
}

fn set_property(fields: &Fields<'_>) -> Result<Command, Problem> {
    let params = property_params(fields, 2)?;
    match params.get(1).and_then(Value::bool) {
        Some(combined) => Ok(Command::SetCombined(combined)),
        None => Err((1, "Invalid value type: expected Boolean".into())),
    }
}

fn get_property(fields: &Fields<'_>) -> Result<Command, Problem> {
    property_params(fields, 1).map(|_| Command::GetCombined)
}

/// The parameters of a property command, the first of which names the only property there is.
fn property_params<'a>(fields: &Fields<'a>, count_max: usize) -> Result<Vec<Value<'a>>, Problem> {
    let params = match fields.params.as_ref().and_then(elements) {
        None => Vec::new(),
        Some(Ok(params)) if params.len() <= count_max => params,
        Some(_) => return Err(problem(PARAMS_TOO_MANY)),
    };
    match params.first().and_then(Value::string).as_deref() {
        None => Err(problem(PROPERTY_STRING)),
        Some("combined") => Ok(params),
        Some(_) => Err((0, "Unknown property".into())),
    }
}
