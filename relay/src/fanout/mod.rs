//! From a published frame to the bytes each client gets.
pub mod kind;
pub mod log;
pub mod wake;
