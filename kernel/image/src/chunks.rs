//! The extra bootinfo chunks behind the bootinfo page: seL4's, and Skerry's manifest and instance chunks.

use crate::bootinfo::Page;
use abi::bootinfo::{ChunkId, FRAMEBUFFER_BYTES, Header, Instance, SkerryChunk};
use core::{cell::Cell, iter};
use manifest::handoff::Handoff;
use memory::{Phys, Ref};

/// Entries of seL4's memory map chunk, used or not, and the bytes of one: size of the rest, base, length, kind, packed.
const MAP_ENTRIES: u64 = 50;
const MAP_ENTRY: u64 = 24;
/// Bytes of the ACPI root pointer.
const RSDP_BYTES: u64 = 36;
/// Kind of a range in the memory map: RAM.
const RAM: u64 = 1;

/// A word at any address: seL4's chunks are not whole words, and the next header follows without padding.
#[repr(transparent)]
struct Word(Cell<[u8; 8]>);
memory::object!(Word);

/// Writes chunks one behind the other into memory at `base`; with no memory, only counts.
struct Writer {
    base: Option<Phys>,
    length: u64,
}

impl Writer {
    /// A chunk with so many bytes behind its header; the rest of its last word is the next chunk's.
    fn chunk(&mut self, id: ChunkId, bytes: u64, words: impl IntoIterator<Item = u64>) {
        let header = [id as u64, size_of::<Header>() as u64 + bytes];
        for (index, word) in (0..).zip(header.into_iter().chain(words)) {
            if let Some(base) = self.base {
                Ref::<Word>::at(base.offset(self.length + index * 8)).0.set(word.to_le_bytes());
            }
        }
        self.length += header[1];
    }

    /// One of Skerry's, in what is padding to others.
    fn own(&mut self, what: SkerryChunk, bytes: u64, words: impl IntoIterator<Item = u64>) {
        self.chunk(ChunkId::Padding, 8 + bytes, iter::once(what as u64).chain(words));
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

/// seL4's chunks are as long as seL4's to the byte; the last one, the manifest's, ends with a whole word.
fn write_all(writer: &mut Writer, handoff: &Handoff) {
    let (files, slice) = (handoff.files, handoff.memory[0]);
    let words = [files.base, files.size, handoff.loader_start_tsc, u64::from(handoff.tsc_mhz), slice.base, slice.size];
    writer.own(SkerryChunk::Instance, Instance::BYTES as u64, words);
    // The instance's memory, not the machine's. 32 bits come first, so a word ends one entry and begins the next.
    let ranges = handoff.memory.iter().filter(|range| range.size != 0);
    let ends = iter::once(ranges.clone().count() as u64 * MAP_ENTRY).chain(iter::repeat(RAM));
    let words = ranges.zip(ends).flat_map(|(range, end)| [end | (MAP_ENTRY - 4) << 32, range.base, range.size]);
    writer.chunk(ChunkId::X86MemoryMap, 4 + MAP_ENTRIES * MAP_ENTRY, words.chain([RAM]));
    writer.chunk(ChunkId::X86TscFreq, 4, [u64::from(handoff.tsc_mhz)]);
    if handoff.rsdp != 0 {
        let words = handoff.rsdp_bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        writer.chunk(ChunkId::X86AcpiRsdp, RSDP_BYTES, words);
    }
    if handoff.framebuffer[0] != 0 {
        writer.chunk(ChunkId::X86Framebuffer, FRAMEBUFFER_BYTES, handoff.framebuffer);
    }
    let count = handoff.manifest.size.div_ceil(8);
    let word = |index| Ref::<Word>::at(Phys(handoff.manifest.base + index * 8)).0.get();
    writer.own(SkerryChunk::Manifest, count * 8, (0..count).map(|index| u64::from_le_bytes(word(index))));
}

/// The page after the bootinfo page, so that the two modules agree on what a page is.
pub(crate) const PAGE_BYTES: u64 = size_of::<Page>() as u64;
