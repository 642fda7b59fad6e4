//! Capability words: packing, masking, badging, deriving, and which regions contain which.

use crate::{any, assume, check};
use capability::{Cap, FrameSize, Kind, Rights, derive, mask_rights, same_object, same_region, update_data};
use memory::Phys;

/// Physical addresses fit a capability below this.
const ADDRESSES: u64 = 1 << 46;

/// Any two words.
pub fn any_cap() -> Cap {
    // SAFETY: a capability is two plain words (`repr(C)`), and slots are laid over raw memory: any words are a value.
    unsafe { core::mem::transmute([any(), any()]) }
}

/// The rights that a capability carries, in its kind's place.
fn rights(cap: Cap) -> u64 {
    match cap.kind() {
        Kind::Endpoint | Kind::Notification | Kind::Reply => cap.rights().word(),
        Kind::Frame => cap.frame_rights().word(),
        _ => 0,
    }
}

/// A field is what was put into it, and changing one leaves the others.
pub fn fields_are_independent() {
    let (address, badge, mask) = (any(), any(), Rights::from_word(any()));
    assume(address < ADDRESSES);
    let endpoint = Cap::message_object(Kind::Endpoint, Phys(address), mask, badge);
    check(endpoint.kind() == Kind::Endpoint && endpoint.phys().0 == address);
    check(endpoint.rights() == mask && endpoint.badge() == badge);
    let page = address & !0xfff;
    let size = if any() & 1 == 0 { FrameSize::Small } else { FrameSize::Huge };
    let (asid, vaddr) = ((any() & 0xfff) as u16, any());
    let frame = Cap::frame(Phys(page), size, mask, badge & 1 == 1);
    let mapped = frame.with_mapping(asid, vaddr);
    check(mapped.phys().0 == page && mapped.frame_size() == size && mapped.is_device() == (badge & 1 == 1));
    check(mapped.frame_rights().word() == mask.word() & 3);
    check(mapped.mapping() == (asid != 0).then_some((asid, vaddr & !0xfff)));
    check(mapped.with_mapping(0, vaddr) == frame);
    let (bits, used) = ((any() & 63) as u32, any());
    let untyped = Cap::untyped(Phys(address), bits, badge & 1 == 1).with_used(used);
    check(untyped.phys().0 == address && untyped.size_bits() == bits && untyped.used() == used);
    check(untyped.is_device() == (badge & 1 == 1) && untyped.kind() == Kind::Untyped);
    let (first, last) = (any() as u16, any() as u16);
    check(Cap::io_port(first, last).ports() == (first, last));
}

/// Masking takes rights away, and exactly those that the mask lacks; nothing else of the capability changes.
pub fn masks_never_grow() {
    let (cap, mask) = (any_cap(), Rights::from_word(any()));
    let masked = mask_rights(cap, mask);
    check(rights(masked) == rights(cap) & mask.word());
    check(masked.kind() == cap.kind() && masked.phys() == cap.phys());
    check(masked.badge() == cap.badge());
    check(cap.kind() != Kind::Frame || masked.frame_size() == cap.frame_size());
    check(cap.kind() != Kind::Frame || masked.is_device() == cap.is_device());
    // What the fast path looks at instead of three rights.
    let word = rights(masked);
    check(cap.kind() != Kind::Endpoint || masked.is_callable() == (word & 1 != 0 && word & 0b1100 != 0));
    check(mask_rights(masked, mask) == masked && mask_rights(masked, Rights::ALL) == masked);
}

/// A badge is set once; a guard is what the CNode's bits leave room for; neither gives rights or another object.
pub fn badges_and_guards() {
    let (cap, data, preserve) = (any_cap(), any(), any() & 1 == 1);
    let changed = update_data(cap, data, preserve);
    if changed.is_null() {
        // Only what names a message object or a CNode is ever refused (a null capability stays null).
        check(matches!(cap.kind(), Kind::Null | Kind::Endpoint | Kind::Notification | Kind::CNode));
        return;
    }
    check(changed.kind() == cap.kind() && changed.phys() == cap.phys() && rights(changed) == rights(cap));
    match cap.kind() {
        Kind::Endpoint | Kind::Notification => {
            check(!preserve && cap.badge() == 0 && changed.badge() == data);
        }
        Kind::CNode => {
            let (guard, bits) = changed.guard();
            check(changed.radix() == cap.radix() && bits == (data & 63) as u32 && cap.radix() + bits <= 64);
            check(if bits == 0 { guard == 0 } else { guard == data >> 6 & u64::MAX >> (64 - bits) });
            check(changed.is_whole_cnode() == (guard == 0 && cap.radix() + bits == 64));
        }
        _ => check(changed == cap),
    }
}

/// What a copy may be is the same object with the same rights, or nothing; a frame's copy is not mapped, memory that is in
/// use is not copied.
pub fn derived_is_no_more() {
    let (cap, has_children) = (any_cap(), any() & 1 == 1);
    match derive(cap, has_children) {
        Err(_) => {
            let table = matches!(cap.kind(), Kind::PageTable | Kind::PageDirectory | Kind::Pdpt | Kind::Pml4);
            check((cap.kind() == Kind::Untyped && has_children) || (table && cap.mapping().is_none()));
        }
        Ok(copy) if copy.is_null() => {
            check(matches!(cap.kind(), Kind::Null | Kind::Zombie | Kind::IrqControl | Kind::IoPortControl));
        }
        Ok(copy) => {
            check(copy.kind() == cap.kind() && copy.phys() == cap.phys() && rights(copy) == rights(cap));
            check(!(cap.kind() == Kind::Untyped && has_children));
            check(cap.kind() != Kind::Zombie && cap.kind() != Kind::IrqControl);
            check(if cap.kind() == Kind::Frame { copy.mapping().is_none() } else { copy == cap });
        }
    }
}

/// Untyped memory of 16 bytes to 64 TiB at an address that its size divides, and where it begins and ends.
pub fn any_untyped() -> (Cap, u64, u64) {
    let bits = any() & 63;
    assume((4..=46).contains(&bits));
    let base = any() & (ADDRESSES - 1) & !((1 << bits) - 1);
    (Cap::untyped(Phys(base), bits as u32, any() & 1 == 1), base, base + (1 << bits))
}

/// "Lies in the region of" is inclusion of byte intervals, for untyped memory and whatever can be made of it: so it is
/// transitive, and no object is a child of memory it does not lie in.
pub fn regions_are_intervals() {
    let (outer, outer_base, outer_end) = any_untyped();
    let (inner, inner_base, inner_end) = any_untyped();
    check(same_region(outer, inner) == (outer_base <= inner_base && inner_end <= outer_end));
    check(!same_object(outer, inner));
    let object = any_cap();
    let fixed_bits = match object.kind() {
        Kind::Thread => 11,
        Kind::Reply => 5,
        Kind::Endpoint => 4,
        Kind::Notification => 6,
        Kind::PageTable | Kind::PageDirectory | Kind::Pdpt | Kind::Pml4 | Kind::AsidPool => 12,
        Kind::Frame => object.frame_size().bits(),
        _ => return check(object.kind() != Kind::Domain || !same_region(outer, object)),
    };
    let end = object.phys().0 + (1 << fixed_bits);
    check(same_region(outer, object) == (outer_base <= object.phys().0 && end <= outer_end));
    check(same_object(object, object) == (object.kind() != Kind::Frame));
}
