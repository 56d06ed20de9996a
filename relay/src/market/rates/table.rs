//! Which streams price what, and which of their prices make up a rate.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::market::pair::Pair;
use crate::market::topic::Class;

const DOLLAR: &str = "USD";
const TETHER: &str = "USDT";

/// What a USDT is worth. Most coins are traded in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tether {
    /// A dollar: both are taken as one, and a price in USDT is shown as the venue's own price in USD.
    #[default]
    IsDollar,
    /// What this stream of trades or ticks says, in dollars.
    Priced { source: Box<str> },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("{0} is not against USD, so that it prices no currency in dollars")]
    NotAgainstDollar(Pair),
    #[error("{0} has two prices in dollars")]
    PricedTwice(Box<str>),
}

/// Which price of the table, by its source.
pub type Leg = u32;

/// Everything that has a price in dollars.
#[derive(Debug)]
pub struct Table {
    assets: Vec<Asset>,
    /// The streams, by leg.
    sources: Vec<Box<str>>,
    legs: HashMap<Box<str>, Leg, RandomState>,
}

#[derive(Debug)]
struct Asset {
    name: Box<str>,
    /// In which table it has a row. A USDT that is a dollar has none, but may be a base.
    class: Option<Class>,
    /// The prices whose product is its own in dollars.
    path: Path,
}

type Path = SmallVec<[Factor; 2]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Factor {
    leg: Leg,
    is_inverse: bool,
}

/// A rate: the product of some prices over the product of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fraction {
    pub over: SmallVec<[Leg; 4]>,
    pub under: SmallVec<[Leg; 4]>,
}

impl Fraction {
    pub fn legs(&self) -> impl Iterator<Item = Leg> {
        self.over.iter().chain(&self.under).copied()
    }

    /// The one price that is the rate, if no more is needed.
    pub fn single(&self) -> Option<Leg> {
        match (&*self.over, &*self.under) {
            (&[leg], []) => Some(leg),
            _ => None,
        }
    }

    fn put(&mut self, leg: Leg, is_over: bool) {
        let (side, other) = if is_over { (&mut self.over, &mut self.under) } else { (&mut self.under, &mut self.over) };
        match other.iter().position(|twin| *twin == leg) {
            Some(index) => drop(other.remove(index)),
            None => side.push(leg),
        }
    }
}

impl Table {
    /// `fiats` are pairs with the dollar on either side, told by ticks (`frxeurusd@tick`). A coin's price is that of
    /// the first of the `pairs` which has it against USDT or USD, told by trades; pairs in anything else, and of what
    /// is a currency already, price nothing here.
    pub fn new(fiats: &[Pair], pairs: &[Pair], tether: Tether) -> Result<Table, TableError> {
        let mut table = Table { assets: Vec::new(), sources: Vec::new(), legs: HashMap::default() };
        table.add(DOLLAR, Some(Class::Fiat), Path::new());
        for pair in fiats {
            let (name, is_inverse) = match (pair.base(), pair.quote()) {
                (DOLLAR, name) if name != DOLLAR => (name, true),
                (name, DOLLAR) if name != DOLLAR => (name, false),
                _ => return Err(TableError::NotAgainstDollar(pair.clone())),
            };
            if table.find(name).is_some() {
                return Err(TableError::PricedTwice(name.into()));
            }
            let leg = table.leg_of(&format!("{}@tick", pair.frx_symbol().to_ascii_lowercase()));
            table.add(name, Some(Class::Fiat), [Factor { leg, is_inverse }].into_iter().collect());
        }
        let tether = match tether {
            Tether::IsDollar => {
                table.add(TETHER, None, Path::new());
                None
            }
            Tether::Priced { source } => {
                let factor = Factor { leg: table.leg_of(&source), is_inverse: false };
                table.add(TETHER, Some(Class::Crypto), [factor].into_iter().collect());
                Some(factor)
            }
        };
        for pair in pairs {
            let beyond = match pair.quote() {
                TETHER => tether,
                DOLLAR => None,
                _ => continue,
            };
            if table.find(pair.base()).is_some() {
                continue;
            }
            let leg = table.leg_of(&pair.stream("trade"));
            let path = [Factor { leg, is_inverse: false }].into_iter().chain(beyond).collect();
            table.add(pair.base(), Some(Class::Crypto), path);
        }
        Ok(table)
    }

    /// Whether there is such a table, and such a row in it.
    pub fn knows(&self, class: Class, base: &str, symbol: Option<&str>) -> bool {
        let Some(base) = self.base(class, base) else { return false };
        let mut rows = self.assets.iter().filter(|asset| is_row(asset, base, class));
        match symbol {
            None => rows.next().is_some(),
            Some(symbol) => rows.any(|asset| &*asset.name == symbol),
        }
    }

    /// Every row of a table: what it is about, and its rate. Empty if there is no such table.
    pub fn rows(&self, class: Class, base: &str) -> Vec<(Box<str>, Fraction)> {
        let Some(base) = self.base(class, base) else { return Vec::new() };
        let rows = self.assets.iter().filter(|asset| is_row(asset, base, class));
        let rate = |asset: &Asset| match class {
            // What one unit of the base costs in a currency, but what one coin costs in the base.
            Class::Fiat => (asset.name.clone(), fraction(base, asset)),
            Class::Crypto => (asset.name.clone(), fraction(asset, base)),
        };
        rows.map(rate).collect()
    }

    /// The streams, by leg.
    pub fn sources(&self) -> &[Box<str>] {
        &self.sources
    }

    pub fn leg(&self, source: &str) -> Option<Leg> {
        self.legs.get(source).copied()
    }

    /// The currencies or the coins.
    pub fn names(&self, class: Class) -> impl Iterator<Item = &str> {
        self.assets.iter().filter(move |asset| asset.class == Some(class)).map(|asset| &*asset.name)
    }

    /// Prices of coins may be asked for in anything that has a price, those of currencies in currencies.
    fn base(&self, class: Class, name: &str) -> Option<&Asset> {
        self.find(name).filter(|asset| class == Class::Crypto || asset.class == Some(Class::Fiat))
    }

    fn find(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| &*asset.name == name)
    }

    fn add(&mut self, name: &str, class: Option<Class>, path: Path) {
        self.assets.push(Asset { name: name.into(), class, path });
    }

    fn leg_of(&mut self, source: &str) -> Leg {
        if let Some(leg) = self.legs.get(source) {
            return *leg;
        }
        let leg = Leg::try_from(self.sources.len()).expect("that many names would not fit memory");
        self.sources.push(source.into());
        self.legs.insert(source.into(), leg);
        leg
    }
}

/// The base has no row of its own.
fn is_row(asset: &Asset, base: &Asset, class: Class) -> bool {
    asset.class == Some(class) && asset.name != base.name
}

/// What one unit of `asset` costs in units of `base`.
fn fraction(asset: &Asset, base: &Asset) -> Fraction {
    let mut fraction = Fraction::default();
    asset.path.iter().for_each(|factor| fraction.put(factor.leg, !factor.is_inverse));
    base.path.iter().for_each(|factor| fraction.put(factor.leg, factor.is_inverse));
    fraction
}
