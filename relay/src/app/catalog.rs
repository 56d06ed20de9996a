//! What the other dialects can be asked for: the instruments that the configured upstreams are known to have.

use std::sync::Arc;

use anyhow::Context as _;

use super::native::Native;
use crate::config::{Config, Source, Upstream};
use crate::limits::DERIV_PIP_SIZE_USUAL;
use crate::market::catalog::{Catalog, Factory, Given, ListedPair, Symbol, SymbolSource};
use crate::market::deriv::{self, DerivSymbol, PastTick};
use crate::market::hub::HubChannel;
use crate::market::hub::spec::ChannelSpec;
use crate::market::pair::Pair;
use crate::market::topic::Topic;
use crate::venue::sim::past::Past;

pub fn catalog(config: &Config, native: Arc<Native>) -> anyhow::Result<Catalog> {
    let mut given = Given::default();
    let mut pasts = Vec::new();
    for upstream in &config.upstreams {
        match &upstream.source {
            Source::Sim { seed, .. } => {
                let past = Past::new(*seed);
                list_sim(&past, upstream, &mut given);
                pasts.push(past);
            }
            source => list_source(source, upstream, &mut given),
        }
    }
    let wished = config.hub.symbols.iter().flatten().cloned();
    // Where no upstream says what it has, the pairs of the documents are worth trying.
    let usual = usual(config, &native).into_iter().filter_map(Pair::parse).filter(|_| given.pairs.is_empty());
    for pair in wished.chain(usual).collect::<Vec<_>>() {
        list_pair(pair, None, &mut given);
    }
    let known: Vec<_> = given.pairs.iter().map(|listed| listed.pair.clone()).collect();
    let specs = config.hub.specs(&known);
    given.channels = specs.iter().map(|spec| spec.name.clone()).collect();
    let symbols = given.symbols.clone();
    let catalog = Catalog::new(given, factory(specs, symbols, pasts)).context("the instruments of the upstreams")?;
    Ok(catalog.with_recipes(Box::new(move |name| native.recipe(name))))
}

/// Socket.IO venues price coins in dollars, the others in tethers.
fn usual(config: &Config, native: &Native) -> [&'static str; 2] {
    let carrier = native.carrier("btcusdt@trade").map(|at| &config.upstreams[at].source);
    match carrier {
        Some(Source::SocketIo { .. }) => ["BTC/USD", "ETH/USD"],
        _ => ["BTC/USDT", "ETH/USDT"],
    }
}

/// Makes the products of hub channels and of Deriv symbols.
fn factory(specs: Vec<ChannelSpec>, symbols: Vec<Symbol>, pasts: Vec<Past>) -> Factory {
    Box::new(move |topic| match topic {
        Topic::Hub { channel } => {
            let spec = specs.iter().find(|spec| spec.name == *channel)?;
            Some(Box::new(HubChannel::new(spec.clone())))
        }
        Topic::Ticks { symbol, .. } | Topic::Candles { symbol, .. } => {
            let symbol = symbols.iter().find(|known| known.name == *symbol)?;
            let source = match &symbol.source {
                SymbolSource::Native { stream } => deriv::Source::Native { stream: stream.clone() },
                SymbolSource::Pair(pair) => {
                    deriv::Source::Pair { trades: pair.stream("trade"), tops: pair.stream("bookTicker") }
                }
            };
            let past = pasts.iter().find(|past| past.period_s(&symbol.name).is_some() && symbol.is_native());
            let past = past.map(|past| Arc::new(Known(past.clone())) as Arc<dyn deriv::Past + Send + Sync>);
            let usual = || deriv::symbols::row(&symbol.name, None).map(|row| row.pip_size);
            let digits = symbol.pip_size.or_else(usual).unwrap_or(DERIV_PIP_SIZE_USUAL);
            Some(Box::new(DerivSymbol::new(&symbol.name, source, past, digits)))
        }
        Topic::Rates { .. } | Topic::Stream { .. } => None,
    })
}

