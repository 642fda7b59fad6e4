//! Address spaces: mapping and unmapping at every level, refusals, ASIDs and pools, and what the hardware is told.

use crate::harness::{Answer, Options, System, slot};
use abi::error::Error;
use abi::invocation::Invocation::{self, *};
use abi::object::ObjectType;
use capability::Kind;
use machine::model::Event;
use memory::{Phys, Ref};
use vspace::{Entry, Level, Table};

/// An address in a part of the user half where the root task has no tables.
const AT: u64 = 0x80_0000_0000;

/// The entry that translates `vaddr` at `level` in the root task's address space.
fn entry(system: &System, vaddr: u64, level: Level) -> Entry {
    let mut table: Ref<Table> = Ref::at(system.phys(slot::VSPACE));
    let mut at = Level::Pml4;
    loop {
        let entry = table.get(at.index(vaddr));
        if at == level {
            return entry;
        }
        assert!(entry.contains(Entry::PRESENT));
        table = Ref::at(entry.address());
        at = at.below();
    }
}

fn map(system: &System, cap: u64, what: Invocation, vaddr: u64) -> Answer {
    system.invoke(cap, what, &[vaddr, 0], &[slot::VSPACE])
}

fn map_page(system: &System, frame: u64, vaddr: u64, rights: u64) -> Answer {
    system.invoke(frame, X86PageMap, &[vaddr, rights, 0], &[slot::VSPACE])
}

#[test]
fn a_page_is_mapped_level_by_level() {
    let system = System::new();
    let frame = system.make(ObjectType::Page4K, 0);
    for (kind, what, bits) in [
        (ObjectType::Pdpt, X86PDPTMap, 39),
        (ObjectType::PageDirectory, X86PageDirectoryMap, 30),
        (ObjectType::PageTable, X86PageTableMap, 21),
    ] {
        let missing = map_page(&system, frame, AT, 3);
        assert_eq!(missing.refusal(), (Error::FailedLookup, &[0, 2, bits][..]), "what is missing is said in bits");
        let table = system.make(kind, 0);
        map(&system, table, what, AT + 0x1234).ok();
        assert_eq!(system.cap(table).mapping(), Some((1, AT)), "the address is rounded down");
        let other = system.make(kind, 0);
        assert_eq!(map(&system, other, what, AT).error(), Error::DeleteFirst);
        let again = map(&system, table, what, AT);
        assert_eq!(again.refusal(), (Error::InvalidCapability, &[0][..]), "it is mapped");
    }
    map_page(&system, frame, AT, 3).ok();
    let leaf = entry(&system, AT, Level::PageTable);
    assert_eq!(leaf.address(), system.phys(frame));
    assert!(leaf.contains(Entry::PRESENT | Entry::USER | Entry::WRITABLE));
    system.take_events();
    system.invoke(frame, X86PageUnmap, &[], &[]).ok();
    assert!(system.take_events().contains(&Event::FlushPage { vaddr: AT, asid: 1 }));
    assert!(entry(&system, AT, Level::PageTable).is_empty());
    assert_eq!(system.cap(frame).mapping(), None);
    system.invoke(frame, X86PageUnmap, &[], &[]).ok();
}

#[test]
fn rights_of_a_mapping_are_those_of_capability_and_request() {
    let system = System::new();
    let frame = system.make(ObjectType::Page4K, 0);
    system.map_tables(AT);
    let read_only = system.mint(frame, 2, 0);
    for (cap, rights, user, writable) in
        [(frame, 3, true, true), (frame, 2, true, false), (frame, 1, false, false), (frame, 0, false, false)]
    {
        map_page(&system, cap, AT, rights).ok();
        let leaf = entry(&system, AT, Level::PageTable);
        assert_eq!((leaf.contains(Entry::USER), leaf.contains(Entry::WRITABLE)), (user, writable), "rights {rights}");
    }
    map_page(&system, read_only, AT + 0x1000, 3).ok();
    assert!(!entry(&system, AT + 0x1000, Level::PageTable).contains(Entry::WRITABLE));
}

#[test]
fn memory_types_select_the_right_bits() {
    let system = System::new();
    let frame = system.make(ObjectType::Page4K, 0);
    system.map_tables(AT);
    for (attributes, expected) in [
        (0, Entry::empty()),
        (1, Entry::WRITE_THROUGH),
        (2, Entry::CACHE_DISABLED),
        (4, Entry::LARGE),
        (0xfff8, Entry::empty()),
    ] {
        system.invoke(frame, X86PageMap, &[AT, 3, attributes], &[slot::VSPACE]).ok();
        let bits = Entry::WRITE_THROUGH | Entry::CACHE_DISABLED | Entry::LARGE;
        assert_eq!(entry(&system, AT, Level::PageTable) & bits, expected);
    }
}

