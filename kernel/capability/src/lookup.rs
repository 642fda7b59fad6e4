//! From a CPtr to a slot: the guarded page-table walk over CNodes.
//!
//! Invariant C2: every step consumes at least one bit, so the walk ends within 64 steps.

use crate::{Cap, Kind, Slot};
use memory::Ref;

/// Why a lookup failed; the payload of seL4's lookup-failure messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFault {
    /// The root is not a CNode.
    InvalidRoot,
    /// A CNode was expected or the slot is empty; `bits_left` were not resolved.
    MissingCapability {
        /// Bits not resolved.
        bits_left: u32,
    },
    /// The CNode resolves more bits (`bits_found`) than are left.
    DepthMismatch {
        /// Bits not resolved.
        bits_left: u32,
        /// Bits the CNode resolves.
        bits_found: u32,
    },
    /// The guard differs.
    GuardMismatch {
        /// Bits not resolved.
        bits_left: u32,
        /// The CNode's guard.
        guard: u64,
        /// The guard's size.
        guard_bits: u32,
    },
}

/// A slot, and how many bits of the CPtr were not used.
#[derive(Clone, Copy, Debug)]
pub struct Resolved {
    /// The slot found.
    pub slot: Ref<Slot>,
    /// Bits left.
    pub bits_left: u32,
}

/// Resolves the low `depth` (1..=64) bits of `cptr` from the CNode capability `root`.
#[inline]
pub fn resolve(root: Cap, cptr: u64, depth: u32) -> Result<Resolved, LookupFault> {
    let mut node = root;
    let mut bits_left = depth;
    if node.kind() != Kind::CNode {
        return Err(LookupFault::InvalidRoot);
    }
    loop {
        let (guard, guard_bits) = node.guard();
        let radix = node.radix();
        let level_bits = guard_bits + radix;
        let found_guard =
            if guard_bits == 0 { 0 } else { cptr >> ((bits_left.wrapping_sub(guard_bits)) & 63) & mask(guard_bits) };
        if guard_bits > bits_left || found_guard != guard {
            return Err(LookupFault::GuardMismatch { bits_left, guard, guard_bits });
        }
        if level_bits > bits_left || level_bits == 0 {
            return Err(LookupFault::DepthMismatch { bits_left, bits_found: level_bits });
        }
        bits_left -= level_bits;
        let index = cptr >> (bits_left & 63) & mask(radix);
        let slot = Slot::neighbour(node.object(), index);
        if bits_left == 0 {
            return Ok(Resolved { slot, bits_left });
        }
        let next = slot.cap();
        if next.kind() != Kind::CNode {
            return Ok(Resolved { slot, bits_left });
        }
        node = next;
    }
}

/// The slot that `cptr` names at full depth (64 bits) below `root`; CNodes met early end the walk as in seL4.
#[inline]
pub fn lookup_slot(root: Cap, cptr: u64) -> Result<Ref<Slot>, LookupFault> {
    resolve(root, cptr, 64).map(|resolved| resolved.slot)
}

const fn mask(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}
