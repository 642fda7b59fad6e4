//! `UntypedRetype`: every type, every refusal, and memory that is zeroed exactly when it must be.

use crate::harness::{Bytes, Options, System, slot};
use abi::error::Error;
use abi::invocation::Invocation::UntypedRetype;
use abi::object::{ObjectType, ObjectType::*};
use abi::syscall::Syscall;
use capability::Kind;
use machine::model::PendingInterrupt;
use memory::{Phys, Ref};

fn retype(system: &System, untyped: u64, words: [u64; 6]) -> crate::harness::Answer {
    system.invoke(untyped, UntypedRetype, &words, &[slot::CNODE])
}

#[test]
fn every_object_type_can_be_made_and_has_its_kind() {
    let system = System::with(Options { slice_bytes: 32 << 20, ..Options::default() });
    for (kind, bits, expected) in [
        (Untyped, 4, Kind::Untyped),
        (Tcb, 0, Kind::Thread),
        (Endpoint, 0, Kind::Endpoint),
        (Notification, 0, Kind::Notification),
        (CapTable, 1, Kind::CNode),
        (SchedContext, 7, Kind::SchedContext),
        (Reply, 0, Kind::Reply),
        (Pdpt, 0, Kind::Pdpt),
        (Pml4, 0, Kind::Pml4),
        (Page4K, 0, Kind::Frame),
        (LargePage, 0, Kind::Frame),
        (PageTable, 0, Kind::PageTable),
        (PageDirectory, 0, Kind::PageDirectory),
    ] {
        let cptr = system.make(kind, bits);
        assert_eq!(system.cap(cptr).kind(), expected, "{kind:?}");
        assert!(system.cap(cptr).phys().is_aligned(capability::audit::object_bits(system.cap(cptr)).unwrap()));
    }
}

#[test]
fn new_objects_are_zeroed_though_the_memory_was_dirty() {
    let system = System::new();
    let frame = system.make(Page4K, 0);
    let page: Ref<Bytes> = Ref::at(system.phys(frame));
    assert!((0..512).all(|index| page.get(index) == 0));
    page.set(7, 0xdead);
    let untyped = system.make(Untyped, 13);
    let first = system.make_from(untyped, Page4K, 0, 1);
    let page: Ref<Bytes> = Ref::at(system.phys(first));
    page.set(7, 0xdead);
    system.delete(first);
    let again = system.make_from(untyped, Page4K, 0, 2);
    assert_eq!(system.phys(again), page.phys(), "without children it starts from its base");
    assert_eq!(page.get(7), 0, "what the last owner wrote is gone");
}

#[test]
fn small_memory_is_zeroed_before_it_is_given_away_again() {
    let system = System::new();
    let untyped = system.make(Untyped, 6);
    let first = system.make_from(untyped, Notification, 0, 1);
    let badged = system.mint(first, 15, 0x5a);
    system.signal(badged);
    let old = system.phys(first);
    [badged, first].into_iter().for_each(|cptr| system.delete(cptr));
    let again = system.make_from(untyped, Notification, 0, 1);
    assert_eq!(system.phys(again), old);
    system.receive(Syscall::NBWait, again, 0);
    assert_eq!(system.answer_of(system.current()).badge, 0, "the signal was the old one's");
}

#[test]
fn allocation_goes_on_behind_what_is_used_while_children_live() {
    let system = System::new();
    let untyped = system.make(Untyped, 12);
    let base = system.phys(untyped).0;
    let endpoint = system.make_from(untyped, Endpoint, 0, 1);
    let tcb = system.make_from(untyped, Tcb, 0, 1);
    assert_eq!(system.phys(endpoint), Phys(base));
    assert_eq!(system.phys(tcb), Phys(base + 2048), "aligned to its size");
    let words = [Untyped as u64, 4, 0, 0, system.fresh(), 1];
    let full = retype(&system, untyped, words);
    assert_eq!(full.refusal(), (Error::NotEnoughMemory, &[0][..]));
}

#[test]
fn consecutive_objects_go_into_consecutive_slots() {
    let system = System::new();
    let first = system.make_many(Endpoint, 0, 256);
    for index in 0..256 {
        let cap = system.cap(first + index);
        assert_eq!((cap.kind(), cap.phys().0), (Kind::Endpoint, system.phys(first).0 + index * 16));
    }
}

