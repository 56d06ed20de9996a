//! The HTTP requests about listen keys: Bitzoom's, in its envelope, and Binance's of the spot and the futures venue.
//!
//! The path decides whose words are used, so all three are served whatever the profile. An account has one key, which
//! all paths share. Nobody learns whether a key that is not his own exists.

use super::account::{Accounts, Counted, Entitlement};
use super::carry::Carried;
use super::rate::Callers;
use super::refusal::{BEARER, Why};
use super::user::listen::{CreateError, ListenKeys, Random, Share};
use crate::limits::{FORM_BYTES_MAX, LISTEN_CALLERS_MAX, LISTEN_REQUESTS_PER_MINUTE_MAX};
use crate::wire::dialect::Dialect;
use crate::wire::http::ip::IpKey;
use crate::wire::http::target::Target;
use crate::wire::rate::{Limit, TooOften};

/// Whose words a path is answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/api/v1/listenKey`
    Bitzoom,
    /// `/api/v3/userDataStream`
    Spot,
    /// `/fapi/v1/listenKey`
    Futures,
}

impl Route {
    /// `None` if the path is about something else.
    pub fn of(target: &Target<'_>) -> Option<Self> {
        match target.path().trim_end_matches('/') {
            "/api/v1/listenKey" => Some(Self::Bitzoom),
            "/api/v3/userDataStream" => Some(Self::Spot),
            "/fapi/v1/listenKey" => Some(Self::Futures),
            _ => None,
        }
    }
}

/// A request on one of these paths, whole. Not to be shown: its target may carry keys.
#[derive(Clone)]
pub struct Request<'a> {
    pub route: Route,
    pub method: &'a str,
    pub target: &'a Target<'a>,
    /// A form, where Binance's clients may put what others put into the query.
    pub body: &'a [u8],
    pub carried: Carried<'a>,
    pub ip: IpKey,
    /// The limits per client are not for this address.
    pub is_exempt: bool,
}

/// The body is JSON. Not to be shown: it may be a listen key.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// The listen keys, and how often they are asked about. After each answer [`ListenKeys::ended`] may have news.
#[derive(Debug)]
pub struct ListenApi {
    pub keys: ListenKeys,
    calls: Callers<Counted>,
}

impl Default for ListenApi {
    fn default() -> ListenApi {
        ListenApi { keys: ListenKeys::default(), calls: Callers::new(LISTEN_CALLERS_MAX) }
    }
}

const LIMIT: Limit = Limit { most: LISTEN_REQUESTS_PER_MINUTE_MAX, window_ms: 60_000 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Create,
    Extend,
    Close,
}

/// What can be wrong, in no venue's words yet.
enum Wrong {
    Method,
    Key(Why),
    TooOften(TooOften),
    BodyTooLong,
    /// Binance's spot venue wants the key named.
    NotNamed,
    NoSuchKey,
    AddressFull,
    Full,
    NotRandom,
}

impl ListenApi {
    /// With keys that live so long.
    pub fn new(life_ms: u64) -> Self {
        Self { keys: ListenKeys::new(life_ms), calls: Callers::new(LISTEN_CALLERS_MAX) }
    }

    /// Answers a request. `random` is asked only where a key is made.
    pub fn answer(
        &mut self,
        accounts: &Accounts,
        request: &Request<'_>,
        now_ms: u64,
        random: impl FnOnce() -> Random,
    ) -> Answer {
        let verb = match request.method {
            "POST" => Some(Verb::Create),
            "PUT" => Some(Verb::Extend),
            "DELETE" => Some(Verb::Close),
            _ => None,
        };
        let result = verb.ok_or(Wrong::Method).and_then(|verb| {
            let key = self.carry_out(verb, accounts, request, now_ms, random)?;
            Ok(done(request.route, verb, &key))
        });
        result.unwrap_or_else(|wrong| wrong.answer(request.route))
    }

    /// The text of the account's key, for those who are told it.
    fn carry_out(
        &mut self,
        verb: Verb,
        accounts: &Accounts,
        request: &Request<'_>,
        now_ms: u64,
        random: impl FnOnce() -> Random,
    ) -> Result<String, Wrong> {
        // Guesses at keys count for the address, whoever's they would have been.
        let entitlement = request.carried.admit(accounts, &[Dialect::Stream], false, true);
        let who = entitlement.as_ref().map_or(Counted::Ip(request.ip), |known| known.counted(request.ip));
        if !request.is_exempt {
            self.calls.take(who, LIMIT, now_ms).map_err(Wrong::TooOften)?;
        }
        let entitlement = entitlement.map_err(Wrong::Key)?;
        let account = entitlement.account().ok_or(Wrong::Key(Why::NoKey))?;
        if verb == Verb::Create {
            let share = share(&entitlement, request);
            let key = self.keys.create(account, share, now_ms, random).map_err(|error| match error {
                CreateError::AddressFull => Wrong::AddressFull,
                CreateError::Full => Wrong::Full,
                CreateError::NotRandom => Wrong::NotRandom,
            })?;
            return Ok(key.text().to_owned());
        }
        match request.named()? {
            Some(named) if !self.keys.is_own(account, &named, now_ms) => return Err(Wrong::NoSuchKey),
            None if request.route == Route::Spot => return Err(Wrong::NotNamed),
            _ => {}
        }
        let key = self.keys.extend(account, now_ms).ok_or(Wrong::NoSuchKey)?.text().to_owned();
        if verb == Verb::Close {
            self.keys.close(account, now_ms);
        }
        Ok(key)
    }
}

