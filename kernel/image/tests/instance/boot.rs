//! What the root task finds, and what boot refuses.

use crate::harness::{self, IMAGE, IMAGE_PAGES, MANIFEST, Options, System, slot};
use abi::bootinfo::{ChunkId, SkerryChunk};
use abi::invocation::Invocation;
use abi::object::ObjectType;
use capability::Kind;
use image::BootError;
use machine::Register;
use manifest::mitigations;
use memory::host::Slice;

#[test]
fn the_root_task_is_the_first_to_run_and_knows_its_bootinfo() {
    let system = System::new();
    let root = system.current();
    assert_eq!(root, system.root());
    assert_eq!(root.context.next_pc(), IMAGE + 0x10);
    let info = system.bootinfo();
    assert_eq!(root.context.get(Register::Rdi), info.ipc_buffer + 4096);
    assert_eq!(info.ipc_buffer, IMAGE + IMAGE_PAGES * 4096);
    assert_eq!(info.user_image_frames.len(), IMAGE_PAGES);
    assert_eq!(info.init_thread_cnode_size_bits, 13);
    assert_eq!(info.schedcontrol.len(), 1);
    assert_eq!(info.user_image_paging.len(), 3);
}

#[test]
fn every_initial_slot_holds_what_sel4_says() {
    let system = System::new();
    for (cptr, kind) in [
        (0, Kind::Null),
        (slot::TCB, Kind::Thread),
        (slot::CNODE, Kind::CNode),
        (slot::VSPACE, Kind::Pml4),
        (slot::IRQ, Kind::IrqControl),
        (slot::ASID, Kind::AsidControl),
        (slot::POOL, Kind::AsidPool),
        (slot::PORTS, Kind::IoPortControl),
        (8, Kind::Null),
        (9, Kind::Frame),
        (slot::BUFFER, Kind::Frame),
        (slot::DOMAIN, Kind::Domain),
        (12, Kind::Null),
        (13, Kind::Null),
        (slot::SC, Kind::SchedContext),
        (15, Kind::Null),
    ] {
        assert_eq!(system.cap(cptr).kind(), kind, "slot {cptr}");
    }
    let info = system.bootinfo();
    assert!((info.empty.start..info.empty.end).all(|cptr| system.cap(cptr).is_null()));
    assert!((info.untyped.start..info.untyped.end).all(|cptr| system.cap(cptr).kind() == Kind::Untyped));
}

#[test]
fn the_root_cnode_is_as_large_as_the_handoff_says_and_never_smaller_than_usual() {
    for (said, bits) in [(0, 13), (12, 13), (15, 15)] {
        let system = System::with(Options { root_cnode_bits: said, ..Options::default() });
        let info = system.bootinfo();
        assert_eq!((info.init_thread_cnode_size_bits, info.empty.end), (bits, 1 << bits));
        let last = info.empty.end - 1;
        let words = [ObjectType::Notification as u64, 0, 0, 0, last, 1];
        system.invoke(system.untyped(), Invocation::UntypedRetype, &words, &[slot::CNODE]).ok();
        assert_eq!(system.cap(last).kind(), Kind::Notification);
    }
}

/// The contents of the extra chunks by their ids; of Skerry's own, by the word they begin with.
fn chunks(system: &System) -> std::collections::BTreeMap<u64, Vec<u8>> {
    let info = system.bootinfo();
    let mut bytes = Vec::new();
    for cptr in info.extra_bi_pages.start..info.extra_bi_pages.end {
        let page: memory::Ref<harness::Bytes> = memory::Ref::at(system.phys(cptr));
        bytes.extend((0..512).flat_map(|index| page.get(index).to_le_bytes()));
    }
    let mut chunks = std::collections::BTreeMap::new();
    let mut at = 0;
    while at < info.extra_len as usize {
        let word = |offset: usize| u64::from_le_bytes(bytes[at + offset..at + offset + 8].try_into().unwrap());
        let (id, length) = (word(0), word(8) as usize);
        // Programs for seL4 have tables with a place for each of seL4's kinds, and do not look whether there is one.
        assert!(id <= ChunkId::Fdt as u64, "chunk {id:#x} is none of seL4's");
        let (id, header) = if id == ChunkId::Padding as u64 { (word(16), 24) } else { (id, 16) };
        chunks.insert(id, bytes[at + header..at + length].to_vec());
        at += length;
    }
    assert_eq!(at, info.extra_len as usize);
    chunks
}

#[test]
fn the_extra_chunks_carry_the_manifest_and_the_instance() {
    let system = System::new();
    let chunks = chunks(&system);
    assert_eq!(&chunks[&(SkerryChunk::Manifest as u64)][..MANIFEST.len()], MANIFEST);
    // seL4's are as long as seL4's.
    assert_eq!(chunks[&(ChunkId::X86TscFreq as u64)], 1000u32.to_le_bytes());
    let root_pointer = &chunks[&(ChunkId::X86AcpiRsdp as u64)];
    assert_eq!((root_pointer.len(), &root_pointer[..8]), (36, &b"RSD PTR "[..]));
    let map = &chunks[&(ChunkId::X86MemoryMap as u64)];
    let range = system.slice.range();
    let entry =
        [&24u32.to_le_bytes()[..], &20u32.to_le_bytes(), &range.base.0.to_le_bytes(), &range.size.to_le_bytes()];
    assert_eq!(map[..28], [entry.concat(), 1u32.to_le_bytes().to_vec()].concat());
    assert!(map.len() == 4 + 50 * 24 && map[28..].iter().all(|byte| *byte == 0));
    let (files, tsc) = (system.handoff.files, [system.handoff.loader_start_tsc, u64::from(system.handoff.tsc_mhz)]);
    let words = [files.base, files.size, tsc[0], tsc[1], range.base.0, range.size];
    assert_eq!(chunks[&(SkerryChunk::Instance as u64)], words.map(u64::to_le_bytes).as_flattened());
}

