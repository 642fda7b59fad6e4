//! Kernel objects: where their memory and their capability slots come from.

use crate::error::{RootError, Step as _};
use crate::untyped::{Devices, Memory, Step};
use alloc::vec::Vec;
use sel4::{BootInfo, CPtr, Error, ObjectType, Slot, initial};

/// Frames in consecutive slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First slot.
    pub first: CPtr,
    /// Bits of each frame's size.
    pub bits: u32,
    /// How many.
    pub count: u64,
}

/// The partition's untyped memory and the root task's empty slots.
#[derive(Debug, Default)]
pub struct Objects {
    memory: Memory,
    devices: Devices,
    next_slot: CPtr,
    end_slot: CPtr,
}

impl Objects {
    /// Everything bootinfo lists.
    pub fn new(info: &BootInfo<'_>) -> Self {
        // The last empty slot is the console's.
        let (next_slot, end_slot) = (info.empty().start, info.empty().end.saturating_sub(1));
        let mut objects = Self { next_slot, end_slot, ..Self::default() };
        for (untyped, desc) in info.untypeds() {
            match desc.is_device {
                0 => objects.memory.add(untyped, desc.paddr, desc.size_bits.into()),
                _ => objects.devices.add(untyped, desc.paddr, desc.size_bits.into()),
            }
        }
        objects
    }

    /// `count` consecutive empty slots of the root CNode.
    pub fn slots(&mut self, count: u64) -> Result<CPtr, RootError> {
        let first = self.next_slot;
        let end = first.checked_add(count).filter(|end| *end <= self.end_slot).ok_or(RootError::OutOfSlots)?;
        self.next_slot = end;
        Ok(first)
    }

    /// One empty slot, as a place to put a capability.
    pub fn slot(&mut self) -> Result<Slot, RootError> {
        Ok(place(self.slots(1)?))
    }

    /// A new object; `bits` is the size of a CNode (slots), untyped or scheduling context, and ignored for others.
    pub fn create(&mut self, kind: ObjectType, bits: u32) -> Result<CPtr, RootError> {
        let runs = self.create_many(kind, bits, 1)?;
        runs.first().map(|run| run.first).ok_or(RootError::OutOfSlots)
    }

    /// `count` new objects, in as few runs of slots as memory allows.
    pub fn create_many(&mut self, kind: ObjectType, bits: u32, count: u64) -> Result<Vec<Run>, RootError> {
        let size_bits = kind.size_bits(bits.into()).min(63) as u32;
        let (mut runs, mut missing) = (Vec::new(), count);
        while missing != 0 {
            let most = missing.min(abi::object::RETYPE_FAN_OUT_LIMIT);
            let out_of_memory = RootError::OutOfMemory { bits: size_bits, left: self.memory.left() };
            let (untyped, count) = self.memory.take(size_bits, most).ok_or(out_of_memory)?;
            let first = self.slots(count)?;
            match untyped.retype(kind, bits, initial::CNODE.itself(), first, count) {
                Ok(()) => {}
                Err(Error::NotEnoughMemory { .. }) => {
                    self.memory.exhaust(untyped);
                    continue;
                }
                Err(error) => return Err(RootError::Kernel { step: "create an object", error }),
            }
            runs.push(Run { first, bits: size_bits, count });
            missing -= count;
        }
        Ok(runs)
    }

    /// Frames for the physical range, which must lie above every range asked for before in the same untyped.
    pub fn device_frames(&mut self, base: u64, size: u64) -> Result<Vec<Run>, RootError> {
        let page = 1 << abi::object::PAGE_BITS;
        let record = RootError::Record("range that is no multiple of a page");
        let end = base.checked_add(size).filter(|end| (base | *end).is_multiple_of(page)).ok_or(record)?;
        let (mut runs, mut at) = (Vec::new(), base);
        while let Some((step, reached)) = self.devices.step(at, end)? {
            let (untyped, kind, bits, count) = match step {
                Step::Skip { untyped, bits } => (untyped, ObjectType::Untyped, bits, 1),
                Step::Frames { untyped, bits, count } => (untyped, frame_type(bits), bits, count),
            };
            let first = self.slots(count)?;
            untyped.retype(kind, bits, initial::CNODE.itself(), first, count).step("make frames of device memory")?;
            if kind != ObjectType::Untyped {
                runs.push(Run { first, bits, count });
            }
            at = reached;
        }
        Ok(runs)
    }
}

/// The place in the root CNode with this number.
pub fn place(slot: CPtr) -> Slot {
    initial::CNODE.slot(slot)
}

/// The object type of frames of `1 << bits` bytes.
fn frame_type(bits: u32) -> ObjectType {
    if bits == abi::object::LARGE_PAGE_BITS { ObjectType::LargePage } else { ObjectType::Page4K }
}
