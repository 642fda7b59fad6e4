//! How an invocation can end other than well: refused with a message, or stopped to be repeated.

use abi::error::Error;
use capability::{DeriveError, LookupFault};
use thread::lookup_words;

/// A refusal, with the message words that say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error; label of the reply.
    pub error: Error,
    /// Message words.
    pub words: [u64; 5],
    /// How many of them.
    pub length: usize,
}

/// Why an invocation did not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was refused and changed nothing.
    Refused(Refusal),
    /// An interrupt waits: the caller repeats the system call.
    Preempted,
}

/// Result of an invocation.
pub type Outcome = Result<(), Stop>;

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

impl From<DeriveError> for Stop {
    fn from(error: DeriveError) -> Self {
        Stop::Refused(match error {
            DeriveError::RevokeFirst => Refusal::plain(Error::RevokeFirst),
            DeriveError::IllegalOperation => Refusal::plain(Error::IllegalOperation),
        })
    }
}

impl Refusal {
    /// An error without details.
    pub const fn plain(error: Error) -> Self {
        Self { error, words: [0; 5], length: 0 }
    }

    /// Argument `number` is invalid.
    pub const fn argument(number: u64) -> Self {
        Self { error: Error::InvalidArgument, words: [number, 0, 0, 0, 0], length: 1 }
    }

    /// Capability `number` of the message is invalid; 0 is the one invoked.
    pub const fn capability(number: u64) -> Self {
        Self { error: Error::InvalidCapability, words: [number, 0, 0, 0, 0], length: 1 }
    }

    /// A value is outside `min ..= max`.
    pub const fn range(min: u64, max: u64) -> Self {
        Self { error: Error::RangeError, words: [min, max, 0, 0, 0], length: 2 }
    }

    /// Only `bytes` of untyped memory are left.
    pub const fn memory(bytes: u64) -> Self {
        Self { error: Error::NotEnoughMemory, words: [bytes, 0, 0, 0, 0], length: 1 }
    }

    /// A slot was not found.
    pub fn lookup(side: Side, fault: LookupFault) -> Self {
        let [kind, a, b, c] = lookup_words(fault);
        let length = match fault {
            LookupFault::InvalidRoot => 2,
            LookupFault::MissingCapability { .. } => 3,
            LookupFault::DepthMismatch { .. } => 4,
            LookupFault::GuardMismatch { .. } => 5,
        };
        Self { error: Error::FailedLookup, words: [side as u64, kind, a, b, c], length }
    }
}

/// Which lookup of an invocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Side {
    /// The destination, or the only one.
    Destination = 0,
    /// The source.
    Source = 1,
}
