//! How a client without a good key is refused, before the upgrade and in the words of its dialect.

use crate::wire::dialect::Dialect;

/// Why somebody may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// A key is needed and there is none.
    NoKey,
    /// No account has this key, or it is no key at all.
    WrongKey,
    /// The account may not speak this dialect.
    Dialect,
}

impl Why {
    pub const ALL: [Self; 3] = [Self::NoKey, Self::WrongKey, Self::Dialect];

    /// Another key may help, or no key will.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoKey | Self::WrongKey => 401,
            Self::Dialect => 403,
        }
    }
}

/// An HTTP answer. Bodies are JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// Names in lower case.
    pub headers: &'static [(&'static str, &'static str)],
    pub body: &'static str,
}

/// RFC 9110 section 15.5.2: a 401 says what would be accepted.
pub const BEARER: &[(&str, &str)] = &[("www-authenticate", "Bearer")];

/// The answer to an upgrade, and to the polling request that opens a Socket.IO session. A key in the CONNECT packet is
/// judged later: see [`socket_io_connect_error`].
pub const fn upgrade(dialect: Dialect, why: Why) -> Refusal {
    let body = match (dialect, why) {
        (Dialect::Stream, Why::NoKey | Why::WrongKey) => r#"{"code":401,"msg":"Unauthorized"}"#,
        (Dialect::Stream, Why::Dialect) => r#"{"code":403,"msg":"This API key is not for the stream dialect"}"#,
        (Dialect::Hub, Why::NoKey) => r#"{"type":"error","code":"unauthorized","message":"An API key is required"}"#,
        (Dialect::Hub, Why::WrongKey) => r#"{"type":"error","code":"unauthorized","message":"Invalid API key"}"#,
        (Dialect::Hub, Why::Dialect) => {
            r#"{"type":"error","code":"forbidden","message":"This API key is not for the hub dialect"}"#
        }
        (Dialect::Deriv, Why::NoKey) => {
            r#"{"error":{"code":"AuthorizationRequired","message":"An API key is required."},"msg_type":"error"}"#
        }
        (Dialect::Deriv, Why::WrongKey) => {
            r#"{"error":{"code":"InvalidToken","message":"The API key is invalid."},"msg_type":"error"}"#
        }
        (Dialect::Deriv, Why::Dialect) => {
            r#"{"error":{"code":"PermissionDenied","message":"This API key is not for the deriv dialect."},"msg_type":"error"}"#
        }
        (Dialect::SocketIo, Why::NoKey | Why::WrongKey) => {
            r#"{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#
        }
        (Dialect::SocketIo, Why::Dialect) => r#"{"message":"Forbidden","data":{"code":"FORBIDDEN"}}"#,
    };
    let status = why.status();
    Refusal { status, headers: if status == 401 { BEARER } else { &[] }, body }
}

/// The answer to an upgrade of an account that has all the connections it may.
pub const fn too_many_connections(dialect: Dialect) -> Refusal {
    let body = match dialect {
        Dialect::Stream => r#"{"code":429,"msg":"Too many connections of this account"}"#,
        Dialect::Hub => r#"{"type":"error","code":"rate_limited","message":"Too many connections of this account"}"#,
        Dialect::Deriv => {
            r#"{"error":{"code":"RateLimit","message":"Too many connections of this account."},"msg_type":"error"}"#
        }
        Dialect::SocketIo => r#"{"message":"Too many connections of this account","data":{"code":"RATE_LIMITED"}}"#,
    };
    Refusal { status: 429, headers: &[], body }
}

/// The Socket.IO packet that refuses a CONNECT, its payload being the body of [`upgrade`].
pub const fn socket_io_connect_error(why: Why) -> &'static str {
    match why {
        Why::NoKey | Why::WrongKey => r#"44{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#,
        Why::Dialect => r#"44{"message":"Forbidden","data":{"code":"FORBIDDEN"}}"#,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_dialects_own_words() {
        let check = |dialect, why, status, body| {
            let refusal = upgrade(dialect, why);
            assert_eq!((refusal.status, refusal.body), (status, body));
        };
        check(Dialect::Stream, Why::NoKey, 401, r#"{"code":401,"msg":"Unauthorized"}"#);
        check(Dialect::Stream, Why::WrongKey, 401, r#"{"code":401,"msg":"Unauthorized"}"#);
        let deriv = r#"{"error":{"code":"InvalidToken","message":"The API key is invalid."},"msg_type":"error"}"#;
        check(Dialect::Deriv, Why::WrongKey, 401, deriv);
        let packet = r#"44{"message":"Unauthorized","data":{"code":"UNAUTHORIZED"}}"#;
        assert_eq!(socket_io_connect_error(Why::WrongKey), packet);
    }

    #[test]
    fn every_refusal_is_whole() {
        for dialect in Dialect::ALL {
            for why in Why::ALL {
                let refusal = upgrade(dialect, why);
                assert!(serde_json::from_str::<serde_json::Value>(refusal.body).unwrap().is_object(), "{dialect:?}");
                assert_eq!(refusal.status == 401, refusal.headers == BEARER, "{dialect:?} {why:?}");
            }
        }
        for dialect in Dialect::ALL {
            let refusal = too_many_connections(dialect);
            assert!(serde_json::from_str::<serde_json::Value>(refusal.body).unwrap().is_object(), "{dialect:?}");
        }
        for why in Why::ALL {
            let body = upgrade(Dialect::SocketIo, why).body;
            assert_eq!(socket_io_connect_error(why), format!("44{body}"));
        }
    }
}