/// What a venue is known to have: its configured symbols, in its own spelling where that says more.
fn list_source(source: &Source, upstream: &Upstream, given: &mut Given) {
    match source {
        // The market of the documents, as the built-in venue has it.
        Source::Deriv { symbols, .. } if symbols.is_empty() => {
            let usual = Past::new(0);
            for name in usual.symbols() {
                list_native(Symbol::native(name, usual.pip_size(name)), upstream, given);
            }
        }
        Source::Deriv { symbols, .. } => {
            for name in symbols {
                list_native(Symbol::native(name, None), upstream, given);
            }
        }
        Source::Okx { instruments, .. } => {
            // Swaps and dated futures have a third part and are no pairs.
            let pairs = instruments.iter().filter_map(|instrument| Pair::parse(instrument));
            for pair in pairs.filter(|pair| upstream.takes(&pair.stream("trade"))) {
                list_pair(pair, None, given);
            }
        }
        _ => {
            for symbol in upstream.symbols.iter().flatten() {
                list_symbol(symbol, upstream, given);
            }
        }
    }
}

fn list_native(symbol: Symbol, upstream: &Upstream, given: &mut Given) {
    if !carries(upstream, &symbol) || given.symbols.iter().any(|known| known.name == symbol.name) {
        return;
    }
    if let Some(pair) = symbol.name.strip_prefix("frx").and_then(Pair::parse)
        && !given.fiats.contains(&pair)
    {
        given.fiats.push(pair);
    }
    given.symbols.push(symbol);
}

fn list_sim(past: &Past, upstream: &Upstream, given: &mut Given) {
    for name in past.symbols() {
        let symbol = Symbol::native(name, past.pip_size(name));
        if !carries(upstream, &symbol) || given.symbols.iter().any(|known| known.name == symbol.name) {
            continue;
        }
        if let Some(pair) = name.strip_prefix("frx").and_then(Pair::parse) {
            given.fiats.push(pair);
        }
        // A coin that ticks is a pair that trades.
        if let Some(base) = name.strip_prefix("cry").and_then(|pair| pair.strip_suffix("USD"))
            && let Some(pair) = Pair::new(base, "USDT")
            && upstream.takes(&pair.stream("trade"))
        {
            let price_digits = past.pip_size(name);
            if given.pairs.iter().all(|known| known.pair != pair) {
                given.pairs.push(ListedPair { pair, price_digits });
            }
        }
        given.symbols.push(symbol);
    }
}

/// A symbol of an upstream's list: a pair, or one that ticks, in Deriv's spelling.
fn list_symbol(text: &str, upstream: &Upstream, given: &mut Given) {
    let lower = text.to_lowercase();
    let name = match lower.get(..3) {
        Some(prefix @ ("frx" | "cry")) => format!("{prefix}{}", lower[3..].to_uppercase()),
        _ => lower.to_uppercase(),
    };
    let ticks = name.starts_with("frx") || name.starts_with("cry") || name.starts_with("R_") || name.starts_with("1HZ");
    if !ticks {
        // What is polled has prices, but no trades.
        let has_prices = matches!(upstream.source, Source::Rest(_)) || upstream.takes(&format!("{lower}@trade"));
        if let Some(pair) = Pair::parse(text).filter(|_| has_prices) {
            list_pair(pair, None, given);
        }
        return;
    }
    list_native(Symbol::native(&name, None), upstream, given);
}

fn list_pair(pair: Pair, price_digits: Option<u32>, given: &mut Given) {
    if given.pairs.iter().any(|known| known.pair == pair) {
        return;
    }
    let listed = ListedPair { pair, price_digits };
    if let Some(symbol) = Symbol::of_pair(&listed)
        && given.symbols.iter().all(|known| known.name != symbol.name)
    {
        given.symbols.push(symbol);
    }
    given.pairs.push(listed);
}

fn carries(upstream: &Upstream, symbol: &Symbol) -> bool {
    matches!(&symbol.source, SymbolSource::Native { stream } if upstream.takes(stream))
}

/// The built-in venue's past as Deriv's symbols ask for it.
struct Known(Past);

