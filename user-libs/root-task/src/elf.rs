//! Reading a program's ELF file: bounded, without trust in any of its numbers.
//!
//! Only what a static program needs: 64-bit x86-64 executables, their PT_LOAD segments, page by page. Tests: below.

use alloc::vec::Vec;
use core::fmt;
use manifest::program::{IMAGE_LIMIT, MAX_SEGMENTS};

const PAGE: u64 = 4096;

/// Why a file cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// It does not begin like a little-endian 64-bit ELF file.
    NotElf,
    /// It is not a static executable for x86-64.
    NotExecutable,
    /// Its table of segments does not fit into the file.
    Headers,
    /// This segment lies outside the file, outside the addresses of programs, or is larger in the file than in memory.
    Segment(usize),
    /// This segment overlaps the one before it.
    Overlap(usize),
    /// It has more than [`MAX_SEGMENTS`] segments, or none.
    SegmentCount,
    /// The entry point lies in no segment.
    Entry,
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => f.write_str("not a 64-bit ELF file"),
            Self::NotExecutable => f.write_str("not a static x86-64 executable"),
            Self::Headers => f.write_str("the segment table lies outside the file"),
            Self::Segment(index) => write!(f, "segment {index} lies outside the file or outside {IMAGE_LIMIT:#x}"),
            Self::Overlap(index) => write!(f, "segment {index} overlaps another"),
            Self::SegmentCount => write!(f, "it has no segments, or more than {MAX_SEGMENTS}"),
            Self::Entry => f.write_str("the entry point lies outside the segments"),
        }
    }
}

/// A segment to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment<'a> {
    vaddr: u64,
    bytes: &'a [u8],
    memory_bytes: u64,
    access: Access,
}

/// What a page's program may do with it (x86-64 under this API has no no-execute).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Read and execute.
    Read,
    /// Read, write and execute.
    Write,
}

/// One page of the program's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImagePage {
    /// Its address.
    pub vaddr: u64,
    /// The most that any segment on it wants.
    pub access: Access,
}

/// A checked program file.
#[derive(Clone, Debug)]
pub struct Elf<'a> {
    entry: u64,
    segments: Vec<Segment<'a>>,
}

