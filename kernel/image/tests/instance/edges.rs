//! What the other files leave out: every lookup failure by name, in the error of an invocation and in a capability fault,
//! wider ports, the upper paging structures unmapped, and the debug calls that stop or look.

use crate::harness::{Call, PORTS, System, slot};
use abi::error::{Error, LookupFailure};
use abi::fault::FaultType;
use abi::invocation::Invocation::*;
use abi::object::ObjectType;
use abi::syscall::Syscall;
use machine::Register;
use machine::model::Event;

/// Copies a capability from `index` at `depth` bits of `root`, and says how that was refused.
fn refused(system: &System, root: u64, index: u64, depth: u64) -> (Error, LookupFailure, Vec<u64>) {
    let words = [system.fresh(), 64, index, depth, 15];
    let answer = system.invoke(slot::CNODE, CNodeCopy, &words, &[root]);
    let (error, words) = answer.refusal();
    assert_eq!(words[0], 1, "the source was looked up");
    (error, LookupFailure::from_word(words[1]).unwrap(), words[2..].to_vec())
}

#[test]
fn each_lookup_failure_says_why() {
    let system = System::new();
    assert_eq!(refused(&system, slot::TCB, 1, 64), (Error::FailedLookup, LookupFailure::InvalidRoot, vec![]));
    let empty = system.fresh();
    let missing = refused(&system, slot::CNODE, empty, 64);
    assert_eq!(missing.0, Error::FailedLookup);
    // An empty slot is missed only by its user: the lookup itself ends there with nothing left to resolve.
    assert_eq!(missing.1, LookupFailure::MissingCapability);
    let guarded = refused(&system, slot::CNODE, 1 << 40, 64);
    assert_eq!((guarded.0, guarded.1), (Error::FailedLookup, LookupFailure::GuardMismatch), "51 bits of zero");
    let node = system.make(ObjectType::CapTable, 4);
    let shallow = refused(&system, node, 1, 2);
    assert_eq!(shallow, (Error::FailedLookup, LookupFailure::DepthMismatch, vec![2, 4]), "2 bits left, 4 wanted");
}

#[test]
fn a_capability_fault_carries_the_lookup_failure() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let victim = system.thread(10);
    system.invoke(victim.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, victim.sc, endpoint]).ok();
    system.resume(victim);
    system.recv(endpoint, reply);
    assert_eq!(system.current(), victim.tcb);
    // The victim has the root's CNode: an address with bits in the guard leads nowhere.
    victim.tcb.context.set(Register::Rdi, 1 << 40);
    system.enter(Syscall::Wait);
    assert_eq!(system.current(), system.root());
    let fault = system.answer_of(system.root());
    assert_eq!(FaultType::from_label(fault.label), Some(FaultType::CapFault));
    let [_, address, in_recv_phase, failure, ..] = fault.words[..] else { panic!("{fault:?}") };
    assert_eq!(address, 1 << 40);
    assert_eq!(in_recv_phase, 1, "Wait only receives");
    assert_eq!(LookupFailure::from_word(failure), Some(LookupFailure::GuardMismatch));
    assert_ne!(LookupFailure::from_word(failure), Some(LookupFailure::NoFailure));
}

#[test]
fn a_success_has_the_label_no_error_and_an_answer_with_null_fault_restarts() {
    let system = System::new();
    let (endpoint, reply) = (system.endpoint(), system.reply());
    let answer = system.invoke(slot::TCB, TCBSetTLSBase, &[0], &[]);
    assert_eq!(Error::from_label(answer.label), Some(Error::NoError));
    let victim = system.thread(10);
    system.invoke(victim.cap, TCBSetSchedParams, &[0, 10], &[slot::TCB, victim.sc, endpoint]).ok();
    system.resume(victim);
    system.recv(endpoint, reply);
    system.exception(6, 0);
    let fault = system.answer_of(system.root());
    assert_eq!(FaultType::from_label(fault.label), Some(FaultType::UserException));
    system.send(Syscall::Send, Call { cap: reply, label: FaultType::NullFault as u64, words: &[], caps: &[] });
    let never = system.notification();
    // Recv of a notification needs no reply object.
    system.receive(Syscall::Recv, never, 0);
    assert_eq!(system.current(), victim.tcb, "it runs again");
}

#[test]
fn wide_writes_to_ports_stay_inside_the_capability() {
    let system = System::new();
    let (first, last) = (u64::from(PORTS.0), u64::from(PORTS.1));
    let port = system.fresh();
    system.invoke(slot::PORTS, X86IOPortControlIssue, &[first, last, port, 64], &[slot::CNODE]).ok();
    system.take_events();
    for (what, bytes, value) in [(X86IOPortOut16, 2_u64, 0xbeef_u64), (X86IOPortOut32, 4, 0xdead_beef)] {
        system.invoke(port, what, &[last + 1 - bytes, value], &[]).ok();
        let wanted = Event::PortOut { port: (last + 1 - bytes) as u16, bytes: bytes as u8, value: value as u32 };
        assert!(system.take_events().contains(&wanted), "{what:?}");
        assert_eq!(system.invoke(port, what, &[last + 2 - bytes, 0], &[]).error(), Error::IllegalOperation);
        assert!(!system.take_events().iter().any(|event| matches!(event, Event::PortOut { .. })), "{what:?}");
    }
}

#[test]
fn upper_paging_structures_unmap_and_map_elsewhere() {
    const AT: u64 = 1 << 44;
    let system = System::new();
    let map = |table, what, vaddr| system.invoke(table, what, &[vaddr, 0], &[slot::VSPACE]);
    let (pdpt, directory) = (system.make(ObjectType::Pdpt, 0), system.make(ObjectType::PageDirectory, 0));
    map(pdpt, X86PDPTMap, AT).ok();
    map(directory, X86PageDirectoryMap, AT).ok();
    system.invoke(directory, X86PageDirectoryUnmap, &[], &[]).ok();
    system.invoke(directory, X86PageDirectoryUnmap, &[], &[]).ok();
    map(directory, X86PageDirectoryMap, AT + (1 << 30)).ok();
    system.invoke(pdpt, X86PDPTUnmap, &[], &[]).ok();
    // What hung below hangs nowhere now.
    let lost = map(directory, X86PageDirectoryMap, AT).refusal().0;
    assert!([Error::InvalidCapability, Error::FailedLookup].contains(&lost), "{lost:?}");
    system.invoke(directory, X86PageDirectoryUnmap, &[], &[]).ok();
    map(pdpt, X86PDPTMap, AT).ok();
    map(directory, X86PageDirectoryMap, AT).ok();
}

#[test]
#[should_panic(expected = "halted by its program")]
fn a_program_may_halt_a_debug_kernel() {
    System::new().enter(Syscall::DebugHalt);
}

#[test]
fn a_snapshot_names_the_running_thread() {
    let system = System::new();
    system.enter(Syscall::DebugSnapshot);
    assert!(system.machine().console_text().contains("current"));
}

#[test]
fn a_program_may_look_into_a_debug_kernel() {
    let system = System::new();
    let object = system.make(ObjectType::Untyped, 12);
    let address = memory::WINDOW_BASE + system.phys(object).0;
    system.root().context.set(Register::Rdi, address);
    system.enter(Syscall::SkerryDebugPeek);
    assert_eq!(system.root().context.get(Register::Rdi), memory::peek(address));
}
