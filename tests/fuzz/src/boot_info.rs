//! Whatever a boot loader says about the machine is refused or becomes a map of disjoint RAM, in which room is found only
//! where there is some, and at most one framebuffer of whole pages.

use crate::memory::Memory;
use loader::boot_info::{BootInfo, Protocol, RootPointer};
use loader::memory_map::MemoryMap;
use loader::{PAGE, Span, acpi_tables};
use manifest::handoff::WINDOW_PHYS_LIMIT;
use std::rc::Rc;

const BASE: u64 = 0x9000;

/// The first byte chooses the protocol; the rest is memory, the information at its start.
pub fn run(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let protocol = if choice & 1 == 0 { Protocol::Pvh } else { Protocol::Multiboot2 };
    let view = Memory { base: BASE, bytes: Rc::new(bytes.to_vec()) };
    let Ok(info) = BootInfo::parse(protocol, &view, BASE) else { return };
    let _ = loader::archive::find_module(&view, &info.modules);
    if let RootPointer::Copy(root) = &info.root_pointer {
        let _ = acpi_tables::find(&view, root, |_| false);
    }
    if let Some(framebuffer) = info.framebuffer
        && let Ok(pages) = framebuffer.pages()
    {
        assert!(!pages.is_empty() && (pages.start() | pages.end()).is_multiple_of(PAGE), "{pages} is not whole pages");
        assert_eq!(framebuffer.description().first(), Some(&pages.start()), "programs are told of other pages");
        assert!(pages.end() <= WINDOW_PHYS_LIMIT);
    }
    let Ok(map) = MemoryMap::new(&info.regions) else { return };
    for (index, piece) in map.pieces().iter().enumerate() {
        assert!(map.pieces().iter().skip(index + 1).all(|other| !other.overlaps(*piece)), "pieces of RAM overlap");
        let reserved = info.regions.iter().filter(|region| !region.is_ram());
        assert!(reserved.map(|region| region.span).all(|span| !span.overlaps(*piece)), "{piece} is reserved");
    }
    let obstacle = Span::between(0x10_0000, 0x20_0000);
    if let Some(room) = map.find_room(3 * PAGE, PAGE, 0, std::iter::once(obstacle)) {
        assert!(!room.overlaps(obstacle) && map.first_hole(room).is_none() && room.start().is_multiple_of(PAGE));
    }
}
