//! Whose behaviour stream clients get.

use std::time::Duration;

pub use crate::wire::stream::name::Profile;

/// What a profile says where the configuration is silent.
pub(super) struct Habits {
    /// `None` is no limit.
    pub connections_per_ip: Option<u32>,
    pub subscriptions_per_connection: usize,
    pub messages_per_second: Option<u32>,
    pub ping_interval: Duration,
    pub pong_timeout: Duration,
}

impl Profile {
    pub const ALL: [Profile; 2] = [Profile::Bitzoom, Profile::Binance];

    pub fn name(self) -> &'static str {
        match self {
            Profile::Bitzoom => "bitzoom",
            Profile::Binance => "binance",
        }
    }

    pub(super) fn habits(self) -> Habits {
        match self {
            Profile::Bitzoom => Habits {
                connections_per_ip: Some(5),
                subscriptions_per_connection: 200,
                messages_per_second: Some(10),
                ping_interval: Duration::from_secs(3 * 60),
                pong_timeout: Duration::from_secs(10 * 60),
            },
            // Binance counts attempts (300 in 5 minutes), not connections; we count neither.
            Profile::Binance => Habits {
                connections_per_ip: None,
                subscriptions_per_connection: 1024,
                messages_per_second: Some(5),
                ping_interval: Duration::from_secs(20),
                pong_timeout: Duration::from_secs(60),
            },
        }
    }
}
