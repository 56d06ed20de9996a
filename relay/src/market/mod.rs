//! From what venues say to what the other dialects need: instruments, prices, candles, tables of rates.
//!
//! The stream dialect forwards a venue's messages as they are. The others have messages of their own, and those are made
//! here, once for each [`topic`], and only while somebody wants it. A [`product`] takes decoded [`event`]s of the
//! streams it needs and says what its topics' clients get. Nothing here holds a socket, a task or a clock.

pub mod event;
pub mod pair;
pub mod product;
pub mod topic;

pub mod decode;
