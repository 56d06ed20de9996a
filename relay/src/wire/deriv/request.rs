//! What a client asks: `{"ticks":"R_100","subscribe":1,"req_id":3}`.
//!
//! One key of the object names the method. Its schema decides about the others, and everything that is wrong is said
//! at once.

use super::fields::{self, Fields};
use super::reject::Reject;
use crate::limits::{DERIV_HISTORY_MAX, DERIV_REQUEST_BYTES_MAX, DERIV_SUBSCRIPTIONS_MAX};
use crate::wire::json::ValueKind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub echo: Echo,
    pub call: Call,
}

/// What every answer repeats, as JSON text without space between the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// The whole request, keys in its order; empty where there was none that could be repeated.
    pub text: Box<str>,
    pub req_id: Option<Box<str>>,
    pub passthrough: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Ping,
    Time,
    ActiveSymbols {
        full: bool,
    },
    /// At least one symbol, in the client's order, doubles included.
    Ticks {
        symbols: Vec<Box<str>>,
        subscribe: bool,
    },
    History(HistoryCall),
    Forget(Box<str>),
    ForgetAll(Forgotten),
    WebsiteStatus {
        subscribe: bool,
    },
    /// A call about an account, by name: always answered `AuthorizationRequired`.
    Account(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryCall {
    pub symbol: Box<str>,
    /// Seconds; `None` is the present.
    pub end_s: Option<u64>,
    pub start_s: Option<u64>,
    /// At most what an answer holds: more is cut to it, as the venue does.
    pub count: Option<usize>,
    pub style: Style,
    pub granularity_s: Option<u32>,
    /// Where the market is closed at the end, the stretch moves back.
    pub adjust_start_time: bool,
    pub subscribe: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Ticks,
    Candles,
}

/// What `forget_all` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// `ticks`, and `ticks_history` in ticks.
    pub ticks: bool,
    /// `ticks_history` in candles.
    pub candles: bool,
    pub website_status: bool,
}

/// A request that is answered with an error at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub echo: Echo,
    /// The method as it was asked for, or `error` where none was recognised.
    pub msg_type: &'static str,
    pub reject: Reject,
}

/// Seconds a candle may have.
pub const GRANULARITIES_S: [u32; 12] = [60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

const COUNT_DEFAULT: usize = 1000;
const GRANULARITY_S_DEFAULT: u32 = 60;
const DAY_S: u64 = 86_400;
const EPOCH_S_MAX: i64 = 9_999_999_999;

const SYMBOL: &str = r"^\w{2,30}$";
const SUBSCRIPTION_ID: &str = r"^[\w-]{32,128}$";
const END: &str = "^(latest|[0-9]{1,10})$";

impl HistoryCall {
    pub fn count(&self) -> usize {
        self.count.unwrap_or(COUNT_DEFAULT)
    }

    /// `None` for ticks.
    pub fn candle_s(&self) -> Option<u32> {
        match self.style {
            Style::Ticks => None,
            Style::Candles => Some(self.granularity_s.unwrap_or(GRANULARITY_S_DEFAULT)),
        }
    }

    /// Where the stretch starts. The schema says: a day before its end where nothing else bounds it.
    pub fn first_s(&self, now_s: u64) -> Option<u64> {
        let is_bounded = match self.style {
            Style::Ticks => self.count.is_some(),
            Style::Candles => self.count.is_some() && self.granularity_s.is_some(),
        };
        match self.start_s {
            None if is_bounded => None,
            None => Some(self.end_s.unwrap_or(now_s).saturating_sub(DAY_S)),
            start_s => start_s,
        }
    }
}

impl Call {
    /// The method's name, which is `msg_type` in its errors.
    pub fn method(&self) -> &'static str {
        match self {
            Call::Ping => "ping",
            Call::Time => "time",
            Call::ActiveSymbols { .. } => "active_symbols",
            Call::Ticks { .. } => "ticks",
            Call::History(_) => "ticks_history",
            Call::Forget(_) => "forget",
            Call::ForgetAll(_) => "forget_all",
            Call::WebsiteStatus { .. } => "website_status",
            Call::Account(method) => method,
        }
    }
}

