//! Building one instance: kernel, page tables, root task, manifest and files into its slice, through a bounded window.

use crate::archive::{Archive, file_area_bytes, files_of};
use crate::check::Machine;
use crate::elf_image::{Image, Reach, Segment};
use crate::handoff::{Built, Facts, handoff};
use crate::layout::{Gate, Layout, Request};
use crate::physical::Window;
use crate::refuse;
use crate::span::{align_up, of_memory};
use crate::tables::{Builder, Lifetime, PageSize, Rights, index};
use crate::{PAGE, PhysicalMemory, Refusal, Span};
use heapless::Vec;
use manifest::Partition;
use manifest::handoff::{
    HANDOFF_VIRT, IO_APIC_VIRT, KERNEL_VIRT_BASE, LOCAL_APIC_VIRT, MAX_TOP_ENTRIES, STACK_BYTES, STACK_STRIDE,
    STACK_VIRT_BASE, TRAMPOLINE_VIRT, TopEntry, WINDOW_VIRT_BASE,
};
use manifest::{mitigations, partition_flags};
use zerocopy::IntoBytes;

/// The same for every instance.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Where everything comes from.
    pub archive: &'a Archive<'a>,
    /// The machine.
    pub machine: &'a Machine<'a>,
    /// Measurements.
    pub facts: &'a Facts,
    /// The page that switches address spaces.
    pub switch_page: &'a [u8],
    /// The ACPI root pointer's bytes, zeros if there is none.
    pub root_pointer: &'a [u8; 36],
}

/// How to enter an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Physical address of the top table.
    pub top_table: u64,
    /// Kernel entry point, virtual.
    pub entry: u64,
}

/// Initial stack pointer of the instance's core number `core`.
pub const fn stack_pointer(core: u64) -> u64 {
    STACK_VIRT_BASE + core * STACK_STRIDE + STACK_STRIDE
}

/// Builds the instance of partition number `number` in `memory`.
pub fn instance(memory: &mut impl PhysicalMemory, source: &Source<'_>, number: usize) -> Result<Entrance, Refusal> {
    let manifest = source.archive.manifest();
    let partition =
        manifest.partitions().get(number).ok_or_else(|| refuse!(Internal, "there is no partition {number}"))?;
    let name = partition.name.as_str();
    let kernel = Image::kernel(source.archive.file(partition.kernel, "kernel", name)?, name)?;
    let root = Image::root_task(source.archive.file(partition.root_task, "root task", name)?, name)?;
    let own_manifest = source.archive.partition_manifest(number)?;
    let slice = manifest.memory_of(partition);
    let layout = Layout::new(&Request {
        partition: name,
        memory: slice,
        kernel: &kernel,
        root: &root,
        cores: u64::from(partition.cores.count),
        gate: gate_of(partition),
        manifest_bytes: own_manifest.bytes().len() as u64,
        file_bytes: file_area_bytes(source.archive, number)?,
    })?;

    // All that the instance starts with lies in the first range; nothing else can be written from here on.
    let allowed = [Span::between(layout.kernel.start(), layout.free_base)];
    let memory = &mut Window::new(memory, &allowed);
    memory.zero(layout.kernel)?;
    copy_segments(memory, &kernel.segments, layout.image.start().wrapping_sub(KERNEL_VIRT_BASE))?;
    memory.write(layout.switch.start(), source.switch_page)?;
    memory.zero(layout.root)?;
    copy_segments(memory, &root.segments, layout.root.start().wrapping_sub(root.virt.start()))?;
    copy_padded(memory, layout.manifest.start(), own_manifest.bytes())?;
    copy_files(memory, source.archive, number, layout.files)?;

    let windows: Vec<Span, 8> = slice.iter().filter_map(of_memory).collect();
    let (top_table, top_entries) = build_tables(memory, &layout, &kernel, &windows, &devices_of(source, partition))?;
    let gate_entry = build_gate_tables(memory, &layout, &kernel)?;
    let built = Built { layout: &layout, root: &root, top_entries: &top_entries, gate_entry };
    let mut page = handoff(manifest, partition, source.machine, source.facts, &built)?;
    page.rsdp_bytes.iter_mut().zip(source.root_pointer).for_each(|(to, from)| *to = *from);
    memory.write(layout.handoff.start(), page.as_bytes())?;
    Ok(Entrance { top_table, entry: kernel.entry })
}

/// Zeroes every channel.
pub fn channels(memory: &mut impl PhysicalMemory, archive: &Archive<'_>) -> Result<(), Refusal> {
    for channel in archive.manifest().channels() {
        let span = Span::new(channel.base, channel.size);
        memory.zero(span.ok_or_else(|| refuse!(Internal, "a channel has no end"))?)?;
    }
    Ok(())
}

/// Whether the kernel could come to isolate page tables: it decides itself, knowing the processor.
const fn gate_of(partition: &Partition) -> Gate {
    let wanted = partition.mitigations & (mitigations::KPTI | mitigations::AUTO) != 0;
    if wanted { Gate::Wanted } else { Gate::Unused }
}

