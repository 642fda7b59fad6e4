//! Walking four-level page tables from the outside, given nothing but physical memory.
//!
//! Written against the Intel SDM (volume 3, chapter 4), sharing no code with the loader or the kernel that wrote the
//! tables: it is their judge. Every level is walked in full; contiguous leaves with the same rights become one
//! [`Mapping`]. Anything malformed is a [`Malformed`] entry in the result, never a panic. Tests: `walk/tests.rs`.

use std::collections::HashMap;
use std::ops::Range;

/// Physical memory of a machine that stands still.
pub trait PhysicalMemory {
    /// The 4096 bytes of the page at `phys` as 512 little-endian words; `None` where there is no RAM.
    fn page(&self, phys: u64) -> Option<[u64; 512]>;
}

/// Whose mapping it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Reachable by the kernel only.
    Supervisor,
    /// Reachable by programs.
    User,
}

/// What a mapping allows: x86 always allows reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rights {
    /// Who.
    pub privilege: Privilege,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
}

/// A run of virtual addresses mapped to a run of physical ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First virtual address (canonical).
    pub virt: u64,
    /// Physical range.
    pub phys: Range<u64>,
    /// Rights, all levels taken together.
    pub rights: Rights,
}

/// An entry that no kernel should have written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Virtual address that the entry translates.
    pub virt: u64,
    /// The entry.
    pub entry: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Everything reachable from one top-level table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSpace {
    /// Mappings by virtual address.
    pub mappings: Vec<Mapping>,
    /// Physical addresses of the tables themselves, the top one first.
    pub tables: Vec<u64>,
    /// Entries that are wrong in themselves.
    pub malformed: Vec<Malformed>,
}

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const PAGE: u64 = 4096;

/// Walks the tables whose top is at `root` (CR3; its low bits are ignored).
pub fn walk(memory: &impl PhysicalMemory, root: u64) -> AddressSpace {
    let mut walker = Walker { memory, space: AddressSpace::default(), seen: HashMap::new() };
    let rights = Rights { privilege: Privilege::User, write: true, execute: true };
    walker.table(root & ADDRESS, 4, 0, rights);
    walker.space
}

struct Walker<'a, M> {
    memory: &'a M,
    space: AddressSpace,
    /// Level at which each table was met: a table at two levels is malformed, and could make the walk endless.
    seen: HashMap<u64, u32>,
}

impl<M: PhysicalMemory> Walker<'_, M> {
    fn table(&mut self, phys: u64, level: u32, virt_base: u64, above: Rights) {
        match self.seen.insert(phys, level) {
            None => self.space.tables.push(phys),
            Some(before) if before != level => {
                self.malformed(virt_base, phys, "one table serves at two levels");
                return;
            }
            Some(_) => {}
        }
        let Some(entries) = self.memory.page(phys) else {
            self.malformed(virt_base, phys, "the table lies where there is no RAM");
            return;
        };
        let span_bits = 12 + 9 * (level - 1);
        for (index, entry) in (0u64..).zip(entries) {
            if entry & PRESENT == 0 {
                continue;
            }
            let virt = canonical(virt_base | index << span_bits);
            let rights = Rights {
                privilege: if entry & USER == 0 { Privilege::Supervisor } else { above.privilege },
                write: above.write && entry & WRITE != 0,
                execute: above.execute && entry & NO_EXECUTE == 0,
            };
            let leaf = level == 1 || (entry & LARGE != 0 && level <= 3);
            if level == 4 && entry & LARGE != 0 {
                self.malformed(virt, entry, "reserved bit 7 in a top-level entry");
            } else if !leaf {
                self.table(entry & ADDRESS, level - 1, virt, rights);
            } else {
                self.leaf(virt, entry, span_bits, rights);
            }
        }
    }

    fn leaf(&mut self, virt: u64, entry: u64, span_bits: u32, rights: Rights) {
        let size = 1u64 << span_bits;
        let address = entry & ADDRESS;
        // In a large page bit 12 is PAT; the bits above it, up to the page size, are reserved.
        let low = if size > PAGE { address & (size - 1) & !PAGE } else { 0 };
        if low != 0 {
            self.malformed(virt, entry, "reserved address bits in a large page");
        }
        let base = address & !(size - 1);
        let mapping = Mapping { virt, phys: base..base + size, rights };
        if let Some(last) = self.space.mappings.last_mut() {
            let length = last.phys.end - last.phys.start;
            if last.phys.end == base && last.virt.wrapping_add(length) == virt && last.rights == rights {
                last.phys.end = mapping.phys.end;
                return;
            }
        }
        self.space.mappings.push(mapping);
    }

    fn malformed(&mut self, virt: u64, entry: u64, why: &'static str) {
        self.space.malformed.push(Malformed { virt, entry, why });
    }
}

/// Sign-extends bit 47.
fn canonical(virt: u64) -> u64 {
    if virt & 1 << 47 == 0 { virt } else { virt | 0xffff_0000_0000_0000 }
}

#[cfg(test)]
mod tests;
