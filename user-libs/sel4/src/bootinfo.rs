//! What the kernel tells a root task at its start: a view over the bootinfo page and the chunks behind it.
//!
//! The kernel is trusted, yet counts and lengths are clamped, so that no value in these pages can make the view read
//! outside them.

use crate::cap::{SchedControl, Untyped};
use abi::bootinfo::{
    BootInfo as Layout, ChunkId, FRAME_BYTES, FRAMEBUFFER_BYTES, Header, Instance, MAX_UNTYPEDS, SkerryChunk,
    SlotRegion, UntypedDesc,
};

/// The bootinfo page and its extra chunks.
#[derive(Clone, Copy, Debug)]
pub struct BootInfo<'a> {
    page: &'a Layout,
    extra: &'a [u8],
}

impl<'a> BootInfo<'a> {
    /// The view over the page at `page`, which is what `rdi` held at the root task's entry.
    ///
    /// # Safety
    /// `page` points to the bootinfo page the kernel mapped, its extra pages mapped behind it, all unchanged for `'a`.
    pub unsafe fn from_ptr(page: *const Layout) -> BootInfo<'a> {
        // SAFETY: mapped and unchanged by the caller's promise; a page is aligned for the layout.
        let layout = unsafe { &*page };
        // SAFETY: the kernel maps `extra_len` bytes from the next page on.
        let extra =
            unsafe { core::slice::from_raw_parts(page.cast::<u8>().add(FRAME_BYTES), layout.extra_len as usize) };
        BootInfo { page: layout, extra }
    }

    /// The view over these parts.
    pub const fn from_parts(page: &'a Layout, extra: &'a [u8]) -> Self {
        Self { page, extra }
    }

    /// The page as it is.
    pub const fn page(&self) -> &'a Layout {
        self.page
    }

    /// Empty slots of the root task's CNode.
    pub const fn empty(&self) -> SlotRegion {
        self.page.empty
    }

    /// The untyped capabilities and what they cover.
    pub fn untypeds(&self) -> impl Iterator<Item = (Untyped, UntypedDesc)> + 'a {
        let page = self.page;
        let count = usize::try_from(page.untyped.len()).unwrap_or(MAX_UNTYPEDS).min(MAX_UNTYPEDS);
        (page.untyped.start..).zip(&page.untyped_list[..count]).map(|(slot, desc)| (Untyped::new(slot), *desc))
    }

    /// The scheduling control of a core of this instance.
    pub fn sched_control(&self, core: u64) -> Option<SchedControl> {
        let region = self.page.schedcontrol;
        (core < region.len()).then(|| SchedControl::new(region.start + core))
    }

    /// The extra chunks: id and contents.
    pub const fn chunks(&self) -> Chunks<'a> {
        Chunks { rest: self.extra }
    }

    /// The contents of the first chunk of this kind.
    pub fn chunk(&self, id: ChunkId) -> Option<&'a [u8]> {
        self.chunks().find(|(found, _)| *found == id.word()).map(|(_, contents)| contents)
    }

    /// What Skerry says beyond seL4, in a chunk that is padding to others.
    fn own(&self, what: SkerryChunk) -> Option<&'a [u8]> {
        let mut padding = self.chunks().filter(|(id, _)| *id == ChunkId::Padding.word());
        padding.find_map(|(_, contents)| contents.strip_prefix(&what.word().to_le_bytes()))
    }

    /// Skerry: the partition manifest's bytes.
    pub fn manifest(&self) -> Option<&'a [u8]> {
        self.own(SkerryChunk::Manifest)
    }

    /// Skerry: where this instance's files and memory are, and when the loader began.
    pub fn instance(&self) -> Option<Instance> {
        let words: &[[u8; 8]; Instance::BYTES / 8] = self.own(SkerryChunk::Instance)?.as_chunks().0.first_chunk()?;
        let [files_base, files_size, loader_start_tsc, tsc_mhz, slice_base, slice_size] = words.map(u64::from_le_bytes);
        Some(Instance { files_base, files_size, loader_start_tsc, tsc_mhz, slice_base, slice_size })
    }

    /// The memory map, as boot loaders give it: base, length in bytes and kind of each range; kind 1 is RAM. Skerry names
    /// the RAM of the instance, not of the machine.
    pub fn memory_map(&self) -> impl Iterator<Item = (u64, u64, u32)> + 'a {
        let bytes = self.chunk(ChunkId::X86MemoryMap).unwrap_or_default();
        let (used, entries) = bytes.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let entries = entries.as_chunks::<24>().0.iter().take(u32::from_le_bytes(*used) as usize / 24);
        entries.map(|entry| {
            let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|index| entry[at + index]));
            (word(4), word(12), (word(16) >> 32) as u32)
        })
    }

    /// The framebuffer that the boot loader set up, if this partition owns it and there is one.
    pub fn framebuffer(&self) -> Option<Framebuffer> {
        Framebuffer::from_bytes(self.chunk(ChunkId::X86Framebuffer)?)
    }

    /// TSC ticks per microsecond.
    pub fn tsc_mhz(&self) -> Option<u32> {
        Some(u32::from_le_bytes(self.chunk(ChunkId::X86TscFreq)?.get(..4)?.try_into().ok()?))
    }
}

/// A linear framebuffer: `height` lines of `width` pixels, each line `pitch` bytes behind the one above it.
///
/// Device untypeds of the root task cover it, in whole pages from `address` on. Which bits of a pixel are which colour is not
/// said: where a PC's firmware chose 32 bits and direct colour, the bytes are blue, green, red and one without meaning.
///
/// Source: seL4 16.0.0, `SEL4_BOOTINFO_HEADER_X86_FRAMEBUFFER`, which is multiboot2's tag 8 up to its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framebuffer {
    /// Physical address of the first line; never 0.
    pub address: u64,
    /// Bytes from the start of one line to that of the next.
    pub pitch: u32,
    /// Pixels of a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bits of a pixel.
    pub bits_per_pixel: u8,
    /// 0: pixels are indices of a palette. 1: they are colours. Others Skerry does not give; seL4 has 2 for a text screen.
    pub kind: u8,
}

impl Framebuffer {
    /// Reads the contents of a chunk; `None` if they are too few, or the address is 0.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FRAMEBUFFER_BYTES as usize] = bytes.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes(core::array::from_fn(|index| bytes[at + index]));
        let address = u64::from(word(4)) << 32 | u64::from(word(0));
        let (pitch, width, height) = (word(8), word(12), word(16));
        let [.., bits_per_pixel, kind] = *bytes;
        (address != 0).then_some(Self { address, pitch, width, height, bits_per_pixel, kind })
    }

    /// Bytes of all lines.
    pub const fn size(&self) -> u64 {
        self.pitch as u64 * self.height as u64
    }
}

/// Iterator over the extra chunks. Ends at the first chunk that does not fit into what is left.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        const HEADER: usize = size_of::<Header>();
        let word = |at: usize| Some(u64::from_le_bytes(self.rest.get(at..at + 8)?.try_into().ok()?));
        let (id, len) = (word(0)?, usize::try_from(word(8)?).ok()?);
        let contents = self.rest.get(HEADER..len)?;
        self.rest = &self.rest[len..];
        Some((id, contents))
    }
}
