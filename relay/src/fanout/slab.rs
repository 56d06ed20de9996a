//! Numbered places for connections, in pages that never move.
//!
//! A growing `Vec` would copy every connection and leave the old copy to the allocator; pages do neither.
//! A slot is reused after its connection left, so whoever kept its number (an epoll event of the same batch)
//! also keeps its generation.

const PAGE: usize = 64;

/// The number of a place.
pub type Slot = u32;

/// Values at numbered places.
pub struct Slab<T> {
    pages: Vec<Box<[Place<T>]>>,
    free: Vec<Slot>,
    len: usize,
}

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { pages: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Slab<T> {
    /// Puts `value` at a free place.
    pub fn insert(&mut self, value: T) -> Slot {
        if self.free.is_empty() {
            self.grow();
        }
        let slot = self.free.pop().expect("grow leaves free places");
        let place = self.place_mut(slot);
        debug_assert!(place.value.is_none(), "a free place is empty");
        place.value = Some(value);
        self.len += 1;
        slot
    }

    /// Takes the value out; its generation ends.
    pub fn remove(&mut self, slot: Slot) -> Option<T> {
        let place = self.pages.get_mut(slot as usize / PAGE)?.get_mut(slot as usize % PAGE)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        self.len -= 1;
        Some(value)
    }

    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.pages.get(slot as usize / PAGE)?[slot as usize % PAGE].value.as_ref()
    }

    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.pages.get_mut(slot as usize / PAGE)?[slot as usize % PAGE].value.as_mut()
    }

    /// Which tenant of the place this is.
    pub fn generation(&self, slot: Slot) -> u32 {
        self.pages[slot as usize / PAGE][slot as usize % PAGE].generation
    }

    /// The value, if it is still the tenant the caller met.
    pub fn tenant_mut(&mut self, slot: Slot, generation: u32) -> Option<&mut T> {
        let place = &mut self.pages.get_mut(slot as usize / PAGE)?[slot as usize % PAGE];
        if place.generation == generation { place.value.as_mut() } else { None }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One past the highest place there ever was.
    pub fn places(&self) -> Slot {
        (self.pages.len() * PAGE) as Slot
    }

    fn place_mut(&mut self, slot: Slot) -> &mut Place<T> {
        &mut self.pages[slot as usize / PAGE][slot as usize % PAGE]
    }

    fn grow(&mut self) {
        let first = self.places();
        self.pages.push((0..PAGE).map(|_| Place { generation: 0, value: None }).collect());
        self.free.extend((first..first + PAGE as Slot).rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place that got a new tenant is not handed out to who knew the old one.
    #[test]
    fn generations_tell_tenants_apart() {
        let mut slab = Slab::default();
        let slot = slab.insert("old");
        let generation = slab.generation(slot);
        assert_eq!(slab.remove(slot), Some("old"));
        assert_eq!(slab.remove(slot), None);
        assert_eq!(slab.insert("new"), slot);
        assert_eq!(slab.tenant_mut(slot, generation), None);
        assert_eq!(slab.get(slot), Some(&"new"));
        assert_eq!(slab.len(), 1);
    }
}
