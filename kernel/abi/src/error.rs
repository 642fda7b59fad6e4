//! What an invocation answers: the error is the label of the reply, its details are the reply's message words.
//!
//! Tests: `tests/numbers.rs`.

words! {
    /// The label of the reply to an invocation.
    Error: u64, from_label {
        /// Done.
        NoError = 0,
        /// Argument number [`detail::ARGUMENT`] makes no sense here.
        InvalidArgument = 1,
        /// Capability number [`detail::CAPABILITY`] (0 is the invoked one) is of the wrong kind.
        InvalidCapability = 2,
        /// Not on this object, or not now.
        IllegalOperation = 3,
        /// An argument lies outside [`detail::RANGE_MIN`] to [`detail::RANGE_MAX`].
        RangeError = 4,
        /// An address is not aligned to the object's size.
        AlignmentError = 5,
        /// A capability pointer leads nowhere; the reply says where it ended.
        FailedLookup = 6,
        /// Fewer message words or extra capabilities than the invocation needs.
        TruncatedMessage = 7,
        /// Something is already there.
        DeleteFirst = 8,
        /// Something else still depends on it.
        RevokeFirst = 9,
        /// The untyped has only [`detail::MEMORY_LEFT`] bytes left.
        NotEnoughMemory = 10,
    }
}

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
    /// `FailedLookup`: a [`LookupFailure`](super::LookupFailure); its details follow as in a capability fault.
    pub const LOOKUP_FAILURE: usize = 1;
}

words! {
    /// Why a capability pointer leads nowhere.
    LookupFailure: u64, from_word {
        /// No failure.
        NoFailure = 0,
        /// The root is not a CNode. No details.
        InvalidRoot = 1,
        /// The slot is empty. Details: bits left.
        MissingCapability = 2,
        /// The path ends inside a CNode, or goes on where none is. Details: bits left, bits found.
        DepthMismatch = 3,
        /// A guard differs. Details: bits left, guard found, bits of the guard.
        GuardMismatch = 4,
    }
}

impl LookupFailure {
    /// How many detail words follow the failure itself in a message.
    #[inline]
    pub const fn detail_words(self) -> usize {
        match self {
            Self::NoFailure | Self::InvalidRoot => 0,
            Self::MissingCapability => 1,
            Self::DepthMismatch => 2,
            Self::GuardMismatch => 3,
        }
    }
}
