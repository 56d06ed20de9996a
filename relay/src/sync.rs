//! The atomics of the standard library, or loom's when its models run.

#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, atomic};

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, atomic};
