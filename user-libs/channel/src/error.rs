//! What can go wrong at one end of a channel, and whose fault it is.

use core::fmt;

/// The region cannot carry a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Smaller than [`MIN_REGION_BYTES`](crate::MIN_REGION_BYTES).
    TooSmall,
}

/// The peer broke the protocol. The ring is of no further use: every later call answers the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerError {
    /// It speaks another version, or believes in another size of the region.
    Version,
    /// Its position went backwards, or further than the ring is large.
    Position,
    /// A record is longer than what was published, or crosses the end of the ring.
    Length,
    /// A padding record where none may be.
    Padding,
}

/// A message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// No room now (only from the `try_` calls).
    Full,
    /// Longer than any message of this ring can be ([`Producer::max_message`](crate::Producer::max_message)).
    TooLong,
    /// Its kind is [`PAD`](crate::PAD), which the ring keeps for itself.
    ReservedKind,
    /// The peer broke the protocol.
    Peer(PeerError),
}

impl From<PeerError> for SendError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the region is too small for a channel")
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the peer speaks another version of the ring, or sees another size",
            Self::Position => "the peer's position is impossible",
            Self::Length => "the peer wrote a record of impossible length",
            Self::Padding => "the peer wrote padding where none may be",
        })
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the ring is full"),
            Self::TooLong => f.write_str("the message is longer than the ring allows"),
            Self::ReservedKind => f.write_str("this message kind is reserved"),
            Self::Peer(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}
impl core::error::Error for PeerError {}
impl core::error::Error for SendError {}
