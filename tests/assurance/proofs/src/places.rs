//! Ranges of physical memory, allocation from untyped memory, and one step of a lookup.

use crate::words::{any_cap, any_untyped};
use crate::{any, assume, check};
use capability::{Kind, LookupFault, Slot, place, resolve};
use memory::{Phys, Range};

fn any_range() -> Range {
    let range = Range { base: Phys(any()), size: any() };
    assume(range.base.0.checked_add(range.size).is_some());
    range
}

/// Ranges overlap exactly when they share a byte, and one contains another exactly when it contains each of its bytes.
pub fn ranges_are_intervals() {
    let (a, b, byte) = (any_range(), any_range(), any());
    let inside = |range: Range| range.base.0 <= byte && byte - range.base.0 < range.size;
    // A byte of both is a witness …
    check(!(inside(a) && inside(b)) || a.overlaps(b));
    check(!(a.contains(b) && inside(b)) || inside(a));
    // … and without one there is none: the later of the two bases would be it.
    let later = if a.base.0 < b.base.0 { b.base.0 } else { a.base.0 };
    let of_both = later < a.end() && later < b.end();
    check(a.size == 0 || b.size == 0 || a.overlaps(b) == of_both);
    check(a.overlaps(b) == b.overlaps(a));
    check(a.contains(a));
    check(b.size == 0 || a.contains(b) == (a.base.0 <= b.base.0 && b.end() <= a.end()));
}

/// One allocation from untyped memory: the objects are aligned, behind what is in use, inside the memory, and counted as
/// in use afterwards; and if it is refused there was no room. By induction no two objects of one untyped capability overlap.
pub fn objects_are_placed_behind_what_is_used() {
    let (untyped, base, end) = any_untyped();
    let (used, children, object_bits, count) = (any(), any() & 1 == 1, any() & 63, any());
    assume(used <= end - base && object_bits < 48 && (1..=256).contains(&count));
    let cap = untyped.with_used(used);
    let behind = base + if children { used } else { 0 };
    let size = 1 << object_bits;
    let aligned = (behind + (size - 1)) & !(size - 1);
    match place(cap, children, object_bits as u32, count) {
        Ok(placed) => {
            check(placed.first.0 & (size - 1) == 0);
            check(behind <= placed.first.0 && placed.first.0 == aligned);
            check(placed.first.0 + (count << object_bits) <= end);
            check(base + placed.used == placed.first.0 + (count << object_bits));
        }
        Err(free) => {
            check(free == end - behind);
            check(aligned + (count << object_bits) > end);
        }
    }
}

/// A CNode that resolves all bits that are left: the slot is the one of the index, exactly when the guard matches; and too
/// many bits, a wrong guard and what is no CNode are each told as what they are. (Longer walks repeat this step.)
pub fn one_step_of_lookup() {
    let (root, cptr, depth) = (any_cap(), any(), any() as u32);
    assume((1..=64).contains(&depth));
    let (guard, guard_bits) = root.guard();
    let (radix, level) = (root.radix(), root.radix() + guard_bits);
    // A CNode of 2^42 slots would be larger than memory can be.
    assume(root.kind() != Kind::CNode || (radix <= 41 && (level >= depth || level == 0)));
    let low = |bits: u32| if bits == 0 { 0 } else { u64::MAX >> (64 - bits) };
    match resolve(root, cptr, depth) {
        Ok(found) => {
            check(root.kind() == Kind::CNode && level == depth && found.bits_left == 0);
            check((cptr & low(depth)) >> radix == guard || guard_bits == 0 && guard == 0);
            check(found.slot == Slot::neighbour(root.object(), cptr & low(radix)));
        }
        Err(LookupFault::InvalidRoot) => check(root.kind() != Kind::CNode),
        Err(LookupFault::GuardMismatch { bits_left, guard: told, guard_bits: told_bits }) => {
            check((bits_left, told, told_bits) == (depth, guard, guard_bits));
            let matches = guard_bits <= depth && cptr >> (depth - guard_bits).min(63) & low(guard_bits) == guard;
            check(!matches || guard_bits == 0);
        }
        Err(LookupFault::DepthMismatch { bits_left, bits_found }) => {
            check(bits_left == depth && bits_found == level && (level > depth || level == 0));
        }
        Err(LookupFault::MissingCapability { .. }) => check(false),
    }
}
