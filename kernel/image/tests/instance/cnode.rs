//! CNode invocations: copy, mint, move, mutate, rotate, and their refusals.

use crate::harness::{Answer, System, slot};
use abi::error::Error;
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use capability::Kind;

fn cnode(system: &System, what: abi::invocation::Invocation, words: &[u64]) -> Answer {
    system.invoke(slot::CNODE, what, words, &[slot::CNODE, slot::CNODE])
}

#[test]
fn copy_reduces_rights_and_never_adds_any() {
    let system = System::new();
    let endpoint = system.endpoint();
    let reader = system.fresh();
    cnode(&system, CNodeCopy, &[reader, 64, endpoint, 64, 2]).ok();
    assert_eq!(system.cap(reader).rights().word(), 2);
    let again = system.fresh();
    cnode(&system, CNodeCopy, &[again, 64, reader, 64, 15]).ok();
    assert_eq!(system.cap(again).rights().word(), 2);
    let frame = system.make(ObjectType::Page4K, 0);
    let read_only = system.fresh();
    cnode(&system, CNodeCopy, &[read_only, 64, frame, 64, 2]).ok();
    assert_eq!(system.cap(read_only).frame_rights().word(), 2);
}

#[test]
fn mint_sets_a_badge_once() {
    let system = System::new();
    let endpoint = system.endpoint();
    let badged = system.mint(endpoint, 15, 0x77);
    assert_eq!(system.cap(badged).badge(), 0x77);
    let again = cnode(&system, CNodeMint, &[system.fresh(), 64, badged, 64, 15, 0x78]);
    assert_eq!(again.error(), Error::IllegalOperation);
    let copy = system.copy(badged);
    assert_eq!(system.cap(copy).badge(), 0x77);
}

#[test]
fn mint_gives_a_cnode_a_guard_that_lookup_obeys() {
    let system = System::new();
    let node = system.make(ObjectType::CapTable, 2);
    let guarded = system.mint(node, 15, 0b101 << 6 | 62);
    assert_eq!(system.cap(guarded).guard(), (0b101, 62));
    let too_big = cnode(&system, CNodeMint, &[system.fresh(), 64, node, 64, 15, 63]);
    assert_eq!(too_big.error(), Error::IllegalOperation);
    let path = 0b101 << 2 | 3;
    system.invoke(guarded, CNodeCopy, &[path, 64, slot::TCB, 64, 15], &[slot::CNODE]).ok();
    let missed = system.invoke(guarded, CNodeDelete, &[0b100 << 2 | 3, 64], &[]);
    assert_eq!(missed.refusal(), (Error::FailedLookup, &[0, 4, 64, 0b101, 62][..]), "guard mismatch");
    let shallow = system.invoke(guarded, CNodeDelete, &[3, 2], &[]);
    assert_eq!(shallow.refusal(), (Error::FailedLookup, &[0, 4, 2, 0b101, 62][..]));
}

#[test]
fn move_leaves_the_source_empty_and_the_tree_as_it_was() {
    let system = System::new();
    let endpoint = system.endpoint();
    let badged = system.mint(endpoint, 15, 5);
    let target = system.fresh();
    cnode(&system, CNodeMove, &[target, 64, endpoint, 64]).ok();
    assert!(system.cap(endpoint).is_null());
    system.revoke(target);
    assert!(system.cap(badged).is_null(), "the moved capability is still the parent");
}

#[test]
fn mutate_changes_a_guard_but_gives_no_badge() {
    let system = System::new();
    let node = system.make(ObjectType::CapTable, 2);
    let target = system.fresh();
    cnode(&system, CNodeMutate, &[target, 64, node, 64, 1 << 6 | 1]).ok();
    assert_eq!(system.cap(target).guard(), (1, 1));
    let endpoint = system.endpoint();
    let refused = cnode(&system, CNodeMutate, &[system.fresh(), 64, endpoint, 64, 3]);
    assert_eq!(refused.error(), Error::IllegalOperation);
    assert_eq!(system.cap(endpoint).kind(), Kind::Endpoint);
}

#[test]
fn rotate_moves_two_capabilities_one_step() {
    let system = System::new();
    let (a, b) = (system.make(ObjectType::Tcb, 0), system.make(ObjectType::CapTable, 1));
    let (thread, node) = (system.cap(a), system.cap(b));
    let target = system.fresh();
    // target <- pivot b <- source a
    cnode(&system, CNodeRotate, &[target, 64, 0, b, 64, 0, a, 64]).ok();
    assert_eq!((system.cap(target), system.cap(b)), (node, thread));
    assert!(system.cap(a).is_null());
    // With target = source the two change places.
    cnode(&system, CNodeRotate, &[target, 64, 0, b, 64, 0, target, 64]).ok();
    assert_eq!((system.cap(target), system.cap(b)), (thread, node));
}