#[test]
fn the_framebuffer_is_described_to_its_owner_as_sel4_does() {
    let owner = System::with(Options {
        framebuffer: [0xfd00_0000, 1280 << 32 | 5120, 1 << 40 | 32 << 32 | 800],
        ..Options::default()
    });
    let mut wanted = 0xfd00_0000_u64.to_le_bytes().to_vec();
    [5120_u32, 1280, 800].iter().for_each(|word| wanted.extend(word.to_le_bytes()));
    wanted.extend([32, 1]);
    let found = chunks(&owner);
    assert_eq!(found[&(ChunkId::X86Framebuffer as u64)], wanted);
    assert_eq!(&found[&(SkerryChunk::Manifest as u64)][..MANIFEST.len()], MANIFEST);
    assert!(!chunks(&System::new()).contains_key(&(ChunkId::X86Framebuffer as u64)), "no owner, no chunk");
}

#[test]
fn untyped_memory_is_exactly_what_nobody_uses() {
    let system = System::new();
    let info = system.bootinfo();
    let listed = &info.untyped_list[..info.untyped.len() as usize];
    let ram: Vec<_> = listed.iter().filter(|it| it.is_device == 0).collect();
    assert_eq!(ram[0].paddr, system.handoff.free_base);
    for pair in ram.windows(2) {
        assert_eq!(pair[0].paddr + (1 << pair[0].size_bits), pair[1].paddr, "no gap, no overlap");
    }
    let devices: u64 = listed.iter().filter(|it| it.is_device == 1).map(|it| 1u64 << it.size_bits).sum();
    assert_eq!(devices, harness::DEVICE_BYTES + system.handoff.files.size);
    for (index, it) in listed.iter().enumerate() {
        let cap = system.cap(info.untyped.start + index as u64);
        assert_eq!((cap.phys().0, cap.size_bits()), (it.paddr, u32::from(it.size_bits)));
        assert_eq!(cap.is_device(), it.is_device == 1);
    }
}

#[test]
fn two_instances_in_one_process_do_not_disturb_each_other() {
    let (one, two) = (System::new(), System::new());
    assert!(!one.slice.range().overlaps(two.slice.range()));
    let endpoint = one.endpoint();
    assert_eq!(one.cap(endpoint).kind(), Kind::Endpoint);
    assert!(two.cap(endpoint).is_null());
    assert!(two.slice.range().contains(memory::Range { base: two.phys(slot::TCB), size: 2048 }));
    two.audit_now();
    one.audit_now();
}

fn refused(change: impl FnOnce(&mut manifest::handoff::Handoff)) -> BootError {
    let slice = Slice::new(harness::SLICE_BYTES);
    let mut page = harness::handoff(&slice, Options::default());
    change(&mut page);
    image::start([harness::machine(&page)], Box::leak(Box::new(api::Locks::new())), &page, |_| (0, 0))
        .expect_err("a handoff like this is refused")
}

#[test]
fn a_broken_handoff_is_refused_with_its_reason() {
    assert_eq!(refused(|page| page.magic = 0), BootError::NotAHandoff);
    assert_eq!(refused(|page| page.version += 1), BootError::NotAHandoff);
    assert_eq!(refused(|page| page.memory_count = 0), BootError::Count);
    assert_eq!(refused(|page| page.route_count = 65), BootError::Count);
    assert_eq!(refused(|page| page.root_cnode_bits = 21), BootError::Count);
    assert_eq!(refused(|page| page.routes[0].vector = 0x30), BootError::Route);
    assert_eq!(refused(|page| page.routes[1].apic_id = 0xff), BootError::Route);
    assert_eq!(refused(|page| page.root_virt_base = abi::vm::USER_TOP), BootError::RootImage);
    assert_eq!(refused(|page| page.root_entry = 0), BootError::RootImage);
    assert_eq!(refused(|page| page.root_image.base = 0), BootError::Memory);
    assert_eq!(refused(|page| page.files.base = page.root_image.base), BootError::Memory);
    assert_eq!(refused(|page| page.devices[0].base = page.memory[0].base), BootError::Memory);
    assert_eq!(refused(|page| page.free_base = page.memory[0].base + page.memory[0].size), BootError::OutOfMemory);
    assert_eq!(refused(|page| page.memory[0].size = u64::MAX), BootError::Memory);
    let no_gate = |page: &mut manifest::handoff::Handoff| (page.mitigations, page.gate_table) = (mitigations::KPTI, 0);
    assert_eq!(refused(no_gate), BootError::Gate);
}
