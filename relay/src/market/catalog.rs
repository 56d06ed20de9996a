//! What there is: pairs, currencies, Deriv symbols, hub channels. Settled at the start, from plain data.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::derive;
use super::derive::recipe::Recipe;
use super::entry::Subject;
use super::pair::Pair;
use super::product::Product;
use super::rates::product::Rates;
use super::rates::table::{Table, TableError, Tether};
use super::topic::Topic;
use crate::wire::deriv::request::GRANULARITIES_S;

/// What the upstreams have. Its lists keep their order.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub pairs: Vec<ListedPair>,
    /// Currencies against the dollar, as Deriv's `frx` symbols have them: `EUR/USD`, `USD/JPY`.
    pub fiats: Vec<Pair>,
    pub tether: Tether,
    pub symbols: Vec<Symbol>,
    /// Names of hub channels.
    pub channels: Vec<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPair {
    pub pair: Pair,
    /// Fractional digits of its prices, if known.
    pub price_digits: Option<u32>,
}

/// A Deriv symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    pub name: Box<str>,
    pub source: SymbolSource,
    /// Digits after the point, if known.
    pub pip_size: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolSource {
    /// Its own stream of ticks, by name: `r_100@tick`.
    Native { stream: Box<str> },
    /// The trades and quotes of a pair.
    Pair(Pair),
}

impl Symbol {
    pub fn native(name: &str, pip_size: Option<u32>) -> Symbol {
        let stream = format!("{}@tick", name.to_ascii_lowercase()).into();
        Symbol { name: name.into(), source: SymbolSource::Native { stream }, pip_size }
    }

    pub fn is_native(&self) -> bool {
        matches!(self.source, SymbolSource::Native { .. })
    }

    /// `cryBTCUSD` from BTC/USDT or BTC/USD; other pairs make none.
    pub fn of_pair(listed: &ListedPair) -> Option<Symbol> {
        let name = listed.pair.cry_symbol()?.into();
        Some(Symbol { name, source: SymbolSource::Pair(listed.pair.clone()), pip_size: listed.price_digits })
    }
}

/// Makes the product of a hub channel or of a Deriv symbol, which the catalogue knows.
pub type Factory = Box<dyn Fn(&Topic) -> Option<Box<dyn Product + Send>> + Send + Sync>;

/// How a stream is made that no upstream carries; none if it cannot be.
pub type Recipes = Box<dyn Fn(&str) -> Option<Recipe> + Send + Sync>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    #[error("{0} is listed twice")]
    ListedTwice(Box<str>),
    #[error(transparent)]
    Rates(#[from] TableError),
}

pub struct Catalog {
    pairs: Vec<ListedPair>,
    pairs_by_symbol: HashMap<String, usize, RandomState>,
    symbols: Vec<Symbol>,
    symbols_by_name: HashMap<Box<str>, usize, RandomState>,
    channels: Vec<Box<str>>,
    rates: Arc<Table>,
    factory: Factory,
    recipes: Recipes,
}

impl Catalog {
    pub fn new(given: Given, factory: Factory) -> Result<Catalog, CatalogError> {
        let Given { pairs, fiats, tether, symbols, channels } = given;
        let mut pairs_by_symbol = HashMap::default();
        for (index, listed) in pairs.iter().enumerate() {
            if pairs_by_symbol.insert(listed.pair.symbol(), index).is_some() {
                return Err(CatalogError::ListedTwice(listed.pair.to_string().into()));
            }
        }
        let mut symbols_by_name = HashMap::default();
        for (index, symbol) in symbols.iter().enumerate() {
            if symbols_by_name.insert(symbol.name.clone(), index).is_some() {
                return Err(CatalogError::ListedTwice(symbol.name.clone()));
            }
        }
        if let Some((_, twin)) = channels.iter().enumerate().find(|(index, name)| channels[..*index].contains(name)) {
            return Err(CatalogError::ListedTwice(twin.clone()));
        }
        let listed: Vec<Pair> = pairs.iter().map(|listed| listed.pair.clone()).collect();
        let rates = Arc::new(Table::new(&fiats, &listed, tether)?);
        Ok(Catalog {
            pairs,
            pairs_by_symbol,
            symbols,
            symbols_by_name,
            channels,
            rates,
            factory,
            recipes: Box::new(|_| None),
        })
    }

    /// Adds the streams that can be made.
    pub fn with_recipes(self, recipes: Recipes) -> Catalog {
        Catalog { recipes, ..self }
    }

    /// What a topic is about: all topics of one subject come from one product.
    pub(super) fn subject(&self, topic: &Topic) -> Subject {
        // What is about all symbols is made by itself.
        if let Topic::Stream { name } = topic
            && !name.starts_with('!')
            && let Some(recipe) = (self.recipes)(name)
        {
            return Subject::Streams(recipe.group().into());
        }
        Subject::of(topic)
    }

