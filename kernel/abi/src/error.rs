//! What an invocation answers: the error is the label of the reply, its details are the reply's message words.
//!
//! Tests: `tests/numbers.rs`.

words! {
    /// The label of the reply to an invocation.
    Error: u64, from_label {
        /// Done.
        NoError = 0,
        /// An argument makes no sense here; the first word is its number.
        InvalidArgument = 1,
        /// A capability is of the wrong kind; the first word is its number, and 0 is the invoked one.
        InvalidCapability = 2,
        /// Not on this object, or not now.
        IllegalOperation = 3,
        /// An argument lies outside the range from the first word to the second.
        RangeError = 4,
        /// An address is not aligned to the object's size.
        AlignmentError = 5,
        /// A capability pointer leads nowhere; the second word is a [`LookupFailure`], whose details follow.
        FailedLookup = 6,
        /// Fewer message words or extra capabilities than the invocation needs.
        TruncatedMessage = 7,
        /// Something is already there.
        DeleteFirst = 8,
        /// Something else still depends on it.
        RevokeFirst = 9,
        /// The untyped has only so many bytes left as the first word says.
        NotEnoughMemory = 10,
    }
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
        // From `InvalidRoot` on, each has one more than the one before.
        (self as usize).saturating_sub(1)
    }
}
