//! One page of 512 entries, at any of the four levels.

use crate::Entry;
use core::cell::Cell;
use memory::Phys;

/// Level of a table, by what one of its entries spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Page table: 4 KiB an entry.
    PageTable = 12,
    /// Page directory: 2 MiB.
    PageDirectory = 21,
    /// Page directory pointer table: 1 GiB.
    Pdpt = 30,
    /// Top-level table: 512 GiB.
    Pml4 = 39,
}

impl Level {
    /// log2 of the bytes that one entry spans.
    pub const fn bits(self) -> u32 {
        self as u32
    }

    /// Index of `vaddr`'s entry in a table of this level.
    pub const fn index(self, vaddr: u64) -> usize {
        (vaddr >> self.bits()) as usize & 511
    }

    /// The next level down; the lowest is its own.
    pub const fn below(self) -> Level {
        match self {
            Level::Pml4 => Level::Pdpt,
            Level::Pdpt => Level::PageDirectory,
            _ => Level::PageTable,
        }
    }
}

/// A paging structure.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Table {
    entries: [Cell<u64>; 512],
}

memory::object!(Table);

impl Table {
    /// Entry `index`, taken modulo 512.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Entry {
        Entry::from_bits_retain(self.entries[index & 511].get())
    }

    /// Writes entry `index`, taken modulo 512.
    #[inline(always)]
    pub fn set(&self, index: usize, entry: Entry) {
        self.entries[index & 511].set(entry.bits());
    }

    /// Makes a zeroed table a VSpace root by copying the kernel half: `(index, entry)` pairs of the instance's own root.
    pub fn adopt_kernel_half(&self, entries: impl Iterator<Item = (u64, u64)>) {
        for (index, value) in entries {
            if (256..512).contains(&index) {
                self.entries[index as usize].set(value);
            }
        }
    }

    /// Whether entry `index` is present and names `address`.
    pub fn names(&self, index: usize, address: Phys) -> bool {
        let entry = self.get(index);
        entry.contains(Entry::PRESENT) && entry.address() == address
    }
}
