//! The extra bootinfo chunks behind the bootinfo page: seL4's, and Skerry's manifest and instance chunks.

use crate::bootinfo::Page;
use abi::bootinfo::{ChunkId, FRAMEBUFFER_BYTES, Header, Instance};
use core::cell::Cell;
use manifest::handoff::Handoff;
use memory::{Phys, Ref};

/// Entries of seL4's memory map chunk, used or not, and the bytes of one: size of the rest, base, length, kind, packed.
const MAP_ENTRIES: u64 = 50;
const MAP_ENTRY: u64 = 24;
/// Kind of a range in the memory map: RAM.
const RAM: u64 = 1;

#[repr(C, align(8))]
struct Word(Cell<u64>);
memory::object!(Word);

/// Writes chunks one behind the other into memory at `base`; with no memory, only counts.
struct Writer {
    base: Option<Phys>,
    length: u64,
}

impl Writer {
    fn words(&mut self, values: impl IntoIterator<Item = u64>) {
        for value in values {
            if let Some(base) = self.base {
                Ref::<Word>::at(base.offset(self.length)).0.set(value);
            }
            self.length += 8;
        }
    }

    /// The header of a chunk with so many bytes behind it. All but the last are whole words, so that headers are aligned.
    fn header(&mut self, id: ChunkId, bytes: u64) {
        self.words([id as u64, size_of::<Header>() as u64 + bytes]);
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
    writer.header(ChunkId::X86TscFreq, 8);
    writer.words([u64::from(handoff.tsc_mhz)]);
    if handoff.rsdp != 0 {
        writer.header(ChunkId::X86AcpiRsdp, handoff.rsdp_bytes.len() as u64);
        writer.words(handoff.rsdp_bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)));
    }
    // The instance's memory, not the machine's. 32 bits come first, so a word ends one entry and begins the next.
    let ranges = handoff.memory.iter().filter(|range| range.size != 0);
    let words = (4 + MAP_ENTRIES * MAP_ENTRY).div_ceil(8);
    let end = writer.length + (2 + words) * 8;
    writer.header(ChunkId::X86MemoryMap, words * 8);
    let mut first = ranges.clone().count() as u64 * MAP_ENTRY;
    for range in ranges {
        writer.words([first | (MAP_ENTRY - 4) << 32, range.base, range.size]);
        first = RAM;
    }
    writer.words([first]);
    writer.length = end;
    let slice = handoff.memory[0];
    writer.header(ChunkId::SkerryInstance, Instance::BYTES as u64);
    writer.words([handoff.files.base, handoff.files.size, handoff.loader_start_tsc]);
    writer.words([u64::from(handoff.tsc_mhz), slice.base, slice.size]);
    let words = handoff.manifest.size.div_ceil(8);
    writer.header(ChunkId::SkerryManifest, words * 8);
    writer.words((0..words).map(|index| Ref::<Word>::at(Phys(handoff.manifest.base + index * 8)).0.get()));
    // As long as seL4's to the byte, since programs may insist: it comes last, and what pads its last word is nobody's.
    if handoff.framebuffer[0] != 0 {
        writer.header(ChunkId::X86Framebuffer, FRAMEBUFFER_BYTES);
        writer.words(handoff.framebuffer);
        writer.length -= size_of_val(&handoff.framebuffer) as u64 - FRAMEBUFFER_BYTES;
    }
}

/// The page after the bootinfo page, so that the two modules agree on what a page is.
pub(crate) const PAGE_BYTES: u64 = size_of::<Page>() as u64;
