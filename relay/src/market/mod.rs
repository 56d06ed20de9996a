//! From what venues say to what the other dialects need: instruments, prices, candles, tables of rates.
//!
//! The stream dialect forwards a venue's messages as they are. The others have messages of their own, and those are made
//! here, once for each [`topic`], and only while somebody wants it. A [`product`] takes decoded [`event`]s of the
//! streams it needs and says what its topics' clients get. Nothing here holds a socket, a task or a clock.

pub mod catalog;
pub mod deriv;
pub mod event;
pub mod product;
pub mod topic;
pub struct Market;
pub struct SourceChange {
    pub name: Box<str>,
    pub wanted: bool,
}
pub fn source_kind(_name: &str) -> crate::fanout::kind::Kind {
    crate::fanout::kind::Kind::State
}
impl Market {
    pub fn new(_c: std::sync::Arc<catalog::Catalog>) -> Market {
        Market
    }
    pub fn want(&mut self, _t: &topic::Topic, _n: u64) -> bool {
        false
    }
    pub fn unwant(&mut self, _t: &topic::Topic, _n: u64) {}
    pub fn ask(&mut self, _i: u64, _q: &product::Question, _n: u64) {}
    pub fn source(&mut self, _n: &str, _p: &[u8], _t: u64, _o: &mut product::Out<'_>) {}
    pub fn poll(&mut self, _t: u64, _o: &mut product::Out<'_>) {}
    pub fn due_ms(&self) -> u64 {
        u64::MAX
    }
    pub fn take_source_changes(&mut self) -> Vec<SourceChange> {
        Vec::new()
    }
    pub fn take_answers(&mut self) -> Vec<(u64, Option<product::Answer>)> {
        Vec::new()
    }
    pub fn topics_of(&self, _n: &str) -> Vec<topic::Topic> {
        Vec::new()
    }
}

pub mod hub;
