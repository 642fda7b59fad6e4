//! Instances built in simulated memory, then inspected the way a processor would: by walking their page tables.

use super::*;
use crate::boot_info::Region;
use crate::framebuffer::Framebuffer;
use crate::madt::IoApic;
use crate::memory_map::MemoryMap;
use crate::physical::{PhysicalView, Simulated};
use crate::span::of_memory;
use crate::tables::entry;
use crate::test_system::System;
use manifest::Memory;
use manifest::handoff::{Handoff, MAGIC};
use std::collections::BTreeMap;
use zerocopy::FromBytes;

const BASE: u64 = 16 << 20;
const SIZE: u64 = 17 << 20;

/// A page as the processor sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    physical: u64,
    write: bool,
    execute: bool,
    uncached: bool,
}

/// Every small page that the tables at `top` map.
fn walk(memory: &Simulated, top: u64) -> BTreeMap<u64, Page> {
    fn level(memory: &Simulated, table: u64, level_no: u32, virt: u64, out: &mut BTreeMap<u64, Page>) {
        for slot in 0..512 {
            let value = memory.word64(table + slot * 8).unwrap();
            if value & entry::PRESENT == 0 {
                assert_eq!(value, 0);
                continue;
            }
            let at = virt | slot << (12 + 9 * (level_no - 1));
            if level_no > 1 && value & entry::LARGE == 0 {
                level(memory, value & entry::ADDRESS, level_no - 1, at, out);
                continue;
            }
            for offset in (0..1 << (12 + 9 * (level_no - 1))).step_by(4096) {
                let page = Page {
                    physical: (value & entry::ADDRESS & !((1 << (12 + 9 * (level_no - 1))) - 1)) + offset,
                    write: value & entry::WRITE != 0,
                    execute: value & entry::NO_EXECUTE == 0,
                    uncached: value & entry::CACHE_DISABLE != 0,
                };
                assert!(out.insert(at + offset, page).is_none());
            }
        }
    }
    let mut out = BTreeMap::new();
    level(memory, top, 4, 0, &mut out);
    let sign_extend = |virt: u64| if virt >> 47 & 1 == 1 { virt | 0xffff << 48 } else { virt };
    out.into_iter().map(|(virt, page)| (sign_extend(virt), page)).collect()
}

struct Built {
    memory: Simulated,
    entrances: Vec<Entrance, 4>,
}

fn build(system: &System) -> Result<Built, Refusal> {
    let archive = system.archive();
    let ram = MemoryMap::new(&[Region { span: Span::between(BASE, BASE + SIZE), kind: Region::RAM }]).unwrap();
    let io_apics = [(IoApic { address: 0xfec0_0000, gsi_base: 0 }, 24)];
    let machine = Machine {
        apic_ids: &[4, 6, 8, 10],
        ram: &ram,
        io_apics: &io_apics,
        local_apic: 0xfee0_0000,
        acpi_tables: &[],
        framebuffer: Framebuffer::read(&crate::framebuffer::tag(0xfd00_0000, 5120, 800)),
        archive: Span::default(),
    };
    let facts = Facts { tsc_mhz: 2500, ..Facts::default() };
    let source = Source {
        archive: &archive,
        machine: &machine,
        facts: &facts,
        switch_page: &[0xcc; PAGE as usize],
        root_pointer: &[7; 36],
    };
    let mut memory = Simulated::dirty(BASE, SIZE);
    let mut entrances = Vec::new();
    for number in 0..archive.manifest().partitions().len() {
        entrances.push(instance(&mut memory, &source, number)?).unwrap();
    }
    channels(&mut memory, &archive)?;
    Ok(Built { memory, entrances })
}

fn handoff_of(built: &Built, number: usize) -> (Handoff, BTreeMap<u64, Page>) {
    let pages = walk(&built.memory, built.entrances[number].top_table);
    let bytes = built.memory.view(pages[&HANDOFF_VIRT].physical, size_of::<Handoff>() as u64).unwrap();
    (Handoff::read_from_bytes(bytes).unwrap(), pages)
}

