//! The manifest against the machine, and against itself: what the host's check has promised is not believed here.
//!
//! Everything that decides whether instances stay apart is looked at once more: cores, memory, channels, devices.

use crate::framebuffer::Framebuffer;
use crate::madt::{IoApic, MAX_PROCESSORS};
use crate::memory_map::MemoryMap;
use crate::refuse;
use crate::span::of_memory;
use crate::{CONTROLLERS, LOADER_LIMIT, PAGE, Refusal, Span};
use core::fmt;
use manifest::handoff::WINDOW_PHYS_LIMIT;
use manifest::{Manifest, Partition, irq, partition_flags};

/// Most channels of a system.
pub const MAX_CHANNELS: usize = 4096;

/// What was found.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// Local APIC ids; a core's number is its position.
    pub apic_ids: &'a [u32],
    /// Usable RAM.
    pub ram: &'a MemoryMap,
    /// I/O APICs with their number of pins.
    pub io_apics: &'a [(IoApic, u32)],
    /// Page of the local APIC's registers.
    pub local_apic: u64,
    /// Pages of the ACPI tables.
    pub acpi_tables: &'a [Span],
    /// The framebuffer, if the boot loader set one up.
    pub framebuffer: Option<Framebuffer>,
    /// Where the archive lies as long as it is read.
    pub archive: Span,
}

/// Whose memory it is.
#[derive(Clone, Copy, Debug)]
enum Owner<'a> {
    Partition(&'a str),
    Channel(&'a str),
    Device(&'a str),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(name) => write!(out, "partition \"{name}\""),
            Self::Channel(name) => write!(out, "channel \"{name}\""),
            Self::Device(name) => write!(out, "a device of partition \"{name}\""),
        }
    }
}

/// Checks all of it; the first thing that does not hold is the refusal.
pub fn check(manifest: &Manifest<'_>, machine: &Machine<'_>) -> Result<(), Refusal> {
    sizes(manifest)?;
    cores(manifest, machine)?;
    memory(manifest, machine)?;
    devices(manifest, machine)?;
    framebuffer(manifest, machine)?;
    interrupts(manifest, machine)
}

fn sizes(manifest: &Manifest<'_>) -> Result<(), Refusal> {
    let (partitions, channels) = (manifest.partitions().len(), manifest.channels().len());
    if partitions == 0 {
        return Err(refuse!(ManifestConflict, "the manifest has no partition"));
    }
    if partitions > MAX_PROCESSORS {
        return Err(refuse!(TooMany, "{partitions} partitions; the loader places at most {MAX_PROCESSORS}"));
    }
    if channels > MAX_CHANNELS {
        return Err(refuse!(TooMany, "{channels} channels; the loader knows at most {MAX_CHANNELS}"));
    }
    Ok(())
}

fn cores(manifest: &Manifest<'_>, machine: &Machine<'_>) -> Result<(), Refusal> {
    let mut taken = [false; MAX_PROCESSORS];
    let count = machine.apic_ids.len();
    for partition in manifest.partitions() {
        let name = partition.name.as_str();
        for core in manifest.cores_of(partition) {
            let number = core.number;
            let exists = (number as usize) < count;
            let Some(seat) = taken.get_mut(number as usize).filter(|_| exists) else {
                let last = count.saturating_sub(1);
                return Err(refuse!(
                    CoreMissing,
                    "partition \"{name}\" needs core {number}, but the machine has {count} (0 to {last})"
                ));
            };
            if core::mem::replace(seat, true) {
                return Err(refuse!(ManifestConflict, "core {number} is given twice, last to partition \"{name}\""));
            }
        }
        let is_smp = partition.flags & partition_flags::SMP != 0;
        if partition.cores.count > 1 && !is_smp {
            return Err(refuse!(
                ManifestConflict,
                "partition \"{name}\" has {} cores, but a kernel for one core",
                partition.cores.count
            ));
        }
    }
    // With every partition's cores present this holds, unless a doorbell rings a core that nobody has.
    for partition in manifest.partitions() {
        let name = partition.name.as_str();
        let mut cores = manifest.doorbells_of(partition).iter().map(|bell| bell.core);
        if let Some(core) = cores.find(|core| taken.get(*core as usize) != Some(&true)) {
            return Err(refuse!(
                ManifestConflict,
                "a doorbell of partition \"{name}\" rings core {core}, which no partition has"
            ));
        }
    }
    Ok(())
}