#[test]
fn an_invalid_request_is_refused_in_order_and_changes_nothing() {
    let system = System::new();
    let untyped = system.make(Untyped, 14);
    let empty = system.fresh();
    let taken = slot::TCB;
    let e = Endpoint as u64;
    for (words, error, details) in [
        ([14, 0, 0, 0, empty, 1], Error::InvalidArgument, &[0][..]),
        ([u64::MAX, 0, 0, 0, empty, 1], Error::InvalidArgument, &[0]),
        ([Untyped as u64, 64, 0, 0, empty, 1], Error::RangeError, &[0, 47]),
        ([Untyped as u64, u64::MAX, 0, 0, empty, 1], Error::RangeError, &[0, 47]),
        ([Untyped as u64, 48, 0, 0, empty, 1], Error::RangeError, &[0, 47]),
        ([Untyped as u64, 3, 0, 0, empty, 1], Error::InvalidArgument, &[1]),
        ([CapTable as u64, 0, 0, 0, empty, 1], Error::InvalidArgument, &[1]),
        ([CapTable as u64, 43, 0, 0, empty, 1], Error::RangeError, &[0, 47]),
        ([SchedContext as u64, 6, 0, 0, empty, 1], Error::InvalidArgument, &[1]),
        ([e, 0, 0, 0, 8192, 1], Error::RangeError, &[0, 8191]),
        ([e, 0, 0, 0, empty, 0], Error::RangeError, &[1, 256]),
        ([e, 0, 0, 0, empty, 257], Error::RangeError, &[1, 256]),
        ([e, 0, 0, 0, 8190, 3], Error::RangeError, &[1, 2]),
        ([e, 0, 0, 0, taken, 1], Error::DeleteFirst, &[]),
        ([Tcb as u64, 0, 0, 0, empty, 9], Error::NotEnoughMemory, &[1 << 14]),
        ([LargePage as u64, 0, 0, 0, empty, 1], Error::NotEnoughMemory, &[1 << 14]),
        // The node: a slot that holds no CNode, a depth that does not end at a slot, one out of range.
        ([e, 0, taken, 64, 0, 1], Error::FailedLookup, &[0, 2, 64]),
        ([e, 0, 0, 65, 0, 1], Error::RangeError, &[1, 64]),
        ([e, 0, 0, 63, 0, 1], Error::FailedLookup, &[0, 3, 63, 64]),
    ] {
        let answer = retype(&system, untyped, words);
        assert_eq!(answer.refusal(), (error, details), "{words:?}");
    }
    let short = system.invoke(untyped, UntypedRetype, &[e, 0, 0, 0, empty], &[slot::CNODE]);
    assert_eq!(short.error(), Error::TruncatedMessage);
    let no_root = system.invoke(untyped, UntypedRetype, &[e, 0, 0, 0, empty, 1], &[]);
    assert_eq!(no_root.error(), Error::TruncatedMessage);
    assert_eq!(system.invoke_label(untyped, 2, &[0; 6], &[slot::CNODE]).error(), Error::IllegalOperation);
    assert!(!system.slot(untyped).has_children());
}

#[test]
fn a_destination_cnode_may_be_named_by_path() {
    let system = System::new();
    let node = system.make(CapTable, 4);
    retype(&system, system.untyped(), [Endpoint as u64, 0, node, 64, 15, 1]).ok();
    let inner = capability::Slot::neighbour(Ref::at(system.phys(node)), 15);
    assert_eq!(inner.cap().kind(), Kind::Endpoint);
}

#[test]
fn device_memory_becomes_frames_and_untyped_only_and_is_never_touched() {
    let system = System::new();
    let device = system.device_untyped();
    let refused = retype(&system, device, [Endpoint as u64, 0, 0, 0, system.fresh(), 1]);
    assert_eq!(refused.refusal(), (Error::InvalidArgument, &[1][..]));
    // No memory is behind the range: a single kernel access would end this test.
    let half = system.make_from(device, Untyped, 20, 1);
    let page = system.make_from(half, Page4K, 0, 1);
    assert!(system.cap(page).is_device());
    system.delete(page);
    system.delete(half);
    let large = system.make_from(device, LargePage, 0, 1);
    assert!(system.cap(large).is_device());
}

#[test]
fn a_copy_of_untyped_memory_leaves_nothing_to_the_original() {
    let system = System::new();
    let untyped = system.make(Untyped, 12);
    let copy = system.copy(untyped);
    let refused = retype(&system, untyped, [Endpoint as u64, 0, 0, 0, system.fresh(), 1]);
    assert_eq!(refused.error(), Error::NotEnoughMemory);
    let endpoint = system.make_from(copy, Endpoint, 0, 1);
    system.revoke(untyped);
    assert!(system.cap(copy).is_null() && system.cap(endpoint).is_null());
    system.make_from(untyped, Page4K, 0, 1);
}

#[test]
fn untyped_memory_with_children_cannot_be_copied() {
    let system = System::new();
    let untyped = system.make(Untyped, 12);
    system.make_from(untyped, Endpoint, 0, 1);
    let words = [system.fresh(), 64, untyped, 64, 15];
    let answer = system.invoke(slot::CNODE, abi::invocation::Invocation::CNodeCopy, &words, &[slot::CNODE]);
    assert_eq!(answer.error(), Error::RevokeFirst);
}

#[test]
fn a_long_reset_lets_interrupts_in_and_still_ends() {
    let system = System::new();
    let untyped = system.make(Untyped, 20);
    let frame = system.make_from(untyped, Page4K, 0, 200);
    for index in 0..200 {
        Ref::<Bytes>::at(system.phys(frame + index)).set(3, 77);
    }
    system.revoke(untyped);
    let target = system.fresh();
    let used = system.cap(untyped).used();
    system.machine().set_pending_interrupt(PendingInterrupt::Waiting);
    system.load(&crate::harness::Call {
        cap: untyped,
        label: UntypedRetype as u64,
        words: &[Page4K as u64, 0, 0, 0, target, 1],
        caps: &[slot::CNODE],
    });
    system.current().context.set(machine::Register::Rdi, untyped);
    assert_eq!(system.raw(-1), crate::harness::Ended::Repeats, "the interrupt comes first");
    let left = system.cap(untyped).used();
    assert!(left > 0 && left < used, "some is done: {left} of {used}");
    assert!(system.cap(target).is_null());
    system.machine().set_pending_interrupt(PendingInterrupt::None);
    system.interrupt(ipi::TIMER);
    system.enter(abi::syscall::Syscall::Call);
    assert_eq!(system.answer_of(system.current()).label, 0);
    assert_eq!(Ref::<Bytes>::at(system.phys(target)).get(3), 0);
}

#[test]
fn without_1_gib_pages_there_is_no_huge_page_object() {
    let system = System::with(Options { features: 0, ..Options::default() });
    let answer = retype(&system, system.untyped(), [ObjectType::HugePage as u64, 0, 0, 0, system.fresh(), 1]);
    assert_eq!(answer.refusal(), (Error::InvalidArgument, &[0][..]));
}
