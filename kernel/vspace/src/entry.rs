//! The page-table entry. Source: Intel SDM volume 3, "4-level paging".

use bitflags::bitflags;
use capability::{FrameSize, Rights};
use memory::Phys;

bitflags! {
    /// Bits of an entry.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Entry: u64 {
        /// Valid.
        const PRESENT = 1;
        /// Writes are allowed.
        const WRITABLE = 1 << 1;
        /// User mode may use it.
        const USER = 1 << 2;
        /// PAT index bit 0.
        const WRITE_THROUGH = 1 << 3;
        /// PAT index bit 1.
        const CACHE_DISABLED = 1 << 4;
        /// Set by the processor on use.
        const ACCESSED = 1 << 5;
        /// Set by the processor on write.
        const DIRTY = 1 << 6;
        /// A frame rather than a table (2 MiB and 1 GiB); PAT index bit 2 of a 4 KiB frame.
        const LARGE = 1 << 7;
        /// PAT index bit 2 of a large frame.
        const LARGE_PAT = 1 << 12;
        /// The rest: address and reserved bits.
        const _ = !0;
    }
}

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Memory type of a mapping, as the API passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes(u64);

impl Attributes {
    /// The low three bits of the user's word: write-through, cache-disabled, PAT; the rest is ignored.
    pub const fn from_word(word: u64) -> Self {
        Self(word & 7)
    }

    fn entry(self, large: bool) -> Entry {
        let pat = if large { Entry::LARGE_PAT } else { Entry::LARGE };
        let when = |bit: u64, flag: Entry| if self.0 & bit != 0 { flag } else { Entry::empty() };
        when(1, Entry::WRITE_THROUGH) | when(2, Entry::CACHE_DISABLED) | when(4, pat)
    }
}

impl Entry {
    /// An entry that names the next table.
    pub fn table(table: Phys, attributes: Attributes) -> Self {
        // The PAT bit is reserved in an entry that names a table: only the two cache bits may be set.
        let cache = attributes.entry(false) & (Entry::WRITE_THROUGH | Entry::CACHE_DISABLED);
        Entry::from_bits_retain(table.0 & ADDRESS) | Entry::PRESENT | Entry::WRITABLE | Entry::USER | cache
    }

    /// An entry that maps a frame. Without the right to read, user mode cannot use it at all.
    pub fn frame(frame: Phys, size: FrameSize, rights: Rights, attributes: Attributes) -> Self {
        let large = size != FrameSize::Small;
        let mut entry = Entry::from_bits_retain(frame.0 & ADDRESS) | Entry::PRESENT | attributes.entry(large);
        if large {
            entry |= Entry::LARGE;
        }
        if rights.allow(Rights::READ) || rights.allow(Rights::WRITE) {
            entry |= Entry::USER;
        }
        if rights.allow(Rights::WRITE) {
            entry |= Entry::WRITABLE;
        }
        entry
    }

    /// Physical address of the table or 4 KiB frame that the entry names.
    pub const fn address(self) -> Phys {
        Phys(self.bits() & ADDRESS)
    }
}