/// Every range of partitions and channels with its owner; `None` in place of one that leaves 64 bits.
fn owned<'a>(manifest: &Manifest<'a>) -> impl Iterator<Item = (Owner<'a>, Option<Span>)> + Clone + use<'a> {
    let manifest = *manifest;
    let slices = manifest.partitions().iter().flat_map(move |partition| {
        let owner = Owner::Partition(partition.name.as_str());
        manifest.memory_of(partition).iter().map(move |range| (owner, of_memory(range)))
    });
    let channels = manifest
        .channels()
        .iter()
        .map(|channel| (Owner::Channel(channel.name.as_str()), Span::new(channel.base, channel.size)));
    slices.chain(channels)
}

/// Every range that the archive must not lie on.
pub fn occupied<'a>(manifest: &Manifest<'a>) -> impl Iterator<Item = Span> + Clone + use<'a> {
    owned(manifest).filter_map(|(_, span)| span)
}

fn memory(manifest: &Manifest<'_>, machine: &Machine<'_>) -> Result<(), Refusal> {
    for (position, (owner, span)) in owned(manifest).enumerate() {
        let span = span.ok_or_else(|| refuse!(ManifestConflict, "memory of {owner} leaves the address space"))?;
        if span.is_empty() || !(span.start() | span.end()).is_multiple_of(PAGE) {
            return Err(refuse!(ManifestConflict, "memory {span} of {owner} is not whole pages"));
        }
        if span.start() < LOADER_LIMIT || span.end() > WINDOW_PHYS_LIMIT {
            return Err(refuse!(
                ManifestConflict,
                "memory {span} of {owner} lies outside {LOADER_LIMIT:#x}..{WINDOW_PHYS_LIMIT:#x}"
            ));
        }
        for (other, theirs) in owned(manifest).take(position) {
            if theirs.is_some_and(|theirs| theirs.overlaps(span)) {
                return Err(refuse!(ManifestConflict, "memory {span} of {owner} overlaps that of {other}"));
            }
        }
        if let Some(hole) = machine.ram.first_hole(span) {
            return Err(refuse!(RamMissing, "memory {span} of {owner}: there is no RAM at {hole}"));
        }
    }
    Ok(())
}

fn devices(manifest: &Manifest<'_>, machine: &Machine<'_>) -> Result<(), Refusal> {
    let manifest = *manifest;
    let all = || {
        manifest.partitions().iter().enumerate().flat_map(move |(number, partition)| {
            manifest.devices_of(partition).iter().map(move |range| (number, partition.name.as_str(), of_memory(range)))
        })
    };
    if manifest.devices().len() > MAX_CHANNELS {
        return Err(refuse!(TooMany, "{} device ranges", manifest.devices().len()));
    }
    for (number, name, span) in all() {
        let owner = Owner::Device(name);
        let span = span.ok_or_else(|| refuse!(ManifestConflict, "memory of {owner} leaves the address space"))?;
        let clash = |what: &dyn fmt::Display| refuse!(ManifestConflict, "memory {span} of {owner} overlaps {what}");
        // Who reaches these registers can send any interrupt to any core.
        let reserved = core::iter::once(machine.local_apic).chain(machine.io_apics.iter().map(|(it, _)| it.address));
        if reserved.filter_map(|base| Span::new(base, PAGE)).any(|page| page.overlaps(span)) {
            return Err(clash(&"an interrupt controller"));
        }
        if span.overlaps(Span::between(1 << 20, LOADER_LIMIT)) {
            return Err(clash(&"the loader"));
        }
        if let Some((other, _)) = owned(&manifest).find(|(_, theirs)| theirs.is_some_and(|it| it.overlaps(span))) {
            return Err(clash(&other));
        }
        let mut others = all().filter(|(other, ..)| *other < number);
        if let Some((_, other, _)) = others.find(|(.., theirs)| theirs.is_some_and(|it| it.overlaps(span))) {
            return Err(clash(&Owner::Device(other)));
        }
    }
    Ok(())
}

