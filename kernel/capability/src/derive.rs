//! What may be made from a capability: masking, badging, deriving; and when one names the same object as another.
//!
//! Pure functions of capability words. Facts: seL4 manual, "Capability derivation tree" and "CNode operations".

use crate::{Cap, Kind, Rights};

/// Why a capability cannot be derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeriveError {
    /// Untyped memory with children.
    RevokeFirst,
    /// A paging structure that is not mapped.
    IllegalOperation,
}

/// `cap` with no more than `rights`.
pub const fn mask_rights(cap: Cap, rights: Rights) -> Cap {
    match cap.kind() {
        Kind::Endpoint | Kind::Notification | Kind::Reply => cap.with_rights(cap.rights().and(rights)),
        Kind::Frame => cap.with_frame_rights(cap.frame_rights().and(rights)),
        _ => cap,
    }
}

/// `cap` with the badge or guard `data`, as Mint and Mutate set it; [`Cap::NULL`] where that is not allowed.
/// `preserve` (Mutate and Rotate) forbids to give a badge.
pub fn update_data(cap: Cap, data: u64, preserve: bool) -> Cap {
    match cap.kind() {
        Kind::Endpoint | Kind::Notification => {
            if !preserve && cap.badge() == 0 {
                cap.with_badge(data)
            } else {
                Cap::NULL
            }
        }
        Kind::CNode => {
            let bits = (data & 63) as u32;
            if cap.radix() + bits > 64 {
                return Cap::NULL;
            }
            let guard = data >> 6 & if bits == 0 { 0 } else { u64::MAX >> (64 - bits) };
            cap.with_guard(guard, bits)
        }
        _ => cap,
    }
}

/// The capability that a copy of `cap` may be; `has_children` says whether capabilities were derived from it.
/// [`Cap::NULL`] where copying yields nothing.
pub fn derive(cap: Cap, has_children: bool) -> Result<Cap, DeriveError> {
    match cap.kind() {
        Kind::Null | Kind::Zombie | Kind::IrqControl | Kind::IoPortControl => Ok(Cap::NULL),
        Kind::Untyped if has_children => Err(DeriveError::RevokeFirst),
        Kind::PageTable | Kind::PageDirectory | Kind::Pdpt if cap.mapping().is_none() => {
            Err(DeriveError::IllegalOperation)
        }
        Kind::Pml4 if cap.mapping().is_none() => Err(DeriveError::IllegalOperation),
        Kind::Frame => Ok(cap.with_mapping(0, 0)),
        _ => Ok(cap),
    }
}

/// log2 of the size of the object in memory; `None` for kinds without one.
pub(crate) fn object_bits(cap: Cap) -> Option<u32> {
    use abi::object::*;
    Some(match cap.kind() {
        Kind::Endpoint => ENDPOINT_BITS,
        Kind::Notification => NOTIFICATION_BITS,
        Kind::Reply => REPLY_BITS,
        Kind::CNode => cap.radix() + SLOT_BITS,
        Kind::Thread => TCB_BITS,
        Kind::SchedContext | Kind::Untyped => cap.size_bits(),
        Kind::Zombie => cap.as_zombie().radix.map_or(TCB_BITS, |radix| radix + SLOT_BITS),
        Kind::Frame => cap.frame_size().bits(),
        Kind::PageTable | Kind::PageDirectory | Kind::Pdpt | Kind::Pml4 | Kind::AsidPool => 12,
        _ => return None,
    })
}

/// Whether what `b` names lies in what `a` names, so that `b` can be a child of `a`.
pub fn same_region(a: Cap, b: Cap) -> bool {
    match a.kind() {
        Kind::Null | Kind::Zombie => false,
        Kind::Untyped => match object_bits(b) {
            Some(bits) => {
                let (start, end) = (a.phys().0, a.phys().0 + (1 << a.size_bits()));
                start <= b.phys().0 && b.phys().0 + (1 << bits) <= end
            }
            None => false,
        },
        Kind::IrqControl => matches!(b.kind(), Kind::IrqControl | Kind::IrqHandler | Kind::Doorbell),
        Kind::IoPortControl => matches!(b.kind(), Kind::IoPortControl | Kind::IoPort),
        Kind::SchedControl | Kind::IrqHandler | Kind::Doorbell | Kind::IoPort => {
            a.kind() == b.kind() && a.index() == b.index()
        }
        Kind::Domain | Kind::AsidControl => a.kind() == b.kind(),
        Kind::Frame => a.kind() == b.kind() && a.phys() == b.phys() && a.frame_size() == b.frame_size(),
        _ => a.kind() == b.kind() && a.phys() == b.phys(),
    }
}

/// Whether both name the very same object, so that neither is the last capability to it.
pub fn same_object(a: Cap, b: Cap) -> bool {
    match (a.kind(), b.kind()) {
        (Kind::Untyped, _) => false,
        (Kind::IrqControl, Kind::IrqHandler | Kind::Doorbell) => false,
        (Kind::IoPortControl, Kind::IoPort) => false,
        (Kind::Frame, Kind::Frame) => false,
        _ => same_region(a, b),
    }
}

/// Whether the capability in `parent` is an ancestor of the one in `child`, where `child` follows it in the tree's order.
pub fn is_parent(parent: &crate::Slot, child: &crate::Slot) -> bool {
    let (a, b) = (parent.cap(), child.cap());
    if !parent.is_revocable() || !same_region(a, b) {
        return false;
    }
    match a.kind() {
        Kind::Endpoint | Kind::Notification if a.badge() != 0 => a.badge() == b.badge() && !child.is_first_badged(),
        _ => true,
    }
}

/// Whether the capability in `slot` is the only one to its object.
pub fn is_final(slot: &crate::Slot) -> bool {
    let cap = slot.cap();
    let differs =
        |neighbour: Option<memory::Ref<crate::Slot>>| neighbour.is_none_or(|other| !same_object(other.cap(), cap));
    slot.previous().is_none_or(|previous| !same_object(previous.cap(), cap)) && differs(slot.next())
}
