//! Why connections end: the one table that close frames, metrics and the documentation share.

/// Why we close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client closed, or what it came for is over.
    Normal,
    /// The server goes away and does not say when it is back.
    GoingAway,
    /// The 24 hours of a connection are over.
    LifetimeOver,
    /// A Deriv client and we had nothing to say to each other.
    Idle,
    /// The listen key of a user data stream ran out.
    ListenKeyExpired,
    /// RFC 6455 was broken.
    Protocol,
    /// A text message or a close reason was not UTF-8.
    NotUtf8,
    /// More messages than the profile allows.
    RateLimited,
    /// More subscriptions than the profile allows, where that ends the connection.
    TooManySubscriptions,
    /// More requests that were none than a hub client is answered.
    TooManyErrors,
    /// Pings stayed unanswered.
    PongTimeout,
    /// A Socket.IO client that never came in.
    ConnectTimeout,
    /// A message above the limit.
    TooBig,
    /// Our mistake.
    Internal,
    /// Planned stop; another process is there already or soon.
    Restart,
    /// The client fell behind an event channel further than its log reaches.
    TooSlow,
    /// The client took no byte for the longest time we wait.
    Stalled,
    /// There is no room for this connection or subscription now.
    Overloaded,
}

struct Row {
    code: u16,
    text: &'static str,
    retry: bool,
    name: &'static str,
}

impl CloseReason {
    pub const ALL: [Self; 18] = [
        Self::Normal,
        Self::GoingAway,
        Self::LifetimeOver,
        Self::Idle,
        Self::ListenKeyExpired,
        Self::Protocol,
        Self::NotUtf8,
        Self::RateLimited,
        Self::TooManySubscriptions,
        Self::TooManyErrors,
        Self::PongTimeout,
        Self::ConnectTimeout,
        Self::TooBig,
        Self::Internal,
        Self::Restart,
        Self::TooSlow,
        Self::Stalled,
        Self::Overloaded,
    ];

    /// The code of the close frame (RFC 6455 section 7.4 and the IANA registry).
    pub const fn code(self) -> u16 {
        self.row().code
    }

    /// The reason in the close frame. Where Binance documents one, it is theirs.
    pub const fn text(self) -> &'static str {
        self.row().text
    }

    /// Whether the same client may come back at once and hope for better.
    pub const fn retry(self) -> bool {
        self.row().retry
    }

    /// The label in metrics and the documentation.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    #[rustfmt::skip] // A table.
    const fn row(self) -> Row {
        match self {
            Self::Normal =>               Row { code: 1000, retry: false, name: "normal", text: "" },
            Self::Idle =>                 Row { code: 1000, retry: true, name: "idle", text: "" },
            Self::ListenKeyExpired =>     Row { code: 1000, retry: false, name: "listen_key_expired", text: "Listen key expired" },
            Self::GoingAway =>            Row { code: 1001, retry: true, name: "going_away", text: "" },
            Self::LifetimeOver =>         Row { code: 1001, retry: true, name: "lifetime_over", text: "" },
            Self::Protocol =>             Row { code: 1002, retry: false, name: "protocol", text: "Protocol error" },
            Self::NotUtf8 =>              Row { code: 1007, retry: false, name: "not_utf8", text: "Invalid UTF-8" },
            Self::RateLimited =>          Row { code: 1008, retry: false, name: "rate_limited", text: "Too many requests" },
            Self::TooManySubscriptions => Row { code: 1008, retry: false, name: "too_many_subscriptions", text: "Invalid request" },
            Self::TooManyErrors =>        Row { code: 1008, retry: false, name: "too_many_errors", text: "Too many invalid requests" },
            Self::PongTimeout =>          Row { code: 1008, retry: true, name: "pong_timeout", text: "Pong timeout" },
            Self::ConnectTimeout =>       Row { code: 1008, retry: true, name: "connect_timeout", text: "Connect timeout" },
            Self::TooBig =>               Row { code: 1009, retry: false, name: "too_big", text: "Message too big" },
            Self::Internal =>             Row { code: 1011, retry: true, name: "internal", text: "Internal error" },
            Self::Restart =>              Row { code: 1012, retry: true, name: "restart", text: "Restarting, please reconnect" },
            Self::TooSlow =>              Row { code: 1013, retry: true, name: "too_slow", text: "Too slow, please reconnect" },
            Self::Stalled =>              Row { code: 1013, retry: true, name: "stalled", text: "Nothing read for too long" },
            Self::Overloaded =>           Row { code: 1013, retry: true, name: "overloaded", text: "Overloaded, please try again later" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_fits_a_close_frame() {
        for (index, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "ALL follows the declaration, so that a reason is an index");
            assert!(reason.text().len() <= 123, "{reason:?}");
            assert!(
                reason.name().bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
            );
            assert!(matches!(reason.code(), 1000..=1002 | 1007..=1009 | 1011..=1013), "{reason:?}");
        }
        let mut names = CloseReason::ALL.map(CloseReason::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two reasons share a label");
    }

    #[test]
    fn documented_texts_are_the_venues() {
        let check = |reason: CloseReason, code, text| assert_eq!((reason.code(), reason.text()), (code, text));
        check(CloseReason::RateLimited, 1008, "Too many requests");
        check(CloseReason::TooManySubscriptions, 1008, "Invalid request");
        check(CloseReason::PongTimeout, 1008, "Pong timeout");
        check(CloseReason::LifetimeOver, 1001, "");
    }
}
