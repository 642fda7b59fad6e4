//! Windows into memory that belongs to others: the root task's only view of it, and its only raw pointers.
//!
//! Two areas of the root task's own address space: program files appear in one, read-only; a frame that is being filled
//! appears in the other.

use crate::error::{RootError, Step};
use crate::frames::Frames;
use crate::objects::Objects;
use crate::vspace::VSpace;
use runtime::layout::AREA_LIMIT;
use sel4::{CPtr, CapRights, Page, VmAttributes};

const PAGE_BYTES: usize = 1 << abi::object::PAGE_BITS;
/// Where a frame is filled.
const FILL_BASE: u64 = AREA_LIMIT;
/// Where a file is read.
const FILE_BASE: u64 = AREA_LIMIT + 0x4000_0000;
/// Largest file read.
const FILE_MAX_BYTES: u64 = 0x4000_0000;

/// Both windows.
#[derive(Debug)]
pub struct Windows {
    own: VSpace,
}

impl Windows {
    /// Windows in the root task's own address space; there is one such value.
    pub fn new() -> Self {
        Self { own: VSpace::own() }
    }

    /// Fills a fresh (zeroed, unmapped) 4 KiB frame; leaves it unmapped.
    pub fn fill(&mut self, objects: &mut Objects, frame: CPtr, fill: impl FnOnce(&mut [u8])) -> Result<(), RootError> {
        let (bits, rights) = (abi::object::PAGE_BITS, CapRights::READ_WRITE);
        self.own.map(objects, frame, bits, FILL_BASE, rights, VmAttributes::WRITE_BACK)?;
        // SAFETY: the frame has just been mapped here, nobody else has it mapped, and `fill` cannot keep the slice.
        fill(unsafe { core::slice::from_raw_parts_mut(FILL_BASE as *mut u8, PAGE_BYTES) });
        Page::new(frame).unmap().step("unmap a page")
    }

    /// Reads a file of `size` bytes.
    pub fn read<T>(
        &mut self,
        objects: &mut Objects,
        file: &mut Frames,
        size: u64,
        read: impl FnOnce(&mut Self, &mut Objects, &[u8]) -> Result<T, RootError>,
    ) -> Result<T, RootError> {
        if size > FILE_MAX_BYTES {
            return Err(RootError::TooMany("bytes in its image"));
        }
        let base = FILE_BASE + file.skew();
        let covered = self.own.map_frames(objects, file, base, CapRights::READ, VmAttributes::WRITE_BACK)?;
        // SAFETY: these frames have just been mapped here, `covered` bytes of them; files are never written, and `read`
        // cannot keep the slice.
        let bytes = unsafe { core::slice::from_raw_parts(base as *const u8, size.min(covered) as usize) };
        let result = read(self, objects, bytes);
        file.release();
        result
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self::new()
    }
}
