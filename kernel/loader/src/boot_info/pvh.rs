//! The PVH start information (Xen's `hvm_start_info`, version 1): what `qemu -kernel` leaves.

use super::{BootInfo, RootPointer};
use crate::refuse;
use crate::{PhysicalView, Refusal, Span};

const MAGIC: u32 = 0x336e_c578;
const MODULE_BYTES: u64 = 32;
const REGION_BYTES: u64 = 24;

/// Parses the structure at physical address `address`.
pub(super) fn parse(view: &impl PhysicalView, address: u64) -> Result<BootInfo, Refusal> {
    let unreadable = || refuse!(BootInfo, "the PVH start information at {address:#x} cannot be read");
    let word32 = |offset: u64| address.checked_add(offset).and_then(|at| view.word32(at)).ok_or_else(unreadable);
    let word64 = |offset: u64| address.checked_add(offset).and_then(|at| view.word64(at)).ok_or_else(unreadable);

    let magic = word32(0)?;
    if magic != MAGIC {
        return Err(refuse!(BootInfo, "the PVH start information at {address:#x} has magic {magic:#x}"));
    }
    let version = word32(4)?;
    if version == 0 {
        return Err(refuse!(BootInfo, "the PVH start information has version 0, which has no memory map"));
    }
    let mut info = BootInfo::default();
    match word64(32)? {
        0 => {}
        at => info.root_pointer = RootPointer::At(at),
    }

    let (modules, count) = (word64(16)?, word32(12)?);
    for entry in entries(modules, count, MODULE_BYTES, super::MAX_MODULES) {
        let base = view.word64(entry).ok_or_else(unreadable)?;
        let size = entry.checked_add(8).and_then(|at| view.word64(at)).ok_or_else(unreadable)?;
        Span::new(base, size).into_iter().for_each(|span| info.add_module(span));
    }

    let (regions, count) = (word64(40)?, word32(48)?);
    for entry in entries(regions, count, REGION_BYTES, usize::MAX) {
        let field = |offset| entry.checked_add(offset).ok_or_else(unreadable);
        let base = view.word64(entry).ok_or_else(unreadable)?;
        let size = view.word64(field(8)?).ok_or_else(unreadable)?;
        let kind = view.word32(field(16)?).ok_or_else(unreadable)?;
        info.add_region(base, size, kind)?;
    }
    Ok(info)
}

fn entries(table: u64, count: u32, bytes: u64, most: usize) -> impl Iterator<Item = u64> {
    (0..u64::from(count)).take(most).map_while(move |index| table.checked_add(index * bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physical::Simulated;
    use proptest::prelude::*;

    fn sample() -> Simulated {
        let mut bytes = vec![0_u8; 0x200];
        let mut put = |at: usize, value: u64, size: usize| {
            bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        };
        put(0, u64::from(MAGIC), 4);
        put(4, 1, 4);
        put(12, 1, 4);
        put(16, 0x1100, 8);
        put(32, 0xf_5a00, 8);
        put(40, 0x1140, 8);
        put(48, 2, 4);
        put(0x100, 0x40_0000, 8);
        put(0x108, 0x2000, 8);
        put(0x148, 0x9_fc00, 8);
        put(0x150, 1, 4);
        put(0x158, 0x10_0000, 8);
        put(0x160, 0x700_0000, 8);
        put(0x168, 2, 4);
        Simulated { base: 0x1000, bytes }
    }

    #[test]
    fn modules_regions_and_root_pointer_are_found() {
        let info = parse(&sample(), 0x1000).unwrap();
        assert_eq!(info.root_pointer, RootPointer::At(0xf_5a00));
        assert_eq!(info.modules.as_slice(), [Span::between(0x40_0000, 0x40_2000)]);
        assert_eq!(info.regions.len(), 2);
        assert!(info.regions[0].is_ram() && !info.regions[1].is_ram());
        assert_eq!(info.regions[1].span, Span::between(0x10_0000, 0x710_0000));
    }

    #[test]
    fn a_wrong_magic_is_refused() {
        assert!(parse(&sample(), 0x1004).unwrap_err().text().contains("magic"));
    }

    proptest! {
        #[test]
        fn any_damage_is_a_value_or_a_refusal(at in 0_usize..0x200, byte: u8, address: u64) {
            let mut memory = sample();
            memory.bytes[at] = byte;
            let _ = parse(&memory, 0x1000);
            let _ = parse(&memory, address);
        }
    }
}
