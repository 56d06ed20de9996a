//! Recordings: every message that venues sent us, as it came, with the time and the connection it came on.
//!
//! [`writer`] is handed the messages and writes them on a thread of its own, [`tape`] into [`files`] that it begins, ends and
//! deletes. [`format`](mod@format) and [`block`] say what the bytes are and touch no file. [`source`] reads one file, also one that was cut short,
//! [`reader`] several as one, and [`dialect`] what the messages mean; `net::replay` plays them. [`list`] tells what files have,
//! and [`names`] which streams those are, for `net::replay`.

pub mod block;
pub mod dialect;
pub mod files;
pub mod format;
pub mod list;
pub mod moment;
pub mod names;
pub mod reader;
pub mod source;
pub mod tape;
pub mod writer;

#[cfg(test)]
mod tests;
