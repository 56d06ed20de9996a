//! The building blocks of the lock-free parts: the real ones, or loom's when its models run.
//!
//! `Arc` is the standard library's in both: counting references is not what our models are about.

pub(crate) use std::sync::Arc;

#[cfg(not(loom))]
pub(crate) use {
    arc_swap::ArcSwap,
    crossbeam::queue::SegQueue,
    std::sync::{OnceLock, atomic},
};

#[cfg(loom)]
pub(crate) use {
    loom::sync::atomic,
    stand_ins::{ArcSwap, OnceLock, SegQueue},
};

/// What loom cannot look into, rebuilt from what it can. Each orders memory no more than the real one promises,
/// except `ArcSwap`, whose lock is stronger; no model of ours relies on that.
#[cfg(loom)]
mod stand_ins {
    use super::Arc;
    use loom::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*},
    };

    pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn new(value: Arc<T>) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub(crate) fn load_full(&self) -> Arc<T> {
            Arc::clone(&self.0.lock().expect("no model panics while it holds this"))
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            // The old value is dropped after the lock is.
            let old = std::mem::replace(&mut *self.0.lock().expect("no model panics while it holds this"), value);
            drop(old);
        }
    }

    pub(crate) struct OnceLock<T> {
        is_set: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self { is_set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.is_set.load(Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.is_set.store(true, Release);
            Ok(())
        }

        pub(crate) fn take(&mut self) -> Option<T> {
            self.value.take()
        }
    }

    /// A lock here would order the flags around the queue as well, and hide the mutants of the wake-up protocol.
    /// One consumer; at most eight pushes per model.
    pub(crate) struct SegQueue<T> {
        pushed: AtomicUsize,
        popped: AtomicUsize,
        slots: [AtomicU64; 8],
        marker: std::marker::PhantomData<T>,
    }

    impl SegQueue<u32> {
        pub(crate) fn new() -> Self {
            Self {
                pushed: AtomicUsize::new(0),
                popped: AtomicUsize::new(0),
                slots: std::array::from_fn(|_| AtomicU64::new(0)),
                marker: std::marker::PhantomData,
            }
        }

        pub(crate) fn push(&self, value: u32) {
            let slot = self.pushed.fetch_add(1, Relaxed);
            self.slots[slot].store(u64::from(value) + 1, Release);
        }

        pub(crate) fn pop(&self) -> Option<u32> {
            let slot = self.popped.load(Relaxed);
            let value = self.slots[slot].load(Acquire).checked_sub(1)?;
            self.popped.store(slot + 1, Relaxed);
            Some(value as u32)
        }
    }
}
