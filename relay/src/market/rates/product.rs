//! One table of rates, as long as somebody wants it.

use std::sync::Arc;

use super::table::{Fraction, Leg, Table};
use crate::limits::RATES_WARM_UP_MS;
use crate::market::event::Event;
use crate::market::product::{Answer, Key, Out, Product, Question};
use crate::market::topic::{Class, Topic};
use crate::venue::decimal::Decimal;
use crate::wire::socketio::reply;

/// Fractional digits of what is computed.
const COMPUTED_DIGITS: u32 = 10;

/// A row, and a message around it.
const ROW_BYTES_USUAL: usize = 128;

/// The prices of one class in one base: of all symbols, and of single ones.
pub struct Rates {
    class: Class,
    base: Box<str>,
    table: Arc<Table>,
    all: Topic,
    rows: Vec<Row>,
    /// Which rows a price has a part in, by leg.
    rows_of: Vec<Vec<u32>>,
    /// By leg. Those nobody needs are forgotten: an old price is no answer to who comes later.
    prices: Vec<Option<Price>>,
    needed: Vec<bool>,
    is_all_wanted: bool,
    /// Until then the whole table waits for those who have said nothing: the first push and an answer have all its
    /// rows. `None`: no longer.
    warm_up_end_ms: Option<u64>,
    /// Needed prices of which nothing was heard.
    silent_count: usize,
    /// When somebody came who has not been told the present yet.
    greet_ms: Option<u64>,
    skipped_count: u64,
}

struct Row {
    symbol: Box<str>,
    fraction: Fraction,
    topic: Topic,
    is_wanted: bool,
    rate: Option<Box<str>>,
    /// Whether the newest rate has not been said yet: in the table, and by itself.
    owed_in_table: bool,
    owed_alone: bool,
}

struct Price {
    text: Box<str>,
    value: Decimal,
    time_ms: u64,
}

impl Rates {
    /// `None` if there is no such table.
    pub fn new(table: Arc<Table>, class: Class, base: &str) -> Option<Rates> {
        let row = |(symbol, fraction): (Box<str>, Fraction)| Row {
            topic: Topic::Rates { class, base: base.into(), symbol: Some(symbol.clone()) },
            symbol,
            fraction,
            is_wanted: false,
            rate: None,
            owed_in_table: false,
            owed_alone: false,
        };
        let rows: Vec<Row> = table.rows(class, base).into_iter().map(row).collect();
        if rows.is_empty() {
            return None;
        }
        let leg_count = table.sources().len();
        let mut rows_of = vec![Vec::new(); leg_count];
        for (index, row) in (0..).zip(&rows) {
            row.fraction.legs().for_each(|leg| rows_of[leg as usize].push(index));
        }
        Some(Rates {
            class,
            base: base.into(),
            all: Topic::Rates { class, base: base.into(), symbol: None },
            rows,
            rows_of,
            prices: (0..leg_count).map(|_| None).collect(),
            needed: vec![false; leg_count],
            table,
            is_all_wanted: false,
            warm_up_end_ms: None,
            silent_count: 0,
            greet_ms: None,
            skipped_count: 0,
        })
    }

