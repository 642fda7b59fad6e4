//! Page tables: a builder that never gives a page twice, never leaves its pool, and chooses page sizes.
//!
//! Used for each kernel instance and for the loader's own identity map. W^X is kept here: [`Rights::Everything`]
//! exists so that the ELF check can name what it refuses, and is never mapped. Tests: `place_tests.rs` walks them.

use crate::refuse;
use crate::span::align_down;
use crate::{LARGE_PAGE, PAGE, PhysicalMemory, Refusal, Span};

/// What may be done with a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Read.
    Read,
    /// Read and execute.
    ReadExecute,
    /// Read and write.
    ReadWrite,
    /// Read and write, uncached.
    Device,
    /// Read, write and execute: never mapped by [`Builder::map`].
    Everything,
}

/// The largest page that a mapping may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageSize {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
    /// 1 GiB.
    Huge,
}

impl PageSize {
    /// Size in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Small => PAGE,
            Self::Large => LARGE_PAGE,
            Self::Huge => 1 << 30,
        }
    }

    /// Level of the table whose entries map this size: 1 is a page table.
    const fn level(self) -> u32 {
        match self {
            Self::Small => 1,
            Self::Large => 2,
            Self::Huge => 3,
        }
    }
}

/// Bits of an entry.
pub mod entry {
    /// Valid.
    pub const PRESENT: u64 = 1;
    /// Writable.
    pub const WRITE: u64 = 1 << 1;
    /// Write-through (with [`CACHE_DISABLE`]: uncached).
    pub const WRITE_THROUGH: u64 = 1 << 3;
    /// Not cached.
    pub const CACHE_DISABLE: u64 = 1 << 4;
    /// Was used.
    pub const ACCESSED: u64 = 1 << 5;
    /// Was written.
    pub const DIRTY: u64 = 1 << 6;
    /// Maps a page although the table is not of the lowest level.
    pub const LARGE: u64 = 1 << 7;
    /// Stays in the TLB when CR3 changes.
    pub const GLOBAL: u64 = 1 << 8;
    /// Not executable.
    pub const NO_EXECUTE: u64 = 1 << 63;
    /// The physical address.
    pub const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
}

/// Whether mappings survive a change of CR3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Global: the kernel half, the same in all of an instance's address spaces.
    Global,
    /// Gone with the next CR3: the loader's own.
    AddressSpace,
}

/// Builds one set of tables.
pub struct Builder<'m, M> {
    memory: &'m mut M,
    pool: Span,
    next: u64,
    lifetime: Lifetime,
}

impl<'m, M: PhysicalMemory> Builder<'m, M> {
    /// An empty address space whose tables come from `pool` (whole pages); the first is the top table.
    pub fn new(memory: &'m mut M, pool: Span, lifetime: Lifetime) -> Result<Self, Refusal> {
        let mut builder = Self { memory, pool, next: pool.start(), lifetime };
        builder.allocate()?;
        Ok(builder)
    }

    /// Physical address of the top table.
    pub fn top_table(&self) -> u64 {
        self.pool.start()
    }

    /// Pages of the pool that are in use.
    pub fn used(&self) -> Span {
        Span::between(self.pool.start(), self.next)
    }

    /// Maps `span` at `virt` in pages of at most `largest`; both ends must be page-aligned. A page that is mapped
    /// already, an exhausted pool and [`Rights::Everything`] are refusals.
    pub fn map(&mut self, virt: u64, span: Span, rights: Rights, largest: PageSize) -> Result<(), Refusal> {
        if !(virt | span.start() | span.end()).is_multiple_of(PAGE) {
            return Err(refuse!(Internal, "mapping of {span} at {virt:#x} is not page-aligned"));
        }
        let mut done = 0;
        while done < span.size() {
            let (at, from) = (virt.wrapping_add(done), span.start() + done);
            let size = [PageSize::Huge, PageSize::Large]
                .into_iter()
                .filter(|size| *size <= largest)
                .find(|size| (at | from).is_multiple_of(size.bytes()) && span.size() - done >= size.bytes())
                .unwrap_or(PageSize::Small);
            self.map_page(at, from, rights, size)?;
            done += size.bytes();
        }
        Ok(())
    }

    fn map_page(&mut self, virt: u64, physical: u64, rights: Rights, size: PageSize) -> Result<(), Refusal> {
        let rights = match rights {
            Rights::Read => entry::NO_EXECUTE,
            Rights::ReadExecute => 0,
            Rights::ReadWrite => entry::NO_EXECUTE | entry::WRITE,
            Rights::Device => entry::NO_EXECUTE | entry::WRITE | entry::CACHE_DISABLE | entry::WRITE_THROUGH,
            Rights::Everything => return Err(refuse!(Internal, "mapping of {virt:#x} is writable and executable")),
        };
        let large = if size == PageSize::Small { 0 } else { entry::LARGE };
        let global = if self.lifetime == Lifetime::Global { entry::GLOBAL } else { 0 };
        let mut table = self.top_table();
        for level in (size.level() + 1..=4).rev() {
            let slot = table + index(virt, level) * 8;
            let found = self.memory.read_word(slot)?;
            table = if found & entry::PRESENT == 0 {
                let fresh = self.allocate()?;
                // Accessed is set beforehand: the hardware need not write to it.
                self.memory.write_word(slot, fresh | entry::PRESENT | entry::WRITE | entry::ACCESSED)?;
                fresh
            } else if found & entry::LARGE != 0 {
                return Err(refuse!(Internal, "{virt:#x} is mapped twice"));
            } else {
                found & entry::ADDRESS
            };
        }
        let slot = table + index(virt, size.level()) * 8;
        if self.memory.read_word(slot)? != 0 {
            return Err(refuse!(Internal, "{virt:#x} is mapped twice"));
        }
        let value = physical | rights | large | global | entry::PRESENT | entry::ACCESSED | entry::DIRTY;
        self.memory.write_word(slot, value)
    }

    fn allocate(&mut self) -> Result<u64, Refusal> {
        let table = Span::new(self.next, PAGE)
            .filter(|table| self.pool.contains(*table))
            .ok_or_else(|| refuse!(Internal, "the page tables do not fit into {}", self.pool))?;
        self.memory.zero(table)?;
        self.next = table.end();
        Ok(table.start())
    }

    /// The top-level entry for the 512 GiB at `virt`.
    pub fn top_entry(&self, virt: u64) -> Result<u64, Refusal> {
        self.memory.read_word(self.top_table() + index(virt, 4) * 8)
    }
}

/// Position of `virt` in its table of `level` (4 is the top).
pub const fn index(virt: u64, level: u32) -> u64 {
    virt >> (12 + 9 * (level - 1)) & 511
}

/// Tables that a mapping of virtual addresses `virt` can need below the top table.
pub const fn tables_for(virt: Span, largest: PageSize) -> u64 {
    if virt.is_empty() {
        return 0;
    }
    // Regions of each size that the mapping touches; `end - 1` cannot underflow as it is not empty.
    let last = virt.end() - 1;
    let large = (align_down(last, LARGE_PAGE) - align_down(virt.start(), LARGE_PAGE)) / LARGE_PAGE + 1;
    let huge = (last >> 30) - (virt.start() >> 30) + 1;
    let giant = (last >> 39) - (virt.start() >> 39) + 1;
    let small_tables = match largest {
        PageSize::Small => large,
        // Only the two ragged ends need small pages.
        PageSize::Large | PageSize::Huge => {
            if large < 2 {
                large
            } else {
                2
            }
        }
    };
    small_tables + huge + giant
}
