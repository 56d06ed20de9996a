//! A product on a bench: what it is told, and what it says, line by line.

use crate::market::derive::product;
use crate::market::derive::recipe::{Offers, recipe};
use crate::market::product::{Product, Undecodable};
use crate::market::topic::Topic;

/// On every grid there is.
pub const START_MS: u64 = 1_765_152_000_000;

pub struct Bench {
    pub product: Box<dyn Product + Send>,
    pub now_ms: u64,
    said: Vec<String>,
}

impl Bench {
    /// Native streams are parted by blanks; all topics are wanted.
    pub fn new(native: &str, topics: &[&str]) -> Bench {
        let mut symbols: Vec<Box<str>> =
            native.split(' ').filter_map(|name| Some(name.split_once('@')?.0.into())).collect();
        symbols.dedup();
        let offers = Offers { has: &|name| native.split(' ').any(|native| native == name), symbols: &symbols };
        let recipes: Vec<_> =
            topics.iter().map(|topic| recipe(topic, offers).unwrap_or_else(|| panic!("{topic} of {native}"))).collect();
        assert!(recipes.iter().all(|recipe| recipe.group() == recipes[0].group()), "they are made together");
        let mut bench = Bench { product: product(&recipes[0]), now_ms: START_MS, said: Vec::new() };
        topics.iter().for_each(|topic| bench.want(topic));
        bench
    }

    pub fn want(&mut self, topic: &str) {
        self.product.want(&stream(topic), self.now_ms);
    }

    pub fn unwant(&mut self, topic: &str) {
        self.product.unwant(&stream(topic));
    }

    pub fn sources(&self) -> String {
        self.product.sources().join(" ")
    }

    pub fn say(&mut self, source: &str, text: &str) {
        self.tell(source, text, false).unwrap();
    }

    pub fn tell(&mut self, source: &str, text: &str, is_kept: bool) -> Result<(), Undecodable> {
        let Bench { product, now_ms, said } = self;
        product.take_message(source, text, is_kept, *now_ms, &mut |topic, key, bytes| {
            assert_eq!(key, 0);
            said.push(format!("{topic} {}", std::str::from_utf8(bytes).unwrap()));
        })
    }

    pub fn lose(&mut self, source: &str) {
        self.product.lose(source);
    }

    /// Lets time pass, and returns what was said since this was asked last.
    pub fn until(&mut self, end_ms: u64) -> Vec<String> {
        let Bench { product, now_ms, said } = self;
        for _ in 0..1_000_000 {
            let due_ms = product.due_ms().max(*now_ms);
            if due_ms > end_ms {
                *now_ms = end_ms;
                return std::mem::take(said);
            }
            *now_ms = due_ms;
            product.poll(due_ms, &mut |topic, _, bytes| {
                said.push(format!("{topic} {}", std::str::from_utf8(bytes).unwrap()));
            });
        }
        panic!("it is due for ever");
    }

    /// What was said so far.
    pub fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}

fn stream(name: &str) -> Topic {
    Topic::Stream { name: name.into() }
}
