//! The sequence: from the boot loader's information to the first instruction of every kernel.

use super::apic::LocalApic;
use super::clock::{self, Clock};
use super::cores::{self, BootCore};
use super::entry::{PROTOCOL_MULTIBOOT2, PROTOCOL_PVH};
use super::identity::{self, Identity};
use super::{console, cpu, fault, interrupts};
use core::convert::Infallible;
use loader::acpi_tables;
use loader::archive::{Archive, find_module};
use loader::boot_info::{BootInfo, Protocol, RSDP_BYTES, RootPointer};
use loader::check::{Machine, check, occupied};
use loader::handoff::Facts;
use loader::madt::{Topology, scan_for_root_pointer};
use loader::memory_map::MemoryMap;
use loader::place::{self, Source};
use loader::span::{align_up, of_memory};
use loader::{PAGE, PhysicalView, Refusal, Span, refuse};

/// Where an archive is that was appended to the loader's own file; patched there, zero if there is none.
#[repr(C)]
pub struct ArchiveHeader {
    magic: [u8; 8],
    base: u64,
    size: u64,
}

/// Found by its section name.
#[used]
#[unsafe(link_section = ".archive_header")]
static ARCHIVE_HEADER: ArchiveHeader = ArchiveHeader { magic: *b"SKERRYAR", base: 0, size: 0 };

/// Called by the entry code on the boot processor, interrupts off, the first 4 GiB mapped one to one.
pub extern "C" fn main(protocol: u32, info: u32) -> ! {
    let start = clock::now();
    fault::install();
    match boot(protocol, u64::from(info), start) {
        Ok(never) => match never {},
        Err(refusal) => console::refuse(&refusal),
    }
}

fn boot(protocol: u32, info: u64, start: u64) -> Result<Infallible, Refusal> {
    let mut early = Identity::early();
    let protocol = match protocol {
        PROTOCOL_PVH => Protocol::Pvh,
        PROTOCOL_MULTIBOOT2 => Protocol::Multiboot2,
        _ => return Err(refuse!(BootInfo, "started neither through PVH nor through multiboot2")),
    };
    let info = BootInfo::parse(protocol, &early, info)?;
    let (rsdp, root_pointer) = find_root_pointer(&info, &early);
    let ram = MemoryMap::new(&info.regions)?;

    let missing = cpu::missing();
    if missing.0 != 0 {
        // The archive is only looked into for its consoles.
        if let Ok((_, archive)) = find_archive(&early, &info.modules) {
            console::configure(archive.manifest());
        }
        return Err(refuse!(CpuFeature, "the boot processor has no {missing}"));
    }
    cpu::set_control();
    let found = cpu::optional();
    let start_page = find_start_page(&ram, &info.modules);
    if let Some(page) = start_page {
        cores::write_start_page(&mut early, page, identity::top_table())?;
    }
    let mut memory = Identity::build(&ram, start_page, found)?;

    let (place, mut archive) = find_archive(&memory, &info.modules)?;
    console::configure(archive.manifest());
    archive.verify()?;

    let local_apic = LocalApic::choose(found);
    interrupts::silence_pic();
    local_apic.enable();
    let topology = find_topology(&memory, rsdp, &root_pointer, local_apic.id())?;
    let is_device = |address| Span::new(address, PAGE).is_some_and(|page| address >= 1 << 20 && !ram.overlaps(page));
    if let Some(lie) = topology.io_apics.iter().map(|it| it.address).find(|address| !is_device(*address)) {
        return Err(refuse!(NoAcpi, "the ACPI tables place an I/O APIC at {lie:#x}, which is memory"));
    }
    let io_apics = interrupts::silence_io_apics(&topology.io_apics);
    interrupts::drain();
    let is_taken = |span: Span| {
        let manifest = archive.manifest();
        let controllers = io_apics.iter().map(|(it, _)| it.address).chain([local_apic.page()]);
        let channels = manifest.channels().iter().filter_map(|it| Span::new(it.base, it.size));
        let mut devices = manifest.devices().iter().filter_map(of_memory).chain(channels);
        ram.overlaps(span)
            || controllers.filter_map(|it| Span::new(it, PAGE)).any(|it| it.overlaps(span))
            || devices.any(|it| it.overlaps(span))
    };
    let acpi_tables = acpi_tables::find(&memory, &root_pointer, is_taken);
    let machine = Machine {
        apic_ids: &topology.apic_ids,
        ram: &ram,
        io_apics: &io_apics,
        local_apic: local_apic.page(),
        acpi_tables: &acpi_tables,
        framebuffer: info.framebuffer,
        archive: Span::between(place.start(), place.start().saturating_add(archive.size())),
    };
    check(archive.manifest(), &machine)?;
    if let Some(free) = new_place(&archive, place, &ram)? {
        // SAFETY: `free` is RAM outside the loader, every slice and every channel; the old place is not used again.
        unsafe { memory.relocate(Span::between(place.start(), place.start() + free.size()), free.start())? };
        (_, archive) = open_archive(&memory, free)?;
    }

    let clock = Clock::calibrate(local_apic)?;
    let manifest = archive.manifest();
    let used = manifest.partitions().iter().flat_map(|it| manifest.cores_of(it)).map(|core| core.number as usize);
    let seats = used.clone().filter_map(|number| Some((number, *topology.apic_ids.get(number)?)));
    let others = seats.filter(|(number, _)| *number != 0);
    let mut common = found;
    if others.clone().next().is_some() {
        let page = start_page.ok_or_else(|| refuse!(MemoryMap, "no RAM below 1 MiB to start other cores from"))?;
        common = cores::start(local_apic, &clock, page, others.clone(), found)?;
    }

    let facts = Facts {
        features: common,
        tsc_mhz: clock.tsc_mhz(),
        apic_timer_mhz_x1024: clock.apic_timer_mhz_x1024(),
        loader_start_tsc: start,
        rsdp,
    };
    let source = Source {
        archive: &archive,
        machine: &machine,
        facts: &facts,
        switch_page: identity::switch_code(),
        root_pointer: &root_pointer,
    };
    for (number, partition) in manifest.partitions().iter().enumerate() {
        let entrance = place::instance(&mut memory, &source, number)?;
        for (index, core) in manifest.cores_of(partition).iter().enumerate() {
            cores::assign(core.number as usize, &entrance, index as u64, cpu::cr4(common))?;
        }
    }
    place::channels(&mut memory, &archive)?;
    let boot_core = if used.clone().any(|number| number == 0) { BootCore::Used } else { BootCore::Unused };
    cores::release(local_apic, others, boot_core)
}