fn word<const N: usize>(bytes: &[u8], at: u64) -> Option<[u8; N]> {
    let at = usize::try_from(at).ok()?;
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: u64) -> Option<u16> {
    word(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: u64) -> Option<u32> {
    word(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: u64) -> Option<u64> {
    word(bytes, at).map(u64::from_le_bytes)
}

impl<'a> Elf<'a> {
    /// Checks `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(ElfError::NotElf);
        }
        let (kind, machine) = (u16_at(bytes, 16), u16_at(bytes, 18));
        if kind != Some(2) || machine != Some(62) {
            return Err(ElfError::NotExecutable);
        }
        let field = |at| u64_at(bytes, at).ok_or(ElfError::Headers);
        let (entry, table) = (field(24)?, field(32)?);
        let count = u16_at(bytes, 56).ok_or(ElfError::Headers)?;
        if u16_at(bytes, 54) != Some(56) {
            return Err(ElfError::Headers);
        }
        let mut segments = Vec::with_capacity(MAX_SEGMENTS);
        for index in 0..u64::from(count) {
            let at = table.checked_add(index * 56).ok_or(ElfError::Headers)?;
            if u32_at(bytes, at).ok_or(ElfError::Headers)? != 1 {
                continue;
            }
            if at.checked_add(40).and_then(|at| u64_at(bytes, at)) == Some(0) {
                continue;
            }
            if segments.len() == MAX_SEGMENTS {
                return Err(ElfError::SegmentCount);
            }
            segments.push(Self::segment(bytes, at).ok_or(ElfError::Segment(segments.len()))?);
        }
        segments.sort_unstable_by_key(|segment| segment.vaddr);
        for (index, pair) in segments.windows(2).enumerate() {
            if pair[0].vaddr + pair[0].memory_bytes > pair[1].vaddr {
                return Err(ElfError::Overlap(index + 1));
            }
        }
        if segments.is_empty() {
            return Err(ElfError::SegmentCount);
        }
        if !segments.iter().any(|segment| (segment.vaddr..segment.vaddr + segment.memory_bytes).contains(&entry)) {
            return Err(ElfError::Entry);
        }
        Ok(Self { entry, segments })
    }

    /// The segment whose header is at `at`.
    fn segment(bytes: &'a [u8], at: u64) -> Option<Segment<'a>> {
        let field = |offset| u64_at(bytes, at.checked_add(offset)?);
        let (offset, vaddr, file_bytes, memory_bytes) = (field(8)?, field(16)?, field(32)?, field(40)?);
        let end = vaddr.checked_add(memory_bytes)?;
        if file_bytes > memory_bytes || end > IMAGE_LIMIT || vaddr < PAGE {
            return None;
        }
        let start = usize::try_from(offset).ok()?;
        let bytes_in_file = bytes.get(start..start.checked_add(usize::try_from(file_bytes).ok()?)?)?;
        let access = if u32_at(bytes, at.checked_add(4)?)? & 2 == 0 { Access::Read } else { Access::Write };
        Some(Segment { vaddr, bytes: bytes_in_file, memory_bytes, access })
    }

    /// Address of the first instruction.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Every page of the image once, in ascending order.
    pub fn pages(&self) -> Vec<ImagePage> {
        let mut pages: Vec<ImagePage> = Vec::new();
        for segment in &self.segments {
            let first = segment.vaddr / PAGE;
            let last = (segment.vaddr + segment.memory_bytes - 1) / PAGE;
            for page in first..=last {
                let vaddr = page * PAGE;
                match pages.last_mut().filter(|known| known.vaddr == vaddr) {
                    Some(known) => known.access = known.access.max(segment.access),
                    None => pages.push(ImagePage { vaddr, access: segment.access }),
                }
            }
        }
        pages
    }

    /// Copies what the file says of the page at `vaddr` into `target`, which is zero so far; `false` if it says nothing.
    pub fn fill(&self, vaddr: u64, target: &mut [u8]) -> bool {
        self.parts(vaddr).fold(false, |_, (start, bytes)| {
            if let Some(place) = target.get_mut(start..start + bytes.len()) {
                place.copy_from_slice(bytes);
            }
            true
        })
    }

    /// Whether the file says anything of the page at `vaddr`.
    pub fn has_contents(&self, vaddr: u64) -> bool {
        self.parts(vaddr).next().is_some()
    }

    /// The file's bytes on the page at `vaddr`, with their offset in it.
    fn parts(&self, vaddr: u64) -> impl Iterator<Item = (usize, &'a [u8])> {
        self.segments.iter().filter_map(move |segment| {
            let start = segment.vaddr.max(vaddr);
            let end = (segment.vaddr + segment.bytes.len() as u64).min(vaddr + PAGE);
            let bytes =
                segment.bytes.get((start - segment.vaddr) as usize..end.checked_sub(segment.vaddr)? as usize)?;
            (!bytes.is_empty()).then_some(((start - vaddr) as usize, bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An ELF file with these segments: (vaddr, contents, bytes in memory, flags).
    fn file(entry: u64, segments: &[(u64, &[u8], u64, u32)]) -> Vec<u8> {
        let mut bytes = vec![0u8; 64 + 56 * segments.len()];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16] = 2;
        bytes[18] = 62;
        bytes[24..32].copy_from_slice(&entry.to_le_bytes());
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = segments.len() as u8;
        for (index, (vaddr, contents, memory, flags)) in segments.iter().enumerate() {
            let (at, offset) = (64 + 56 * index, bytes.len() as u64);
            bytes[at] = 1;
            bytes[at + 4..at + 8].copy_from_slice(&flags.to_le_bytes());
            let fields = [offset, *vaddr, *vaddr, contents.len() as u64, *memory, 4096];
            for (place, field) in bytes[at + 8..at + 56].chunks_exact_mut(8).zip(fields) {
                place.copy_from_slice(&field.to_le_bytes());
            }
            bytes.extend_from_slice(contents);
        }
        bytes
    }

    #[test]
    fn pages_are_listed_once_with_the_widest_access_and_filled_from_every_segment() {
        let bytes = file(0x40_0010, &[(0x40_0010, &[1; 0x1000], 0x1000, 5), (0x40_1800, &[2; 16], 0x2000, 6)]);
        let elf = Elf::parse(&bytes).unwrap();
        let page = |vaddr, access| ImagePage { vaddr, access };
        assert_eq!(elf.entry(), 0x40_0010);
        assert_eq!(
            elf.pages(),
            [
                page(0x40_0000, Access::Read),
                page(0x40_1000, Access::Write),
                page(0x40_2000, Access::Write),
                page(0x40_3000, Access::Write)
            ]
        );
        let mut target = [0; 4096];
        assert!(elf.fill(0x40_1000, &mut target));
        assert_eq!((&target[..16], target[16]), (&[1; 16][..], 0));
        assert_eq!((target[0x7ff], &target[0x800..0x810], target[0x810]), (0, &[2; 16][..], 0));
        assert!(!elf.has_contents(0x40_2000) && !elf.fill(0x40_2000, &mut target));
    }

    #[test]
    fn each_defect_is_named() {
        let good: (u64, &[u8], u64, u32) = (0x40_0000, &[1; 16], 16, 5);
        assert_eq!(Elf::parse(b"#!/bin/sh").err(), Some(ElfError::NotElf));
        let mut relocatable = file(0x40_0000, &[good]);
        relocatable[16] = 3;
        assert_eq!(Elf::parse(&relocatable).err(), Some(ElfError::NotExecutable));
        assert_eq!(Elf::parse(&file(0x50_0000, &[good])).err(), Some(ElfError::Entry));
        assert_eq!(Elf::parse(&file(0, &[])).err(), Some(ElfError::SegmentCount));
        assert_eq!(Elf::parse(&file(0x40_0000, &[good, good])).err(), Some(ElfError::Overlap(1)));
        assert_eq!(Elf::parse(&file(0x40_0000, &[(0x40_0000, &[1; 16], 8, 5)])).err(), Some(ElfError::Segment(0)));
        assert_eq!(Elf::parse(&file(0, &[(u64::MAX - 4, &[], 16, 5)])).err(), Some(ElfError::Segment(0)));
        assert_eq!(Elf::parse(&file(0, &[(IMAGE_LIMIT, &[], 1, 5)])).err(), Some(ElfError::Segment(0)));
        let mut cut = file(0x40_0000, &[good]);
        cut.truncate(100);
        assert_eq!(Elf::parse(&cut).err(), Some(ElfError::Segment(0)));
        cut.truncate(60);
        assert_eq!(Elf::parse(&cut).err(), Some(ElfError::Headers));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(changes in proptest::collection::vec((0usize..200, any::<u8>()), 0..12)) {
            let mut bytes = file(0x40_0000, &[(0x40_0000, &[1; 40], 100, 5), (0x40_1000, &[2; 40], 50, 6)]);
            changes.into_iter().for_each(|(at, value)| bytes[at] = value);
            if let Ok(elf) = Elf::parse(&bytes) {
                let total: u64 = elf.segments.iter().map(|segment| segment.memory_bytes).sum();
                if total < 1 << 20 {
                    let mut target = [0; 4096];
                    elf.pages().iter().for_each(|page| { elf.fill(page.vaddr, &mut target); });
                }
            }
        }
    }
}
