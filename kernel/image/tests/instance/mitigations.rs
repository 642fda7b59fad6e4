//! What mitigations change for an instance: what its address spaces map of the kernel, what is loaded for nobody, and what
//! happens between two address spaces.

use crate::harness::{GATE, Options, System, slot};
use abi::invocation::Invocation::{CNodeDelete, CNodeRevoke, TCBSetSpace, X86ASIDPoolAssign};
use abi::object::ObjectType;
use machine::model::Event;
use manifest::handoff::features;
use manifest::mitigations::{ALL, AUTO, IBPB};
use memory::Ref;
use vspace::Table;

fn system(mitigations: u32, features: u32) -> System {
    System::with(Options { mitigations, features, ..Options::default() })
}

#[test]
fn isolated_address_spaces_hold_the_gate_and_nothing_else_of_the_kernel() {
    let system = system(ALL, 0);
    let space = system.make(ObjectType::Pml4, 0);
    for table in [system.phys(space), system.phys(slot::VSPACE)] {
        let table: Ref<Table> = Ref::at(table);
        let found: Vec<_> = (256..512).map(|index| (index, table.get(index as usize).bits())).collect();
        assert_eq!(found.into_iter().filter(|(_, bits)| *bits != 0).collect::<Vec<_>>(), GATE);
    }
}

#[test]
fn nobodys_address_space_is_the_gates_when_tables_are_isolated() {
    let system = system(ALL, 0);
    let space = system.make(ObjectType::Pml4, 0);
    system.invoke(slot::POOL, X86ASIDPoolAssign, &[], &[space]).ok();
    let thread = system.thread(10);
    system.invoke(thread.cap, TCBSetSpace, &[0, 0], &[0, slot::CNODE, space]).ok();
    system.step_back();
    system.resume(thread);
    system.invoke(slot::CNODE, CNodeRevoke, &[space, 64], &[]).ok();
    system.invoke(slot::CNODE, CNodeDelete, &[space, 64], &[]).ok();
    assert_eq!(system.machine().current_address_space(), system.handoff.gate_table);
}

#[test]
fn the_predictor_forgets_between_two_address_spaces_and_not_within_one() {
    let system = system(IBPB, features::IBPB);
    let barriers = |system: &System| {
        let events = system.take_events();
        events.into_iter().filter(|event| *event == Event::PredictorBarrier).count()
    };
    let space = system.make(ObjectType::Pml4, 0);
    system.invoke(slot::POOL, X86ASIDPoolAssign, &[], &[space]).ok();
    let (same, other) = (system.thread(10), system.thread(20));
    system.invoke(other.cap, TCBSetSpace, &[0, 0], &[0, slot::CNODE, space]).ok();
    system.step_back();
    system.take_events();
    system.resume(same);
    assert_eq!(barriers(&system), 0, "one address space");
    system.resume(other);
    assert_eq!(system.machine().current_address_space(), system.phys(space).0);
    assert_eq!(barriers(&system), 1);
}

#[test]
fn the_kernel_says_at_boot_what_it_uses() {
    let said = |mitigations, features| system(mitigations, features).machine().console_text();
    assert_eq!(said(0, 0), "mitigations: none (as the system file says)\n");
    let safe = features::NO_MELTDOWN | features::NO_MDS;
    assert!(said(AUTO, safe).starts_with("mitigations: kpti off (not needed), "), "{}", said(AUTO, safe));
    assert!(said(AUTO, 0).starts_with("mitigations: kpti on (needed), "));
}