/// The only partition with this flag, if there is one.
fn owner<'a>(manifest: &Manifest<'a>, flag: u32, what: &str) -> Result<Option<&'a Partition>, Refusal> {
    let mut owners = manifest.partitions().iter().filter(|partition| partition.flags & flag != 0);
    let owner = owners.next();
    if let (Some(first), Some(second)) = (owner, owners.next()) {
        let (first, second) = (first.name.as_str(), second.name.as_str());
        return Err(refuse!(ManifestConflict, "partitions \"{first}\" and \"{second}\" both own {what}"));
    }
    Ok(owner)
}

/// The boot loader's word against all that is known to be something else. If nobody owns the framebuffer, nobody cares.
fn framebuffer(manifest: &Manifest<'_>, machine: &Machine<'_>) -> Result<(), Refusal> {
    let owner = owner(manifest, partition_flags::FRAMEBUFFER, "the framebuffer")?;
    let (Some(owner), Some(framebuffer)) = (owner, machine.framebuffer) else { return Ok(()) };
    let pages = framebuffer.pages()?;
    let clash = |what: &dyn fmt::Display| {
        let name = owner.name.as_str();
        Err(refuse!(BootInfo, "the boot loader's framebuffer {framebuffer} which \"{name}\" owns, overlaps {what}"))
    };
    let registers = core::iter::once(machine.local_apic).chain(machine.io_apics.iter().map(|(it, _)| it.address));
    let mut registers = registers.filter_map(|base| Span::new(base, PAGE)).chain([CONTROLLERS]);
    if registers.any(|span| span.overlaps(pages)) {
        return clash(&"an interrupt controller");
    }
    if pages.overlaps(Span::between(1 << 20, LOADER_LIMIT)) {
        return clash(&"the loader");
    }
    if pages.overlaps(machine.archive) {
        return clash(&"the archive");
    }
    if machine.ram.overlaps(pages) {
        return clash(&"RAM");
    }
    if machine.acpi_tables.iter().any(|tables| tables.overlaps(pages)) {
        return clash(&"the ACPI tables");
    }
    // Memory of partitions and channels is RAM. Its owner's devices count too: no page is in two untypeds.
    for partition in manifest.partitions() {
        if manifest.devices_of(partition).iter().filter_map(of_memory).any(|device| device.overlaps(pages)) {
            return clash(&Owner::Device(partition.name.as_str()));
        }
    }
    Ok(())
}