impl deriv::Past for Known {
    fn tick(&self, symbol: &str, epoch_s: u64) -> Option<PastTick> {
        let quote = self.0.tick(symbol, epoch_s)?;
        Some(PastTick { quote: quote.quote, bid: quote.bid, ask: quote.ask })
    }

    fn period_s(&self, symbol: &str) -> u64 {
        self.0.period_s(symbol).unwrap_or(0)
    }

    fn candle(&self, symbol: &str, open_s: u64, end_s: u64) -> Option<[String; 4]> {
        self.0.candle(symbol, open_s, end_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Outcome, parse};

    /// The catalogue of a file.
    fn of(text: &str) -> Catalog {
        let args = ["relay", "--config", "x"].map(Into::into).into_iter();
        match parse(args, &|_| None, &|_| Ok(text.to_owned()), 1) {
            Outcome::Run(config) => catalog(&config, Arc::new(Native::new(&config).unwrap())).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_kind_brings_what_it_is_known_to_have() {
        let check = |text: &str, pairs: &[&str], symbols: &[&str]| {
            let catalog = of(&format!("[[upstream]]\n{text}"));
            let listed: Vec<String> = catalog.pairs().iter().map(|listed| listed.pair.to_string()).collect();
            assert_eq!(listed, pairs, "{text}");
            let named: Vec<&str> = catalog.symbols().iter().map(|symbol| &*symbol.name).collect();
            assert_eq!(named, symbols, "{text}");
        };
        let usual = ["BTC/USDT", "ETH/USDT"];
        let usual_symbols = ["cryBTCUSD", "cryETHUSD"];
        check("kind = \"binance\"", &usual, &usual_symbols);
        let socketio = "kind = \"socketio\"\nurl = \"ws://127.0.0.1:1\"\napi_key = \"k\"";
        check(socketio, &["BTC/USD", "ETH/USD"], &usual_symbols);
        check(&format!("{socketio}\nsymbols = [\"solusdt\"]"), &["SOL/USDT"], &["crySOLUSD"]);
        check(&format!("kind = \"binance\"\n[[upstream]]\n{socketio}"), &usual, &usual_symbols);
        check("kind = \"binance\"\nsymbols = [\"solusdt\", \"ethbtc\"]", &["SOL/USDT", "ETH/BTC"], &["crySOLUSD"]);
        check("kind = \"okx\"\nsymbols = [\"BTC-USDT\", \"BTC-USDT-SWAP=0.01\"]", &["BTC/USDT"], &["cryBTCUSD"]);
        let deriv = "kind = \"deriv\"\nsymbols = [\"R_100\", \"frxEURUSD\", \"stpRNG\"]";
        check(deriv, &usual, &["R_100", "frxEURUSD", "stpRNG", "cryBTCUSD", "cryETHUSD"]);
        let price = "kind = \"rest\"\nformat = \"binance-price\"\nsymbols = [\"BNBUSDT\"]\nstreams = [\"*@ticker\"]";
        check(price, &["BNB/USDT"], &["cryBNBUSD"]);
        check("kind = \"bitzoom\"\nsymbols = [\"btcusdt\"]\nstreams = [\"*@ticker\"]", &usual, &usual_symbols);
    }

    #[test]
    fn deriv_alone_has_the_documented_symbols() {
        let catalog = of("[[upstream]]\nkind = \"deriv\"");
        let has = |name: &str| catalog.symbols().iter().any(|symbol| &*symbol.name == name && symbol.is_native());
        assert!(has("R_100") && has("1HZ100V") && has("frxEURUSD"));
    }

    #[test]
    fn the_first_of_two_upstreams_has_a_symbol() {
        let text = "[[upstream]]\nkind = \"deriv\"\nsymbols = [\"cryBTCUSD\"]\n\
                    [[upstream]]\nkind = \"binance\"\nsymbols = [\"btcusdt\"]";
        let catalog = of(text);
        assert!(catalog.symbols().iter().all(|symbol| symbol.is_native()));
        assert_eq!(catalog.pairs().len(), 1);
    }
}
