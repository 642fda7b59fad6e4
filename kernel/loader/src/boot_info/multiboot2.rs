//! The multiboot2 information: a list of tags, each with its own size, 8-byte aligned.

use super::{BootInfo, RSDP_BYTES, RootPointer};
use crate::framebuffer::Framebuffer;
use crate::physical::{word32, word64};
use crate::refuse;
use crate::{PhysicalView, Refusal, Span};

/// The whole list may not be larger than this.
const MAX_BYTES: u32 = 1 << 20;

mod tag {
    pub const END: u32 = 0;
    pub const MODULE: u32 = 3;
    pub const MEMORY_MAP: u32 = 6;
    pub const FRAMEBUFFER: u32 = 8;
    pub const OLD_ROOT_POINTER: u32 = 14;
    pub const NEW_ROOT_POINTER: u32 = 15;
}

/// Parses the list at physical address `address`.
pub(super) fn parse(view: &impl PhysicalView, address: u64) -> Result<BootInfo, Refusal> {
    let damaged = |what| refuse!(BootInfo, "the multiboot2 information at {address:#x} {what}");
    let total = view.word32(address).ok_or_else(|| damaged("cannot be read"))?;
    if !(16..=MAX_BYTES).contains(&total) || !address.is_multiple_of(8) {
        return Err(damaged("has an impossible size or address"));
    }
    let bytes = view.view(address, u64::from(total)).ok_or_else(|| damaged("cannot be read"))?;
    let mut info = BootInfo::default();
    let mut rest = bytes.get(8..).unwrap_or(&[]);
    loop {
        let (Some(kind), Some(size)) = (word32(rest, 0), word32(rest, 4)) else {
            return Err(damaged("ends without an end tag"));
        };
        let size = size as usize;
        if kind == tag::END {
            break;
        }
        let body = rest.get(8..size).ok_or_else(|| damaged("has a tag that leaves it"))?;
        read_tag(&mut info, kind, body)?;
        let next = size.checked_next_multiple_of(8).ok_or_else(|| damaged("has a tag that leaves it"))?;
        rest = rest.get(next..).ok_or_else(|| damaged("ends without an end tag"))?;
    }
    if info.regions.is_empty() {
        return Err(damaged("has no memory map"));
    }
    Ok(info)
}

fn read_tag(info: &mut BootInfo, kind: u32, body: &[u8]) -> Result<(), Refusal> {
    match kind {
        tag::MODULE => {
            if let (Some(start), Some(end)) = (word32(body, 0), word32(body, 4)) {
                info.add_module(Span::between(u64::from(start), u64::from(end)));
            }
        }
        tag::MEMORY_MAP => {
            let entry_bytes = word32(body, 0).unwrap_or(0) as usize;
            if entry_bytes < 20 {
                return Err(refuse!(BootInfo, "the multiboot2 memory map has entries of {entry_bytes} bytes"));
            }
            for entry in body.get(8..).unwrap_or(&[]).chunks_exact(entry_bytes) {
                if let (Some(base), Some(size), Some(kind)) = (word64(entry, 0), word64(entry, 8), word32(entry, 16)) {
                    info.add_region(base, size, kind)?;
                }
            }
        }
        tag::FRAMEBUFFER => info.framebuffer = Framebuffer::read(body),
        // The newer one wins whatever the order.
        tag::OLD_ROOT_POINTER if info.root_pointer != RootPointer::Unknown => {}
        tag::OLD_ROOT_POINTER | tag::NEW_ROOT_POINTER => {
            let mut copy = [0; RSDP_BYTES];
            copy.iter_mut().zip(body).for_each(|(to, from)| *to = *from);
            info.root_pointer = RootPointer::Copy(copy);
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physical::Simulated;
    use proptest::prelude::*;

    fn push_tag(bytes: &mut Vec<u8>, kind: u32, body: &[u8]) {
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&(body.len() as u32 + 8).to_le_bytes());
        bytes.extend_from_slice(body);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }

    fn sample() -> Simulated {
        let mut bytes = vec![0; 8];
        push_tag(&mut bytes, tag::OLD_ROOT_POINTER, &[1; 20]);
        let mut module = Vec::new();
        module.extend_from_slice(&0x20_0000_u32.to_le_bytes());
        module.extend_from_slice(&0x20_1800_u32.to_le_bytes());
        module.extend_from_slice(b"archive\0");
        push_tag(&mut bytes, tag::MODULE, &module);
        let mut map = Vec::new();
        map.extend_from_slice(&24_u32.to_le_bytes());
        map.extend_from_slice(&0_u32.to_le_bytes());
        for (base, size, kind) in [(0_u64, 0x9_fc00_u64, 1_u64), (0x10_0000, 0x7f0_0000, 1), (0xfffc_0000, 0x4_0000, 2)]
        {
            [base, size, kind].into_iter().for_each(|word| map.extend_from_slice(&word.to_le_bytes()));
        }
        push_tag(&mut bytes, tag::MEMORY_MAP, &map);
        push_tag(&mut bytes, tag::NEW_ROOT_POINTER, &[2; 36]);
        push_tag(&mut bytes, tag::FRAMEBUFFER, &crate::framebuffer::tag(0xfd00_0000, 4096, 768));
        push_tag(&mut bytes, tag::END, &[]);
        let total = bytes.len() as u32;
        bytes[..4].copy_from_slice(&total.to_le_bytes());
        Simulated { base: 0x9000, bytes }
    }

    #[test]
    fn modules_regions_framebuffer_and_the_newer_root_pointer_are_found() {
        let info = parse(&sample(), 0x9000).unwrap();
        assert_eq!(info.modules.as_slice(), [Span::between(0x20_0000, 0x20_1800)]);
        assert_eq!(info.regions.len(), 3);
        assert_eq!(info.root_pointer, RootPointer::Copy([2; RSDP_BYTES]));
        let pages = info.framebuffer.unwrap().pages().unwrap();
        assert_eq!(pages, Span::between(0xfd00_0000, 0xfd30_0000));
    }

    #[test]
    fn a_list_without_an_end_is_refused() {
        let mut memory = sample();
        let end = memory.bytes.len() - 8;
        memory.bytes[end] = 1;
        assert!(parse(&memory, 0x9000).is_err());
    }

    proptest! {
        #[test]
        fn any_damage_is_a_value_or_a_refusal(at in 0_usize..0x140, byte: u8, address in 0x8ff0_u64..0xa000) {
            let mut memory = sample();
            if let Some(place) = memory.bytes.get_mut(at) {
                *place = byte;
            }
            let _ = parse(&memory, 0x9000);
            let _ = parse(&memory, address);
        }
    }
}
