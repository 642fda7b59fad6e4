//! Kernel and root task ELF files: parsed by crate `elf`, checked here for what the loader is going to do with them.

use crate::refuse;
use crate::tables::Rights;
use crate::{Code, PAGE, Refusal, Span};
use elf::endian::LittleEndian;
use elf::{ElfBytes, abi};
use heapless::Vec;
use manifest::handoff::{HANDOFF_VIRT, KERNEL_VIRT_BASE, SEGMENT_OF_GATE};

/// Most loadable segments.
pub const MAX_SEGMENTS: usize = 16;
/// First address behind the user half.
const USER_LIMIT: u64 = 0x7fff_ffff_f000;

/// Where a kernel's segment is mapped, when page tables are isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In the kernel's own tables.
    Kernel,
    /// In every address space.
    Gate,
}

/// One loadable segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// What the file has for it; the rest of `virt` is zero.
    pub data: &'a [u8],
    /// Virtual addresses.
    pub virt: Span,
    /// What the program may do there.
    pub rights: Rights,
    /// Where else it is mapped.
    pub reach: Reach,
}

/// A checked ELF file.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Segments as listed, none empty.
    pub segments: Vec<Segment<'a>, MAX_SEGMENTS>,
    /// Whole pages from the first segment to the last.
    pub virt: Span,
    /// Entry point.
    pub entry: u64,
}

impl<'a> Image<'a> {
    /// A kernel: in the top 2 GiB, no segment writable and executable, no page shared by two segments.
    pub fn kernel(bytes: &'a [u8], partition: &str) -> Result<Self, Refusal> {
        let refused = |what: &str| refuse!(KernelElf, "the kernel ELF of partition \"{partition}\" {what}");
        let image = Self::parse(bytes, Code::KernelElf, "kernel", partition)?;
        if !Span::between(KERNEL_VIRT_BASE, HANDOFF_VIRT).contains(image.virt) {
            return Err(refused("is not linked into the kernel's place"));
        }
        if image.segments.iter().any(|segment| segment.rights == Rights::Everything) {
            return Err(refused("has a segment that is both writable and executable"));
        }
        for (index, segment) in image.segments.iter().enumerate() {
            let pages = segment.virt.grow(PAGE);
            if image.segments.iter().take(index).any(|other| other.virt.grow(PAGE).overlaps(pages)) {
                return Err(refused("has two segments in one page"));
            }
        }
        let is_entry = |it: &Segment<'_>| it.rights == Rights::ReadExecute && it.virt.contains_address(image.entry);
        if !image.segments.iter().any(is_entry) {
            return Err(refused("has its entry point outside its code"));
        }
        Ok(image)
    }

    /// A root task: in the user half.
    pub fn root_task(bytes: &'a [u8], partition: &str) -> Result<Self, Refusal> {
        let refused = |what: &str| refuse!(RootElf, "the root task ELF of partition \"{partition}\" {what}");
        let image = Self::parse(bytes, Code::RootElf, "root task", partition)?;
        if !Span::between(PAGE, USER_LIMIT).contains(image.virt) {
            return Err(refused("has segments outside the user half"));
        }
        if !image.segments.iter().any(|segment| segment.virt.contains_address(image.entry)) {
            return Err(refused("has its entry point outside its segments"));
        }
        Ok(image)
    }