/// Address (0 if only a copy is known) and bytes of the ACPI root pointer.
fn find_root_pointer(info: &BootInfo, view: &Identity) -> (u64, [u8; RSDP_BYTES]) {
    let read = |address: u64| {
        let mut bytes = [0; RSDP_BYTES];
        let found = view.view(address, RSDP_BYTES as u64).unwrap_or(&[]);
        bytes.iter_mut().zip(found).for_each(|(to, from)| *to = *from);
        bytes
    };
    match (info.root_pointer, scan_for_root_pointer(view)) {
        (RootPointer::At(address), _) | (RootPointer::Unknown, Some(address)) => (address, read(address)),
        // The original of the copy, where firmware leaves it in its usual place.
        (RootPointer::Copy(copy), Some(address)) if read(address).starts_with(copy.get(..20).unwrap_or(&[])) => {
            (address, copy)
        }
        (RootPointer::Copy(copy), _) => (0, copy),
        (RootPointer::Unknown, None) => (0, [0; RSDP_BYTES]),
    }
}

fn find_topology(
    memory: &Identity,
    rsdp: u64,
    root_pointer: &[u8; RSDP_BYTES],
    boot_apic_id: u32,
) -> Result<Topology, Refusal> {
    let copy = root_pointer.as_ptr().addr() as u64;
    match (rsdp, root_pointer.first()) {
        (0, Some(0)) => Err(refuse!(NoAcpi, "neither boot loader nor firmware shows the ACPI root pointer")),
        // The copy lies on the loader's stack, which is mapped one to one like everything else.
        (0, _) => Topology::find(memory, copy, boot_apic_id),
        (address, _) => Topology::find(memory, address, boot_apic_id),
    }
}

/// A page below 1 MiB to start other cores from.
fn find_start_page(ram: &MemoryMap, modules: &[Span]) -> Option<u64> {
    let find = |lowest| ram.find_room(PAGE, PAGE, lowest, modules.iter().copied());
    let below = |span: &Span| span.end() <= 1 << 20;
    find(0x8000).filter(below).or_else(|| find(2 * PAGE).filter(below)).map(Span::start)
}

/// A module that begins like an archive, else what was appended to the loader's file.
fn find_archive(memory: &Identity, modules: &[Span]) -> Result<(Span, Archive<'static>), Refusal> {
    if let Some(module) = find_module(memory, modules) {
        return open_archive(memory, module);
    }
    // SAFETY: the header is a valid static; it is read volatile because it is patched in the file, behind the compiler.
    let header = unsafe { (&raw const ARCHIVE_HEADER).read_volatile() };
    let appended = Span::new(header.base, header.size).filter(|span| !span.is_empty());
    let appended = appended.ok_or_else(|| {
        let count = modules.len();
        refuse!(ArchiveMissing, "none of {count} modules is an archive, and none is appended to the loader")
    })?;
    open_archive(memory, appended)
}

fn open_archive(memory: &Identity, span: Span) -> Result<(Span, Archive<'static>), Refusal> {
    // SAFETY: nothing is written where the archive lies: it is moved away from everything that will be.
    let bytes = unsafe { memory.bytes(span) };
    let bytes = bytes.ok_or_else(|| refuse!(ArchiveMissing, "the archive at {span} cannot be read"))?;
    Ok((span, Archive::open(bytes)?))
}

/// Where the archive must move to, if it lies on anything that will be written.
fn new_place(archive: &Archive<'_>, place: Span, ram: &MemoryMap) -> Result<Option<Span>, Refusal> {
    let span = Span::between(place.start(), place.start().saturating_add(archive.size()));
    let loader = Span::between(0, align_up(identity::loader_span().end(), PAGE).unwrap_or(u64::MAX));
    let obstacles = core::iter::once(loader).chain(occupied(archive.manifest()));
    if !obstacles.clone().any(|obstacle| obstacle.overlaps(span)) {
        return Ok(None);
    }
    let room = ram.find_room(span.size(), PAGE, PAGE, obstacles);
    room.map(Some).ok_or_else(|| {
        let size = span.size();
        refuse!(ArchiveNoRoom, "the archive at {span} lies on a partition's memory; no {size} bytes are free elsewhere")
    })
}
