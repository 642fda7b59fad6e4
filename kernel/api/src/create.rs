//! New objects: sizes, first capabilities, and what zeroed memory still needs to be one.

use crate::Kernel;
use abi::object::{self, ObjectType};
use capability::{Cap, FrameSize, Kind, Rights};
use memory::{Phys, Ref};
use thread::Tcb;
use vspace::Table;

/// log2 of the bytes of an object; `size_bits` is the user's argument, which only some kinds use.
pub const fn object_bits(kind: ObjectType, size_bits: u32) -> u32 {
    match kind {
        ObjectType::Untyped | ObjectType::SchedContext => size_bits,
        ObjectType::CapTable => size_bits + object::SLOT_BITS,
        ObjectType::Tcb => object::TCB_BITS,
        ObjectType::Endpoint => object::ENDPOINT_BITS,
        ObjectType::Notification => object::NOTIFICATION_BITS,
        ObjectType::Reply => object::REPLY_BITS,
        ObjectType::Page4K => object::PAGE_BITS,
        ObjectType::LargePage => object::LARGE_PAGE_BITS,
        ObjectType::HugePage => object::HUGE_PAGE_BITS,
        ObjectType::PageTable | ObjectType::PageDirectory | ObjectType::Pdpt | ObjectType::Pml4 => object::PAGING_BITS,
    }
}

/// Finishes the object in the zeroed (or device) memory at `object` and gives its first capability.
pub(crate) fn new_cap(kernel: &Kernel, kind: ObjectType, object: Phys, size_bits: u32, device: bool) -> Cap {
    let frame = |size: FrameSize| Cap::frame(object, size, Rights::READ.or(Rights::WRITE), device);
    match kind {
        ObjectType::Untyped => Cap::untyped(object, size_bits, device),
        ObjectType::Tcb => {
            Ref::<Tcb>::at(object).initialise();
            Cap::thread(object)
        }
        ObjectType::Endpoint => Cap::message_object(Kind::Endpoint, object, Rights::ALL, 0),
        ObjectType::Notification => Cap::message_object(Kind::Notification, object, Rights::READ.or(Rights::WRITE), 0),
        ObjectType::Reply => Cap::message_object(Kind::Reply, object, Rights::ALL, 0),
        ObjectType::CapTable => Cap::cnode(object, size_bits),
        ObjectType::SchedContext => Cap::sched_context(object, size_bits),
        ObjectType::Page4K => frame(FrameSize::Small),
        ObjectType::LargePage => frame(FrameSize::Large),
        ObjectType::HugePage => frame(FrameSize::Huge),
        ObjectType::PageTable => Cap::table(Kind::PageTable, object),
        ObjectType::PageDirectory => Cap::table(Kind::PageDirectory, object),
        ObjectType::Pdpt => Cap::table(Kind::Pdpt, object),
        ObjectType::Pml4 => {
            Ref::<Table>::at(object).adopt_kernel_half(kernel.top_entries.iter().copied());
            Cap::table(Kind::Pml4, object)
        }
    }
}
