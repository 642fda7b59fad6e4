//! The bootable image: the loader's ELF with the archive as one more segment.
//!
//! The new file holds a header, the program headers, the loader's segments and the archive; sections and symbols stay
//! behind. Two things are kept from `docs/boot.md`: the `.archive_header` record says where the archive is, and program
//! headers and multiboot2 header lie in the first 32 KiB, 8-aligned, where GRUB looks. Tests: below, on synthetic ELFs.

use anyhow::{Context, Result, bail, ensure};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::write::elf::{FileHeader as NewFileHeader, ProgramHeader as NewProgramHeader, Writer};
use object::{Endianness, Object, ObjectSection};

/// First word of the record that tells the loader where its archive is.
pub const ARCHIVE_MAGIC: [u8; 8] = *b"SKERRYAR";
/// Section of the record.
pub const ARCHIVE_SECTION: &str = ".archive_header";
/// GRUB looks for its header and the program headers within this many bytes.
pub const BOOT_WINDOW: usize = 32 * 1024;
const MULTIBOOT2_MAGIC: u32 = 0xe852_50d6;
const PAGE: u64 = 4096;

/// A loader ELF plus `archive`, to be found by the loader at physical address `base`.
///
/// # Errors
/// When `loader` is not an x86-64 ELF with a PVH note and an `.archive_header` record, or when a segment is in the way
/// of the archive.
pub fn append_archive(loader: &[u8], archive: &[u8], base: u64) -> Result<Vec<u8>> {
    ensure!(base.is_multiple_of(PAGE), "the archive's address {base:#x} is not page-aligned");
    let source = Loader::read(loader)?;
    let size = archive.len() as u64;
    for segment in source.segments.iter().filter(|segment| segment.kind == elf::PT_LOAD) {
        let clear = segment.phys + segment.memory_bytes <= base || base + size <= segment.phys;
        ensure!(clear, "the archive at {base:#x} would overlap the loader at {:#x}", segment.phys);
    }

    let mut out = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut out);
    writer.reserve_file_header();
    writer.reserve_program_headers(u32::try_from(source.segments.len() + 1)?);
    let mut offsets: Vec<usize> = Vec::new();
    for segment in &source.segments {
        // A note's bytes usually lie inside a loadable segment; point there instead of storing them twice.
        let inside = source.segments.iter().zip(&offsets).find(|(outer, _)| outer.holds(segment));
        offsets.push(match inside {
            Some((outer, offset)) => offset + usize::try_from(segment.file_offset - outer.file_offset)?,
            None if segment.kind == elf::PT_LOAD => writer.reserve(segment.data.len(), PAGE as usize),
            None => writer.reserve(segment.data.len(), 8),
        });
    }
    let archive_offset = writer.reserve(archive.len(), PAGE as usize);

    writer.write_file_header(&NewFileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::EM_X86_64,
        e_entry: source.entry,
        e_flags: 0,
    })?;
    writer.write_align_program_headers();
    for (segment, &offset) in source.segments.iter().zip(&offsets) {
        writer.write_program_header(&NewProgramHeader {
            p_type: segment.kind,
            p_flags: segment.flags,
            p_offset: offset as u64,
            p_vaddr: segment.virt,
            p_paddr: segment.phys,
            p_filesz: segment.data.len() as u64,
            p_memsz: segment.memory_bytes,
            p_align: if segment.kind == elf::PT_LOAD { PAGE } else { segment.align },
        });
    }
    writer.write_program_header(&NewProgramHeader {
        p_type: elf::PT_LOAD,
        p_flags: elf::PF_R,
        p_offset: archive_offset as u64,
        p_vaddr: base,
        p_paddr: base,
        p_filesz: size,
        p_memsz: size,
        p_align: PAGE,
    });
    for (segment, &offset) in source.segments.iter().zip(&offsets) {
        if writer.len() <= offset {
            writer.pad_until(offset);
            writer.write(segment.data);
        }
    }
    writer.pad_until(archive_offset);
    writer.write(archive);

    let record = source.record_position(&offsets).context("no segment holds the archive record")?;
    let record = out.get_mut(record..record + 24).context("the archive record is cut off")?;
    ensure!(record.starts_with(&ARCHIVE_MAGIC), "the loader's archive record lacks its magic word");
    record[8..16].copy_from_slice(&base.to_le_bytes());
    record[16..24].copy_from_slice(&size.to_le_bytes());
    verify(&out)?;
    Ok(out)
}

