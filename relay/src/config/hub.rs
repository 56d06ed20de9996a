//! `[hub]` and `[[hub.channel]]`: the channels of the hub dialect.

use std::num::NonZeroU64;
use std::time::Duration;

use super::given::{Given, Place, Value};
use super::problem::{Problems, Reason};
use super::section::Section;
use super::settings::SectionName;
use super::value::{choice, count_or_off, duration, parsed, switch};
use crate::limits::{HUB_CHANNELS_MAX, HUB_INSTRUMENTS_MAX, NAME_BYTES_MAX};
use crate::market::hub::spec::{ChannelSpec, DataKind, Schedule, documented, usual_pairs};
use crate::market::pair::Pair;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Of the scheduled channels.
    pub interval: Duration,
    /// Of the `binance_*` channels. `None`: decided at start by what the upstreams are known to have.
    pub symbols: Option<Vec<Pair>>,
    /// Whether `POST /ws/test` is served.
    pub test: bool,
    /// Such requests of one address in any second. `None`: no limit.
    pub test_per_second: Option<u32>,
    /// More channels; one with a documented name replaces that.
    pub channels: Vec<HubChannel>,
}

/// A channel of the configuration. What is `None` follows from the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubChannel {
    /// Unique.
    pub name: String,
    pub data: DataKind,
    /// `None`: those of the `binance_*` channels.
    pub instruments: Option<Vec<Pair>>,
    pub exchange: Option<String>,
    /// `None`: the hub's interval.
    pub schedule: Option<Schedule>,
    pub stale_after: Option<Duration>,
}

#[rustfmt::skip] // A table.
const DATA: [(&str, DataKind); 7] = [
    ("prices", DataKind::Prices),
    ("orderbook", DataKind::Orderbook),
    ("24hr", DataKind::Day),
    ("okx", DataKind::OkxTicker),
    ("coingecko_global", DataKind::CoinGlobal),
    ("coingecko_top", DataKind::CoinTop),
    ("coingecko_trending", DataKind::CoinTrending),
];

const EVERY_MIN: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(60 * 60);

impl Hub {
    /// All channels there are. `known` are the pairs the upstreams are known to have, if anything is known.
    pub fn specs(&self, known: &[Pair]) -> Vec<ChannelSpec> {
        let pairs = match &self.symbols {
            Some(pairs) => pairs.clone(),
            None if known.is_empty() => usual_pairs(),
            None => known[..known.len().min(HUB_INSTRUMENTS_MAX)].to_vec(),
        };
        let interval_ms = interval_ms(self.interval);
        let mut specs = documented(interval_ms, &pairs);
        specs.retain(|spec| self.channels.iter().all(|channel| *channel.name != *spec.name));
        specs.extend(self.channels.iter().map(|channel| channel.spec(interval_ms, &pairs)));
        specs
    }
}

impl HubChannel {
    fn spec(&self, interval_ms: NonZeroU64, pairs: &[Pair]) -> ChannelSpec {
        let instruments = self.instruments.as_deref().unwrap_or(pairs);
        let schedule = self.schedule.unwrap_or(Schedule::Every(interval_ms));
        let mut spec = ChannelSpec::new(&self.name, self.data, instruments, schedule);
        if let Some(exchange) = &self.exchange {
            spec.exchange = exchange.as_str().into();
        }
        if let Some(stale_after) = self.stale_after {
            spec.stale_ms = whole_ms(stale_after);
        }
        spec
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a setting is at most days long")
}

fn interval_ms(duration: Duration) -> NonZeroU64 {
    NonZeroU64::new(whole_ms(duration)).expect("an interval is at least EVERY_MIN")
}

pub(super) fn read(given: Vec<Given>, channels: Vec<Given>, problems: &mut Problems) -> Hub {
    let mut section = Section::new(SectionName::Hub, Place::File, given, problems);
    let interval = section.value("interval", Duration::from_secs(10), duration(EVERY_MIN..=HOUR));
    let symbols = pairs(&mut section, "symbols");
    let test = section.value("test", true, switch);
    let test_per_second = section.value("test_per_second", Some(10), count_or_off(1000));
    Hub { interval, symbols, test, test_per_second, channels: read_channels(channels, problems) }
}

fn read_channels(tables: Vec<Given>, problems: &mut Problems) -> Vec<HubChannel> {
    let mut channels: Vec<HubChannel> = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        if index == HUB_CHANNELS_MAX {
            problems.value("hub", &table, Reason::conflict(format!("is one of more than {HUB_CHANNELS_MAX} channels")));
            break;
        }
        let Given { place, value: Value::Table(given), .. } = table else {
            continue;
        };
        let section = Section::new(SectionName::HubChannel, place, given, problems);
        channels.extend(read_channel(section, &channels));
    }
    channels
}

