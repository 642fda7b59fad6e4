//! Why an invocation failed, with the culprit the kernel names.

use crate::buffer;
use abi::error::{Error as Label, LookupFailure};
use core::fmt;

/// Which message word of an error reply holds what.
pub mod detail {
    /// `InvalidArgument`: number of the argument.
    pub const ARGUMENT: usize = 0;
    /// `InvalidCapability`: number of the capability; 0 is the invoked one.
    pub const CAPABILITY: usize = 0;
    /// `RangeError`: the least value allowed.
    pub const RANGE_MIN: usize = 0;
    /// `RangeError`: the greatest value allowed.
    pub const RANGE_MAX: usize = 1;
    /// `NotEnoughMemory`: bytes left in the untyped.
    pub const MEMORY_LEFT: usize = 0;
    /// `FailedLookup`: 1 if the source was looked up, 0 for the destination.
    pub const LOOKUP_WAS_SOURCE: usize = 0;
    /// `FailedLookup`: a [`LookupFailure`](abi::error::LookupFailure); its details follow as in a capability fault.
    pub const LOOKUP_FAILURE: usize = 1;
}

/// What an invocation gives back.
pub type Result<T> = core::result::Result<T, Error>;

/// Why an invocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument makes no sense here.
    InvalidArgument {
        /// Its number, as the kernel counts (mostly message words from 0).
        argument: u64,
    },
    /// A capability is of the wrong kind.
    InvalidCapability {
        /// Its number: 0 is the invoked one, then the extra ones.
        capability: u64,
    },
    /// Not on this object, not with these rights, or not now.
    IllegalOperation,
    /// An argument lies outside its range.
    RangeError {
        /// Least value allowed.
        min: u64,
        /// Greatest value allowed.
        max: u64,
    },
    /// An address is not aligned to the object's size.
    AlignmentError,
    /// A capability pointer leads nowhere.
    FailedLookup(Lookup),
    /// The kernel wants more message words or extra capabilities.
    TruncatedMessage,
    /// Something is already there.
    DeleteFirst,
    /// Something else still depends on it.
    RevokeFirst,
    /// The untyped is too full.
    NotEnoughMemory {
        /// Bytes left in it.
        bytes_left: u64,
    },
    /// A label that is no error of the API.
    Unknown {
        /// The label.
        label: u64,
    },
}

/// Where a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// 1 if the source of an operation was looked up, 0 if its destination.
    pub was_source: u64,
    /// Why it ended.
    pub failure: LookupFailure,
    /// Bits of the pointer not resolved (not for an invalid root).
    pub bits_left: u64,
    /// Bits found (depth mismatch) or guard found (guard mismatch).
    pub found: u64,
    /// Bits of the guard found (guard mismatch).
    pub guard_bits: u64,
}

impl Error {
    /// The error whose label is `label`, of a reply that has these words in registers.
    pub(crate) fn from_reply(label: u64, words: [u64; 4]) -> Self {
        match Label::from_label(label) {
            Some(Label::InvalidArgument) => Self::InvalidArgument { argument: words[detail::ARGUMENT] },
            Some(Label::InvalidCapability) => Self::InvalidCapability { capability: words[detail::CAPABILITY] },
            Some(Label::IllegalOperation) => Self::IllegalOperation,
            Some(Label::RangeError) => {
                Self::RangeError { min: words[detail::RANGE_MIN], max: words[detail::RANGE_MAX] }
            }
            Some(Label::AlignmentError) => Self::AlignmentError,
            Some(Label::FailedLookup) => Self::FailedLookup(Lookup::from_reply(words)),
            Some(Label::TruncatedMessage) => Self::TruncatedMessage,
            Some(Label::DeleteFirst) => Self::DeleteFirst,
            Some(Label::RevokeFirst) => Self::RevokeFirst,
            Some(Label::NotEnoughMemory) => Self::NotEnoughMemory { bytes_left: words[detail::MEMORY_LEFT] },
            Some(Label::NoError) | None => Self::Unknown { label },
        }
    }

    /// The label of the kernel's reply.
    pub const fn label(self) -> u64 {
        match self {
            Self::InvalidArgument { .. } => Label::InvalidArgument as u64,
            Self::InvalidCapability { .. } => Label::InvalidCapability as u64,
            Self::IllegalOperation => Label::IllegalOperation as u64,
            Self::RangeError { .. } => Label::RangeError as u64,
            Self::AlignmentError => Label::AlignmentError as u64,
            Self::FailedLookup(_) => Label::FailedLookup as u64,
            Self::TruncatedMessage => Label::TruncatedMessage as u64,
            Self::DeleteFirst => Label::DeleteFirst as u64,
            Self::RevokeFirst => Label::RevokeFirst as u64,
            Self::NotEnoughMemory { .. } => Label::NotEnoughMemory as u64,
            Self::Unknown { label } => label,
        }
    }
}

impl Lookup {
    fn from_reply(words: [u64; 4]) -> Self {
        let failure = LookupFailure::from_word(words[detail::LOOKUP_FAILURE]).unwrap_or(LookupFailure::NoFailure);
        let present = |index: usize, value: u64| if failure.detail_words() > index { value } else { 0 };
        Self {
            was_source: words[detail::LOOKUP_WAS_SOURCE],
            failure,
            bits_left: present(0, words[2]),
            found: present(1, words[3]),
            guard_bits: if failure == LookupFailure::GuardMismatch { buffer::word(4) } else { 0 },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArgument { argument } => write!(f, "argument {argument} is invalid"),
            Self::InvalidCapability { capability } => write!(f, "capability {capability} is invalid"),
            Self::IllegalOperation => f.write_str("illegal operation"),
            Self::RangeError { min, max } => write!(f, "not in the range {min} to {max}"),
            Self::AlignmentError => f.write_str("not aligned"),
            Self::FailedLookup(lookup) => {
                let side = if lookup.was_source == 0 { "destination" } else { "source" };
                write!(f, "{side} not found: {}, {} bits left", lookup.failure.name(), lookup.bits_left)
            }
            Self::TruncatedMessage => f.write_str("message too short"),
            Self::DeleteFirst => f.write_str("place is taken: delete first"),
            Self::RevokeFirst => f.write_str("still in use: revoke first"),
            Self::NotEnoughMemory { bytes_left } => write!(f, "not enough memory: {bytes_left} bytes left"),
            Self::Unknown { label } => write!(f, "unknown error {label}"),
        }
    }
}

impl core::error::Error for Error {}