/// Checks what QEMU and GRUB need of an image: a PVH note, and headers where they are looked for.
///
/// # Errors
/// Says what is missing.
pub fn verify(image: &[u8]) -> Result<()> {
    let header = elf::FileHeader64::<Endianness>::parse(image).context("not an ELF64 file")?;
    let endian = header.endian()?;
    let mut pvh = false;
    for program_header in header.program_headers(endian, image)? {
        if let Some(mut notes) = program_header.notes(endian, image)? {
            while let Some(note) = notes.next()? {
                pvh |= note.name() == b"Xen" && note.n_type(endian) == 18;
            }
        }
    }
    ensure!(pvh, "no PVH entry note (owner Xen, type 18)");
    let headers_end = header.e_phoff(endian) + u64::from(header.e_phnum(endian)) * 56;
    ensure!(headers_end <= BOOT_WINDOW as u64, "the program headers end at {headers_end:#x}, beyond GRUB's window");
    let window = image.get(..BOOT_WINDOW.min(image.len())).unwrap_or(image);
    let multiboot = window.chunks_exact(8).any(|chunk| chunk.starts_with(&MULTIBOOT2_MAGIC.to_le_bytes()));
    ensure!(multiboot, "no multiboot2 header, 8-aligned, in the first 32 KiB");
    Ok(())
}

struct Segment<'a> {
    kind: u32,
    flags: u32,
    file_offset: u64,
    virt: u64,
    phys: u64,
    memory_bytes: u64,
    align: u64,
    data: &'a [u8],
}

impl Segment<'_> {
    fn holds(&self, other: &Segment<'_>) -> bool {
        self.kind == elf::PT_LOAD
            && other.kind != elf::PT_LOAD
            && self.file_offset <= other.file_offset
            && other.file_offset + other.data.len() as u64 <= self.file_offset + self.data.len() as u64
    }
}

struct Loader<'a> {
    entry: u64,
    segments: Vec<Segment<'a>>,
    record_virt: u64,
}

impl<'a> Loader<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let file: ElfFile64<'_, Endianness> = ElfFile64::parse(bytes).context("the loader is not an ELF64 file")?;
        let endian = file.endian();
        let header = file.elf_header();
        if header.e_machine(endian) != elf::EM_X86_64 {
            bail!("the loader is not for x86-64");
        }
        let mut segments = Vec::new();
        for program_header in file.elf_program_headers() {
            let kind = program_header.p_type(endian);
            if kind == elf::PT_LOAD || kind == elf::PT_NOTE {
                let data = program_header.data(endian, bytes);
                segments.push(Segment {
                    kind,
                    flags: program_header.p_flags(endian),
                    file_offset: program_header.p_offset(endian),
                    virt: program_header.p_vaddr(endian),
                    phys: program_header.p_paddr(endian),
                    memory_bytes: program_header.p_memsz(endian),
                    align: program_header.p_align(endian),
                    data: data.map_err(|()| anyhow::anyhow!("a segment of the loader lies beyond the file"))?,
                });
            }
        }
        // Loadable segments first: notes are then placed inside them.
        segments.sort_by_key(|segment| (segment.kind != elf::PT_LOAD, segment.phys));
        let record = file.section_by_name(ARCHIVE_SECTION).context("the loader has no .archive_header section")?;
        Ok(Self { entry: header.e_entry(endian), segments, record_virt: record.address() })
    }

    fn record_position(&self, offsets: &[usize]) -> Option<usize> {
        self.segments.iter().zip(offsets).find_map(|(segment, &offset)| {
            let inside = self.record_virt.checked_sub(segment.virt)?;
            (segment.kind == elf::PT_LOAD && inside + 24 <= segment.data.len() as u64)
                .then(|| Some(offset + usize::try_from(inside).ok()?))
                .flatten()
        })
    }
}

#[cfg(test)]
mod tests;
