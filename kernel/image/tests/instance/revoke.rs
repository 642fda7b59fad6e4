//! Deletion and revocation: trees of badges, zombies, self-containing CNodes, deep nests, and interrupts in between.

use crate::harness::{Call, Ended, Options, System, slot};
use abi::error::Error;
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use capability::{Kind, Slot};
use machine::Register;
use machine::model::PendingInterrupt;
use memory::Ref;
use thread::State;

#[test]
fn revoke_takes_the_derived_and_leaves_the_capability_itself() {
    let system = System::new();
    let endpoint = system.endpoint();
    let copy = system.copy(endpoint);
    let badged = system.mint(endpoint, 15, 1);
    let of_badged = system.copy(badged);
    let other = system.mint(endpoint, 15, 2);
    system.revoke(badged);
    assert!(system.cap(of_badged).is_null(), "a copy of a badged capability is its child");
    assert!(!system.cap(badged).is_null() && !system.cap(other).is_null() && !system.cap(copy).is_null());
    system.revoke(endpoint);
    assert!([copy, badged, other].iter().all(|&cptr| system.cap(cptr).is_null()));
    assert!(!system.cap(endpoint).is_null());
}

#[test]
fn the_first_capability_revokes_its_copies_and_a_copy_revokes_nothing() {
    let system = System::new();
    let thread = system.make(ObjectType::Tcb, 0);
    let copy = system.copy(thread);
    let of_copy = system.copy(copy);
    system.revoke(copy);
    assert!(!system.cap(thread).is_null() && !system.cap(of_copy).is_null());
    system.delete(thread);
    assert_eq!(system.cap(copy).kind(), Kind::Thread, "the object lives as long as one capability does");
    let again = system.make(ObjectType::Tcb, 0);
    let copy = system.copy(again);
    system.revoke(again);
    assert!(system.cap(copy).is_null());
}

#[test]
fn deleting_a_middle_capability_hands_its_children_to_its_parent() {
    let system = System::new();
    let untyped = system.make(ObjectType::Untyped, 14);
    let inner = system.make_from(untyped, ObjectType::Untyped, 12, 1);
    let endpoint = system.make_from(inner, ObjectType::Endpoint, 0, 1);
    system.delete(inner);
    assert!(!system.cap(endpoint).is_null());
    system.revoke(untyped);
    assert!(system.cap(endpoint).is_null());
}

#[test]
fn revoking_untyped_memory_ends_every_kind_of_object_in_it() {
    let system = System::new();
    let untyped = system.make(ObjectType::Untyped, 18);
    for kind in ObjectType::ALL.iter().copied() {
        if matches!(kind, ObjectType::HugePage | ObjectType::LargePage) {
            continue;
        }
        system.make_from(untyped, kind, 8, 1);
    }
    system.revoke(untyped);
    assert!(!system.slot(untyped).has_children());
    system.make_from(untyped, ObjectType::Untyped, 18, 1);
}

#[test]
fn a_running_thread_can_be_deleted_with_all_it_has() {
    let system = System::new();
    let thread = system.thread(10);
    let notification = system.notification();
    system.invoke(thread.cap, TCBBindNotification, &[], &[notification]).ok();
    system.resume(thread);
    system.delete(thread.cap);
    assert_eq!(system.cap(thread.cap).kind(), Kind::Null);
    assert!(system.cap(thread.sc).object::<thread::SchedContext>().thread.get().is_none());
    system.delete(notification);
}

#[test]
fn a_thread_may_delete_itself() {
    let system = System::new();
    let thread = system.thread(10);
    system.resume(thread);
    system.step_back();
    assert_eq!(system.current(), thread.tcb);
    system.send(
        abi::syscall::Syscall::Call,
        Call { cap: slot::CNODE, label: CNodeDelete as u64, words: &[thread.cap, 64], caps: &[] },
    );
    assert_eq!(system.current(), system.root());
    assert!(system.cap(thread.cap).is_null());
}

#[test]
fn a_cnode_that_contains_itself_can_be_deleted() {
    let system = System::new();
    for place in 0..4 {
        let untyped = system.make(ObjectType::Untyped, 12);
        let node = system.make_from(untyped, ObjectType::CapTable, 2, 1);
        system.invoke(node, CNodeCopy, &[place, 2, node, 64, 15], &[slot::CNODE]).ok();
        system.delete(node);
        assert!(system.cap(node).is_null());
        // The copy inside is now the last: the object lives on, reachable by nobody, until its memory is revoked.
        assert!(system.slot(untyped).has_children());
        system.revoke(untyped);
        assert!(!system.slot(untyped).has_children());
    }
}