    fn parse(bytes: &'a [u8], code: Code, what: &str, partition: &str) -> Result<Self, Refusal> {
        let refused = |why: &str| Refusal::new(code, format_args!("the {what} ELF of partition \"{partition}\" {why}"));
        let file = ElfBytes::<LittleEndian>::minimal_parse(bytes).map_err(|_| refused("is not an ELF file"))?;
        let header = &file.ehdr;
        if header.class != elf::file::Class::ELF64 || header.e_machine != abi::EM_X86_64 {
            return Err(refused("is not for x86-64"));
        }
        if header.e_type != abi::ET_EXEC {
            return Err(refused("is not linked to a fixed address"));
        }
        let mut segments: Vec<Segment<'a>, MAX_SEGMENTS> = Vec::new();
        let table = file.segments().ok_or_else(|| refused("has no segments"))?;
        for entry in table.iter().filter(|entry| entry.p_type == abi::PT_LOAD && entry.p_memsz > 0) {
            let data = file.segment_data(&entry).map_err(|_| refused("has a segment that leaves the file"))?;
            let virt = Span::new(entry.p_vaddr, entry.p_memsz)
                .filter(|virt| virt.size() >= data.len() as u64)
                .ok_or_else(|| refused("has a segment of impossible size"))?;
            let rights = match (entry.p_flags & abi::PF_W != 0, entry.p_flags & abi::PF_X != 0) {
                (false, false) => Rights::Read,
                (false, true) => Rights::ReadExecute,
                (true, false) => Rights::ReadWrite,
                (true, true) => Rights::Everything,
            };
            let reach = if entry.p_flags & SEGMENT_OF_GATE != 0 { Reach::Gate } else { Reach::Kernel };
            segments.push(Segment { data, virt, rights, reach }).map_err(|_| refused("has more than 16 segments"))?;
        }
        let start = segments.iter().map(|segment| segment.virt.start()).min().ok_or_else(|| refused("is empty"))?;
        let end = segments.iter().map(|segment| segment.virt.end()).max().unwrap_or(start);
        Ok(Self { segments, virt: Span::between(start, end).grow(PAGE), entry: header.e_entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_system::elf;
    use proptest::prelude::*;

    const TEXT: (u64, u32, &[u8], u64) = (KERNEL_VIRT_BASE, 5, &[0x90; 100], 100);
    const DATA: (u64, u32, &[u8], u64) = (KERNEL_VIRT_BASE + 0x2010, 6, &[1; 8], 0x3000);

    #[test]
    fn a_kernel_with_text_and_data_is_accepted() {
        let bytes = elf(KERNEL_VIRT_BASE + 8, &[TEXT, DATA]);
        let image = Image::kernel(&bytes, "a").unwrap();
        assert_eq!(image.virt, Span::between(KERNEL_VIRT_BASE, KERNEL_VIRT_BASE + 0x6000));
        assert_eq!(image.segments[1].data, [1; 8]);
    }

    #[test]
    fn a_kernel_is_refused_for_what_breaks_its_mapping() {
        let refused = |entry: u64, segments: &[(u64, u32, &[u8], u64)]| {
            Image::kernel(&elf(entry, segments), "a").unwrap_err().text().to_string()
        };
        let writable_text = (KERNEL_VIRT_BASE, 7, TEXT.2, 100);
        assert!(refused(KERNEL_VIRT_BASE, &[writable_text]).contains("writable and executable"));
        let same_page = (KERNEL_VIRT_BASE + 0x200, 6, DATA.2, 8);
        assert!(refused(KERNEL_VIRT_BASE, &[TEXT, same_page]).contains("one page"));
        assert!(refused(KERNEL_VIRT_BASE + 0x2010, &[TEXT, DATA]).contains("entry point"));
        let low = (0x40_0000, 5, TEXT.2, 100);
        assert!(refused(0x40_0000, &[low]).contains("kernel's place"));
        assert!(refused(0, &[]).contains("empty"));
    }

    #[test]
    fn a_root_task_in_the_kernel_half_is_refused() {
        assert!(Image::root_task(&elf(KERNEL_VIRT_BASE, &[TEXT]), "a").is_err());
        assert!(Image::root_task(&elf(0x40_0000, &[(0x40_0000, 5, TEXT.2, 100)]), "a").is_ok());
    }

    proptest! {
        #[test]
        fn any_damage_is_a_value_or_a_refusal(changes in proptest::collection::vec((0_usize..250, any::<u8>()), 1..5)) {
            let mut bytes = elf(KERNEL_VIRT_BASE, &[TEXT, DATA]);
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            let _ = Image::kernel(&bytes, "a");
            let _ = Image::root_task(&bytes, "a");
        }
    }
}
