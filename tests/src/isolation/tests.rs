//! A sound two-instance system, and the same system broken in one way at a time.

use super::*;
use crate::synthetic::{Tables, bits};
use crate::walk::walk;

const SLICE: [Range<u64>; 2] = [0x200_0000..0x280_0000, 0x280_0000..0x300_0000];
const LOW_GIB: Range<u64> = 0..1 << 30;
const CHANNEL: Range<u64> = 0x400_0000..0x400_2000;
const TEXT: u64 = 0xffff_ffff_8000_0000;
const DATA: u64 = 0xffff_ffff_8010_0000;
const APIC: u64 = 0xffff_ffff_bfe0_4000;
const WINDOW: u64 = 0xffff_8000_0000_0000;
const PROGRAM: u64 = 0x40_0000;
const SHARED: u64 = 0x1000_0000;

struct System {
    memory: Tables,
    next: [u64; 2],
    allowances: Vec<Allowance>,
}

impl System {
    /// Two instances with kernel text, data, window page, program and one channel between them.
    fn sound() -> Self {
        let allowance = |index: usize| Allowance {
            name: ["left", "right"][index].into(),
            slices: vec![SLICE[index].clone()],
            channels: vec![(0, CHANNEL)],
            ..Default::default()
        };
        let next = SLICE.map(|slice| slice.start + 0x10_1000);
        let mut system = Self { memory: Tables::default(), next, allowances: vec![allowance(0), allowance(1)] };
        for (index, base) in SLICE.map(|slice| slice.start).into_iter().enumerate() {
            system.map(index, TEXT, base, 0);
            system.map(index, DATA, base + 0x1_0000, bits::WRITE | bits::NX);
            system.map(index, APIC, LOCAL_APIC.start, bits::WRITE | bits::NX);
            system.map(index, WINDOW + base + 0x20_0000, base + 0x20_0000, bits::WRITE | bits::NX);
            system.map(index, PROGRAM, base + 0x20_0000, bits::USER);
            system.map(index, SHARED, CHANNEL.start, bits::USER | bits::WRITE | bits::NX);
        }
        system
    }

    fn root(index: usize) -> u64 {
        SLICE[index].start + 0x10_0000
    }

    fn map(&mut self, index: usize, virt: u64, phys: u64, flags: u64) {
        self.memory.map(Self::root(index), &mut self.next[index], virt, phys, flags);
    }

    fn verdict(&self) -> Vec<Violation> {
        let snapshots = [0, 1].map(|index| Snapshot { spaces: vec![walk(&self.memory, Self::root(index))] });
        judge(&self.allowances, &snapshots)
    }

    /// The rules broken, by whom.
    fn broken(&self) -> Vec<(Rule, String)> {
        let verdict = self.verdict();
        verdict.iter().map(|violation| (violation.rule, violation.partitions.join("+"))).collect()
    }
}

fn one(rule: Rule, who: &str) -> (Rule, String) {
    (rule, who.to_owned())
}

#[test]
fn a_sound_system_breaks_no_rule() {
    assert_eq!(System::sound().verdict(), []);
}

#[test]
fn a_table_of_a_program_that_maps_more_than_the_gate_is_found() {
    let mut system = System::sound();
    let part = |virt: u64, write: bool| GatePart { virt: virt..virt + 0x1000, write, execute: !write };
    let gate = vec![part(TEXT, false), part(DATA, true)];
    system.allowances[0].gate = Some(gate.clone());
    let base = SLICE[0].start;
    let found: Vec<_> = system.verdict().into_iter().map(|violation| (violation.rule, violation.detail)).collect();
    let mapped = |virt: u64, phys: u64| format!("{virt:#x} -> {phys:#x}..{:#x} rw- Supervisor", phys + 0x1000);
    let (window, apic) = (mapped(WINDOW + base + 0x20_0000, base + 0x20_0000), mapped(APIC, LOCAL_APIC.start));
    assert_eq!(found, [(Rule::GateOnly, window), (Rule::GateOnly, apic)]);

    // The kernel's own tables map no program, and may map the rest.
    let (memory, top) = (Tables::default(), 0x20_0000);
    memory.map(top, &mut 0x21_0000, WINDOW + base, base, bits::WRITE | bits::NX);
    let snapshot = Snapshot { spaces: vec![walk(&memory, top)] };
    let allowance = Allowance { gate: Some(gate.clone()), slices: vec![LOW_GIB], ..Default::default() };
    assert_eq!(judge(&[allowance], &[snapshot]), []);

    // The gate with rights that its segment does not have.
    let (memory, top) = (Tables::default(), 0x20_0000);
    let mut next = 0x21_0000;
    memory.map(top, &mut next, TEXT, base, bits::WRITE | bits::NX);
    memory.map(top, &mut next, PROGRAM, base + 0x10_0000, bits::USER);
    let snapshot = Snapshot { spaces: vec![walk(&memory, top)] };
    let allowance = Allowance { gate: Some(gate), slices: vec![LOW_GIB], ..Default::default() };
    let found: Vec<_> = judge(&[allowance], &[snapshot]).into_iter().map(|violation| violation.rule).collect();
    assert_eq!(found, [Rule::GateOnly]);
}

