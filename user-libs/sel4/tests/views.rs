//! The views over what the kernel writes: bootinfo pages and fault messages, well-formed and not.

use abi::bootinfo::{BootInfo as Page, ChunkId, Instance, SkerryChunk, SlotRegion, UntypedDesc};
use abi::fault::{TIMEOUT_REPLY_REGISTERS, UNKNOWN_SYSCALL_REGISTERS, USER_EXCEPTION_REGISTERS};
use abi::register::UserRegister;
use sel4::bootinfo::Framebuffer;
use sel4::fault::{Fault, unknown_syscall, user_exception};
use sel4::{BootInfo, Message, MessageInfo, buffer};

fn chunk(id: u64, len: u64, contents: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &len.to_le_bytes(), contents].concat()
}

/// One of Skerry's.
fn own(what: SkerryChunk, contents: &[u8]) -> Vec<u8> {
    chunk(ChunkId::Padding.word(), 24 + contents.len() as u64, &[&what.word().to_le_bytes(), contents].concat())
}

#[test]
fn chunks_are_found_by_kind() {
    let words = [1, 2, 3, 3000, 5, 6].map(u64::to_le_bytes);
    let instance =
        Instance { files_base: 1, files_size: 2, loader_start_tsc: 3, tsc_mhz: 3000, slice_base: 5, slice_size: 6 };
    let extra = [
        chunk(ChunkId::X86TscFreq.word(), 20, &3000u32.to_le_bytes()),
        chunk(0, 20, b"none"),
        own(SkerryChunk::Instance, words.as_flattened()),
        own(SkerryChunk::Manifest, b"abc"),
        chunk(0, 16, b""),
    ]
    .concat();
    let view = BootInfo::from_parts(&Page::EMPTY, &extra);
    assert_eq!(view.chunks().map(|(id, contents)| (id, contents.len())).last(), Some((0, 0)));
    assert_eq!(view.tsc_mhz(), Some(3000));
    assert_eq!(view.instance(), Some(instance));
    assert_eq!(view.manifest(), Some(&b"abc"[..]));
    assert_eq!(view.chunk(ChunkId::X86Vbe), None);
    let short = own(SkerryChunk::Instance, &words.as_flattened()[..47]);
    assert_eq!(BootInfo::from_parts(&Page::EMPTY, &short).instance(), None);
}

#[test]
fn the_memory_map_has_as_many_ranges_as_it_says_and_holds() {
    let entry = |base: u64, length: u64| {
        [&20u32.to_le_bytes()[..], &base.to_le_bytes(), &length.to_le_bytes(), &1u32.to_le_bytes()].concat()
    };
    let map = |used: u32| [&used.to_le_bytes()[..], &entry(0x1000, 0x2000), &entry(0x8000, 1 << 40)].concat();
    for (used, wanted) in [(0, 0), (24, 1), (48, 2), (u32::MAX, 2)] {
        let extra = chunk(ChunkId::X86MemoryMap.word(), 16 + 52, &map(used));
        let found: Vec<_> = BootInfo::from_parts(&Page::EMPTY, &extra).memory_map().collect();
        assert_eq!(found, [(0x1000, 0x2000, 1), (0x8000, 1 << 40, 1)][..wanted], "{used} bytes");
    }
    assert_eq!(BootInfo::from_parts(&Page::EMPTY, &chunk(2, 18, &[0; 2])).memory_map().count(), 0);
}

#[test]
fn the_framebuffer_is_read_from_its_packed_chunk() {
    let mut contents = 0xfd_1234_0000_u64.to_le_bytes().to_vec();
    [5120_u32, 1280, 800].iter().for_each(|word| contents.extend(word.to_le_bytes()));
    contents.extend([32, 1]);
    // As seL4 has it, the next chunk begins at no word's boundary.
    let extra = [chunk(4, 38, &contents), chunk(ChunkId::X86TscFreq.word(), 20, &3000u32.to_le_bytes())].concat();
    let view = BootInfo::from_parts(&Page::EMPTY, &extra);
    let (address, bits_per_pixel, kind) = (0xfd_1234_0000, 32, 1);
    let wanted = Framebuffer { address, pitch: 5120, width: 1280, height: 800, bits_per_pixel, kind };
    assert_eq!((view.framebuffer(), view.tsc_mhz()), (Some(wanted), Some(3000)));
    assert_eq!(wanted.size(), 5120 * 800);
    assert_eq!(Framebuffer { pitch: u32::MAX, height: u32::MAX, ..wanted }.size(), 0xffff_fffe_0000_0001);
    assert_eq!(Framebuffer::from_bytes(&contents[..21]), None);
    contents[..8].fill(0);
    assert_eq!(Framebuffer::from_bytes(&contents), None, "there is none at address 0");
    assert_eq!(BootInfo::from_parts(&Page::EMPTY, &[]).framebuffer(), None);
}

