//! The protocols that clients speak.

/// What a client and the channels it subscribes to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    Stream,
    Hub,
    Deriv,
    SocketIo,
}

impl Dialect {
    pub const ALL: [Dialect; 4] = [Dialect::Stream, Dialect::Hub, Dialect::Deriv, Dialect::SocketIo];

    /// As configuration and metrics call it.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Stream => "stream",
            Dialect::Hub => "hub",
            Dialect::Deriv => "deriv",
            Dialect::SocketIo => "socketio",
        }
    }
}