#[test]
fn a_kernel_mapping_of_the_others_slice_is_found() {
    let mut system = System::sound();
    system.map(0, WINDOW + 0x5000, SLICE[1].start + 0x1_0000, bits::WRITE | bits::NX);
    assert_eq!(system.broken(), [one(Rule::KernelInSlice, "left"), one(Rule::KernelsApart, "left+right")]);
}

#[test]
fn a_frame_shared_by_two_kernels_is_found_even_if_both_slices_name_it() {
    let mut system = System::sound();
    for index in 0..2 {
        system.allowances[index].slices.push(0x500_0000..0x500_1000);
    }
    system.map(0, WINDOW + 0x500_0000, 0x500_0000, bits::NX);
    system.map(1, WINDOW + 0x500_0000, 0x500_0000, bits::NX);
    assert_eq!(system.broken(), [], "read-only on both sides is harmless");
    system.map(1, WINDOW + 0x500_0000, 0x500_0000, bits::NX | bits::WRITE);
    assert_eq!(system.broken(), [one(Rule::KernelsApart, "left+right")]);
}

#[test]
fn a_kernel_that_maps_a_channel_is_found() {
    let mut system = System::sound();
    system.map(1, WINDOW + CHANNEL.start, CHANNEL.start, bits::NX);
    assert_eq!(system.broken(), [one(Rule::KernelInSlice, "right"), one(Rule::KernelsApart, "left+right")]);
}

#[test]
fn an_io_apic_belongs_to_one() {
    let mut system = System::sound();
    system.map(0, APIC + 0x1000, IO_APIC.start, bits::WRITE | bits::NX);
    assert_eq!(system.broken(), [one(Rule::KernelInSlice, "left")]);
    system.allowances[0].kernel_devices.push(IO_APIC);
    assert_eq!(system.broken(), []);
}

#[test]
fn text_that_is_writable_elsewhere_is_found() {
    let mut system = System::sound();
    system.map(0, WINDOW + SLICE[0].start, SLICE[0].start, bits::WRITE | bits::NX);
    assert_eq!(system.broken(), [one(Rule::WriteXorExecute, "left")]);
    let mut system = System::sound();
    system.map(0, TEXT, SLICE[0].start, bits::WRITE);
    assert_eq!(system.broken(), [one(Rule::WriteXorExecute, "left")]);
}

#[test]
fn mappings_in_the_wrong_half_are_found() {
    let mut system = System::sound();
    system.map(0, 0x70_0000, SLICE[0].start + 0x30_0000, bits::NX);
    assert_eq!(system.broken(), [one(Rule::Halves, "left")]);
    let mut system = System::sound();
    system.map(1, WINDOW + 0x9000, SLICE[1].start + 0x30_0000, bits::NX | bits::USER);
    assert_eq!(system.broken(), [one(Rule::Halves, "right")]);
}

#[test]
fn a_program_that_reaches_out_of_its_partition_is_found() {
    let mut system = System::sound();
    system.map(0, 0x70_0000, 0x600_0000, bits::USER | bits::NX);
    assert_eq!(system.broken(), [one(Rule::UserInPartition, "left")]);
}

#[test]
fn a_program_that_reaches_a_page_table_or_kernel_text_is_found() {
    for phys in [System::root(0), SLICE[0].start] {
        let mut system = System::sound();
        system.map(0, 0x70_0000, phys, bits::USER | bits::NX);
        assert_eq!(system.broken(), [one(Rule::UserOffKernel, "left")]);
    }
}

#[test]
fn programs_that_meet_outside_their_channel_are_found() {
    let mut system = System::sound();
    system.map(0, 0x70_0000, SLICE[1].start + 0x20_0000, bits::USER);
    let broken = system.broken();
    assert!(broken.contains(&one(Rule::UserInPartition, "left")), "{broken:?}");
    assert!(broken.contains(&one(Rule::UsersMeetInChannels, "left+right")), "{broken:?}");
}

#[test]
fn a_channel_of_two_others_is_no_excuse() {
    let mut system = System::sound();
    system.allowances[1].channels = vec![(7, CHANNEL)];
    assert_eq!(system.broken(), [one(Rule::UsersMeetInChannels, "left+right")]);
}

#[test]
fn a_page_table_in_the_others_slice_is_found() {
    let mut system = System::sound();
    system.next[0] = SLICE[1].start + 0x70_0000;
    system.map(0, 0x7000_0000_0000, SLICE[0].start + 0x30_0000, bits::USER);
    assert_eq!(system.broken(), vec![one(Rule::TablesInSlice, "left"); 3], "one for each level below the top");
}
