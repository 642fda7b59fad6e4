//! Page tables made by hand, for the tests of the walker and of the judge.

use crate::walk::PhysicalMemory;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Entry bits for [`Tables::map`].
pub mod bits {
    /// Writable.
    pub const WRITE: u64 = 2;
    /// Reachable from user mode.
    pub const USER: u64 = 4;
    /// Not executable.
    pub const NX: u64 = 1 << 63;
}

/// Sparse physical memory holding page tables.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pages: RefCell<BTreeMap<u64, [u64; 512]>>,
}

impl PhysicalMemory for Tables {
    fn page(&self, phys: u64) -> Option<[u64; 512]> {
        self.pages.borrow().get(&phys).copied()
    }
}

impl Tables {
    /// Makes an empty table at `phys`.
    pub fn table(&self, phys: u64) -> u64 {
        self.pages.borrow_mut().entry(phys).or_insert([0; 512]);
        phys
    }

    /// Writes one raw entry.
    pub fn set(&self, table: u64, index: usize, entry: u64) {
        if let Some(slot) = self.pages.borrow_mut().entry(table).or_insert([0; 512]).get_mut(index) {
            *slot = entry;
        }
    }

    /// Maps the 4 KiB page at `virt` in the tables of `root`, taking new tables from `next` upward.
    pub fn map(&self, root: u64, next: &mut u64, virt: u64, phys: u64, flags: u64) {
        let mut table = self.table(root);
        for level in [4u32, 3, 2] {
            let index = (virt >> (12 + 9 * (level - 1)) & 511) as usize;
            let entry = self.page(table).map_or(0, |page| page.get(index).copied().unwrap_or(0));
            table = if entry & 1 != 0 {
                entry & 0x000f_ffff_ffff_f000
            } else {
                let new = self.table(*next);
                *next += 4096;
                // Upper levels allow everything: the leaf decides.
                self.set(table, index, new | 7);
                new
            };
        }
        self.set(table, (virt >> 12 & 511) as usize, phys | flags | 1);
    }
}