#[test]
fn a_frame_is_mapped_once_at_one_place() {
    let system = System::new();
    let (frame, vaddr) = system.page();
    assert_eq!(map_page(&system, frame, vaddr + 0x1000, 3).refusal(), (Error::InvalidArgument, &[0][..]));
    map_page(&system, frame, vaddr, 2).ok();
    let copy = system.copy(frame);
    assert_eq!(system.cap(copy).mapping(), None, "a copy starts unmapped");
    map_page(&system, copy, vaddr + 0x1000, 3).ok();
    system.delete(frame);
    assert!(entry(&system, vaddr, Level::PageTable).is_empty(), "each capability stands for its own mapping");
    assert!(!entry(&system, vaddr + 0x1000, Level::PageTable).is_empty());
}

#[test]
fn a_frame_that_was_replaced_is_not_unmapped_twice() {
    let system = System::new();
    let (frame, vaddr) = system.page();
    let other = system.make(ObjectType::Page4K, 0);
    map_page(&system, other, vaddr, 3).ok();
    system.delete(frame);
    assert_eq!(entry(&system, vaddr, Level::PageTable).address(), system.phys(other), "somebody else's now");
}

#[test]
fn addresses_outside_the_user_half_or_misaligned_are_refused() {
    let system = System::with(Options { slice_bytes: 32 << 20, ..Options::default() });
    let frame = system.make(ObjectType::Page4K, 0);
    for vaddr in [abi::vm::USER_TOP, abi::vm::USER_TOP - 0xfff, 1 << 47, u64::MAX - 0xfff, 0xffff_8000_0000_0000] {
        assert_eq!(map_page(&system, frame, vaddr, 3).refusal(), (Error::InvalidArgument, &[0][..]), "{vaddr:#x}");
    }
    assert_eq!(map_page(&system, frame, AT + 8, 3).error(), Error::AlignmentError);
    let large = system.make(ObjectType::LargePage, 0);
    assert_eq!(map_page(&system, large, AT + 0x1000, 3).error(), Error::AlignmentError);
    let table = system.make(ObjectType::Pdpt, 0);
    assert_eq!(map(&system, table, X86PDPTMap, 1 << 47).refusal(), (Error::InvalidArgument, &[0][..]));
    assert_eq!(map(&system, table, X86PDPTMap, u64::MAX).refusal(), (Error::InvalidArgument, &[0][..]));
    assert_eq!(map(&system, table, X86PageTableMap, AT).error(), Error::IllegalOperation);
    let short = system.invoke(frame, X86PageMap, &[AT, 3], &[slot::VSPACE]);
    assert_eq!(short.error(), Error::TruncatedMessage);
    let wrong = system.invoke(frame, X86PageMap, &[AT, 3, 0], &[slot::CNODE]);
    assert_eq!(wrong.refusal(), (Error::InvalidCapability, &[1][..]));
}

#[test]
fn a_large_page_takes_the_place_of_a_table() {
    let system = System::with(Options { slice_bytes: 32 << 20, ..Options::default() });
    let large = system.make(ObjectType::LargePage, 0);
    for (kind, what) in [(ObjectType::Pdpt, X86PDPTMap), (ObjectType::PageDirectory, X86PageDirectoryMap)] {
        let table = system.make(kind, 0);
        map(&system, table, what, AT).ok();
    }
    map_page(&system, large, AT, 3).ok();
    let leaf = entry(&system, AT, Level::PageDirectory);
    assert!(leaf.contains(Entry::LARGE | Entry::WRITABLE));
    assert_eq!(leaf.address().0 & !0x1f_ffff, system.phys(large).0);
    let table = system.make(ObjectType::PageTable, 0);
    assert_eq!(map(&system, table, X86PageTableMap, AT).error(), Error::DeleteFirst);
    let small = system.make(ObjectType::Page4K, 0);
    assert_eq!(map_page(&system, small, AT, 3).error(), Error::FailedLookup);
    system.invoke(large, X86PageMap, &[AT, 3, 4], &[slot::VSPACE]).ok();
    assert!(entry(&system, AT, Level::PageDirectory).contains(Entry::LARGE_PAT));
    system.invoke(large, X86PageUnmap, &[], &[]).ok();
    assert!(entry(&system, AT, Level::PageDirectory).is_empty(), "also with its memory type in the address bits");
    map(&system, table, X86PageTableMap, AT).ok();
    assert_eq!(map_page(&system, large, AT, 3).error(), Error::DeleteFirst, "a table is there");
}

#[test]
fn unmapping_a_table_hides_and_forgets_what_is_below() {
    let system = System::new();
    let frame = system.make(ObjectType::Page4K, 0);
    let mut tables = Vec::new();
    for (kind, what) in [
        (ObjectType::Pdpt, X86PDPTMap),
        (ObjectType::PageDirectory, X86PageDirectoryMap),
        (ObjectType::PageTable, X86PageTableMap),
    ] {
        let table = system.make(kind, 0);
        map(&system, table, what, AT).ok();
        tables.push(table);
    }
    map_page(&system, frame, AT, 3).ok();
    let copy = system.copy(tables[2]);
    assert_eq!(system.invoke(tables[2], X86PageTableUnmap, &[], &[]).error(), Error::RevokeFirst);
    system.delete(copy);
    system.take_events();
    system.invoke(tables[2], X86PageTableUnmap, &[], &[]).ok();
    assert!(system.take_events().iter().any(|event| matches!(event, Event::FlushAsid { asid: 1, .. })));
    assert!(entry(&system, AT, Level::PageDirectory).is_empty());
    map(&system, tables[2], X86PageTableMap, AT + 0x20_0000).ok();
    assert!(entry(&system, AT + 0x20_0000, Level::PageTable).is_empty(), "it comes back empty");
    system.delete(tables[0]);
    assert!(entry(&system, AT, Level::Pml4).is_empty());
    system.invoke(frame, X86PageUnmap, &[], &[]).ok();
}

