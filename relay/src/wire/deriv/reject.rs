//! Why a request is answered with an error.

use std::borrow::Cow;

/// Clients match on the code, never on the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The text is no JSON object, or is too long.
    BadRequest,
    InputValidationFailed,
    UnrecognisedRequest,
    InvalidSymbol,
    InvalidStartEnd,
    AlreadySubscribed,
    MarketIsClosed,
    RateLimit,
    /// What stands behind us failed; the call has left nothing behind.
    WrongResponse,
    AuthorizationRequired,
    /// The client's API key does not allow it.
    PermissionDenied,
    InvalidAppId,
}

impl Code {
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::InputValidationFailed => "InputValidationFailed",
            Self::UnrecognisedRequest => "UnrecognisedRequest",
            Self::InvalidSymbol => "InvalidSymbol",
            Self::InvalidStartEnd => "InvalidStartEnd",
            Self::AlreadySubscribed => "AlreadySubscribed",
            Self::MarketIsClosed => "MarketIsClosed",
            Self::RateLimit => "RateLimit",
            Self::WrongResponse => "WrongResponse",
            Self::AuthorizationRequired => "AuthorizationRequired",
            Self::PermissionDenied => "PermissionDenied",
            Self::InvalidAppId => "InvalidAppID",
        }
    }
}

/// One error, as the venue words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub code: Code,
    pub message: Cow<'static, str>,
    /// What is wrong with each field; also said when it is nothing.
    pub details: Option<Vec<(String, String)>>,
}

impl Reject {
    fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    /// The text is no JSON object. So is the answer to a binary frame: requests are text.
    pub fn bad_request() -> Self {
        Self::new(Code::BadRequest, "The application sent an invalid request.")
    }

    pub fn too_long(bytes: usize, bytes_max: usize) -> Self {
        Self::new(Code::BadRequest, format!("The request has {bytes} bytes, limit {bytes_max}."))
    }

    /// Fields that are wrong are named first, then what is wrong with the whole.
    pub fn input_validation(mut fields: Vec<(String, String)>, general: Option<String>) -> Self {
        fields.sort();
        let names = fields.iter().map(|(field, _)| field.as_str()).chain(general.as_deref());
        let message = format!("Input validation failed: {}", names.collect::<Vec<_>>().join(", "));
        Self { details: Some(fields), ..Self::new(Code::InputValidationFailed, message) }
    }

    pub fn unrecognised() -> Self {
        Self::new(Code::UnrecognisedRequest, "Unrecognised request.")
    }

    pub fn invalid_symbol(symbol: &str) -> Self {
        Self::new(Code::InvalidSymbol, format!("Symbol {symbol} is invalid."))
    }

    pub fn start_after_end(start_s: u64, end_s: u64) -> Self {
        Self::new(Code::InvalidStartEnd, format!("Start time {start_s} must be before end time {end_s}"))
    }

    pub fn already_subscribed(symbol: &str) -> Self {
        Self::new(Code::AlreadySubscribed, format!("You are already subscribed to {symbol}"))
    }

    pub fn market_closed() -> Self {
        Self::new(Code::MarketIsClosed, "This market is presently closed.")
    }

    /// Of calls, and of live subscriptions.
    pub fn rate_limit(method: &str) -> Self {
        Self::new(Code::RateLimit, format!("You have reached the rate limit for {method}."))
    }

    pub fn wrong_response() -> Self {
        Self::new(Code::WrongResponse, "Sorry, an error occurred while processing your request.")
    }

    pub fn authorization_required() -> Self {
        Self::new(Code::AuthorizationRequired, "Please log in. This relay serves market data and holds no accounts.")
    }

    pub fn permission_denied(symbol: &str) -> Self {
        Self::new(Code::PermissionDenied, format!("Permission denied: your API key does not allow {symbol}."))
    }

    pub fn invalid_app_id() -> Self {
        Self::new(Code::InvalidAppId, "Your app_id is invalid.")
    }
}
