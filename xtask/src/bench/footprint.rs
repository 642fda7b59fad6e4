//! How large the kernel is, from its ELF: by section flags, so debug information does not count.

use super::figures::{BYTES, ELF, Figure};
use anyhow::{Context, Result};
use object::{Object, ObjectSection, SectionFlags, SectionKind, elf};

/// Sizes of what the loader puts into an instance's memory.
///
/// # Errors
/// When `kernel` is no ELF.
pub fn of(kernel: &[u8]) -> Result<Vec<Figure>> {
    let file = object::File::parse(kernel).context("the kernel is no ELF")?;
    let (mut text, mut rodata, mut data, mut bss) = (0, 0, 0, 0);
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let has = |flag: u32| sh_flags & u64::from(flag) != 0;
        let into = match section.kind() {
            _ if !has(elf::SHF_ALLOC) => continue,
            _ if has(elf::SHF_EXECINSTR) => &mut text,
            _ if !has(elf::SHF_WRITE) => &mut rodata,
            SectionKind::UninitializedData => &mut bss,
            _ => &mut data,
        };
        *into += section.size();
    }
    let sizes = [
        ("footprint.kernel.text", text),
        ("footprint.kernel.rodata", rodata),
        ("footprint.kernel.data", data),
        ("footprint.kernel.bss", bss),
    ];
    Ok(sizes.map(|(id, bytes)| Figure::single(id, ELF, BYTES, bytes)).to_vec())
}
