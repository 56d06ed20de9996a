//! What venues send and want: decoding, subscribing, limits, and the built-in venue.