#[test]
fn the_handoff_page_tells_the_instance_its_own_part_of_the_machine() {
    let built = build(&System::two_partitions()).unwrap();
    let (page, pages) = handoff_of(&built, 1);
    assert_eq!((page.magic, page.core_count, page.apic_ids[0], page.tsc_mhz), (MAGIC, 1, 6, 2500));
    assert_eq!(page.memory[0], Memory { base: 24 << 20, size: 8 << 20 });
    assert_eq!(page.memory_count, 1);
    assert_eq!(page.kernel.base, 24 << 20);
    assert_eq!(page.devices[0], Memory { base: 32 << 20, size: 0x2000 });
    assert_eq!((page.device_count, page.port_count), (1, 0));
    assert_eq!((page.route_count, page.routes[0].apic_id, page.routes[0].vector), (1, 4, 0xa3));
    assert_eq!(page.doorbells_heard, 1 << 3);
    assert_eq!(page.top_table, built.entrances[1].top_table);
    assert_eq!((page.root_virt_base, page.root_entry, page.root_image.size), (0x40_0000, 0x40_0100, 0x5000));
    assert_eq!(page.top_entry_count, 2);
    assert_eq!((page.top_entries[0].index, page.top_entries[1].index), (256, 511));
    assert_eq!((page.io_apic_pins, page.console_port), (0, 0x2f8));
    assert!(page.free_base > page.files.base && page.free_base.is_multiple_of(PAGE));
    let copy = pages[&HANDOFF_VIRT].physical + core::mem::offset_of!(manifest::handoff::Handoff, rsdp_bytes) as u64;
    assert_eq!(built.memory.view(copy, 37).unwrap(), [[7; 36].as_slice(), &[0]].concat());
}

#[test]
fn no_page_of_an_instance_is_both_writable_and_executable() {
    let built = build(&System::two_partitions()).unwrap();
    for number in 0..2 {
        assert!(handoff_of(&built, number).1.values().all(|page| !(page.write && page.execute)));
    }
}

#[test]
fn the_window_shows_the_slice_without_the_kernel_and_nothing_else() {
    let built = build(&System::two_partitions()).unwrap();
    for number in 0..2 {
        let (page, pages) = handoff_of(&built, number);
        let slice = of_memory(&page.memory[0]).unwrap();
        let kernel = of_memory(&page.kernel).unwrap();
        let window: std::vec::Vec<_> = pages.range(WINDOW_VIRT_BASE..KERNEL_VIRT_BASE).collect();
        assert_eq!(window.len() as u64 * PAGE, slice.size() - kernel.size());
        for (virt, page) in window {
            assert_eq!(*virt - WINDOW_VIRT_BASE, page.physical);
            assert!(slice.contains_address(page.physical) && !kernel.contains_address(page.physical));
            assert!(page.write && !page.execute && !page.uncached);
        }
        assert!(pages.range(..WINDOW_VIRT_BASE).next().is_none(), "the lower half is empty");
    }
}

#[test]
fn kernel_mappings_stay_in_the_instance_except_for_interrupt_controllers() {
    let built = build(&System::two_partitions()).unwrap();
    for number in 0..2 {
        let (page, pages) = handoff_of(&built, number);
        let kernel = of_memory(&page.kernel).unwrap();
        for (virt, mapped) in pages.range(KERNEL_VIRT_BASE..) {
            let is_local_apic = *virt == LOCAL_APIC_VIRT;
            assert_eq!(mapped.uncached, is_local_apic);
            if is_local_apic {
                assert_eq!(mapped.physical, 0xfee0_0000);
            } else {
                assert!(kernel.contains_address(mapped.physical), "{virt:#x}");
            }
        }
    }
}

