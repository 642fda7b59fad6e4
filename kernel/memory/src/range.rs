//! Physical addresses and ranges, the clearing of window memory, and the debug peek.

use crate::{WINDOW_BASE, WINDOW_BITS};

/// A physical address, in bytes.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phys(pub u64);

impl Phys {
    /// The address `bytes` further on, wrapping at 2^64.
    #[inline(always)]
    pub const fn offset(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Whether the address is a multiple of 2^`bits`.
    #[inline(always)]
    pub const fn is_aligned(self, bits: u32) -> bool {
        self.0 & ((1 << bits) - 1) == 0
    }
}

/// Bytes `base .. base + size` of physical memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub base: Phys,
    /// Size in bytes.
    pub size: u64,
}

impl Range {
    /// First byte behind the range.
    pub const fn end(self) -> u64 {
        self.base.0.saturating_add(self.size)
    }

    /// Whether the range lies wholly inside `self`.
    pub const fn contains(self, other: Range) -> bool {
        self.base.0 <= other.base.0 && other.end() <= self.end()
    }

    /// Whether the ranges share a byte.
    pub const fn overlaps(self, other: Range) -> bool {
        self.base.0 < other.end() && other.base.0 < self.end()
    }
}

/// Zeroes 2^`size_bits` bytes (at least 8) at `base`. Memory outside the slice traps.
#[inline]
pub fn clear(base: Phys, size_bits: u32) {
    let address = WINDOW_BASE | (base.0 & ((1 << WINDOW_BITS) - 1) & !7);
    // SAFETY: window memory (invariant M1) that the caller is about to turn into a new object; every reference to what was
    // there before was given up by revocation (invariant C4), and objects allow mutation behind shared references.
    unsafe { core::ptr::write_bytes(address as *mut u64, 0, (1usize << size_bits) / 8) }
}

/// Reads the word at kernel address `address`, whatever is there: for the debug system call that tests isolation with a
/// deliberately stray access. Memory outside the instance traps and parks it; that is what the test looks for.
pub fn peek(address: u64) -> u64 {
    // SAFETY: none in the language's sense for an arbitrary address; the instance's page tables decide. Only built into
    // debug kernels, whose users may panic the instance anyway.
    unsafe { core::ptr::read_volatile((address & !7) as *const u64) }
}
