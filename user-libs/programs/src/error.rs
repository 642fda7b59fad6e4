//! What keeps a program from doing its job, in words.

use channel::{PeerError, SendError};
use core::fmt;
use runtime::{ChannelEnd, ChannelError, Env, println};

/// What keeps a program from doing its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// The system file gives it no channel of this direction.
    NoChannel(&'static str),
    /// It was not granted this file.
    NoFile(&'static str),
    /// It lacks this argument.
    NoArgument(&'static str),
    /// A channel cannot be opened.
    Channel(ChannelError),
    /// The peer broke the protocol of the ring.
    Peer(PeerError),
    /// A message could not be sent.
    Send(SendError),
    /// The peer sent a message that means nothing.
    Message,
    /// The heap is too small for this input.
    Heap,
    /// The stage before this one failed.
    Upstream,
}

impl From<ChannelError> for ProgramError {
    fn from(error: ChannelError) -> Self {
        Self::Channel(error)
    }
}

impl From<PeerError> for ProgramError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

impl From<SendError> for ProgramError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<alloc::collections::TryReserveError> for ProgramError {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self::Heap
    }
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChannel(direction) => write!(f, "no {direction} channel in the system file"),
            Self::NoFile(name) => write!(f, "no file `{name}` granted in the system file"),
            Self::NoArgument(name) => write!(f, "argument `{name}` is missing or no number"),
            Self::Channel(error) => error.fmt(f),
            Self::Peer(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Message => f.write_str("the peer sent a message that means nothing"),
            Self::Heap => f.write_str("the heap is too small for this input: raise `heap` in the system file"),
            Self::Upstream => f.write_str("the stage before this one failed"),
        }
    }
}

impl core::error::Error for ProgramError {}

/// The exit code of a program: 0, or 1 after saying what went wrong.
pub fn report(env: &Env, result: Result<(), ProgramError>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(error) => {
            println!("{}: {error}", env.program());
            1
        }
    }
}

/// The channel this program sends on.
pub(crate) fn outgoing(env: &Env) -> Result<ChannelEnd, ProgramError> {
    env.outgoing().ok_or(ProgramError::NoChannel("outgoing"))
}

/// The channel this program receives on.
pub(crate) fn incoming(env: &Env) -> Result<ChannelEnd, ProgramError> {
    env.incoming().ok_or(ProgramError::NoChannel("incoming"))
}

/// The one channel of a program that has one.
pub(crate) fn only(env: &Env) -> Result<ChannelEnd, ProgramError> {
    env.ends().next().ok_or(ProgramError::NoChannel("single"))
}
