//! Access rights as the API passes them: write, read, grant, grant-reply in bits 0 to 3.

/// A set of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(u64);

impl Rights {
    /// May send, or write.
    pub const WRITE: Rights = Rights(1);
    /// May receive, or read.
    pub const READ: Rights = Rights(2);
    /// May pass capabilities.
    pub const GRANT: Rights = Rights(4);
    /// May pass a reply capability.
    pub const GRANT_REPLY: Rights = Rights(8);
    /// Every right.
    pub const ALL: Rights = Rights(15);
    /// No right.
    pub const NONE: Rights = Rights(0);

    /// The rights in the low four bits of a user's word; the rest is ignored.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Rights(word & 15)
    }

    /// The rights as the API's word.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Rights in both.
    #[inline(always)]
    pub const fn and(self, other: Rights) -> Self {
        Rights(self.0 & other.0)
    }

    /// Rights in either.
    #[inline(always)]
    pub const fn or(self, other: Rights) -> Self {
        Rights(self.0 | other.0)
    }

    /// Whether every right of `other` is here.
    #[inline(always)]
    pub const fn allow(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }
}
