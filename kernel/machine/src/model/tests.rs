//! What the model promises to tests of the layers above.

use super::*;
use core::fmt::Write;
use ipi::route::{Command, Route};

#[test]
fn effects_are_remembered_in_order() {
    let machine = Machine::new();
    let command = Command::ring(Route::new(3, 0xa5).unwrap());
    machine.set_address_space(0x10_0000, 1);
    machine.ring(command);
    machine.end_of_interrupt();
    assert_eq!(
        machine.take_events(),
        [Event::AddressSpace { top_table_phys: 0x10_0000, asid: 1 }, Event::Ring { command }, Event::EndOfInterrupt]
    );
    assert_eq!(machine.events(), []);
}

#[test]
fn what_is_already_so_leaves_no_event() {
    let machine = Machine::new();
    machine.set_address_space(0x10_0000, 1);
    machine.load_bases(1, 2);
    machine.fpu_enable();
    machine.take_events();
    machine.set_address_space(0x10_0000, 1);
    machine.load_bases(1, 2);
    machine.fpu_enable();
    assert_eq!(machine.take_events(), []);
    machine.fpu_disable();
    machine.fpu_disable();
    assert_eq!(machine.take_events(), [Event::FpuDisable]);
}

#[test]
fn fpu_registers_travel_through_memory() {
    let machine = Machine::new();
    let (mine, fresh) = (FpuState::default(), FpuState::default());
    machine.fpu_enable();
    machine.set_fpu_words([5; 64]);
    machine.fpu_save(&mine);
    machine.fpu_restore(&fresh);
    assert_eq!(machine.fpu_words()[0], 0x37f);
    machine.fpu_restore(&mine);
    assert_eq!(machine.fpu_words(), [5; 64]);
}

#[test]
#[should_panic(expected = "#NM")]
fn saving_a_disabled_fpu_is_caught() {
    Machine::new().fpu_save(&FpuState::default());
}

#[test]
fn a_deadline_is_due_when_the_clock_reaches_it() {
    let machine = Machine::new();
    assert!(!machine.is_deadline_due());
    machine.set_deadline(100);
    machine.set_now(99);
    assert!(!machine.is_deadline_due());
    machine.advance(1);
    assert!(machine.is_deadline_due());
}

#[test]
fn the_console_takes_formatted_text() {
    let machine = Machine::new();
    write!(&mut &machine, "core {} of {}", 1, 4).unwrap();
    assert_eq!(machine.console_text(), "core 1 of 4");
}

#[test]
fn an_empty_port_reads_as_ones() {
    let machine = Machine::new();
    machine.set_port(0x60, 0x1234);
    assert_eq!((machine.in8(0x60), machine.in16(0x60), machine.in32(0x61)), (0x34, 0x1234, u32::MAX));
}

#[test]
fn only_another_programs_address_space_costs_a_barrier() {
    use crate::mitigation::Decision;
    use manifest::handoff::features;
    use manifest::mitigations::{IBPB, RSB};

    const NOBODY: u64 = 0x5000;
    let machine = Machine::new();
    machine.set_mitigations(Decision::new(IBPB | RSB, features::IBPB), NOBODY);
    let space = |top_table_phys| Event::AddressSpace { top_table_phys, asid: 0 };
    machine.load(machine.address_space(0x1000, 0));
    machine.set_address_space(0x1000, 0);
    machine.set_address_space(NOBODY, 0);
    machine.set_address_space(0x2000, 0);
    let (barrier, filled) = (Event::PredictorBarrier, Event::ReturnStackFilled);
    assert_eq!(machine.take_events(), [space(0x1000), barrier, filled, space(NOBODY), space(0x2000), barrier, filled]);

    machine.set_mitigations(Decision::new(RSB, features::IBPB), NOBODY);
    machine.set_address_space(0x3000, 0);
    assert_eq!(machine.take_events(), [space(0x3000), filled]);
    machine.set_mitigations(Decision::new(0, features::IBPB), NOBODY);
    machine.set_address_space(0x1000, 0);
    assert_eq!(machine.take_events(), [space(0x1000)]);
}