/// Reads one text message.
pub fn parse(text: &str) -> Result<Request, Box<Refusal>> {
    let Ok(Some(mut fields)) = Fields::read(text) else {
        return Err(Box::new(Refusal { echo: Echo::default(), msg_type: "error", reject: Reject::bad_request() }));
    };
    let mut repeat = |key| fields.take(key).map(|value| compact(value.text));
    let echo = Echo { text: compact(text), req_id: repeat("req_id"), passthrough: repeat("passthrough") };
    let method = method(&fields);
    let msg_type = method.unwrap_or("error");
    let bytes = echo.text.len();
    if bytes > DERIV_REQUEST_BYTES_MAX {
        let reject = Reject::too_long(bytes, DERIV_REQUEST_BYTES_MAX);
        return Err(Box::new(Refusal { echo: echo.short(), msg_type, reject }));
    }
    match method.ok_or_else(Reject::unrecognised).and_then(|method| call(method, fields)) {
        Ok(call) => Ok(Request { echo, call }),
        Err(reject) => Err(Box::new(Refusal { echo, msg_type, reject })),
    }
}

impl Echo {
    /// What still may be repeated of a request that is too long: the id by which its answer is known.
    fn short(self) -> Echo {
        const REQ_ID_BYTES_MAX: usize = 32;
        Echo { req_id: self.req_id.filter(|req_id| req_id.len() <= REQ_ID_BYTES_MAX), ..Echo::default() }
    }
}

