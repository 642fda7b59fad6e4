//! Untyped memory: resetting it, and making objects of it.
//!
//! Invariant C3: objects made from one untyped capability do not overlap, because each comes from behind its used bytes,
//! and those are given back only when it has no children. Invariant M2: memory below "used" was zeroed by the reset that
//! preceded the first object, so objects start zeroed; device memory is never touched.

use crate::args::{Args, slot_at};
use crate::create::{new_cap, object_bits};
use crate::error::Side;
use crate::{Entry, Outcome, Refusal, Stop};
use abi::error::Error;
use abi::invocation::Invocation;
use abi::object::{MAX_UNTYPED_BITS, MIN_SCHED_CONTEXT_BITS, MIN_UNTYPED_BITS, ObjectType, RETYPE_FAN_OUT_LIMIT};
use capability::{Cap, Kind, LookupFault, Slot, place};
use memory::{Ref, clear};

/// Untyped memory is zeroed in pieces of this size between preemption points.
const CHUNK_BITS: u32 = 8;

/// A Retype that was found to be possible.
struct Retype {
    kind: ObjectType,
    size_bits: u32,
    object_bits: u32,
    first: Ref<Slot>,
    count: u64,
}

impl Entry<'_> {
    pub(crate) fn invoke_untyped(&mut self, slot: Ref<Slot>, invocation: Option<Invocation>, args: &Args) -> Outcome {
        if invocation != Some(Invocation::UntypedRetype) {
            return Err(Refusal::plain(Error::IllegalOperation).into());
        }
        let cap = slot.cap();
        let retype = self.decode_retype(args)?;
        let children = slot.has_children();
        let placed = place(cap, children, retype.object_bits, retype.count).map_err(Refusal::memory)?;
        let is_memory = matches!(
            retype.kind,
            ObjectType::Untyped | ObjectType::Page4K | ObjectType::LargePage | ObjectType::HugePage
        );
        if cap.is_device() && !is_memory {
            return Err(Refusal::argument(1).into());
        }
        self.will_succeed();
        if !children {
            self.reset(slot)?;
        }
        slot.set_cap(slot.cap().with_used(placed.used));
        for index in 0..retype.count {
            let object = placed.first.offset(index << retype.object_bits);
            let new = new_cap(self.kernel, retype.kind, object, retype.size_bits, cap.is_device());
            let _tree = self.derivation();
            Slot::insert_child(slot, Slot::neighbour(retype.first, index), new);
        }
        Ok(())
    }

    fn decode_retype(&self, args: &Args) -> Result<Retype, Stop> {
        args.require(6, 1)?;
        let size = args.word(1);
        let kind = ObjectType::from_word(args.word(0)).filter(|&kind| {
            // Without 1 GiB pages in the processor there is no such object.
            kind != ObjectType::HugePage || self.kernel.huge_pages
        });
        let Some(kind) = kind else { return Err(Refusal::argument(0).into()) };
        let too_large = Refusal::range(0, u64::from(MAX_UNTYPED_BITS));
        let size_bits = u32::try_from(size).ok().filter(|&bits| bits < 64).ok_or(too_large)?;
        let object_bits = object_bits(kind, size_bits);
        if object_bits > MAX_UNTYPED_BITS {
            return Err(too_large.into());
        }
        let too_small = match kind {
            ObjectType::CapTable => size_bits == 0,
            ObjectType::Untyped => size_bits < MIN_UNTYPED_BITS,
            ObjectType::SchedContext => size_bits < MIN_SCHED_CONTEXT_BITS,
            _ => false,
        };
        if too_small {
            return Err(Refusal::argument(1).into());
        }
        let (index, depth, offset, count) = (args.word(2), args.word(3), args.word(4), args.word(5));
        let root = args.cap(0)?;
        let node = if depth == 0 { root } else { slot_at(root, index, depth, Side::Destination)?.cap() };
        if node.kind() != Kind::CNode {
            let fault = LookupFault::MissingCapability { bits_left: depth as u32 };
            return Err(Refusal::lookup(Side::Destination, fault).into());
        }
        let slots = 1u64 << node.radix();
        if offset >= slots {
            return Err(Refusal::range(0, slots - 1).into());
        }
        if !(1..=RETYPE_FAN_OUT_LIMIT).contains(&count) {
            return Err(Refusal::range(1, RETYPE_FAN_OUT_LIMIT).into());
        }
        if count > slots - offset {
            return Err(Refusal::range(1, slots - offset).into());
        }
        let first = Slot::neighbour(node.object(), offset);
        for place in 0..count {
            self.ensure_empty(Slot::neighbour(first, place))?;
        }
        Ok(Retype { kind, size_bits, object_bits, first, count })
    }

    /// Makes all of an untyped capability without children free again, zeroing what was used. From the end, so that what is
    /// zeroed already is known by the used bytes when it is repeated.
    fn reset(&mut self, slot: Ref<Slot>) -> Outcome {
        let cap: Cap = slot.cap();
        if cap.used() == 0 {
            return Ok(());
        }
        if cap.is_device() {
            slot.set_cap(cap.with_used(0));
            return Ok(());
        }
        if cap.size_bits() < CHUNK_BITS {
            clear(cap.phys(), cap.size_bits());
            slot.set_cap(cap.with_used(0));
            return Ok(());
        }
        let mut used = cap.used();
        while used > 0 {
            let start = (used - 1) >> CHUNK_BITS << CHUNK_BITS;
            clear(cap.phys().offset(start), CHUNK_BITS);
            slot.set_cap(cap.with_used(start));
            used = start;
            self.preemption_point()?;
        }
        Ok(())
    }
}