    /// Whether somebody may want it.
    pub fn knows(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Hub { channel } => self.channels.contains(channel),
            Topic::Ticks { symbol, .. } => self.symbol(symbol).is_some(),
            Topic::Candles { symbol, granularity_s } => {
                GRANULARITIES_S.contains(granularity_s) && self.symbol(symbol).is_some()
            }
            Topic::Rates { class, base, symbol } => self.rates.knows(*class, base, symbol.as_deref()),
            Topic::Stream { name } => (self.recipes)(name).is_some(),
        }
    }

    /// What makes the messages of a topic, and of all others with the same subject.
    pub fn product(&self, topic: &Topic) -> Option<Box<dyn Product + Send>> {
        if !self.knows(topic) {
            return None;
        }
        match topic {
            Topic::Rates { class, base, .. } => Some(Box::new(Rates::new(self.rates.clone(), *class, base)?)),
            Topic::Hub { .. } | Topic::Ticks { .. } | Topic::Candles { .. } => (self.factory)(topic),
            Topic::Stream { name } => Some(derive::product(&(self.recipes)(name)?)),
        }
    }

    /// The pair of a name in any spelling. Those that are listed come first: `DOTUSD` is DOT/USD where there is one.
    pub fn pair(&self, text: &str) -> Option<&ListedPair> {
        let listed = |symbol: &str| self.pairs_by_symbol.get(symbol).map(|index| &self.pairs[*index]);
        listed(&text.to_uppercase()).or_else(|| listed(&Pair::parse(text)?.symbol()))
    }

    pub fn pairs(&self) -> &[ListedPair] {
        &self.pairs
    }

    pub fn symbol(&self, name: &str) -> Option<&Symbol> {
        self.symbols_by_name.get(name).map(|index| &self.symbols[*index])
    }

    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    pub fn channels(&self) -> &[Box<str>] {
        &self.channels
    }

    pub fn rates(&self) -> &Arc<Table> {
        &self.rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> ListedPair {
        ListedPair { pair: Pair::parse(text).unwrap(), price_digits: Some(2) }
    }

    fn given() -> Given {
        let pairs = vec![listed("BTC/USDT"), listed("DOT/USD"), listed("ETH/BTC")];
        let mut symbols: Vec<Symbol> = pairs.iter().filter_map(Symbol::of_pair).collect();
        symbols.push(Symbol::native("R_100", Some(2)));
        let fiats = vec![Pair::parse("EUR/USD").unwrap()];
        Given { pairs, fiats, symbols, channels: vec!["binance_prices".into()], ..Given::default() }
    }

    fn catalog() -> Catalog {
        Catalog::new(given(), Box::new(|_| None)).unwrap()
    }

    #[test]
    fn what_is_listed_is_known() {
        let catalog = catalog();
        for (name, is_known) in [
            ("hub binance_prices", true),
            ("hub nothing", false),
            ("ticks R_100", true),
            ("ticks r_100", false),
            ("ticks_history cryBTCUSD", true),
            ("ticks cryDOTUSD", true),
            ("ticks cryETHUSD", false),
            ("candles R_100 60", true),
            ("candles R_100 61", false),
            ("fiat USD", true),
            ("fiat EUR USD", true),
            ("fiat EUR EUR", false),
            ("fiat BTC", false),
            ("fiat USD BTC", false),
            ("crypto USD", true),
            ("crypto EUR BTC", true),
            ("crypto USDT BTC", true),
            ("crypto BTC DOT", true),
            ("crypto USD ETH", false),
            ("crypto USD EUR", false),
        ] {
            assert_eq!(catalog.knows(&Topic::parse(name).unwrap()), is_known, "{name}");
        }
        let product = |name: &str| catalog.product(&Topic::parse(name).unwrap()).is_some();
        assert!(product("crypto USD BTC") && !product("crypto USD ETH"));
    }

    /// Native streams have the symbol in lower case; coins come from the pair they are traded in.
    #[test]
    fn symbols_say_where_they_come_from() {
        let catalog = catalog();
        let native = SymbolSource::Native { stream: "r_100@tick".into() };
        assert_eq!(catalog.symbol("R_100").unwrap().source, native);
        assert_eq!(catalog.symbol("cryBTCUSD").unwrap().source, SymbolSource::Pair(Pair::parse("BTC/USDT").unwrap()));
        assert_eq!(Symbol::of_pair(&listed("ETH/BTC")), None);
    }

    /// A listed pair is found under any spelling, also where the name alone would read as another.
    #[test]
    fn listed_pairs_come_first() {
        let catalog = catalog();
        let found = |text: &str| catalog.pair(text).map(|listed| listed.pair.to_string());
        for text in ["DOTUSD", "dotusd", "DOT-USD", "cryDOTUSD"] {
            assert_eq!(found(text).as_deref(), Some("DOT/USD"), "{text}");
        }
        assert_eq!(found("ethbtc").as_deref(), Some("ETH/BTC"));
        assert_eq!(found("LTCUSDT"), None);
    }

    #[test]
    fn contradictions_stop_the_start() {
        let check = |change: fn(&mut Given), expected: &str| {
            let mut given = given();
            change(&mut given);
            let error = Catalog::new(given, Box::new(|_| None)).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected));
        };
        check(|given| given.pairs.push(listed("BTC-USDT")), "BTC/USDT is listed twice");
        check(|given| given.symbols.push(Symbol::native("R_100", None)), "R_100 is listed twice");
        check(|given| given.channels.push("binance_prices".into()), "binance_prices is listed twice");
        check(|given| given.fiats.push(listed("USD/EUR").pair), "EUR has two prices in dollars");
        check(
            |given| given.fiats.push(listed("EUR/GBP").pair),
            "EUR/GBP is not against USD, so that it prices no currency in dollars",
        );
    }
}
