//! Filling the handoff page: what one instance may know, and nothing about the others.

use crate::Refusal;
use crate::check::Machine;
use crate::elf_image::Image;
use crate::layout::Layout;
use crate::refuse;
use manifest::handoff::{
    Handoff, MAGIC, MAX_CORES, MAX_DEVICES, MAX_MEMORY, MAX_PORTS, MAX_ROUTES, PortRange, Route, TopEntry, VERSION,
};
use manifest::{End, Manifest, Memory, NONE, Partition, irq, partition_flags};
use zerocopy::FromZeros;

/// What the loader measured or found, the same for every instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Bits of [`manifest::handoff::features`] that every used core has.
    pub features: u32,
    /// TSC ticks per microsecond.
    pub tsc_mhz: u32,
    /// Local APIC timer ticks per microsecond, times 1024.
    pub apic_timer_mhz_x1024: u32,
    /// TSC when the loader began.
    pub loader_start_tsc: u64,
    /// Physical address of the ACPI root pointer, 0 if only a copy was found.
    pub rsdp: u64,
}

/// What differs from instance to instance but is not in the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Built<'a> {
    /// Places.
    pub layout: &'a Layout,
    /// The root task.
    pub root: &'a Image<'a>,
    /// Kernel-half entries of the top table.
    pub top_entries: &'a [TopEntry],
    /// Of the table that maps the gate only, if there is one: its kernel-half entry.
    pub gate_entry: Option<TopEntry>,
}

/// The page for `partition`.
pub fn handoff(
    manifest: &Manifest<'_>,
    partition: &Partition,
    machine: &Machine<'_>,
    facts: &Facts,
    built: &Built<'_>,
) -> Result<Handoff, Refusal> {
    let name = partition.name.as_str();
    let layout = built.layout;
    let mut page = Handoff::new_zeroed();
    page.magic = MAGIC;
    page.version = VERSION;
    page.features = facts.features;
    page.tsc_mhz = facts.tsc_mhz;
    page.apic_timer_mhz_x1024 = facts.apic_timer_mhz_x1024;
    page.loader_start_tsc = facts.loader_start_tsc;
    page.rsdp = facts.rsdp;
    page.console_kind = partition.console_kind;
    page.console_port = partition.console_port;
    page.domain_count = partition.domains.into();
    page.root_cnode_bits = partition.root_cnode_bits;
    page.mitigations = partition.mitigations;

    page.kernel = layout.kernel.to_memory();
    page.top_table = layout.tables.start();
    if let Some(entry) = built.gate_entry {
        page.gate_table = layout.gate_tables.start();
        page.gate_entry = entry;
    }
    page.root_image = layout.root.to_memory();
    page.root_virt_base = built.root.virt.start();
    page.root_entry = built.root.entry;
    page.manifest = layout.manifest.to_memory();
    page.files = layout.files.to_memory();
    page.free_base = layout.free_base;

    let too_many = |what: &str, most: usize| refuse!(TooMany, "partition \"{name}\" has more than {most} {what}");
    let apic_id = |core: u32| {
        let found = machine.apic_ids.get(core as usize).copied();
        found.ok_or_else(|| refuse!(CoreMissing, "partition \"{name}\" needs core {core}"))
    };
    let cores = manifest.cores_of(partition).iter().map(|core| apic_id(core.number));
    page.core_count = fill(&mut page.apic_ids, cores, || too_many("cores", MAX_CORES))?;
    let memory = manifest.memory_of(partition).iter().map(|range| Ok(*range));
    page.memory_count = fill(&mut page.memory, memory, || too_many("memory ranges", MAX_MEMORY))?;
    let shows_tables = partition.flags & partition_flags::ACPI != 0;
    let tables = machine.acpi_tables.iter().filter(|_| shows_tables).map(|span| span.to_memory());
    let shows_pixels = partition.flags & partition_flags::FRAMEBUFFER != 0;
    let framebuffer = machine.framebuffer.filter(|_| shows_pixels);
    page.framebuffer = framebuffer.map_or([0; 3], |it| it.description());
    let pixels = framebuffer.map(|it| Ok(it.pages()?.to_memory()));
    let devices = devices(manifest, partition).chain(tables).map(Ok).chain(pixels);
    page.device_count = fill(&mut page.devices, devices, || too_many("devices and channels", MAX_DEVICES))?;
    let ports = manifest.ports_of(partition).iter().map(|it| Ok(PortRange { first: it.first, last: it.last }));
    page.port_count = fill(&mut page.ports, ports, || too_many("port ranges", MAX_PORTS))?;
    let routes = manifest
        .doorbells_of(partition)
        .iter()
        .map(|bell| Ok(Route { apic_id: apic_id(bell.core)?, vector: bell.vector }));
    page.route_count = fill(&mut page.routes, routes, || too_many("doorbells", MAX_ROUTES))?;
    let entries = built.top_entries.iter().map(|entry| Ok(*entry));
    page.top_entry_count =
        fill(&mut page.top_entries, entries, || too_many("top-level table entries", built.top_entries.len()))?;

    if partition.flags & partition_flags::IOAPIC != 0
        && let Some((io_apic, pins)) = machine.io_apics.first()
    {
        page.io_apic_pins = *pins;
        page.io_apic_gsi_base = io_apic.gsi_base;
    }
    for line in manifest.irqs_of(partition) {
        match line.kind {
            irq::PIN => page.pins |= 1_u64.checked_shl(line.number).unwrap_or(0),
            _ => {
                if let Some(word) = page.msi_vectors.get_mut(line.number as usize / 64) {
                    *word |= 1 << (line.number % 64);
                }
            }
        }
    }
    for end in manifest.ends_of(partition).iter().filter(|end| end.hears != NONE) {
        if let Some(bit) = end.hears.checked_sub(u32::from(ipi::DOORBELL_FIRST)).filter(|bit| *bit < 64) {
            page.doorbells_heard |= 1 << bit;
        }
    }
    Ok(page)
}

/// Writes `values` into `places`, counting; one that finds no place is `full`.
fn fill<T>(
    places: &mut [T],
    values: impl Iterator<Item = Result<T, Refusal>>,
    full: impl Fn() -> Refusal,
) -> Result<u32, Refusal> {
    let mut count = 0;
    let mut places = places.iter_mut();
    for value in values {
        *places.next().ok_or_else(&full)? = value?;
        count += 1;
    }
    Ok(count)
}

/// MMIO ranges and channels of a partition; a channel with both ends in it counts once.
fn devices<'a>(manifest: &Manifest<'a>, partition: &Partition) -> impl Iterator<Item = Memory> + use<'a> {
    let manifest = *manifest;
    let ends = manifest.ends_of(partition);
    let is_first = move |(index, end): &(usize, &End)| !ends.iter().take(*index).any(|it| it.channel == end.channel);
    let channels = ends.iter().enumerate().filter(is_first).filter_map(move |(_, end)| manifest.channel_of(end));
    let channels = channels.map(|channel| Memory { base: channel.base, size: channel.size });
    manifest.devices_of(partition).iter().copied().chain(channels)
}
