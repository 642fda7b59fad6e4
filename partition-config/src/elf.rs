//! Program images: what a static ELF64 x86-64 executable must look like, and how much of it is worth carrying.
//!
//! Tests: below, and `tests/refusals.rs`.

use crate::code::Code;
use crate::plan::Content;
use crate::size::PAGE;
use manifest::program::{IMAGE_LIMIT, MAX_SEGMENTS};
use object::elf::{EM_X86_64, ET_EXEC, FileHeader64, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, LittleEndian};

/// First address a program may use.
pub const USER_FIRST: u64 = 0x1000;
/// First address behind what a root task may use: the last page of the lower half stays free.
pub const USER_END: u64 = 0x7fff_ffff_f000;
/// Largest span of an image, from its lowest to its highest address.
const MAX_SPAN: u64 = 1 << 30;

/// Whose image it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The kernel: linked into the upper half.
    Kernel,
    /// A root task: loaded as one contiguous block.
    RootTask,
    /// A program: its segments are mapped page by page, each with its own rights.
    Program,
}

impl Kind {
    /// First address of its segments, and the first behind them.
    pub fn place(self) -> (u64, u64) {
        match self {
            Self::Kernel => (manifest::handoff::KERNEL_VIRT_BASE, manifest::handoff::HANDOFF_VIRT),
            Self::RootTask => (USER_FIRST, USER_END),
            Self::Program => (USER_FIRST, IMAGE_LIMIT),
        }
    }
}

/// A checked image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The ELF without sections and symbols.
    pub content: Content,
    /// Bytes from the lowest to the highest address, in whole pages.
    pub span_bytes: u64,
    /// Bytes of all segments, in whole pages.
    pub loaded_bytes: u64,
}

/// Why an image is refused.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Stable code.
    pub code: Code,
    /// What is wrong with the image; continues "the image …".
    pub message: String,
}

struct Segment {
    start: u64,
    end: u64,
    executable: bool,
}

fn format_problem(message: impl Into<String>) -> Problem {
    Problem { code: Code::ImageFormat, message: message.into() }
}

/// Checks `bytes` as an image of that kind.
pub fn examine(bytes: &[u8], kind: Kind) -> Result<Image, Problem> {
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(|_| format_problem("is not an ELF64 file"))?;
    let endian = header.endian().map_err(|_| format_problem("has an unknown byte order"))?;
    if endian != Endianness::Little || header.e_machine(endian) != EM_X86_64 {
        return Err(format_problem("is not for x86-64"));
    }
    if header.e_type(endian) != ET_EXEC {
        return Err(format_problem("is not a static executable (its ELF type is not EXEC)"));
    }
    let headers = header.program_headers(endian, bytes).map_err(|_| format_problem("has damaged program headers"))?;
    if headers.iter().any(|header| [PT_INTERP, PT_DYNAMIC].contains(&header.p_type(endian))) {
        return Err(format_problem("is dynamically linked"));
    }
    let mut segments = segments(headers, endian, bytes)?;
    segments.sort_by_key(|segment| segment.start);
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Err(format_problem("has nothing to load"));
    };
    if segments.len() > MAX_SEGMENTS {
        return Err(format_problem(format!("has {} segments, more than {MAX_SEGMENTS}", segments.len())));
    }
    check_places(&segments, kind)?;
    let entry = header.e_entry(endian);
    if !segments.iter().any(|segment| segment.executable && (segment.start..segment.end).contains(&entry)) {
        return Err(format_problem(format!("has its entry point {entry:#x} outside its executable segments")));
    }
    let span_bytes = page_up(last.end).saturating_sub(page_down(first.start));
    if span_bytes > MAX_SPAN {
        return Err(format_problem(format!("spans {} MiB, more than 1024", span_bytes >> 20)));
    }
    let loaded_bytes = segments.iter().map(|segment| page_up(segment.end) - page_down(segment.start)).sum();
    Ok(Image { content: strip(header, headers, endian, bytes).into(), span_bytes, loaded_bytes })
}

fn segments(
    headers: &[ProgramHeader64<Endianness>],
    endian: Endianness,
    bytes: &[u8],
) -> Result<Vec<Segment>, Problem> {
    let mut segments = Vec::new();
    for header in headers.iter().filter(|header| header.p_type(endian) == PT_LOAD && header.p_memsz(endian) > 0) {
        let start = header.p_vaddr(endian);
        if header.p_filesz(endian) > header.p_memsz(endian) || header.data(endian, bytes).is_err() {
            return Err(format_problem(format!("is cut short: its segment at {start:#x} is not all there")));
        }
        // A segment that wraps around is outside the user half: say so there.
        let end = start.saturating_add(header.p_memsz(endian));
        segments.push(Segment { start, end, executable: header.p_flags(endian) & PF_X != 0 });
    }
    Ok(segments)
}