#[test]
fn rotate_swaps_neighbours_in_the_tree() {
    let system = System::new();
    let thread = system.make(ObjectType::Tcb, 0);
    let copy = system.copy(thread);
    let (before, after) = (system.cap(thread), system.cap(copy));
    cnode(&system, CNodeRotate, &[thread, 64, 0, copy, 64, 0, thread, 64]).ok();
    assert_eq!((system.cap(thread), system.cap(copy)), (after, before));
    cnode(&system, CNodeRotate, &[copy, 64, 0, thread, 64, 0, copy, 64]).ok();
}

#[test]
fn refusals_of_rotate() {
    let system = System::new();
    let (a, b, target) = (system.make(ObjectType::Tcb, 0), system.make(ObjectType::Tcb, 0), system.fresh());
    let empty = system.fresh();
    let rotate = |words: [u64; 8]| cnode(&system, CNodeRotate, &words);
    assert_eq!(rotate([target, 64, 0, a, 64, 0, a, 64]).error(), Error::IllegalOperation, "pivot is source");
    assert_eq!(rotate([a, 64, 0, a, 64, 0, b, 64]).error(), Error::IllegalOperation, "pivot is target");
    assert_eq!(rotate([slot::TCB, 64, 0, a, 64, 0, b, 64]).error(), Error::DeleteFirst);
    assert_eq!(rotate([target, 64, 0, a, 64, 0, empty, 64]).refusal(), (Error::FailedLookup, &[1, 2, 64][..]));
    assert_eq!(rotate([target, 64, 0, empty, 64, 0, a, 64]).refusal(), (Error::FailedLookup, &[0, 2, 64][..]));
    let endpoint = system.endpoint();
    assert_eq!(rotate([target, 64, 3, endpoint, 64, 0, a, 64]).error(), Error::IllegalOperation);
    assert_eq!(
        system.invoke(slot::CNODE, CNodeRotate, &[target, 64, 0, a, 64, 0, b, 64], &[slot::CNODE]).error(),
        Error::TruncatedMessage
    );
}

#[test]
fn refusals_of_copies() {
    let system = System::new();
    let endpoint = system.endpoint();
    let empty = system.fresh();
    let copy = |words: &[u64]| cnode(&system, CNodeCopy, words);
    assert_eq!(copy(&[slot::TCB, 64, endpoint, 64, 15]).error(), Error::DeleteFirst);
    assert_eq!(copy(&[empty, 64, system.fresh(), 64, 15]).refusal(), (Error::FailedLookup, &[1, 2, 64][..]));
    assert_eq!(copy(&[empty, 64, endpoint, 64]).error(), Error::TruncatedMessage);
    assert_eq!(copy(&[empty, 0, endpoint, 64, 15]).refusal(), (Error::RangeError, &[1, 64][..]));
    assert_eq!(copy(&[empty, 64, endpoint, 65, 15]).refusal(), (Error::RangeError, &[1, 64][..]));
    // A path that goes on below something that is no CNode.
    let deeper = copy(&[empty, 64, endpoint << 3, 64, 15]);
    assert_eq!(deeper.error(), Error::FailedLookup);
    for control in [slot::IRQ, slot::PORTS] {
        assert_eq!(copy(&[empty, 64, control, 64, 15]).error(), Error::IllegalOperation, "control is unique");
    }
    for control in [slot::ASID, slot::DOMAIN, system.sched_control()] {
        copy(&[system.fresh(), 64, control, 64, 15]).ok();
    }
    let table = system.make(ObjectType::PageTable, 0);
    assert_eq!(copy(&[empty, 64, table, 64, 15]).error(), Error::IllegalOperation, "an unmapped table is unique");
    let no_root = system.invoke(slot::CNODE, CNodeCopy, &[empty, 64, endpoint, 64, 15], &[slot::TCB]);
    assert_eq!(no_root.refusal(), (Error::FailedLookup, &[1, 1][..]), "a thread is no CSpace");
    assert_eq!(system.invoke_label(slot::CNODE, 2, &[0; 8], &[]).error(), Error::IllegalOperation);
    assert_eq!(system.invoke(slot::CNODE, CNodeDelete, &[3], &[]).error(), Error::TruncatedMessage);
}

#[test]
fn invoking_nothing_or_a_zombie_is_an_invalid_capability() {
    let system = System::new();
    let empty = system.fresh();
    assert_eq!(system.invoke(empty, TCBSuspend, &[], &[]).refusal(), (Error::InvalidCapability, &[0][..]));
    assert_eq!(system.invoke(slot::VSPACE, X86PageMap, &[], &[]).error(), Error::IllegalOperation);
}