    fn row_of(&mut self, topic: &Topic) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.topic == *topic)
    }

    /// Finds out what is needed now, and forgets the rest.
    fn settle(&mut self) {
        self.needed.fill(false);
        for row in self.rows.iter().filter(|row| self.is_all_wanted || row.is_wanted) {
            row.fraction.legs().for_each(|leg| self.needed[leg as usize] = true);
        }
        for (price, is_needed) in self.prices.iter_mut().zip(&self.needed) {
            if !is_needed {
                *price = None;
            }
        }
        for row in &mut self.rows {
            if row.fraction.legs().any(|leg| self.prices[leg as usize].is_none()) {
                row.rate = None;
            }
        }
        self.silent_count =
            self.needed.iter().zip(&self.prices).filter(|(need, price)| **need && price.is_none()).count();
    }

    /// Works out a row anew. False if it has no rate although all its prices are known.
    fn refresh(&mut self, index: usize) -> bool {
        let row = &mut self.rows[index];
        let is_known = row.fraction.legs().all(|leg| self.prices[leg as usize].is_some());
        let rate = if is_known { rate(&row.fraction, &self.prices) } else { None };
        if row.rate != rate {
            row.owed_in_table = rate.is_some();
            row.owed_alone = rate.is_some();
            row.rate = rate;
        }
        !is_known || row.rate.is_some()
    }

    /// Ends the warm-up if nobody is waited for any more. True if it just ended.
    fn warm_up(&mut self, now_ms: u64) -> bool {
        let is_over = self.warm_up_end_ms.is_some_and(|end_ms| self.silent_count == 0 || end_ms <= now_ms);
        if is_over {
            self.warm_up_end_ms = None;
        }
        is_over
    }

    /// Says all that is owed.
    fn say_all(&mut self, out: &mut Out<'_>) {
        for index in 0..self.rows.len() {
            self.say(index, out);
        }
    }

    /// Says a row to whom it is owed.
    fn say(&mut self, index: usize, out: &mut Out<'_>) {
        let row = &self.rows[index];
        let is_table_open = self.is_all_wanted && self.warm_up_end_ms.is_none();
        let (in_table, alone) = (is_table_open && row.owed_in_table, row.is_wanted && row.owed_alone);
        if !in_table && !alone {
            return;
        }
        let Some(view) = self.view(row) else { return };
        let mut buffer = Vec::with_capacity(ROW_BYTES_USUAL);
        if in_table {
            reply::write_row(self.class, &view, &mut buffer);
            let key = Key::try_from(index + 1).expect("a table has fewer rows than a key has values");
            out(&self.all, key, &buffer);
        }
        if alone {
            buffer.clear();
            buffer.extend_from_slice(reply::one_prefix(self.class));
            reply::write_row(self.class, &view, &mut buffer);
            buffer.extend_from_slice(reply::ONE_SUFFIX);
            out(&row.topic, 0, &buffer);
        }
        let row = &mut self.rows[index];
        row.owed_in_table &= !in_table;
        row.owed_alone &= !alone;
    }

    fn view<'a>(&'a self, row: &'a Row) -> Option<reply::Row<'a>> {
        Some(reply::Row {
            base: &self.base,
            name: &row.symbol,
            price: row.rate.as_deref()?,
            // As new as the newest of the prices it is made of.
            time_ms: row
                .fraction
                .legs()
                .filter_map(|leg| self.prices[leg as usize].as_ref())
                .map(|price| price.time_ms)
                .max()?,
            is_computed: row.fraction.single().is_none(),
        })
    }

    fn answer_all(&self, now_ms: u64) -> Option<Answer> {
        if self.warm_up_end_ms.is_some_and(|end_ms| now_ms < end_ms) {
            return None;
        }
        let mut body = Vec::new();
        for view in self.rows.iter().filter_map(|row| self.view(row)) {
            body.push(if body.is_empty() { b'[' } else { b',' });
            reply::write_row(self.class, &view, &mut body);
        }
        // With no row at all there is nothing to say yet.
        if body.is_empty() {
            return None;
        }
        body.push(b']');
        Some(Answer::Json { body, pip_size: 0 })
    }
}

impl Product for Rates {
    fn sources(&self) -> Vec<Box<str>> {
        let sources = self.table.sources().iter().zip(&self.needed);
        sources.filter(|(_, is_needed)| **is_needed).map(|(source, _)| source.clone()).collect()
    }