#[test]
fn chunks_end_where_one_does_not_fit() {
    for (len, wanted) in [(0, 0), (15, 0), (16, 1), (19, 1), (20, 0), (u64::MAX, 0)] {
        let extra = chunk(9, len, b"abc");
        assert_eq!(BootInfo::from_parts(&Page::EMPTY, &extra).chunks().count(), wanted, "length {len}");
    }
    assert_eq!(BootInfo::from_parts(&Page::EMPTY, &[0; 15]).chunks().count(), 0);
}

#[test]
fn untypeds_are_at_most_those_described() {
    let mut page = Page::EMPTY;
    page.untyped = SlotRegion { start: 100, end: 102 };
    page.untyped_list[1] = UntypedDesc { paddr: 0x1000, size_bits: 12, is_device: 1, padding: [0; 6] };
    page.schedcontrol = SlotRegion { start: 16, end: 17 };
    let view = BootInfo::from_parts(&page, &[]);
    let untypeds: Vec<_> = view.untypeds().map(|(untyped, desc)| (untyped.cptr(), desc.size_bits)).collect();
    assert_eq!(untypeds, [(100, 0), (101, 12)]);
    assert_eq!(view.sched_control(0).map(|control| control.cptr()), Some(16));
    assert_eq!(view.sched_control(1), None);
    page.untyped.end = u64::MAX;
    assert_eq!(BootInfo::from_parts(&page, &[]).untypeds().count(), 230);
}

#[test]
fn faults_are_told_from_messages() {
    let message = |label, length, words| Message { info: MessageInfo::new(label, 0, 0, length), words };
    buffer::set_word(4, 50);
    for index in 5..19 {
        buffer::set_word(index, 100 + index as u64);
    }
    let decode = |label, words| Fault::from_message(&message(label, 4, words));
    assert_eq!(decode(6, [1, 2, 0, 6]), Some(Fault::Vm { ip: 1, address: 2, prefetch: 0, fsr: 6 }));
    assert_eq!(decode(3, [1, 2, 3, 13]), Some(Fault::UserException { ip: 1, sp: 2, flags: 3, number: 13, code: 50 }));
    assert_eq!(decode(2, [0; 4]), Some(Fault::UnknownSyscall { ip: 115, sp: 116, number: 118 }));
    assert_eq!(decode(5, [7, 8, 0, 0]), Some(Fault::Timeout { badge: 7, consumed_us: 8 }));
    assert!(matches!(decode(1, [1, 2, 0, 2]), Some(Fault::Cap { ip: 1, address: 2, .. })));
    assert_eq!(decode(4, [1, 2, 0, 6]), Some(Fault::Debug { ip: 1, reason: 2, address: 0, number: 6 }));
    for label in [0, 7, 1 << 40] {
        assert_eq!(decode(label, [0; 4]), None);
    }
    assert_eq!(decode(6, [1, 2, 0, 6]).unwrap().to_string(), "write of 0x2 failed at 0x1 (code 0x6)");
}

#[test]
fn fault_messages_list_their_registers_in_order() {
    assert_eq!(UNKNOWN_SYSCALL_REGISTERS[unknown_syscall::RAX], UserRegister::Rax);
    assert_eq!(UNKNOWN_SYSCALL_REGISTERS[unknown_syscall::FAULT_IP], UserRegister::Rip);
    assert_eq!(UNKNOWN_SYSCALL_REGISTERS[unknown_syscall::SP], UserRegister::Rsp);
    assert_eq!(UNKNOWN_SYSCALL_REGISTERS[unknown_syscall::FLAGS], UserRegister::Rflags);
    assert_eq!(UNKNOWN_SYSCALL_REGISTERS.len(), unknown_syscall::SYSCALL);
    assert_eq!(USER_EXCEPTION_REGISTERS.len(), user_exception::NUMBER);
    assert_eq!(TIMEOUT_REPLY_REGISTERS.map(|register| register.word()), core::array::from_fn(|n| n as u64));
}
