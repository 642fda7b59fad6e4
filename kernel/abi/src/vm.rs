//! Mappings: cache attributes and where user addresses end.

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

/// First address that user programs cannot map: the last page of the lower half stays empty.
pub const USER_TOP: u64 = 0x0000_7fff_ffff_f000;
