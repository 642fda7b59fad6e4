//! Images made from a synthetic loader: two segments, a PVH note inside the first, a section for the record.

use super::*;
use object::write::elf::SectionHeader;

const LOADER_BASE: u64 = 0x10_0000;
const RECORD_AT: usize = 0x40;

fn synthetic_loader() -> Vec<u8> {
    let mut text = vec![0u8; 0x1800];
    text[..4].copy_from_slice(&MULTIBOOT2_MAGIC.to_le_bytes());
    text[RECORD_AT..RECORD_AT + 8].copy_from_slice(&ARCHIVE_MAGIC);
    let note =
        [&4u32.to_le_bytes()[..], &4u32.to_le_bytes(), &18u32.to_le_bytes(), b"Xen\0", &0x10_0100u32.to_le_bytes()];
    let note = note.concat();
    text[0x80..0x80 + note.len()].copy_from_slice(&note);
    let data = vec![0xda; 0x20];

    let mut out = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut out);
    let name = writer.add_section_name(ARCHIVE_SECTION.as_bytes());
    writer.reserve_file_header();
    writer.reserve_program_headers(3);
    let text_at = writer.reserve(text.len(), 4096);
    let data_at = writer.reserve(data.len(), 4096);
    writer.reserve_null_section_index();
    writer.reserve_section_index();
    writer.reserve_shstrtab_section_index();
    writer.reserve_shstrtab();
    writer.reserve_section_headers();
    writer
        .write_file_header(&NewFileHeader {
            os_abi: 0,
            abi_version: 0,
            e_type: elf::ET_EXEC,
            e_machine: elf::EM_X86_64,
            e_entry: LOADER_BASE,
            e_flags: 0,
        })
        .unwrap();
    writer.write_align_program_headers();
    let header = |p_type, p_flags, offset: usize, address, size: usize, memory: u64| NewProgramHeader {
        p_type,
        p_flags,
        p_offset: offset as u64,
        p_vaddr: address,
        p_paddr: address,
        p_filesz: size as u64,
        p_memsz: memory,
        p_align: if p_type == elf::PT_LOAD { 4096 } else { 4 },
    };
    writer.write_program_header(&header(elf::PT_NOTE, elf::PF_R, text_at + 0x80, LOADER_BASE + 0x80, note.len(), 20));
    writer.write_program_header(&header(elf::PT_LOAD, elf::PF_R | elf::PF_X, text_at, LOADER_BASE, text.len(), 0x1800));
    writer.write_program_header(&header(elf::PT_LOAD, elf::PF_R | elf::PF_W, data_at, 0x20_0000, data.len(), 0x9000));
    writer.pad_until(text_at);
    writer.write(&text);
    writer.pad_until(data_at);
    writer.write(&data);
    writer.write_shstrtab();
    writer.write_null_section_header();
    writer.write_section_header(&SectionHeader {
        name: Some(name),
        sh_type: elf::SHT_PROGBITS,
        sh_flags: u64::from(elf::SHF_ALLOC),
        sh_addr: LOADER_BASE + RECORD_AT as u64,
        sh_offset: (text_at + RECORD_AT) as u64,
        sh_size: 24,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 8,
        sh_entsize: 0,
    });
    writer.write_shstrtab_section_header();
    out
}

/// Memory as a boot program would leave it: (physical address, bytes of the file, bytes in memory) per segment.
fn loaded(image: &[u8]) -> Vec<(u64, Vec<u8>, u64)> {
    let header = elf::FileHeader64::<Endianness>::parse(image).unwrap();
    let endian = header.endian().unwrap();
    let loads = header.program_headers(endian, image).unwrap().iter().filter(|h| h.p_type(endian) == elf::PT_LOAD);
    loads.map(|h| (h.p_paddr(endian), h.data(endian, image).unwrap().to_vec(), h.p_memsz(endian))).collect()
}

#[test]
fn the_archive_is_a_segment_and_the_record_names_it() {
    let archive: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
    let image = append_archive(&synthetic_loader(), &archive, 0x800_0000).unwrap();
    let segments = loaded(&image);
    assert_eq!(segments.len(), 3);
    assert_eq!(segments[2], (0x800_0000, archive.clone(), 10_000));
    assert_eq!(segments[1], (0x20_0000, vec![0xda; 0x20], 0x9000));
    let (base, text, _) = &segments[0];
    assert_eq!(*base, LOADER_BASE);
    assert_eq!(text[RECORD_AT..RECORD_AT + 8], ARCHIVE_MAGIC);
    assert_eq!(text[RECORD_AT + 8..RECORD_AT + 16], 0x800_0000u64.to_le_bytes());
    assert_eq!(text[RECORD_AT + 16..RECORD_AT + 24], 10_000u64.to_le_bytes());
}

#[test]
fn an_empty_archive_is_allowed_for_the_loader_to_refuse() {
    assert!(append_archive(&synthetic_loader(), &[], 0x800_0000).is_ok());
}

#[test]
fn an_archive_on_top_of_the_loader_is_refused() {
    let error = append_archive(&synthetic_loader(), &[0; 8192], 0x20_8000).unwrap_err();
    assert!(error.to_string().contains("overlap"), "{error}");
    assert!(append_archive(&synthetic_loader(), &[0; 8], 0x800_0001).is_err());
}

#[test]
fn a_file_that_is_no_loader_is_refused() {
    assert!(append_archive(b"not an ELF", &[], 0x800_0000).is_err());
    let mut no_record = synthetic_loader();
    let at = no_record.windows(8).position(|window| window == ARCHIVE_MAGIC).unwrap();
    no_record[at] = 0;
    assert!(append_archive(&no_record, &[], 0x800_0000).unwrap_err().to_string().contains("magic"));
}
