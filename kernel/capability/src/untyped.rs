//! Where objects go in untyped memory: pure arithmetic on the capability.

use crate::Cap;
use memory::Phys;

/// Where new objects lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Address of the first; the others follow without a gap.
    pub first: Phys,
    /// Bytes of the untyped memory that are in use once they are made.
    pub used: u64,
}

/// Where `count` objects of 2^`object_bits` bytes go in the untyped memory that `cap` names, whose used bytes count only if
/// it has children. Refused with the bytes that are free.
pub fn place(cap: Cap, has_children: bool, object_bits: u32, count: u64) -> Result<Placed, u64> {
    let used = if has_children { cap.used() } else { 0 };
    let free = (1u64 << cap.size_bits()).saturating_sub(used);
    if free >> object_bits < count {
        return Err(free);
    }
    let first = (cap.phys().0 + used).next_multiple_of(1 << object_bits);
    Ok(Placed { first: Phys(first), used: first + (count << object_bits) - cap.phys().0 })
}