/// `None` if it has problems that leave no channel.
fn read_channel(mut section: Section<'_>, before: &[HubChannel]) -> Option<HubChannel> {
    section.missing("name", "it is what clients subscribe to");
    section.missing("data", r#"what its messages say, such as "prices""#);
    let name = section.value("name", None, |value| parsed(name)(value).map(Some));
    let data = section.value("data", None, |value| choice(&DATA)(value).map(Some));
    let instruments = pairs(&mut section, "instruments");
    let exchange = section.value("exchange", None, |value| parsed(exchange)(value).map(Some));
    let schedule = section.value("every", None, |value| every(value).map(Some));
    let stale_after = section.value("stale_after", None, |value| duration(EVERY_MIN..=24 * HOUR)(value).map(Some));

    if data.is_some_and(|data| data.document().is_some()) {
        section.only_for("instruments", "data about pairs; CoinGecko's documents bring their own");
    }
    if schedule == Some(Schedule::Realtime) {
        section.only_for("stale_after", "scheduled channels");
    }
    if let Some(index) = before.iter().position(|other| name.as_ref() == Some(&other.name)) {
        let text = format!("must be unique; channel {} has this name", index + 1);
        section.conflict("name", &[], Reason::conflict(text));
    }
    Some(HubChannel { name: name?, data: data?, instruments, exchange, schedule, stale_after })
}

/// A list of pairs, each once; at least one if it is given at all.
fn pairs(section: &mut Section<'_>, key: &'static str) -> Option<Vec<Pair>> {
    let pairs = section.list(key, parsed(pair))?;
    if pairs.is_empty() {
        section.conflict(key, &[], Reason::must("at least one pair; leave it out for the default"));
    }
    if pairs.len() > HUB_INSTRUMENTS_MAX {
        let text = format!("{} pairs; a channel has at most {HUB_INSTRUMENTS_MAX}", pairs.len());
        section.conflict(key, &[], Reason::conflict(text));
    }
    // Pairs with one symbol would share their streams.
    let mut symbols: Vec<String> = pairs.iter().map(Pair::symbol).collect();
    symbols.sort_unstable();
    if let Some(twin) = symbols.windows(2).find(|twins| twins[0] == twins[1]) {
        section.conflict(key, &[], Reason::conflict(format!("{} is there twice", twin[0])));
    }
    Some(pairs)
}

/// With its separator: where a base ends is not for us to guess.
fn pair(text: &str) -> Result<Pair, Reason> {
    let is_short = text.len() <= NAME_BYTES_MAX / 2;
    let pair = text.split_once('/').filter(|_| is_short).and_then(|(base, quote)| Pair::new(base, quote));
    pair.ok_or_else(|| Reason::must(r#"a pair, such as "BTC/USDT""#))
}

/// A topic's name is made of it, so it has no blank.
fn name(text: &str) -> Result<String, Reason> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(letter) {
        return Err(Reason::must(r#"1 to 64 letters, digits, ".", "_" or "-""#));
    }
    Ok(text.to_owned())
}

fn exchange(text: &str) -> Result<String, Reason> {
    name(text).map_err(|_| Reason::must(r#"an exchange's name, such as "binance""#))
}

fn every(value: &Value) -> Result<Schedule, Reason> {
    if matches!(value, Value::Typed(text) | Value::Text(text) if text == "realtime") {
        return Ok(Schedule::Realtime);
    }
    match duration(EVERY_MIN..=HOUR)(value) {
        Ok(every) => Ok(Schedule::Every(interval_ms(every))),
        Err(Reason::Must(expected)) => Err(Reason::must(format!(r#"{expected}, or "realtime""#))),
        Err(reason) => Err(reason),
    }
}
