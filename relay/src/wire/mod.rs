//! What the bytes of each protocol mean, on both sides of the relay.
