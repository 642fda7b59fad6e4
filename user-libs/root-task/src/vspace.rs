//! Address spaces: pages go in, and the tables above them are made when the first page needs them.

use crate::error::{RootError, Step};
use crate::frames::Frames;
use crate::objects::{Objects, Run, place};
use alloc::vec::Vec;
use sel4::{CPtr, CapRights, ObjectType, Page, PageDirectory, PageTable, Pdpt, Pml4, VmAttributes, initial};

/// The three levels of tables below the top, by the bits of address that one table of that level covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Pdpt = 39,
    Directory = 30,
    Table = 21,
}

/// An address space, and which tables it has.
#[derive(Debug)]
pub struct VSpace {
    root: Pml4,
    tables: Vec<(Level, u64)>,
}

impl VSpace {
    /// The root task's own. Its image lies in the first 512 GiB, so the table for them is there.
    pub fn own() -> Self {
        Self { root: initial::VSPACE, tables: Vec::from([(Level::Pdpt, 0)]) }
    }

    /// A new, empty one.
    pub fn new(objects: &mut Objects) -> Result<Self, RootError> {
        let root = Pml4::new(objects.create(ObjectType::Pml4, 0)?);
        initial::ASID_POOL.assign(root).step("give an address space its identifier")?;
        Ok(Self { root, tables: Vec::new() })
    }

    /// The capability.
    pub fn root(&self) -> Pml4 {
        self.root
    }

    /// Maps one frame of `1 << bits` bytes at `vaddr`.
    pub fn map(
        &mut self,
        objects: &mut Objects,
        frame: CPtr,
        bits: u32,
        vaddr: u64,
        rights: CapRights,
        attributes: VmAttributes,
    ) -> Result<(), RootError> {
        for level in [Level::Pdpt, Level::Directory, Level::Table] {
            if level as u32 > bits {
                self.require(objects, level, vaddr)?;
            }
        }
        Page::new(frame).map(self.root, vaddr, rights, attributes).step("map a page")
    }

    /// Makes sure that the table of `level` above `vaddr` exists.
    fn require(&mut self, objects: &mut Objects, level: Level, vaddr: u64) -> Result<(), RootError> {
        let key = (level, vaddr >> level as u32);
        if self.tables.contains(&key) {
            return Ok(());
        }
        let attributes = VmAttributes::WRITE_BACK;
        let mapped = match level {
            Level::Pdpt => Pdpt::new(objects.create(ObjectType::Pdpt, 0)?).map(self.root, vaddr, attributes),
            Level::Directory => {
                PageDirectory::new(objects.create(ObjectType::PageDirectory, 0)?).map(self.root, vaddr, attributes)
            }
            Level::Table => PageTable::new(objects.create(ObjectType::PageTable, 0)?).map(self.root, vaddr, attributes),
        };
        match mapped {
            // The kernel put one there before the root task started.
            Ok(()) | Err(sel4::Error::DeleteFirst) => {}
            Err(error) => return Err(RootError::Kernel { step: "map a page table", error }),
        }
        self.tables.push(key);
        Ok(())
    }

    /// Maps frames of device memory from `vaddr` on; gives the number of bytes they cover. Frames that are mapped
    /// somewhere already are mapped through copies of their capabilities.
    pub fn map_frames(
        &mut self,
        objects: &mut Objects,
        frames: &mut Frames,
        vaddr: u64,
        rights: CapRights,
        attributes: VmAttributes,
    ) -> Result<u64, RootError> {
        let mut at = vaddr;
        for run in frames.take(objects)? {
            for index in 0..run.count {
                self.map(objects, run.first + index, run.bits, at, rights, attributes)?;
                at += 1 << run.bits;
            }
        }
        Ok(at - vaddr)
    }

    /// Maps `bytes` of new zeroed memory at `vaddr`, in large pages where address and memory allow it.
    pub fn map_new(&mut self, objects: &mut Objects, vaddr: u64, bytes: u64) -> Result<(), RootError> {
        let (small, large) = (1u64 << abi::object::PAGE_BITS, 1u64 << abi::object::LARGE_PAGE_BITS);
        let end = vaddr.saturating_add(bytes.next_multiple_of(small));
        let mut at = vaddr;
        while at.is_multiple_of(large) && end - at >= large {
            let Ok(frame) = objects.create(ObjectType::LargePage, 0) else { break };
            self.map(
                objects,
                frame,
                abi::object::LARGE_PAGE_BITS,
                at,
                CapRights::READ_WRITE,
                VmAttributes::WRITE_BACK,
            )?;
            at += large;
        }
        for Run { first, bits, count } in objects.create_many(ObjectType::Page4K, 0, (end - at) / small)? {
            for frame in first..first + count {
                self.map(objects, frame, bits, at, CapRights::READ_WRITE, VmAttributes::WRITE_BACK)?;
                at += small;
            }
        }
        Ok(())
    }
}

/// Copies the capabilities of a run.
pub(crate) fn copy_run(objects: &mut Objects, run: Run) -> Result<Run, RootError> {
    let first = objects.slots(run.count)?;
    for index in 0..run.count {
        let (to, from) = (place(first + index), place(run.first + index));
        to.copy_from(from, CapRights::ALL).step("copy a frame's capability")?;
    }
    Ok(Run { first, ..run })
}