fn share(entitlement: &Entitlement, request: &Request<'_>) -> Share {
    match entitlement.counted(request.ip) {
        Counted::Account(_) => Share::Configured,
        Counted::Ip(_) if request.is_exempt => Share::Exempt,
        Counted::Ip(ip) => Share::Address(ip),
    }
}

impl Request<'_> {
    /// The key that query or form name. An empty one is named as well: it is nobody's.
    fn named(&self) -> Result<Option<String>, Wrong> {
        if let Some(key) = self.target.value("listenKey") {
            return Ok(Some(key.into_owned()));
        }
        if self.body.len() > FORM_BYTES_MAX {
            return Err(Wrong::BodyTooLong);
        }
        // What is no form names nothing; nothing else is asked of a body.
        let form = std::str::from_utf8(self.body).ok().map(|body| format!("/?{}", body.trim()));
        let form = form.as_deref().and_then(|form| Target::parse(form).ok());
        Ok(form.and_then(|form| form.value("listenKey").map(|key| key.into_owned())))
    }
}

fn done(route: Route, verb: Verb, key: &str) -> Answer {
    // A listen key is letters and digits: nothing in it needs an escape.
    let body = match (route, verb) {
        (Route::Bitzoom, Verb::Create) => format!(r#"{{"code":0,"data":{{"listenKey":"{key}"}}}}"#),
        (Route::Bitzoom, Verb::Extend | Verb::Close) => r#"{"code":0,"data":{}}"#.to_owned(),
        (Route::Spot | Route::Futures, Verb::Create) | (Route::Futures, Verb::Extend) => {
            format!(r#"{{"listenKey":"{key}"}}"#)
        }
        (Route::Spot, Verb::Extend | Verb::Close) | (Route::Futures, Verb::Close) => "{}".to_owned(),
    };
    // Nobody between us and its owner keeps a key.
    Answer { status: 200, headers: vec![("cache-control", "no-store".to_owned())], body }
}

impl Wrong {
    fn answer(self, route: Route) -> Answer {
        let is_bitzoom = route == Route::Bitzoom;
        let words = |code: i32, bitzoom: &'static str, binance: (i32, &'static str)| {
            if is_bitzoom { (code, bitzoom) } else { binance }
        };
        let (status, (code, msg)) = match &self {
            Self::Method => (405, words(405, "Method not allowed", (-1000, "Method not allowed."))),
            Self::Key(Why::NoKey) => (401, words(401, "Unauthorized", (-2014, "API-key format invalid."))),
            Self::Key(Why::WrongKey) => {
                (401, words(401, "Unauthorized", (-2015, "Invalid API-key, IP, or permissions for action.")))
            }
            Self::Key(Why::Dialect) => {
                let msg = "This API key is not for the stream dialect";
                (403, words(403, msg, (-2015, "Invalid API-key, IP, or permissions for action.")))
            }
            Self::TooOften(_) => (429, words(429, "Too many requests", (-1003, "Too many requests."))),
            Self::AddressFull => {
                let msg = "Too many listen keys of this address";
                (429, words(429, msg, (-1003, msg)))
            }
            Self::BodyTooLong => {
                let msg = "The body is too long";
                (413, words(413, msg, (-1100, msg)))
            }
            Self::NotNamed => {
                (400, (-1102, "Mandatory parameter 'listenKey' was not sent, was empty/null, or malformed."))
            }
            Self::NoSuchKey => (400, (-1125, "This listenKey does not exist.")),
            Self::Full => {
                let msg = "No room for another listen key, try again later";
                (503, words(503, msg, (-1001, msg)))
            }
            Self::NotRandom => (500, words(500, "Internal error", (-1000, "Internal error"))),
        };
        let headers = match &self {
            Self::Method => vec![("allow", "POST, PUT, DELETE".to_owned())],
            Self::Key(Why::NoKey | Why::WrongKey) => {
                BEARER.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
            }
            Self::TooOften(often) => vec![("retry-after", often.retry_after_s().to_string())],
            Self::AddressFull | Self::Full => vec![("retry-after", "60".to_owned())],
            Self::Key(Why::Dialect) | Self::BodyTooLong | Self::NotNamed | Self::NoSuchKey | Self::NotRandom => vec![],
        };
        Answer { status, headers, body: format!(r#"{{"code":{code},"msg":"{msg}"}}"#) }
    }
}

#[cfg(test)]
mod tests;