    fn want(&mut self, topic: &Topic, now_ms: u64) {
        let mut is_table_new = false;
        if *topic == self.all {
            // Who is told again finds a table that is under way.
            is_table_new = !std::mem::replace(&mut self.is_all_wanted, true);
            self.rows.iter_mut().for_each(|row| row.owed_in_table = true);
        } else if let Some(row) = self.row_of(topic) {
            row.is_wanted = true;
            row.owed_alone = true;
        } else {
            return;
        }
        self.greet_ms = Some(now_ms);
        self.settle();
        if is_table_new && self.silent_count > 0 {
            self.warm_up_end_ms = Some(now_ms + RATES_WARM_UP_MS);
        }
    }

    fn unwant(&mut self, topic: &Topic) {
        if *topic == self.all {
            self.is_all_wanted = false;
            self.warm_up_end_ms = None;
        } else if let Some(row) = self.row_of(topic) {
            row.is_wanted = false;
        }
        self.settle();
    }

    fn take(&mut self, source: &str, event: &Event<'_>, now_ms: u64, out: &mut Out<'_>) {
        let Some(leg) = self.table.leg(source).map(|leg| leg as usize).filter(|leg| self.needed[*leg]) else { return };
        let (text, time_ms) = match event {
            Event::Trade(trade) => (trade.price, trade.time_ms),
            Event::Tick(tick) => (tick.quote, tick.time_ms),
            _ => return,
        };
        let time_ms = if time_ms == 0 { now_ms } else { time_ms };
        if let Some(price) = self.prices[leg].as_mut().filter(|price| *price.text == *text) {
            price.time_ms = time_ms;
            return;
        }
        // A price is above zero; others would only make rates that are none.
        let Some(value) = Decimal::parse(text).filter(|value| value.units() > 0) else {
            self.skipped_count += 1;
            return;
        };
        if self.prices[leg].is_none() {
            self.silent_count -= 1;
        }
        self.prices[leg] = Some(Price { text: text.into(), value, time_ms });
        for at in 0..self.rows_of[leg].len() {
            let index = self.rows_of[leg][at] as usize;
            self.skipped_count += u64::from(!self.refresh(index));
            self.say(index, out);
        }
        if self.warm_up(now_ms) {
            self.say_all(out);
        }
    }

    fn lose(&mut self, source: &str) {
        if let Some(leg) = self.table.leg(source) {
            self.prices[leg as usize] = None;
            self.settle();
        }
    }

    fn due_ms(&self) -> u64 {
        self.greet_ms.into_iter().chain(self.warm_up_end_ms).min().unwrap_or(u64::MAX)
    }

    fn poll(&mut self, now_ms: u64, out: &mut Out<'_>) {
        self.greet_ms = None;
        self.warm_up(now_ms);
        self.say_all(out);
    }

    fn answer(&mut self, question: &Question, now_ms: u64) -> Option<Answer> {
        let Question::Rates { class, base, symbol } = question else { return Some(Answer::Unknown) };
        if *class != self.class || *base != self.base {
            return Some(Answer::Unknown);
        }
        let Some(symbol) = symbol else { return self.answer_all(now_ms) };
        let Some(row) = self.rows.iter().find(|row| row.symbol == *symbol) else { return Some(Answer::Unknown) };
        let mut body = Vec::new();
        reply::write_row(self.class, &self.view(row)?, &mut body);
        Some(Answer::Json { body, pip_size: 0 })
    }

    fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped_count)
    }
}

/// The rate as text, if all its prices are known and it fits.
fn rate(fraction: &Fraction, prices: &[Option<Price>]) -> Option<Box<str>> {
    let price = |leg: Leg| prices[leg as usize].as_ref();
    if let Some(leg) = fraction.single() {
        return Some(price(leg)?.text.clone());
    }
    let product =
        |legs: &[Leg]| legs.iter().try_fold(Decimal::new(1, 0), |product, leg| product.checked_mul(price(*leg)?.value));
    let rate = product(&fraction.over)?.checked_div(product(&fraction.under)?, COMPUTED_DIGITS)?;
    Some(rate.to_string().into())
}
