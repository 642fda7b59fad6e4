//! Memory: whole large pages, one owner each, outside the holes, and enough of it.

use super::channels::Draft;
use super::devices::Devices;
use super::programs::Software;
use super::{defaults, items, name_of, name_span};
use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use crate::need::{self, Parts, round_up};
use crate::place::{DEVICE_HOLE, LOADER_HOLE, Occupied, PHYSICAL_END, WINDOW_END};
use crate::plan::Need;
use crate::read::Spot;
use crate::schema::{self, MemoryChoice};
use crate::size::{Extent, LARGE_PAGE, MIB, PAGE, Size, rough};
use manifest::handoff::MAX_MEMORY;

/// What has to fit.
pub(super) struct Contents<'a> {
    pub software: &'a [Software],
    pub cores: &'a [Vec<u32>],
    pub devices: &'a [Devices],
    pub channels: &'a [Draft],
}

/// The RAM of a partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Slice {
    pub ranges: Vec<Extent>,
    pub need: Need,
}

/// Where everything lies.
pub(super) struct Placement {
    pub slices: Vec<Slice>,
    pub channels: Vec<Extent>,
}

/// A range that the file names, and whose it is.
struct Named {
    partition: usize,
    extent: Spot<Extent>,
}

pub(super) fn resolve(file: &schema::File, contents: &Contents<'_>, findings: &mut Findings) -> Placement {
    let partitions = items(&file.partition);
    let default_size = defaults(file).memory;
    let mut slices = vec![Slice::default(); partitions.len()];
    let mut occupied = Occupied::default();
    let mut named = Vec::new();
    contents.devices.iter().flat_map(|devices| &devices.mmio).for_each(|extent| occupied.add(*extent));

    for (index, (partition, slice)) in partitions.iter().zip(&mut slices).enumerate() {
        let Some(Spot { value: MemoryChoice::Ranges(ranges), span }) = &partition.value.memory else { continue };
        if ranges.is_empty() || ranges.len() > MAX_MEMORY {
            let message = format!("partition `{}` has {} memory ranges", name_of(&partition.value), ranges.len());
            let finding = Finding::new(Code::MemoryRanges, message, span, "too few or too many");
            findings.add(finding.help(format!("write 1 to {MAX_MEMORY} ranges, or a size such as \"64M\"")));
        }
        for extent in ranges {
            range(extent, findings);
            occupied.add(extent.value);
            slice.ranges.push(extent.value);
            named.push(Named { partition: index, extent: extent.clone() });
        }
        let total = ranges.iter().map(|range| range.value.size).fold(0, u64::saturating_add);
        slice.need = need(index, contents, Some(total));
        if let Some(first) = ranges.first() {
            let room = first.value.size;
            if total < slice.need.total() || room < slice.need.first_range() {
                too_small(&name_of(&partition.value), &slice.need, Some(room), &first.span, findings);
            }
        }
    }
    overlaps(partitions, &named, findings);
    on_devices(contents.devices, &named, findings);

    for (index, (partition, slice)) in partitions.iter().zip(&mut slices).enumerate() {
        let (size, span) = match &partition.value.memory {
            Some(Spot { value: MemoryChoice::Ranges(_), .. }) => continue,
            Some(Spot { value: MemoryChoice::Size(size), span }) => (Some(*size), span),
            None => (default_size.as_ref().map(|size| size.value), default_span(partition, default_size.as_ref())),
        };
        slice.need = need(index, contents, size.map(|size| size.0));
        let bytes = match size {
            Some(Size(bytes)) => bytes,
            None => need::comfortable(&slice.need),
        };
        let name = name_of(&partition.value);
        if !bytes.is_multiple_of(LARGE_PAGE) {
            misaligned(&Size(bytes).to_string(), span, findings);
        } else if bytes < slice.need.total() {
            too_small(&name, &slice.need, None, span, findings);
        } else if let Some(extent) = occupied.place(bytes, LARGE_PAGE) {
            slice.ranges.push(extent);
        } else {
            let message = format!("there is no place for the {} of partition `{name}`", Size(bytes));
            let finding = Finding::new(Code::MemoryBeyondWindow, message, span, "too much");
            findings.add(finding.help("a kernel's window reaches the first 64T of physical memory"));
        }
    }
    let channels = items(&file.channel).iter().zip(contents.channels);
    let channels = channels.map(|(channel, draft)| {
        let align = draft.size.checked_next_power_of_two().unwrap_or(LARGE_PAGE).clamp(PAGE, LARGE_PAGE);
        if draft.is_local() {
            return Extent { base: 0, size: draft.size };
        }
        occupied.place(draft.size, align).unwrap_or_else(|| {
            let message = format!("there is no place for channel `{}`", draft.name);
            let span = channel.value.size.as_ref().map_or(&channel.span, |size| &size.span);
            let finding = Finding::new(Code::MemoryBeyondWindow, message, span, "too much");
            findings.add(finding.help("make it smaller"));
            Extent { base: 0, size: PAGE }
        })
    });
    Placement { channels: channels.collect(), slices }
}