/// Register pages that the kernel itself uses.
struct Devices {
    local_apic: u64,
    io_apic: Option<u64>,
}

fn devices_of(source: &Source<'_>, partition: &Partition) -> Devices {
    let owns = partition.flags & partition_flags::IOAPIC != 0;
    let io_apic = source.machine.io_apics.first().filter(|_| owns).map(|(io_apic, _)| io_apic.address);
    Devices { local_apic: source.machine.local_apic, io_apic }
}

/// Copies what the file has of each segment to `virt + shift`.
fn copy_segments(memory: &mut impl PhysicalMemory, segments: &[Segment<'_>], shift: u64) -> Result<(), Refusal> {
    segments.iter().try_for_each(|segment| memory.write(segment.virt.start().wrapping_add(shift), segment.data))
}

/// Copies `bytes` and zeroes the rest of the last page.
fn copy_padded(memory: &mut impl PhysicalMemory, address: u64, bytes: &[u8]) -> Result<(), Refusal> {
    memory.write(address, bytes)?;
    let end = address + bytes.len() as u64;
    memory.zero(Span::between(end, align_up(end, PAGE).unwrap_or(end)))
}

fn copy_files(
    memory: &mut impl PhysicalMemory,
    archive: &Archive<'_>,
    number: usize,
    area: Span,
) -> Result<(), Refusal> {
    let mut reached = area.start();
    for file in files_of(archive, number)? {
        let file = file?;
        let start = area.start() + file.offset;
        memory.zero(Span::between(reached, start))?;
        copy_padded(memory, start, file.bytes)?;
        reached = align_up(start + file.bytes.len() as u64, PAGE).unwrap_or(start);
    }
    Ok(())
}

type TopEntries = Vec<TopEntry, MAX_TOP_ENTRIES>;

/// The instance's tables: its kernel at its link address, its registers and stacks, and the window. Nothing else.
fn build_tables(
    memory: &mut impl PhysicalMemory,
    layout: &Layout,
    kernel: &Image<'_>,
    slice: &[Span],
    devices: &Devices,
) -> Result<(u64, TopEntries), Refusal> {
    let mut tables = Builder::new(memory, layout.tables, Lifetime::Global)?;
    let page = |address: u64| Span::between(address, address.saturating_add(PAGE));
    let small = PageSize::Small;
    for segment in &kernel.segments {
        map_segment(&mut tables, layout, segment)?;
    }
    tables.map(HANDOFF_VIRT, layout.handoff, Rights::Read, small)?;
    tables.map(TRAMPOLINE_VIRT, layout.switch, Rights::ReadExecute, small)?;
    tables.map(LOCAL_APIC_VIRT, page(devices.local_apic), Rights::Device, small)?;
    if let Some(io_apic) = devices.io_apic {
        tables.map(IO_APIC_VIRT, page(io_apic & !(PAGE - 1)), Rights::Device, small)?;
    }
    for (core, start) in (layout.stacks.start()..layout.stacks.end()).step_by(STACK_BYTES as usize).enumerate() {
        let virt = stack_pointer(core as u64) - STACK_BYTES;
        tables.map(virt, Span::between(start, start + STACK_BYTES), Rights::ReadWrite, small)?;
    }
    for range in slice {
        let start = if range.contains(layout.kernel) { layout.kernel.end() } else { range.start() };
        let visible = Span::between(start, range.end());
        tables.map(WINDOW_VIRT_BASE + visible.start(), visible, Rights::ReadWrite, PageSize::Large)?;
    }

    let mut entries = TopEntries::new();
    for index in 256..512_u64 {
        // Sign extension does not matter to the index.
        let value = tables.top_entry(index << 39)?;
        if value != 0 {
            entries
                .push(TopEntry { index, value })
                .map_err(|_| refuse!(TooMany, "memory in more than {} places of 512 GiB each", MAX_TOP_ENTRIES - 1))?;
        }
    }
    Ok((tables.top_table(), entries))
}

fn map_segment<M: PhysicalMemory>(
    tables: &mut Builder<'_, M>,
    layout: &Layout,
    segment: &Segment<'_>,
) -> Result<(), Refusal> {
    let pages = segment.virt.grow(PAGE);
    let base = layout.image.start() + (pages.start() - KERNEL_VIRT_BASE);
    tables.map(pages.start(), Span::between(base, base + pages.size()), segment.rights, PageSize::Small)
}

/// The tables that map the gate only, where the kernel's own tables have it too; its one entry in the kernel half.
fn build_gate_tables(
    memory: &mut impl PhysicalMemory,
    layout: &Layout,
    kernel: &Image<'_>,
) -> Result<Option<TopEntry>, Refusal> {
    if layout.gate_tables.is_empty() {
        return Ok(None);
    }
    let mut tables = Builder::new(memory, layout.gate_tables, Lifetime::AddressSpace)?;
    for segment in kernel.segments.iter().filter(|segment| segment.reach == Reach::Gate) {
        map_segment(&mut tables, layout, segment)?;
    }
    Ok(Some(TopEntry { index: index(KERNEL_VIRT_BASE, 4), value: tables.top_entry(KERNEL_VIRT_BASE)? }))
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