#[test]
fn a_cnode_moved_into_itself_dies_with_its_memory() {
    let system = System::new();
    for place in 0..4 {
        let untyped = system.make(ObjectType::Untyped, 12);
        let node = system.make_from(untyped, ObjectType::CapTable, 2, 1);
        let other = system.make_from(untyped, ObjectType::Endpoint, 0, 1);
        system.invoke(node, CNodeMove, &[(place + 1) % 4, 2, other, 64], &[slot::CNODE]).ok();
        system.invoke(node, CNodeMove, &[place, 2, node, 64], &[slot::CNODE]).ok();
        assert!(system.cap(node).is_null());
        system.revoke(untyped);
        assert!(!system.slot(untyped).has_children());
    }
}

#[test]
fn two_cnodes_that_contain_each_other_die_together() {
    let system = System::new();
    let untyped = system.make(ObjectType::Untyped, 12);
    let a = system.make_from(untyped, ObjectType::CapTable, 1, 1);
    let b = system.make_from(untyped, ObjectType::CapTable, 2, 1);
    system.invoke(a, CNodeCopy, &[1, 1, b, 64, 15], &[slot::CNODE]).ok();
    system.invoke(b, CNodeCopy, &[0, 2, a, 64, 15], &[slot::CNODE]).ok();
    system.invoke(b, CNodeMove, &[3, 2, a, 64], &[slot::CNODE]).ok();
    system.delete(b);
    system.revoke(untyped);
    assert!(!system.slot(untyped).has_children());
}

#[test]
fn a_deep_nest_is_deleted_with_bounded_steps() {
    let system = System::new();
    let untyped = system.make(ObjectType::Untyped, 16);
    let count = 200;
    let first = system.make_from(untyped, ObjectType::CapTable, 1, count);
    for index in (1..count).rev() {
        let (outer, inner) = (first + index - 1, first + index);
        system.invoke(outer, CNodeMove, &[1, 1, inner, 64], &[slot::CNODE]).ok();
    }
    system.delete(first);
    assert!(system.cap(first).is_null());
    // What was nested waits for its memory to be revoked: deletion does not descend, so it needs no stack.
    system.revoke(untyped);
    assert!(!system.slot(untyped).has_children(), "all {count} are gone");
}

#[test]
fn a_thread_inside_its_own_cspace_can_be_deleted() {
    let system = System::new();
    let untyped = system.make(ObjectType::Untyped, 14);
    let node = system.make_from(untyped, ObjectType::CapTable, 3, 1);
    let tcb = system.make_from(untyped, ObjectType::Tcb, 0, 1);
    system.invoke(tcb, TCBConfigure, &[61, 0, 0], &[node, slot::VSPACE, 0]).ok();
    system.invoke(node, CNodeMove, &[5, 3, tcb, 64], &[slot::CNODE]).ok();
    system.delete(node);
    system.revoke(untyped);
    assert!(!system.slot(untyped).has_children());
}

#[test]
fn a_long_revocation_stops_for_interrupts_and_goes_on() {
    let system = System::new();
    let endpoint = system.endpoint();
    let node = system.make(ObjectType::CapTable, 9);
    for index in 0..450 {
        system.invoke(node, CNodeMint, &[index, 9, endpoint, 64, 15, index + 1], &[slot::CNODE]).ok();
    }
    system.machine().set_pending_interrupt(PendingInterrupt::Waiting);
    let mut stops = 0;
    system.load(&Call { cap: slot::CNODE, label: CNodeRevoke as u64, words: &[endpoint, 64], caps: &[] });
    system.current().context.set(Register::Rdi, slot::CNODE);
    while system.raw(-1) == Ended::Repeats {
        stops += 1;
        assert!(stops < 20, "each step makes progress");
    }
    assert!(stops >= 4, "stopped {stops} times");
    let first: Ref<Slot> = Ref::at(system.phys(node));
    assert!((0..512).all(|index| Slot::neighbour(first, index).is_empty()));
    assert!(!system.cap(endpoint).is_null());
}

#[test]
fn a_zombie_left_by_a_stopped_deletion_can_be_deleted_again() {
    let system = System::new();
    let node = system.make(ObjectType::CapTable, 9);
    let endpoint = system.endpoint();
    for index in 0..512 {
        system.invoke(node, CNodeCopy, &[index, 9, endpoint, 64, 15], &[slot::CNODE]).ok();
    }
    system.machine().set_pending_interrupt(PendingInterrupt::Waiting);
    system.load(&Call { cap: slot::CNODE, label: CNodeDelete as u64, words: &[node, 64], caps: &[] });
    system.current().context.set(Register::Rdi, slot::CNODE);
    assert_eq!(system.raw(-1), Ended::Repeats);
    assert_eq!(system.cap(node).kind(), Kind::Zombie);
    system.machine().set_pending_interrupt(PendingInterrupt::None);
    assert_eq!(system.invoke(node, CNodeDelete, &[0, 9], &[]).refusal(), (Error::InvalidCapability, &[0][..]));
    let moved = system.fresh();
    let copied = system.invoke(slot::CNODE, CNodeCopy, &[moved, 64, node, 64, 15], &[slot::CNODE]);
    assert_eq!(copied.error(), Error::IllegalOperation);
    system.invoke(slot::CNODE, CNodeMove, &[moved, 64, node, 64], &[slot::CNODE]).ok();
    system.delete(moved);
    assert!(system.cap(moved).is_null());
}

