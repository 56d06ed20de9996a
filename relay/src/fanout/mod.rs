//! From a published frame to the bytes each client gets.
pub mod kind;
