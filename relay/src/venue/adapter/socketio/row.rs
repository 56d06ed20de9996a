//! The rows of prices that the venue pushes and acknowledges with.

use std::borrow::Cow;

use super::packet::member;
use super::wish::{Class, Wish};
use crate::venue::poll::{pointer, time};
use crate::venue::price;
use crate::wire::json::{Array, Object};

/// A price of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub wish: Wish,
    pub price: Cow<'a, str>,
    pub time_ms: u64,
}

/// Takes a row, or a list of rows, apart; the text is known to be JSON. `None` stands for a row that is none.
pub fn read<'a>(class: Class, argument: &'a str, now_ms: u64, each: &mut dyn FnMut(Option<Row<'a>>)) {
    let Some(mut list) = Array::open(argument) else {
        return each(row(class, argument, now_ms));
    };
    while let Ok(Some(value)) = list.next() {
        each(row(class, value.text, now_ms));
    }
}

/// What an error object that stands for rows says.
pub fn error(argument: &str) -> Option<String> {
    let mut object = Object::open(argument)?;
    while let Some(part) = object.next().ok()? {
        if part.key() == "error" {
            let message = member(part.value.text, "message").map(Cow::into_owned);
            return Some(message.or_else(|| part.value.string().map(Cow::into_owned)).unwrap_or_default());
        }
    }
    None
}

fn row<'a>(class: Class, text: &'a str, now_ms: u64) -> Option<Row<'a>> {
    let name_key = match class {
        Class::Fiat => "currency",
        Class::Crypto => "symbol",
    };
    let (mut base, mut name, mut price, mut timestamp) = (None, None, None, None);
    let mut object = Object::open(text)?;
    while let Some(part) = object.next().ok()? {
        let value = part.value;
        match &*part.key() {
            "base" => base = value.string(),
            "price" => price = Some(value.text),
            "timestamp" => timestamp = Some(value.text),
            key if key == name_key => name = value.string(),
            _ => {}
        }
    }
    let price = price?;
    let plain = match price.strip_prefix('"').and_then(|price| price.strip_suffix('"')) {
        Some(price) => price::plain(price)?,
        None => price::plain(price)?,
    };
    let time_ms = match timestamp {
        Some(timestamp) => time::parse(&pointer::scalar(timestamp)?)?,
        None => now_ms,
    };
    Some(Row { wish: Wish::new(class, &base?, &name?), price: plain, time_ms })
}
