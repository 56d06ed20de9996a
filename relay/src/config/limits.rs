//! `[limits]`: what one client, and one address, may cost.

use std::time::Duration;

use super::given::{Given, Place};
use super::problem::{Problems, Reason};
use super::profile::Profile;
use super::section::Section;
use super::settings::SectionName;
use super::value::{count, count_or_off, duration, duration_or_off, show_duration, switch};
use crate::limits::SUBSCRIPTIONS_HARD_MAX;

/// Where a field is an option, `None` is "no limit" or "never".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connections_per_ip: Option<u32>,
    pub subscriptions_per_connection: usize,
    pub messages_per_second: Option<u32>,
    pub ping_interval: Duration,
    /// Longer than `ping_interval`.
    pub pong_timeout: Duration,
    pub lifetime: Option<Duration>,
    /// The limits per client do not apply to loopback addresses.
    pub exempt_loopback: bool,
    pub unproven_names_per_ip: u32,
    /// 0 to 100.
    pub unproven_percent: u32,
    pub unproven_silence: Duration,
    pub handshakes: usize,
    /// At most `handshakes`.
    pub handshakes_per_ip: usize,
    pub head_timeout: Duration,
    pub keepalive: Duration,
    /// Polls that wait and streams of events, in all.
    pub http_streams: usize,
    pub write_timeout: Duration,
    pub close_timeout: Duration,
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(profile: Profile, given: Vec<Given>, problems: &mut Problems) -> Limits {
    let mut section = Section::new(SectionName::Limits, Place::File, given, problems);
    let habits = profile.habits();
    let limits = Limits {
        connections_per_ip: section.value("connections_per_ip", habits.connections_per_ip, count_or_off(1_000_000)),
        subscriptions_per_connection: section.value(
            "subscriptions_per_connection",
            habits.subscriptions_per_connection,
            count(1..=SUBSCRIPTIONS_HARD_MAX),
        ),
        messages_per_second: section.value("messages_per_second", habits.messages_per_second, count_or_off(100_000)),
        ping_interval: section.value("ping_interval", habits.ping_interval, duration(SECOND..=DAY)),
        pong_timeout: section.value("pong_timeout", habits.pong_timeout, duration(SECOND..=DAY)),
        lifetime: section.value("lifetime", None, duration_or_off(SECOND..=30 * DAY)),
        exempt_loopback: section.value("exempt_loopback", true, switch),
        unproven_names_per_ip: section.value("unproven_names_per_ip", 50, count(0..=100_000)),
        unproven_percent: section.value("unproven_percent", 25, count(0..=100)),
        unproven_silence: section.value("unproven_silence", MINUTE, duration(SECOND..=DAY)),
        handshakes: section.value("handshakes", 64, count(1..=4096)),
        handshakes_per_ip: section.value("handshakes_per_ip", 8, count(1..=4096)),
        head_timeout: section.value("head_timeout", 5 * SECOND, duration(100 * MS..=MINUTE)),
        keepalive: section.value("keepalive", 30 * SECOND, duration(SECOND..=HOUR)),
        http_streams: section.value("http_streams", 4096, count(0..=1_000_000)),
        write_timeout: section.value("write_timeout", 30 * SECOND, duration(SECOND..=HOUR)),
        close_timeout: section.value("close_timeout", 2 * SECOND, duration(100 * MS..=MINUTE)),
    };
    check_together(&limits, profile, &mut section);
    limits
}

fn check_together(limits: &Limits, profile: Profile, section: &mut Section<'_>) {
    if limits.pong_timeout <= limits.ping_interval {
        let (ping, pong) = (show_duration(limits.ping_interval), show_duration(limits.pong_timeout));
        let text = format!(
            "pong_timeout ({pong}) must be longer than ping_interval ({ping}), or every client is closed; \
             profile {} sets what you leave out",
            profile.name()
        );
        section.conflict("pong_timeout", &["ping_interval"], Reason::conflict(text));
    }
    if limits.handshakes_per_ip > limits.handshakes {
        let text = format!(
            "handshakes_per_ip ({}) must not exceed handshakes ({})",
            limits.handshakes_per_ip, limits.handshakes
        );
        section.conflict("handshakes_per_ip", &["handshakes"], Reason::conflict(text));
    }
}
