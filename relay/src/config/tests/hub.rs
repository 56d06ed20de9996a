//! The hub's channels: what a file makes of them, and what is said about wrong ones.

use std::time::Duration;

use super::errors::check_file;
use super::{file, flags};
use crate::limits::HUB_INSTRUMENTS_MAX;
use crate::market::hub::spec::{ChannelSpec, DataKind, Schedule, documented};
use crate::market::pair::Pair;

fn pairs(texts: &[&str]) -> Vec<Pair> {
    texts.iter().map(|text| Pair::parse(text).unwrap()).collect()
}

fn spec<'a>(specs: &'a [ChannelSpec], name: &str) -> &'a ChannelSpec {
    specs.iter().find(|spec| &*spec.name == name).unwrap()
}

fn interval_ms(schedule: Schedule) -> u64 {
    match schedule {
        Schedule::Every(interval_ms) => interval_ms.get(),
        Schedule::Realtime => 0,
    }
}

#[test]
fn nothing_given_is_the_documented_eight() {
    let hub = flags("").config().hub;
    let ten_seconds = 10_000.try_into().unwrap();
    assert_eq!(hub.specs(&[]), documented(ten_seconds, &pairs(&["BTC/USDT", "ETH/USDT"])));
    let known = pairs(&["SOL/USDT"]);
    assert_eq!(hub.specs(&known), documented(ten_seconds, &known));
    let many: Vec<Pair> = (0..600).map(|number| Pair::parse(&format!("C{number}/USDT")).unwrap()).collect();
    assert_eq!(spec(&hub.specs(&many), "binance_prices").instruments, many[..HUB_INSTRUMENTS_MAX]);
    assert_eq!((hub.test, hub.test_per_second), (true, Some(10)));
}

#[test]
fn a_file_says_otherwise() {
    let hub = file(
        "[hub]\ninterval = \"2s\"\nsymbols = [\"sol/usdt\"]\ntest = false\ntest_per_second = 0\n\
         [[hub.channel]]\nname = \"majors\"\ndata = \"24hr\"\ninstruments = [\"BTC/EUR\"]\nexchange = \"kraken\"\n\
         every = \"500ms\"\nstale_after = \"5s\"\n\
         [[hub.channel]]\nname = \"binance_prices\"\ndata = \"prices\"\nevery = \"realtime\"\n\
         [[hub.channel]]\nname = \"coins\"\ndata = \"coingecko_top\"",
    )
    .config()
    .hub;
    assert_eq!((hub.interval, hub.test, hub.test_per_second), (Duration::from_secs(2), false, None));
    let specs = hub.specs(&pairs(&["XRP/USDT"]));
    assert_eq!(specs.len(), 8 + 2, "one is replaced");

    let majors = spec(&specs, "majors");
    assert_eq!((majors.data, &majors.instruments), (DataKind::Day, &pairs(&["BTC/EUR"])));
    assert_eq!((&*majors.exchange, interval_ms(majors.schedule), majors.stale_ms), ("kraken", 500, 5000));
    let prices = spec(&specs, "binance_prices");
    assert_eq!((prices.schedule, &prices.instruments), (Schedule::Realtime, &pairs(&["SOL/USDT"])));
    let coins = spec(&specs, "coins");
    assert!(coins.instruments.is_empty());
    assert_eq!((&*coins.exchange, interval_ms(coins.schedule), coins.stale_ms), ("coingecko", 2000, 7_200_000));
    assert_eq!(interval_ms(spec(&specs, "binance_24hr").schedule), 2000);
}

#[test]
fn wrong_settings_say_what_is_allowed() {
    check_file(
        "[hub]\ninterval = \"50ms\"\nsymbols = [\"BTCUSDT\"]\ntest = 1\ntest_per_second = -1",
        &[
            r#"relay.toml:2: hub.interval = "50ms": must be a duration from 100ms to 1h"#,
            r#"relay.toml:3: hub.symbols = "BTCUSDT": must be a pair, such as "BTC/USDT""#,
            "relay.toml:4: hub.test = 1: must be true or false",
            "relay.toml:5: hub.test_per_second = -1: must be a number from 1 to 1000, or 0 for no limit",
        ],
    );
    check_file(
        "[hub]\nsymbols = [\"BTC/USDT\", \"btc/usdt\"]\n[[hub.channel]]\nname = \"x\"\ndata = \"okx\"\ninstruments = []",
        &[
            "relay.toml:2: hub.symbols = […]: BTCUSDT is there twice",
            "relay.toml:6: hub.channel.instruments = […]: must be at least one pair; leave it out for the default",
        ],
    );
    let many: Vec<String> = (0..=HUB_INSTRUMENTS_MAX).map(|number| format!("\"C{number}/USDT\"")).collect();
    check_file(
        &format!("[hub]\nsymbols = [{}]", many.join(",")),
        &["relay.toml:2: hub.symbols = […]: 501 pairs; a channel has at most 500"],
    );
}

#[test]
fn wrong_channels_say_what_they_lack() {
    check_file(
        "[[hub.channel]]\nname = \"a b\"",
        &[
            r#"relay.toml:1: hub.channel.data: is missing: what its messages say, such as "prices""#,
            r#"relay.toml:2: hub.channel.name = "a b": must be 1 to 64 letters, digits, ".", "_" or "-""#,
        ],
    );
    check_file(
        "[[hub.channel]]\ndata = \"price\"\nevery = \"real time\"\nchannels = 1",
        &[
            "relay.toml:1: hub.channel.name: is missing: it is what clients subscribe to",
            r#"relay.toml:2: hub.channel.data = "price": must be one of "prices", "orderbook", "24hr", "okx", "coingecko_global", "coingecko_top", "coingecko_trending"; did you mean "prices"?"#,
            r#"relay.toml:3: hub.channel.every = "real time": must be a duration such as "250ms", "5s", "3m" or "1h", or "realtime""#,
            "relay.toml:4: hub.channel.channels = 1: unknown key",
        ],
    );
    check_file(
        "[[hub.channel]]\nname = \"a\"\ndata = \"coingecko_top\"\ninstruments = [\"A/B\"]\n\
         [[hub.channel]]\nname = \"a\"\ndata = \"prices\"\nevery = \"realtime\"\nstale_after = \"1s\"",
        &[
            "relay.toml:4: hub.channel.instruments = […]: instruments is only for data about pairs; CoinGecko's documents bring their own",
            "relay.toml:6: hub.channel.name = \"a\": must be unique; channel 1 has this name",
            "relay.toml:9: hub.channel.stale_after = \"1s\": stale_after is only for scheduled channels",
        ],
    );
}

#[test]
fn sections_stand_where_they_belong() {
    check_file("hub = 1", &["relay.toml:1: hub = 1: must be a section, [hub]"]);
    check_file(
        "[hub.channel]\nname = \"a\"",
        &["relay.toml:1: hub.channel: must be a section for each channel, [[hub.channel]] in double brackets"],
    );
    check_file(
        "[hub]\nchannel = [1]\nlisten = \"x\"",
        &[
            "relay.toml:2: hub.channel = 1: must be a section for each channel, [[hub.channel]] in double brackets",
            r#"relay.toml:3: hub.listen = "x": belongs above the first section"#,
        ],
    );
    check_file("[hubb]\ninterval = \"1s\"", &["relay.toml:1: hubb: unknown key; did you mean [hub]?"]);
    let many = "[[hub.channel]]\nname = \"a\"\ndata = \"prices\"\n".repeat(300);
    let (text, _) = file(&many).printed();
    assert!(text.contains("relay.toml:769: hub.channel: is one of more than 256 channels\n"), "{text}");
}
