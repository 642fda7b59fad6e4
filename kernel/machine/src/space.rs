//! [`AddressSpace`]: a top-level table and its tag, as the processor takes them.

use core::num::NonZeroU64;

/// Bits of the word that are the tag.
const TAG: u64 = 0xfff;

/// An address space, ready to be loaded. Made by `Machine::address_space`; not valid any longer once its table is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSpace(NonZeroU64);

impl AddressSpace {
    /// The tables at `top_table_phys` with `tag`; `None` if that would be the zero word.
    #[inline]
    pub(crate) const fn new(top_table_phys: u64, tag: u16) -> Option<Self> {
        match NonZeroU64::new(top_table_phys & !TAG | tag as u64 & TAG) {
            Some(word) => Some(Self(word)),
            None => None,
        }
    }

    /// Table and tag in one word.
    #[inline(always)]
    pub(crate) const fn word(self) -> u64 {
        self.0.get()
    }

    /// The tag.
    #[inline(always)]
    pub(crate) const fn tag(self) -> u64 {
        self.word() & TAG
    }
}