/// The key that names the method. Some calls about accounts take other methods' names for parameters, so ours go first.
fn method(fields: &Fields<'_>) -> Option<&'static str> {
    let find =
        |methods: &[&'static str]| fields.keys().find_map(|key| methods.iter().find(|method| **method == key).copied());
    find(METHODS).or_else(|| find(ACCOUNT_METHODS))
}

const METHODS: &[&str] =
    &["ping", "time", "active_symbols", "ticks", "ticks_history", "forget", "forget_all", "website_status"];

/// What needs an account at the venue.
#[rustfmt::skip] // A list.
const ACCOUNT_METHODS: &[&str] = &[
    "account_closure", "account_list", "account_security", "api_token", "app_delete", "app_get", "app_list",
    "app_markup_details", "app_markup_statistics", "app_register", "app_update", "authorize", "balance", "buy",
    "buy_contract_for_multiple_accounts", "cancel", "cashier", "cashier_payments", "contract_update",
    "contract_update_history", "copy_start", "copy_stop", "copytrading_list", "copytrading_statistics",
    "document_upload", "get_account_status", "get_financial_assessment", "get_limits", "get_self_exclusion",
    "get_settings", "login_history", "logout", "mt5_deposit", "mt5_get_settings", "mt5_login_list", "mt5_new_account",
    "mt5_withdrawal", "new_account_maltainvest", "new_account_real", "oauth_apps", "p2p_advert_create",
    "p2p_advert_info", "p2p_advert_list", "p2p_advert_update", "p2p_advertiser_create", "p2p_advertiser_info",
    "p2p_order_create", "p2p_order_info", "p2p_order_list", "paymentagent_transfer", "paymentagent_withdraw",
    "portfolio", "profit_table", "proposal", "proposal_array", "proposal_open_contract", "reality_check",
    "revoke_oauth_app", "sell", "sell_contract_for_multiple_accounts", "sell_expired", "set_account_currency",
    "set_financial_assessment", "set_self_exclusion", "set_settings", "statement", "tnc_approval", "topup_virtual",
    "trading_platform_accounts", "transaction", "transfer_between_accounts",
];

/// Streams that `forget_all` may name; of most there is none here to forget.
#[rustfmt::skip] // A list.
const FORGET_WORDS: [&str; 14] = [
    "balance", "candles", "cashier_payments", "exchange_rates", "p2p_advert", "p2p_advertiser", "p2p_order",
    "proposal", "proposal_array", "proposal_open_contract", "ticks", "trading_platform_asset_listing", "transaction",
    "website_status",
];

fn call(method: &'static str, mut fields: Fields<'_>) -> Result<Call, Reject> {
    fields.integer("req_id", i64::MIN, i64::MAX);
    fields.object("passthrough");
    let call = match method {
        "ping" | "time" | "website_status" => {
            fields.flag(method);
            match method {
                "ping" => Call::Ping,
                "time" => Call::Time,
                _ => Call::WebsiteStatus { subscribe: fields.flag("subscribe") },
            }
        }
        "active_symbols" => active_symbols(&mut fields),
        "ticks" => Call::Ticks {
            symbols: fields
                .patterns("ticks", DERIV_SUBSCRIPTIONS_MAX, |value| fields::matching(value, SYMBOL, is_symbol)),
            subscribe: fields.flag("subscribe"),
        },
        "ticks_history" => Call::History(history(&mut fields)),
        "forget" => {
            let id = fields.pattern("forget", SUBSCRIPTION_ID, is_subscription_id);
            Call::Forget(id.unwrap_or_default())
        }
        "forget_all" => Call::ForgetAll(forget_all(&mut fields)),
        account => {
            fields.take_all();
            Call::Account(account)
        }
    };
    fields.finish()?;
    match &call {
        Call::History(HistoryCall { start_s: Some(start_s), end_s: Some(end_s), .. }) if start_s > end_s => {
            Err(Reject::start_after_end(*start_s, *end_s))
        }
        _ => Ok(call),
    }
}

/// `product_type` and `landing_company` choose among lists; we have one.
fn active_symbols(fields: &mut Fields<'_>) -> Call {
    let full = fields.choice("active_symbols", &["brief", "full"]) == Some(1);
    fields.choice("product_type", &["basic"]);
    fields.pattern("landing_company", ".*", |_| true);
    Call::ActiveSymbols { full }
}

fn history(fields: &mut Fields<'_>) -> HistoryCall {
    let style = match fields.choice("style", &["candles", "ticks"]) {
        Some(0) => Style::Candles,
        _ => Style::Ticks,
    };
    HistoryCall {
        symbol: fields.pattern("ticks_history", SYMBOL, is_symbol).unwrap_or_default(),
        end_s: end(fields),
        start_s: fields.integer("start", 0, EPOCH_S_MAX).and_then(|start| u64::try_from(start).ok()),
        count: fields
            .integer("count", 1, i64::MAX)
            .map(|count| usize::try_from(count).map_or(DERIV_HISTORY_MAX, |count| count.min(DERIV_HISTORY_MAX))),
        style,
        granularity_s: granularity(fields),
        adjust_start_time: fields.flag("adjust_start_time"),
        subscribe: fields.flag("subscribe"),
    }
}

/// A string by the schema; clients also send the number itself.
fn end(fields: &mut Fields<'_>) -> Option<u64> {
    let Some(value) = fields.take("end") else {
        fields.missing("end");
        return None;
    };
    if value.string().as_deref() == Some("latest") {
        return None;
    }
    let end_s = fields::integer(&value).filter(|end_s| (0..=EPOCH_S_MAX).contains(end_s));
    if end_s.is_none() {
        let text = value.kind == ValueKind::String || value.kind == ValueKind::Number;
        let problem = if text { format!("String does not match {END}.") } else { "Expected string.".to_owned() };
        fields.problem("end", problem);
    }
    end_s.and_then(|end_s| u64::try_from(end_s).ok())
}

fn granularity(fields: &mut Fields<'_>) -> Option<u32> {
    let value = fields.take("granularity")?;
    let number = fields::integer(&value).and_then(|number| u32::try_from(number).ok());
    let granularity = number.filter(|number| GRANULARITIES_S.contains(number));
    if granularity.is_none() {
        fields.problem("granularity", fields::not_in(&GRANULARITIES_S));
    }
    granularity
}

fn forget_all(fields: &mut Fields<'_>) -> Forgotten {
    let word = |value: &_| {
        let word = fields::matching(value, "", |_| true)?;
        if FORGET_WORDS.contains(&&*word) { Ok(word) } else { Err(fields::not_in(&FORGET_WORDS)) }
    };
    let words = fields.patterns("forget_all", FORGET_WORDS.len(), word);
    let names = |word: &str| words.iter().any(|named| &**named == word);
    Forgotten { ticks: names("ticks"), candles: names("candles"), website_status: names("website_status") }
}

/// Whether it has the form of a symbol: ASCII letters, digits and `_`.
pub fn is_symbol(text: &str) -> bool {
    (2..=30).contains(&text.len()) && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

fn is_subscription_id(text: &str) -> bool {
    let is_word = |byte: u8| byte == b'_' || byte == b'-' || byte.is_ascii_alphanumeric();
    (32..=128).contains(&text.len()) && text.bytes().all(is_word)
}

/// The same JSON without space between the tokens.
fn compact(text: &str) -> Box<str> {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for char in text.chars() {
        if !in_string && matches!(char, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        out.push(char);
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    out.into()
}