#[test]
fn cancel_badged_sends_restarts_only_that_badge() {
    let system = System::new();
    let endpoint = system.endpoint();
    let (one, two) = (system.mint(endpoint, 15, 1), system.mint(endpoint, 15, 2));
    let threads = [system.thread(10), system.thread(10), system.thread(10)];
    system.step_back();
    for (thread, cap) in threads.into_iter().zip([one, two, one]) {
        system.resume(thread);
        system.call(cap, &[7]);
    }
    assert_eq!(system.current(), system.root());
    assert_eq!(system.invoke(slot::CNODE, CNodeCancelBadgedSends, &[one, 64], &[]).label, 0);
    assert_eq!(system.current(), threads[2].tcb, "the last to be restarted is the first of its priority");
    assert_eq!(system.current().context.next_pc(), 0x50_0000, "it repeats its call");
    assert_eq!(threads[0].tcb.state.get(), thread::State::RESTART);
    assert_eq!(threads[1].tcb.state.get(), thread::State::BLOCKED_ON_SEND);
    system.call(one, &[]);
    system.call(one, &[]);
    let reader = system.mint(endpoint, 2, 0);
    let refused = system.invoke(slot::CNODE, CNodeCancelBadgedSends, &[reader, 64], &[]);
    assert_eq!(refused.error(), Error::IllegalOperation);
}

#[test]
fn deleting_an_endpoint_restarts_all_who_wait_and_they_fault() {
    let system = System::new();
    let endpoint = system.endpoint();
    let threads = [system.thread(10), system.thread(11)];
    system.step_back();
    for thread in threads {
        system.resume(thread);
        system.call(endpoint, &[]);
    }
    system.delete(endpoint);
    assert_eq!(system.current(), threads[1].tcb);
    assert_eq!(system.current().context.next_pc(), 0x50_0000, "it executes the call again");
}

/// As many threads wait to send through a badged capability as take some preemption points; the root task is more important
/// than they. `label` is then invoked on that capability's slot, or on the endpoint's, while an interrupt waits.
fn stops_for_interrupts(label: abi::invocation::Invocation, of_badged: bool) {
    const WAITERS: u64 = 110;
    let system = System::with(Options { slice_bytes: 16 << 20, ..Options::default() });
    let endpoint = system.endpoint();
    let badged = system.mint(endpoint, 15, 1);
    let threads: Vec<_> = (0..WAITERS).map(|_| system.thread(10)).collect();
    system.step_back();
    for &thread in &threads {
        system.resume(thread);
        system.call(badged, &[7]);
    }
    system.invoke(slot::TCB, TCBSetPriority, &[255], &[slot::TCB]).ok();
    let waiting = || threads.iter().filter(|thread| thread.tcb.state.get() == State::BLOCKED_ON_SEND).count();
    assert_eq!(waiting() as u64, WAITERS);
    if !of_badged {
        // With the badged capability the waiters would stay: an endpoint goes with its last capability.
        system.machine().set_pending_interrupt(PendingInterrupt::None);
        system.delete(badged);
    }
    system.machine().set_pending_interrupt(PendingInterrupt::Waiting);
    let what = if of_badged { badged } else { endpoint };
    system.load(&Call { cap: slot::CNODE, label: label as u64, words: &[what, 64], caps: &[] });
    system.current().context.set(Register::Rdi, slot::CNODE);
    let mut left = waiting();
    let mut stops = 0;
    while system.raw(-1) == Ended::Repeats {
        stops += 1;
        assert!(waiting() < left, "each step makes progress");
        left = waiting();
    }
    assert!(stops >= 1, "it never stopped");
    assert_eq!(waiting(), 0);
}

#[test]
fn deleting_an_endpoint_with_many_waiters_stops_for_interrupts_and_goes_on() {
    stops_for_interrupts(CNodeDelete, false);
}

#[test]
fn cancelling_many_badged_sends_stops_for_interrupts_and_goes_on() {
    stops_for_interrupts(CNodeCancelBadgedSends, true);
}
