//! What exists.
use super::topic::Topic;
#[derive(Default)]
pub struct Catalog;
impl Catalog {
    pub fn knows(&self, _topic: &Topic) -> bool {
        false
    }
}