#[test]
fn the_kernel_lies_at_the_base_with_its_rights_and_zeroed_bss() {
    let built = build(&System::two_partitions()).unwrap();
    let (page, pages) = handoff_of(&built, 0);
    let at = |offset: u64| pages[&(KERNEL_VIRT_BASE + offset)];
    let expect = |offset: u64, write: bool, execute: bool| {
        assert_eq!(at(offset), Page { physical: BASE + offset, write, execute, uncached: false });
    };
    expect(0, false, true);
    expect(0x1000, false, true);
    expect(0x3000, false, false);
    expect(0x4000, true, false);
    expect(0x7000, true, false);
    assert!(!pages.contains_key(&(KERNEL_VIRT_BASE + 0x2000)), "a gap between segments is not mapped");
    assert_eq!(built.memory.view(BASE + 0x4000, 5).unwrap(), b"data\0");
    assert!(built.memory.view(BASE + 0x4004, 0x3ffc).unwrap().iter().all(|byte| *byte == 0));
    assert!(!pages[&HANDOFF_VIRT].write);
    assert!(pages[&TRAMPOLINE_VIRT].execute);
    assert_eq!(built.entrances[0].entry, KERNEL_VIRT_BASE + 0x10);
    assert_eq!(page.kernel.base, BASE);
}

#[test]
fn stacks_have_unmapped_guards() {
    let system = System::edited(|edit| {
        edit.cores = [0, 1, 2, 3].map(|number| manifest::Core { number, node: 0 }).to_vec();
        edit.partitions[1].cores = manifest::Range { start: 1, count: 3 };
        edit.partitions[1].flags |= partition_flags::SMP;
    });
    let built = build(&system).unwrap();
    let (page, pages) = handoff_of(&built, 1);
    assert_eq!((page.core_count, &page.apic_ids[..4]), (3, &[6, 8, 10, 0][..]));
    for core in 0..3 {
        let top = stack_pointer(core);
        assert!((top - STACK_BYTES..top).step_by(4096).all(|virt| pages.contains_key(&virt)), "stack {core}");
        let guard = top - STACK_STRIDE..top - STACK_BYTES;
        assert!(guard.step_by(4096).all(|virt| !pages.contains_key(&virt)), "guard {core}");
    }
    assert!(!pages.contains_key(&stack_pointer(2)), "nothing above the last stack");
}

#[test]
fn only_the_owner_of_the_io_apic_gets_it_mapped() {
    let system = System::edited(|edit| {
        edit.partitions[0].flags |= partition_flags::IOAPIC;
        edit.irqs = vec![manifest::Irq { kind: 0, number: 4 }, manifest::Irq { kind: 1, number: 70 }];
        edit.partitions[0].irqs = manifest::Range { start: 0, count: 2 };
    });
    let built = build(&system).unwrap();
    let (owner, pages) = handoff_of(&built, 0);
    assert_eq!(pages[&IO_APIC_VIRT].physical, 0xfec0_0000);
    assert_eq!((owner.io_apic_pins, owner.pins, owner.msi_vectors), (24, 1 << 4, [0, 1 << 6]));
    let (other, pages) = handoff_of(&built, 1);
    assert_eq!(other.io_apic_pins, 0);
    assert!(!pages.contains_key(&IO_APIC_VIRT));
}

#[test]
fn only_the_owner_of_the_framebuffer_gets_its_pages_and_its_description() {
    let built = build(&System::edited(|edit| edit.partitions[0].flags |= partition_flags::FRAMEBUFFER)).unwrap();
    let (owner, pages) = handoff_of(&built, 0);
    assert_eq!(owner.device_count, 2);
    assert_eq!(owner.devices[1], Memory { base: 0xfd00_0000, size: 0x3e_8000 });
    assert_eq!(owner.framebuffer, [0xfd00_0000, 1280 << 32 | 5120, 1 << 40 | 32 << 32 | 800]);
    assert!(
        pages.values().all(|page| page.physical < 0xfd00_0000 || page.physical >= 0xfd3e_8000),
        "no kernel maps it"
    );
    let (other, _) = handoff_of(&built, 1);
    assert_eq!((other.device_count, other.framebuffer), (1, [0; 3]));
    assert_eq!(other.devices[1].size, 0);
}

