//! Putting tables and frames into an address space and taking them out again.

use crate::{AsidTable, Attributes, Entry, Level, Table};
use capability::{FrameSize, Rights};
use machine::Machine;
use memory::{Phys, Ref};

/// Why a mapping was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// A table above is missing; `bits_left` of the address were not translated.
    MissingTable {
        /// log2 of the bytes spanned by the missing table's entry.
        bits_left: u32,
    },
    /// Something is mapped there already.
    Occupied,
}

/// The operations, for one core of one instance.
#[derive(Clone, Copy, Debug)]
pub struct Mapper<'k> {
    /// This core.
    pub machine: &'k Machine,
    /// The instance's ASIDs.
    pub asids: &'k AsidTable,
}

impl Mapper<'_> {
    /// The table of `level` that translates `vaddr` below `root`.
    fn walk(&self, root: Ref<Table>, vaddr: u64, level: Level) -> Result<Ref<Table>, MapError> {
        let mut table = root;
        let mut at = Level::Pml4;
        while at > level {
            let entry = table.get(at.index(vaddr));
            if !entry.contains(Entry::PRESENT) {
                return Err(MapError::MissingTable { bits_left: at.bits() });
            }
            if entry.contains(Entry::LARGE) && at != Level::Pml4 {
                // A large frame is where a table should be.
                return Err(MapError::MissingTable { bits_left: at.bits() });
            }
            table = Ref::at(entry.address());
            at = at.below();
        }
        Ok(table)
    }

    /// The place for a frame of `size` at `vaddr`. `Ok` whether it is empty or holds a frame; a table there is `Occupied`.
    pub fn frame_place(&self, root: Ref<Table>, vaddr: u64, size: FrameSize) -> Result<(), MapError> {
        let level = frame_level(size);
        let entry = self.walk(root, vaddr, level)?.get(level.index(vaddr));
        if size != FrameSize::Small && entry.contains(Entry::PRESENT) && !entry.contains(Entry::LARGE) {
            return Err(MapError::Occupied);
        }
        Ok(())
    }

    /// Maps a frame at `vaddr`, replacing a frame that is there; says whether one was.
    #[allow(clippy::too_many_arguments)]
    pub fn map_frame(
        &self,
        root: Ref<Table>,
        asid: u16,
        vaddr: u64,
        frame: Phys,
        size: FrameSize,
        rights: Rights,
        attributes: Attributes,
    ) -> Result<bool, MapError> {
        self.frame_place(root, vaddr, size)?;
        let level = frame_level(size);
        let table = self.walk(root, vaddr, level)?;
        let old = table.get(level.index(vaddr));
        table.set(level.index(vaddr), Entry::frame(frame, size, rights, attributes));
        let replaced = old.contains(Entry::PRESENT);
        if replaced {
            self.machine.flush_page(vaddr, asid);
        }
        Ok(replaced)
    }

    /// Removes the frame at `frame` from `vaddr` of the address space `asid`, if it is still there; says whether it was.
    pub fn unmap_frame(&self, asid: u16, vaddr: u64, frame: Phys, size: FrameSize) -> bool {
        let Some(root) = self.asids.root(asid) else { return false };
        let level = frame_level(size);
        let Ok(table) = self.walk(root, vaddr, level) else { return false };
        let index = level.index(vaddr);
        let entry = table.get(index);
        let is_frame = size == FrameSize::Small || entry.contains(Entry::LARGE);
        // Bit 12 of a large frame's entry is its memory type, not its address.
        let address = entry.bits() & 0x000f_ffff_ffff_f000 & !((1 << size.bits()) - 1);
        let is_there = entry.contains(Entry::PRESENT) && is_frame && address == frame.0;
        if is_there {
            table.set(index, Entry::empty());
            self.machine.flush_page(vaddr, asid);
        }
        is_there
    }

    /// Puts `table` of `level` at `vaddr`, under the table one level up.
    pub fn map_table(
        &self,
        root: Ref<Table>,
        vaddr: u64,
        level: Level,
        table: Phys,
        attributes: Attributes,
    ) -> Result<(), MapError> {
        let parent_level = parent(level);
        let parent = self.walk(root, vaddr, parent_level)?;
        let index = parent_level.index(vaddr);
        if parent.get(index).contains(Entry::PRESENT) {
            return Err(MapError::Occupied);
        }
        parent.set(index, Entry::table(table, attributes));
        Ok(())
    }

    /// Takes `table` of `level` out from `vaddr` of the address space `asid`, if it is still there.
    pub fn unmap_table(&self, asid: u16, vaddr: u64, level: Level, table: Phys) {
        let Some(root) = self.asids.root(asid) else { return };
        let parent_level = parent(level);
        let Ok(parent) = self.walk(root, vaddr, parent_level) else { return };
        let index = parent_level.index(vaddr);
        if parent.names(index, table) && !(parent_level != Level::Pml4 && parent.get(index).contains(Entry::LARGE)) {
            parent.set(index, Entry::empty());
            self.machine.flush_asid(asid, root.phys().0);
        }
    }
}

const fn frame_level(size: FrameSize) -> Level {
    match size {
        FrameSize::Small => Level::PageTable,
        FrameSize::Large => Level::PageDirectory,
        FrameSize::Huge => Level::Pdpt,
    }
}

const fn parent(level: Level) -> Level {
    match level {
        Level::PageTable => Level::PageDirectory,
        Level::PageDirectory => Level::Pdpt,
        _ => Level::Pml4,
    }
}
