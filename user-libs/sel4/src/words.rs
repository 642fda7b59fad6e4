//! Words that only programs make: rights, guards, and how mappings are cached. Tests: at the end of this file, and `tests/marshalling.rs`.

/// What a capability lets its holder do with an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct CapRights(u64);

impl CapRights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Send, signal, write.
    pub const WRITE: Self = Self(1);
    /// Receive, wait, read.
    pub const READ: Self = Self(2);
    /// Send any capability along.
    pub const GRANT: Self = Self(4);
    /// Send the right to reply along (a call).
    pub const GRANT_REPLY: Self = Self(8);
    /// Read and write.
    pub const READ_WRITE: Self = Self(3);
    /// Everything.
    pub const ALL: Self = Self(15);
    /// Everything but read.
    pub const NO_READ: Self = Self(13);

    /// The rights in the low four bits of `word`; the others mean nothing.
    #[inline]
    pub const fn from_word(word: u64) -> Self {
        Self(word & 15)
    }

    /// The packed form: write 1, read 2, grant 4, grant-reply 8.
    #[inline]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Whether every right of `other` is among these.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The rights in either.
    #[inline]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The guard of a CNode capability as `CNodeMint`, `CNodeMutate` and the TCB invocations take it: `guard:58 size:6`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct CNodeGuard(u64);

impl CNodeGuard {
    /// A guard of `size` bits; bits that do not fit are cut.
    #[inline]
    pub const fn new(guard: u64, size: u32) -> Self {
        Self((guard << 6) | (size as u64 & 63))
    }

    /// An all-zero guard that fills a capability pointer up: the usual one for a CNode of `radix_bits` as a root.
    #[inline]
    pub const fn for_root(radix_bits: u32) -> Self {
        Self::new(0, u64::BITS.saturating_sub(radix_bits))
    }

    /// The guard whose packed form is `word`.
    #[inline]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The packed form.
    #[inline]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// Bits the guard compares.
    #[inline]
    pub const fn guard(self) -> u64 {
        self.0 >> 6
    }

    /// How many bits it compares (0 to 63).
    #[inline]
    pub const fn size(self) -> u32 {
        (self.0 & 63) as u32
    }
}

/// How a mapping is cached: the `attr` argument of the map invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct VmAttributes(u64);

impl VmAttributes {
    /// Write-back: the default.
    pub const WRITE_BACK: Self = Self(0);
    /// Write-through.
    pub const WRITE_THROUGH: Self = Self(1);
    /// Not cached, unless the memory type registers say otherwise.
    pub const CACHE_DISABLED: Self = Self(2);
    /// Never cached.
    pub const UNCACHEABLE: Self = Self(3);
    /// Write-combining.
    pub const WRITE_COMBINING: Self = Self(4);

    /// The attributes in the low three bits of `word`, which select an entry of the page attribute table.
    #[inline]
    pub const fn from_word(word: u64) -> Self {
        Self(word & 7)
    }

    /// The packed form: write-through bit 0, cache-disable bit 1, page-attribute bit 2.
    #[inline]
    pub const fn word(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_and_guards() {
        assert_eq!(CapRights::ALL.word(), 15);
        assert_eq!(CapRights::WRITE.union(CapRights::READ), CapRights::READ_WRITE);
        assert!(CapRights::NO_READ.contains(CapRights::WRITE) && !CapRights::NO_READ.contains(CapRights::READ));
        assert_eq!(CapRights::from_word(u64::MAX), CapRights::ALL);
        let guard = CNodeGuard::new(3, 51);
        assert_eq!((guard.word(), guard.guard(), guard.size()), (3 << 6 | 51, 3, 51));
        assert_eq!(CNodeGuard::for_root(13).size(), 51);
    }
}