fn default_span<'a>(partition: &'a Spot<schema::Partition>, default: Option<&'a Spot<Size>>) -> &'a Span {
    default.map_or(name_span(partition), |size| &size.span)
}

fn need(index: usize, contents: &Contents<'_>, window_bytes: Option<u64>) -> Need {
    let Some(software) = contents.software.get(index) else { return Need::default() };
    let ends = |draft: &&Draft| draft.ends.iter().flatten().any(|end| end.partition == index);
    let channels = contents.channels.iter().filter(ends);
    let own = channels.clone().filter(|draft| draft.is_local()).map(|draft| draft.size);
    let parts = Parts {
        kernel_span: software.kernel.span_bytes,
        root_span: software.root_task.span_bytes,
        root_cnode_bits: software.root_cnode_bits,
        cores: contents.cores.get(index).map_or(1, |cores| cores.len() as u64),
        files: &software.files,
        programs: &software.loads,
        channels: own.fold(0, u64::saturating_add),
        mapped: channels.map(|draft| draft.size).fold(software.granted_bytes, u64::saturating_add),
    };
    need::of(&parts, window_bytes)
}

fn misaligned(what: &str, span: &Span, findings: &mut Findings) {
    let message = format!("{what} is not whole large pages");
    let finding = Finding::new(Code::MemoryMisaligned, message, span, "misaligned");
    findings.add(finding.help("base and size of partition memory are multiples of 2M (0x200000)"));
}

fn too_small(name: &str, need: &Need, first_range: Option<u64>, span: &Span, findings: &mut Findings) {
    let message = match first_range.filter(|&bytes| bytes < need.first_range()) {
        Some(_) => format!("the first range of partition `{name}` needs at least {}", rough(need.first_range())),
        None => format!("partition `{name}` needs at least {}", rough(need.total())),
    };
    let help = format!(
        "kernel {}, root task {} and {} for its objects, manifest and files {} (all of these in the first range), \
         programs {}: give it {} in one range, or leave `memory` out",
        rough(need.kernel),
        rough(need.root_task),
        rough(need.room),
        rough(need.files),
        rough(need.programs),
        Size(round_up(need.total(), LARGE_PAGE)),
    );
    findings.add(Finding::new(Code::MemoryTooSmall, message, span, "too small").help(help));
}

/// The rules for one range by itself.
fn range(extent: &Spot<Extent>, findings: &mut Findings) {
    let Spot { value, span } = extent;
    if value.size == 0 || !value.is_aligned(LARGE_PAGE) {
        misaligned(&value.to_string(), span, findings);
    }
    let mut refuse = |code, message: String, label: &str, help: &str| {
        findings.add(Finding::new(code, message, span, label).help(help));
    };
    if value.end() > PHYSICAL_END {
        let message = format!("{value} ends beyond the physical address space");
        refuse(Code::MemoryBeyondPhysical, message, "too high", "physical addresses have 52 bits");
    } else if value.end() > WINDOW_END {
        let message = format!("{value} ends beyond the kernel's window");
        refuse(Code::MemoryBeyondWindow, message, "too high", "a kernel reaches the first 64T of physical memory");
    }
    let choose = "choose a base of 16M (0x1000000) or more, or write only a size";
    if value.base < MIB {
        let message = format!("{value} begins in the first MiB");
        refuse(Code::MemoryFirstMib, message, "firmware and start-up code live here", choose);
    } else if value.overlaps(LOADER_HOLE) {
        let message = format!("{value} lies where the loader is");
        refuse(Code::MemoryLoaderHole, message, "1M to 16M is the loader's", choose);
    }
    if value.overlaps(DEVICE_HOLE) {
        let message = format!("{value} lies where devices are");
        refuse(Code::MemoryDeviceHole, message, "3G to 4G is for devices and firmware", "go below 3G or above 4G");
    }
}

fn overlaps(partitions: &[Spot<schema::Partition>], named: &[Named], findings: &mut Findings) {
    for (index, later) in named.iter().enumerate() {
        for first in named.iter().take(index).filter(|first| first.extent.value.overlaps(later.extent.value)) {
            let owner = partitions.get(first.partition).map(|owner| name_of(&owner.value)).unwrap_or_default();
            let message = format!("{} overlaps memory of partition `{owner}`", later.extent.value);
            findings.add(
                Finding::new(Code::MemoryOverlap, message, &later.extent.span, "overlaps")
                    .also(&first.extent.span, format!("partition `{owner}` has {}", first.extent.value))
                    .help("move or shrink one, or write only a size: then a free place is found"),
            );
        }
    }
}

fn on_devices(devices: &[Devices], named: &[Named], findings: &mut Findings) {
    for mmio in devices.iter().flat_map(|devices| &devices.mmio_listed) {
        for memory in named.iter().filter(|memory| memory.extent.value.overlaps(mmio.value)) {
            let message = format!("device memory {} lies in partition memory", mmio.value);
            findings.add(
                Finding::new(Code::MmioOnMemory, message, &mmio.span, "is this a device?")
                    .also(&memory.extent.span, "this is RAM")
                    .help("device memory and RAM are different places: correct one of the two"),
            );
        }
    }
}
