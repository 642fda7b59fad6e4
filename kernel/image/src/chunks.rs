//! The extra bootinfo chunks behind the bootinfo page: seL4's, and Skerry's manifest and instance chunks.

use crate::bootinfo::Page;
use abi::bootinfo::{ChunkId, Header, Instance};
use core::cell::Cell;
use manifest::handoff::Handoff;
use memory::{Object, Phys, Ref};

/// Bytes of an ACPI 2.0 root pointer.
const RSDP_BYTES: u64 = 36;

#[repr(C, align(8))]
struct Word(Cell<u64>);
memory::object!(Word);

#[repr(C)]
struct Byte(Cell<u8>);
memory::object!(Byte);

/// Writes chunks one behind the other into memory at `base`; with no memory, only counts.
struct Writer {
    base: Option<Phys>,
    length: u64,
}

impl Writer {
    fn put<T: Object>(&mut self, bytes: u64, write: impl FnOnce(Ref<T>)) {
        if let Some(base) = self.base {
            write(Ref::at(base.offset(self.length)));
        }
        self.length += bytes;
    }

    fn word(&mut self, value: u64) {
        self.put(8, |word: Ref<Word>| word.0.set(value));
    }

    fn header(&mut self, id: ChunkId, payload: u64) {
        self.word(id as u64);
        self.word(size_of::<Header>() as u64 + payload);
    }

    fn byte(&mut self, value: u8) {
        self.put(1, |byte: Ref<Byte>| byte.0.set(value));
    }
}

/// Bytes of all chunks.
pub(crate) fn total_bytes(handoff: &Handoff) -> u64 {
    let mut writer = Writer { base: None, length: 0 };
    write_all(&mut writer, handoff);
    writer.length
}

/// Writes all chunks into the zeroed pages at `base`.
pub(crate) fn write(base: Phys, handoff: &Handoff) {
    write_all(&mut Writer { base: Some(base), length: 0 }, handoff);
}

fn write_all(writer: &mut Writer, handoff: &Handoff) {
    // The frequency is a 32-bit number; chunks are padded to words so that the next header is aligned.
    writer.header(ChunkId::X86TscFreq, 8);
    writer.word(u64::from(handoff.tsc_mhz));
    if handoff.rsdp != 0 {
        let padded = RSDP_BYTES.next_multiple_of(8);
        writer.header(ChunkId::X86AcpiRsdp, padded);
        for index in 0..padded {
            writer.byte(handoff.rsdp_bytes.get(index as usize).copied().unwrap_or(0));
        }
    }
    let slice = handoff.memory[0];
    writer.header(ChunkId::SkerryInstance, Instance::BYTES as u64);
    for word in [
        handoff.files.base,
        handoff.files.size,
        handoff.loader_start_tsc,
        u64::from(handoff.tsc_mhz),
        slice.base,
        slice.size,
    ] {
        writer.word(word);
    }
    let manifest = handoff.manifest;
    let padded = manifest.size.next_multiple_of(8);
    writer.header(ChunkId::SkerryManifest, padded);
    for index in 0..padded / 8 {
        let source: Ref<Word> = Ref::at(Phys(manifest.base + index * 8));
        writer.word(source.0.get());
    }
}

/// The page after the bootinfo page, so that the two modules agree on what a page is.
pub(crate) const PAGE_BYTES: u64 = size_of::<Page>() as u64;