#[test]
fn root_task_manifest_and_files_are_copied_and_every_gap_is_zero() {
    let built = build(&System::two_partitions()).unwrap();
    let (page, _) = handoff_of(&built, 0);
    let root = built.memory.view(page.root_image.base, page.root_image.size).unwrap();
    assert_eq!(&root[0x100..0x109], b"root text");
    assert_eq!(&root[0x3000..0x3009], b"root data");
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    assert!(zero(&root[..0x100]) && zero(&root[0x109..0x3000]) && zero(&root[0x3009..]));
    let copy = built.memory.view(page.manifest.base, page.manifest.size).unwrap();
    assert_eq!(copy, System::two_partitions().archive().partition_manifest(0).unwrap().bytes());
    let files = built.memory.view(page.files.base, page.files.size).unwrap();
    assert_eq!(files.len(), 0x2000);
    assert_eq!(&files[..4], b"\x7fELF");
    assert_eq!(&files[0x1000..0x100b], b"data of one");
    assert!(zero(&files[0x100b..]));
    assert!(zero(built.memory.view(32 << 20, 0x2000).unwrap()), "channels are zeroed");
}

#[test]
fn free_memory_of_a_slice_is_not_touched() {
    let built = build(&System::two_partitions()).unwrap();
    for number in 0..2 {
        let (page, _) = handoff_of(&built, number);
        let end = page.memory[0].base + page.memory[0].size;
        let free = built.memory.view(page.free_base, end - page.free_base).unwrap();
        assert!(free.iter().all(|byte| *byte == 0xa5));
    }
}

#[test]
fn top_entries_cover_the_kernel_half() {
    let built = build(&System::two_partitions()).unwrap();
    let (page, pages) = handoff_of(&built, 0);
    let entries = &page.top_entries[..page.top_entry_count as usize];
    assert!(pages.keys().all(|virt| entries.iter().any(|entry| entry.index == index(*virt, 4))));
    for entry in entries {
        assert_eq!(built.memory.word64(page.top_table + entry.index * 8), Some(entry.value));
    }
}

#[test]
fn several_memory_ranges_are_all_in_the_window() {
    let system = System::edited(|edit| {
        edit.memory[1] = Memory { base: (24 << 20) + 0x3000, size: 0x40_0000 };
        edit.memory.push(Memory { base: (30 << 20) + 0x1000, size: 0x1f_f000 });
        edit.partitions[1].memory = manifest::Range { start: 1, count: 2 };
    });
    let built = build(&system).unwrap();
    let (page, pages) = handoff_of(&built, 1);
    assert_eq!(page.memory_count, 2);
    let bytes = pages.range(WINDOW_VIRT_BASE..KERNEL_VIRT_BASE).count() as u64 * PAGE;
    assert_eq!(bytes, 0x40_0000 + 0x1f_f000 - page.kernel.size);
}

#[test]
fn tables_of_the_gate_map_it_alone_where_the_kernel_has_it() {
    let system = System::edited(|edit| edit.partitions[0].mitigations = mitigations::AUTO);
    let built = build(&system).unwrap();
    let (page, pages) = handoff_of(&built, 0);
    assert!(of_memory(&page.kernel).unwrap().contains_address(page.gate_table), "out of every window's reach");
    assert_ne!(page.gate_table, page.top_table);
    let gate = walk(&built.memory, page.gate_table);
    let offsets: std::vec::Vec<_> = gate.keys().map(|virt| virt - KERNEL_VIRT_BASE).collect();
    assert_eq!(offsets, [0, 0x1000, 0x9000, 0xa000]);
    for (virt, mapped) in &gate {
        assert_eq!(mapped, &pages[virt], "{virt:#x} is the same in both");
    }
    assert_eq!(page.gate_entry.index, 511);
    assert_eq!(built.memory.word64(page.gate_table + 511 * 8), Some(page.gate_entry.value));
    assert!((256..511).all(|index| built.memory.word64(page.gate_table + index * 8) == Some(0)));
    assert_ne!(Some(page.gate_entry.value), built.memory.word64(page.top_table + 511 * 8));
}

#[test]
fn a_partition_that_rules_isolation_out_has_no_tables_of_the_gate() {
    for asked in [0, mitigations::ALL & !mitigations::KPTI] {
        let built = build(&System::edited(|edit| edit.partitions[0].mitigations = asked)).unwrap();
        let (page, _) = handoff_of(&built, 0);
        assert_eq!((page.gate_table, page.gate_entry.value, page.mitigations), (0, 0, asked));
    }
}
