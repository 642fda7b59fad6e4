//! Whatever the firmware's tables say is refused or becomes processors, I/O APICs and pages.

use crate::memory::Memory;
use loader::acpi_tables;
use loader::madt::{Topology, scan_for_root_pointer};
use loader::{PAGE, PhysicalView};
use std::rc::Rc;

/// Where a BIOS leaves the root pointer.
const BASE: u64 = 0xe_0000;

/// Offsets of tables whose checksums are made right (a count, then two bytes each), then memory, the root pointer first.
pub fn run(bytes: &[u8]) {
    let Some((&count, rest)) = bytes.split_first() else { return };
    let Some((offsets, memory)) = rest.split_at_checked(2 * usize::from(count % 8)) else { return };
    let mut memory = memory.to_vec();
    for offset in offsets.as_chunks::<2>().0 {
        seal(&mut memory, usize::from(u16::from_le_bytes(*offset)));
    }
    // The root pointer: its first 20 bytes, and if it is long all 36.
    balance(&mut memory, 0, 20, 8);
    balance(&mut memory, 0, 36, 32);
    let view = Memory { base: BASE, bytes: Rc::new(memory) };
    let root = scan_for_root_pointer(&view).unwrap_or(BASE);
    if let Ok(found) = Topology::find(&view, root, 0) {
        assert_eq!(found.apic_ids.first(), Some(&0), "the boot processor comes first");
        let is_double = |(index, id)| found.apic_ids.iter().skip(index + 1).any(|other| other == id);
        assert!(!found.apic_ids.iter().enumerate().any(is_double), "a processor is listed twice");
        assert!(found.io_apics.is_sorted_by_key(|io_apic| io_apic.gsi_base));
    }
    if let Some(root) = view.view(root, 36) {
        let taken = loader::Span::between(BASE + PAGE, BASE + 2 * PAGE);
        for span in acpi_tables::find(&view, root, |span| span.overlaps(taken)) {
            assert!(span.start().is_multiple_of(PAGE) && span.end().is_multiple_of(PAGE));
        }
    }
}

/// Makes the checksum of the table at `offset` right.
fn seal(memory: &mut [u8], offset: usize) {
    let length = memory.get(offset + 4..offset + 8).and_then(|bytes| bytes.first_chunk().copied());
    let length = length.map_or(0, u32::from_le_bytes) as usize;
    balance(memory, offset, length, 9);
}

/// Sets byte `at` of the `length` bytes from `offset` on so that they sum to 0.
fn balance(memory: &mut [u8], offset: usize, length: usize, at: usize) {
    let Some(bytes) = memory.get_mut(offset..).and_then(|bytes| bytes.get_mut(..length)) else { return };
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if let Some(place) = bytes.get_mut(at) {
        *place = place.wrapping_sub(sum);
    }
}