fn interrupts(manifest: &Manifest<'_>, machine: &Machine<'_>) -> Result<(), Refusal> {
    owner(manifest, partition_flags::IOAPIC, "the I/O APIC")?;
    let owns = |partition: &&Partition| partition.flags & partition_flags::IOAPIC != 0;
    for partition in manifest.partitions() {
        let name = partition.name.as_str();
        let pins = match machine.io_apics.first() {
            Some((_, pins)) if owns(&partition) => *pins,
            None if owns(&partition) => {
                return Err(refuse!(DeviceMissing, "partition \"{name}\" owns the I/O APIC; the machine has none"));
            }
            _ => 0,
        };
        let mut lines = manifest.irqs_of(partition).iter().filter(|line| line.kind == irq::PIN);
        if let Some(line) = lines.find(|line| line.number >= pins.min(64)) {
            let number = line.number;
            return Err(refuse!(
                DeviceMissing,
                "partition \"{name}\" owns interrupt pin {number}, but its I/O APIC has {pins} pins"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::boot_info::Region;
    use crate::test_system::System;
    use manifest::Memory;

    fn ram(end: u64) -> MemoryMap {
        let low = Region { span: Span::between(0x1000, 0x9_f000), kind: Region::RAM };
        MemoryMap::new(&[low, Region { span: Span::between(0x10_0000, end), kind: Region::RAM }]).unwrap()
    }

    fn verdict(system: &System, cores: &[u32], ram_end: u64) -> Result<(), Refusal> {
        verdict_on(system, cores, ram_end, None)
    }

    fn verdict_on(
        system: &System,
        cores: &[u32],
        ram_end: u64,
        framebuffer: Option<Framebuffer>,
    ) -> Result<(), Refusal> {
        let ram = ram(ram_end);
        let io_apics = [(IoApic { address: 0xd000_0000, gsi_base: 0 }, 24)];
        let machine = Machine {
            apic_ids: cores,
            ram: &ram,
            io_apics: &io_apics,
            local_apic: 0xfee0_0000,
            acpi_tables: &[Span::between(0xbff0_0000, 0xbff1_0000)],
            framebuffer,
            archive: Span::between(0xa000_0000, 0xa010_0000),
        };
        check(system.archive().manifest(), &machine)
    }

    const ENOUGH: u64 = 64 << 20;

    #[track_caller]
    fn refused(system: &System, code: Code, words: &str) {
        let refusal = verdict(system, &[0, 1], ENOUGH).unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(refusal.text().contains(words), "{refusal}");
    }

    #[test]
    fn a_machine_that_has_everything_is_accepted() {
        verdict(&System::two_partitions(), &[0, 1], ENOUGH).unwrap();
    }

    #[test]
    fn a_missing_core_names_partition_and_core() {
        let refusal = verdict(&System::two_partitions(), &[0], ENOUGH).unwrap_err();
        assert_eq!(refusal.code(), Code::CoreMissing);
        assert_eq!(refusal.text(), "partition \"two\" needs core 1, but the machine has 1 (0 to 0)");
    }

    #[test]
    fn missing_ram_names_the_hole() {
        let refusal = verdict(&System::two_partitions(), &[0, 1], 26 << 20).unwrap_err();
        assert_eq!(refusal.code(), Code::RamMissing);
        assert!(refusal.text().contains("\"two\": there is no RAM at 0x1a00000.."), "{refusal}");
    }

    #[test]
    fn a_core_in_two_partitions_is_refused() {
        refused(&System::edited(|edit| edit.cores[1].number = 0), Code::ManifestConflict, "core 0 is given twice");
    }

    #[test]
    fn memory_that_overlaps_or_lies_in_the_loader_is_refused() {
        let edit = |index: usize, base: u64| System::edited(move |edit| edit.memory[index].base = base);
        refused(
            &edit(1, 0x100_1000),
            Code::ManifestConflict,
            "of partition \"two\" overlaps that of partition \"one\"",
        );
        refused(&edit(0, 0x80_0000), Code::ManifestConflict, "lies outside");
        let channel = System::edited(|edit| edit.channels[0].base = 0x100_0000);
        refused(&channel, Code::ManifestConflict, "of channel \"line\" overlaps");
    }

    #[test]
    fn a_device_range_over_an_interrupt_controller_or_a_slice_is_refused() {
        let device = |base| {
            System::edited(move |edit| {
                edit.devices.push(Memory { base, size: 0x1000 });
                edit.partitions[1].devices = manifest::Range { start: 0, count: 1 };
            })
        };
        refused(&device(0xfee0_0000), Code::ManifestConflict, "interrupt controller");
        refused(&device(0xd000_0000), Code::ManifestConflict, "interrupt controller");
        refused(&device(0x100_0000), Code::ManifestConflict, "partition \"one\"");
        refused(&device(0x20_0000), Code::ManifestConflict, "the loader");
        verdict(&device(0xb_8000), &[0, 1], ENOUGH).unwrap();
    }

    /// The system whose partitions of these numbers own the framebuffer; "two" has a device at 0xc0000000.
    fn with_framebuffer(owners: &'static [usize]) -> System {
        System::edited(|edit| {
            owners.iter().for_each(|owner| edit.partitions[*owner].flags |= partition_flags::FRAMEBUFFER);
            edit.devices.push(Memory { base: 0xc000_0000, size: 0x1000 });
            edit.partitions[1].devices = manifest::Range { start: 0, count: 1 };
        })
    }

    fn at(address: u64) -> Option<Framebuffer> {
        Framebuffer::read(&crate::framebuffer::tag(address, 4096, 768))
    }

    #[test]
    fn a_framebuffer_where_something_else_is_known_to_be_is_refused_if_it_has_an_owner() {
        let owned = with_framebuffer(&[0]);
        let size = 3 << 20;
        for (address, what) in [
            (0x10_0000, "the loader"),
            ((16 << 20) - 4096, "the loader"),
            (16 << 20, "RAM"),
            (ENOUGH - 4096, "RAM"),
            (0xa000_0000 - size + 4096, "the archive"),
            (0xbff0_0000 - size + 4096, "the ACPI tables"),
            (0xc000_0000, "a device of partition \"two\""),
            (0xd000_0000, "an interrupt controller"),
            (0xfec0_0000 - size + 4096, "an interrupt controller"),
            (0xfee0_1000, "an interrupt controller"),
        ] {
            let refusal = verdict_on(&owned, &[0, 1], ENOUGH, at(address)).unwrap_err();
            assert_eq!(refusal.code(), Code::BootInfo);
            let words =
                format!("framebuffer at {address:#x}, 768 lines of 4096 bytes, which \"one\" owns, overlaps {what}");
            assert!(refusal.text().contains(&words), "{refusal}");
            verdict_on(&with_framebuffer(&[]), &[0, 1], ENOUGH, at(address)).expect("nobody gets it");
        }
        for address in [0xfd00_0000, 0xa000_0000 - size, 0xfec0_0000 - size, ENOUGH, 0x40_0000_0000] {
            verdict_on(&owned, &[0, 1], ENOUGH, at(address)).unwrap();
        }
        assert!(verdict_on(&owned, &[0, 1], ENOUGH, at(0xfd00_0800)).unwrap_err().text().contains("begin at a page"));
        verdict_on(&owned, &[0, 1], ENOUGH, None).expect("a machine in text mode");
    }

    #[test]
    fn a_framebuffer_of_two_partitions_is_refused() {
        let refusal = verdict_on(&with_framebuffer(&[0, 1]), &[0, 1], ENOUGH, None).unwrap_err();
        assert_eq!(refusal.text(), "partitions \"one\" and \"two\" both own the framebuffer");
        assert_eq!(refusal.code(), Code::ManifestConflict);
    }

    #[test]
    fn an_interrupt_pin_needs_the_io_apic_and_must_exist() {
        let with_pin = |flags: u32, number: u32| {
            System::edited(move |edit| {
                edit.irqs.push(manifest::Irq { kind: irq::PIN, number });
                edit.partitions[0].irqs = manifest::Range { start: 0, count: 1 };
                edit.partitions[0].flags |= flags;
            })
        };
        refused(&with_pin(0, 4), Code::DeviceMissing, "pin 4");
        refused(&with_pin(partition_flags::IOAPIC, 24), Code::DeviceMissing, "24 pins");
        verdict(&with_pin(partition_flags::IOAPIC, 4), &[0, 1], ENOUGH).unwrap();
    }
}