/// `segments` are sorted by their start.
fn check_places(segments: &[Segment], kind: Kind) -> Result<(), Problem> {
    let (lowest, highest) = kind.place();
    if let Some(segment) = segments.iter().find(|segment| segment.start < lowest || segment.end > highest) {
        let (start, end) = (segment.start, segment.end);
        let message = format!("has a segment at {start:#x}..{end:#x}, outside {lowest:#x}..{highest:#x}");
        return Err(Problem { code: Code::ImageOutside, message });
    }
    for pair in segments.windows(2) {
        let [a, b] = pair else { continue };
        let overlap = match kind {
            Kind::Kernel | Kind::Program => page_up(a.end) > page_down(b.start),
            Kind::RootTask => a.end > b.start,
        };
        if overlap {
            let how = if a.end > b.start { "overlap" } else { "share a page" };
            let message =
                format!("has segments that {how}: {:#x}..{:#x} and {:#x}..{:#x}", a.start, a.end, b.start, b.end);
            return Err(Problem { code: Code::ImageOverlap, message });
        }
    }
    Ok(())
}

fn page_down(address: u64) -> u64 {
    address & !(PAGE - 1)
}

fn page_up(address: u64) -> u64 {
    page_down(address.saturating_add(PAGE - 1))
}

/// Cuts off everything behind the last byte that a program header names, and forgets the section table.
fn strip(
    header: &FileHeader64<Endianness>,
    headers: &[ProgramHeader64<Endianness>],
    endian: Endianness,
    bytes: &[u8],
) -> Vec<u8> {
    let table_end = header.e_phoff(endian).saturating_add(size_of_val(headers) as u64);
    let ends = headers.iter().map(|header| header.p_offset(endian).saturating_add(header.p_filesz(endian)));
    let end = ends.chain([table_end, size_of::<FileHeader64<Endianness>>() as u64]).max().unwrap_or(0);
    let mut kept = bytes.get(..end as usize).unwrap_or(bytes).to_vec();
    // e_shoff; then e_shentsize, e_shnum and e_shstrndx.
    for range in [0x28..0x30, 0x3a..0x40] {
        if let Some(field) = kept.get_mut(range) {
            field.fill(0);
        }
    }
    kept
}

/// A minimal executable with one read-execute segment of `memory_bytes` at `address`: for tests, and for tools that
/// check a file without built programs.
pub fn tiny(address: u64, memory_bytes: u64) -> Vec<u8> {
    let endian = LittleEndian;
    let mut bytes = Vec::new();
    let header = FileHeader64::<LittleEndian> {
        e_ident: object::elf::Ident {
            magic: object::elf::ELFMAG,
            class: object::elf::ELFCLASS64,
            data: object::elf::ELFDATA2LSB,
            version: object::elf::EV_CURRENT,
            os_abi: 0,
            abi_version: 0,
            padding: [0; 7],
        },
        e_type: object::U16::new(endian, ET_EXEC),
        e_machine: object::U16::new(endian, EM_X86_64),
        e_version: object::U32::new(endian, u32::from(object::elf::EV_CURRENT)),
        e_entry: object::U64::new(endian, address),
        e_phoff: object::U64::new(endian, 64),
        e_shoff: object::U64::new(endian, 0),
        e_flags: object::U32::new(endian, 0),
        e_ehsize: object::U16::new(endian, 64),
        e_phentsize: object::U16::new(endian, 56),
        e_phnum: object::U16::new(endian, 1),
        e_shentsize: object::U16::new(endian, 0),
        e_shnum: object::U16::new(endian, 0),
        e_shstrndx: object::U16::new(endian, 0),
    };
    let segment = ProgramHeader64::<LittleEndian> {
        p_type: object::U32::new(endian, PT_LOAD),
        p_flags: object::U32::new(endian, PF_X | object::elf::PF_R),
        p_offset: object::U64::new(endian, 0),
        p_vaddr: object::U64::new(endian, address),
        p_paddr: object::U64::new(endian, address),
        p_filesz: object::U64::new(endian, 120.min(memory_bytes)),
        p_memsz: object::U64::new(endian, memory_bytes),
        p_align: object::U64::new(endian, PAGE),
    };
    bytes.extend_from_slice(object::bytes_of(&header));
    bytes.extend_from_slice(object::bytes_of(&segment));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tiny_program_is_accepted_and_stripped_of_what_follows() {
        let mut bytes = tiny(0x40_0000, 0x3001);
        bytes.extend_from_slice(&[0xaa; 5000]);
        let image = examine(&bytes, Kind::Program).unwrap();
        assert_eq!((image.span_bytes, image.loaded_bytes, image.content.len()), (0x4000, 0x4000, 120));
        assert!(examine(&image.content, Kind::Program).is_ok());
    }

    #[test]
    fn a_segment_that_wraps_is_outside() {
        let problem = examine(&tiny(0x40_0000, u64::MAX), Kind::Program).unwrap_err();
        assert_eq!(problem.code, Code::ImageOutside);
    }

    proptest! {
        #[test]
        fn a_damaged_image_never_panics(position in 0_usize..120, value: u8, cut in 0_usize..=120) {
            let mut bytes = tiny(0x40_0000, 0x3000);
            bytes[position] = value;
            bytes.truncate(cut);
            for kind in [Kind::Kernel, Kind::RootTask, Kind::Program] {
                let _ = examine(&bytes, kind);
            }
        }
    }
}