#[test]
fn a_new_address_space_has_the_kernel_half_and_needs_an_asid() {
    let system = System::new();
    let space = system.make(ObjectType::Pml4, 0);
    let table: Ref<Table> = Ref::at(system.phys(space));
    for (index, value) in crate::harness::TOP {
        assert_eq!(table.get(index as usize).bits(), value);
    }
    let frame = system.make(ObjectType::Page4K, 0);
    let unassigned = system.invoke(frame, X86PageMap, &[AT, 3, 0], &[space]);
    assert_eq!(unassigned.refusal(), (Error::InvalidCapability, &[1][..]));
    let thread = system.make(ObjectType::Tcb, 0);
    let configured = system.invoke(thread, TCBConfigure, &[0, 0, 0], &[slot::CNODE, space, 0]);
    assert_eq!(configured.error(), Error::IllegalOperation);
    system.invoke(slot::POOL, X86ASIDPoolAssign, &[], &[space]).ok();
    assert_eq!(system.cap(space).mapping(), Some((2, 0)));
    let twice = system.invoke(slot::POOL, X86ASIDPoolAssign, &[], &[space]);
    assert_eq!(twice.refusal(), (Error::InvalidCapability, &[1][..]));
    system.invoke(thread, TCBConfigure, &[0, 0, 0], &[slot::CNODE, space, 0]).ok();
}

#[test]
fn asid_pools_are_made_used_and_deleted() {
    let system = System::new();
    let untyped = system.make(ObjectType::Untyped, 12);
    let target = system.fresh();
    let make = |untyped: u64, target: u64| {
        system.invoke(slot::ASID, X86ASIDControlMakePool, &[target, 64], &[untyped, slot::CNODE])
    };
    let wrong_size = system.make(ObjectType::Untyped, 13);
    assert_eq!(make(wrong_size, target).refusal(), (Error::InvalidCapability, &[1][..]));
    assert_eq!(make(untyped, slot::TCB).error(), Error::DeleteFirst);
    make(untyped, target).ok();
    assert_eq!(make(untyped, system.fresh()).error(), Error::RevokeFirst);
    let space = system.make(ObjectType::Pml4, 0);
    system.invoke(target, X86ASIDPoolAssign, &[], &[space]).ok();
    assert_eq!(system.cap(space).mapping(), Some((512, 0)));
    system.delete(target);
    assert_eq!(system.kernel.asids().root(512), None);
    let frame = system.make(ObjectType::Page4K, 0);
    let stale = system.invoke(frame, X86PageMap, &[AT, 3, 0], &[space]);
    assert_eq!(stale.refusal(), (Error::FailedLookup, &[0, 1][..]), "an invalid root");
    // The seven pools beside the root task's.
    for _ in 1..8 {
        let untyped = system.make(ObjectType::Untyped, 12);
        make(untyped, system.fresh()).ok();
    }
    let untyped = system.make(ObjectType::Untyped, 12);
    assert_eq!(make(untyped, system.fresh()).error(), Error::DeleteFirst);
}

#[test]
fn a_thread_whose_address_space_dies_runs_in_the_kernels() {
    let system = System::new();
    let space = system.make(ObjectType::Pml4, 0);
    system.invoke(slot::POOL, X86ASIDPoolAssign, &[], &[space]).ok();
    let thread = system.thread(10);
    system.invoke(thread.cap, TCBSetSpace, &[0, 0], &[0, slot::CNODE, space]).ok();
    system.step_back();
    system.take_events();
    system.resume(thread);
    assert_eq!(system.machine().current_address_space(), system.phys(space).0);
    let tcb_space = system.cap(space);
    assert_eq!(thread.tcb.cap(thread::TcbSlot::VSpace), tcb_space);
    // The thread revokes and deletes the address space it runs in.
    system.invoke(slot::CNODE, CNodeRevoke, &[space, 64], &[]).ok();
    assert_eq!(thread.tcb.cap(thread::TcbSlot::VSpace).kind(), Kind::Null);
    system.invoke(slot::CNODE, CNodeDelete, &[space, 64], &[]).ok();
    assert_eq!(system.machine().current_address_space(), system.handoff.top_table);
}

#[test]
fn a_page_tells_its_physical_address() {
    let system = System::new();
    let frame = system.make(ObjectType::Page4K, 0);
    assert_eq!(system.invoke(frame, X86PageGetAddress, &[], &[]).ok(), [system.phys(frame).0]);
    assert_ne!(system.phys(frame), Phys(0));
}
