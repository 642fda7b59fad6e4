//! The archive: system manifest, then files, each at a page of its own, equal contents once.
//!
//! A partition manifest is a file of the archive, named `manifest:<n>`; it is the system manifest seen from one
//! partition, with indices and file offsets of its own, and with the channels between the partition's own programs.

use crate::devices::{ACPI, FRAMEBUFFER, IO_APIC};
use crate::need::{file_area, round_up};
use crate::place::Occupied;
use crate::plan::{Bell, Console, Content, Interrupt, Lifetime, Partition, Plan, Role, RootKind};
use crate::schema::Access;
use crate::size::{Extent, LARGE_PAGE, PAGE};
use crate::writer::{Tables, append, name};
use manifest::{Core, Doorbell, End, File, Grant, Irq, LOCAL, Memory, NONE, Ports, Program, Range, checksum};
use manifest::{console, irq, partition_flags, program_flags};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is appended to the loader.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The bytes, a multiple of 4096.
    pub bytes: Vec<u8>,
    /// Physical address to load them at: 2 MiB-aligned, above every slice and channel.
    pub load_base: u64,
}

impl Archive {
    /// End of the RAM that the system needs while it boots.
    pub fn ram_end(&self) -> u64 {
        self.load_base + self.bytes.len() as u64
    }
}

/// An archive is its bytes.
impl std::ops::Deref for Archive {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The contents of an archive, equal ones once.
#[derive(Default)]
struct Blobs {
    contents: Vec<Content>,
    known: BTreeMap<(u64, usize), Vec<usize>>,
}

impl Blobs {
    /// The blob with this content.
    fn add(&mut self, content: &Content) -> usize {
        let same = self.known.entry((checksum(content), content.len())).or_default();
        let contents = &mut self.contents;
        let known = same.iter().find(|&&index| contents.get(index).is_some_and(|other| other == content));
        if let Some(&index) = known {
            return index;
        }
        contents.push(Arc::clone(content));
        same.push(contents.len() - 1);
        contents.len() - 1
    }
}

/// Where a partition's files, kernel and root task are in the table of files.
#[derive(Clone, Copy)]
struct FilePlaces {
    files: Range,
    kernel: u32,
    root_task: u32,
}

/// Whose manifest is written.
#[derive(Clone, Copy)]
enum View {
    /// The loader's.
    System,
    /// The root task's of the partition with this index.
    Partition(usize),
}

impl Plan {
    /// The archive of the system.
    pub fn archive(&self) -> Archive {
        let mut blobs = Blobs::default();
        let mut listed = Vec::<(String, usize)>::new();
        // Few kernels and root tasks are shared by many partitions: each is listed once.
        let mut shared = BTreeMap::new();
        for partition in &self.partitions {
            for (name, content) in [("kernel", &partition.kernel), ("root-task", &partition.root_task)] {
                let blob = blobs.add(content);
                shared.entry(blob).or_insert_with(|| append(&mut listed, [(name.to_owned(), blob)]).start);
            }
        }
        for index in 0..self.partitions.len() {
            listed.push((format!("manifest:{index}"), blobs.add(&Content::from(self.partition_manifest(index)))));
        }
        let mut places = Vec::new();
        for partition in &self.partitions {
            let files: Vec<_> = partition.files.iter().map(|f| (f.name.clone(), blobs.add(&f.content))).collect();
            let mut listed_as = |content| shared.get(&blobs.add(content)).copied().unwrap_or(NONE);
            let (kernel, root_task) = (listed_as(&partition.kernel), listed_as(&partition.root_task));
            places.push(FilePlaces { files: append(&mut listed, files), kernel, root_task });
        }

        let mut tables = self.records(View::System, &places);
        let record = |(text, blob): &(String, usize), offset: u64| {
            let content: &[u8] = blobs.contents.get(*blob).map_or(&[], |content| content);
            File { name: name(text), offset, size: content.len() as u64, checksum: checksum(content) }
        };
        // The size of a manifest does not depend on the offsets in it.
        tables.files = listed.iter().map(|file| record(file, 0)).collect();
        let mut end = round_up(tables.to_bytes().len() as u64, PAGE);
        let offsets: Vec<u64> = blobs
            .contents
            .iter()
            .map(|content| {
                let start = end;
                end = round_up(start + content.len() as u64, PAGE);
                start
            })
            .collect();
        tables.files = listed.iter().map(|file| record(file, offsets.get(file.1).copied().unwrap_or(0))).collect();

        let mut bytes = tables.to_bytes();
        bytes.reserve_exact(end as usize - bytes.len());
        for (content, offset) in blobs.contents.iter().zip(offsets) {
            bytes.resize(offset as usize, 0);
            bytes.extend_from_slice(content);
        }
        bytes.resize(end as usize, 0);
        Archive { load_base: self.archive_base(end), bytes }
    }

    /// The manifest that the root task of partition `index` reads; empty if there is no such partition.
    pub fn partition_manifest(&self, index: usize) -> Vec<u8> {
        let Some(partition) = self.partitions.get(index) else { return Vec::new() };
        let (offsets, _) = file_area(partition.files.iter().map(|file| file.content.len() as u64));
        let files = Range { start: 0, count: partition.files.len() as u32 };
        let mut tables = self.records(View::Partition(index), &[FilePlaces { files, kernel: NONE, root_task: NONE }]);
        tables.files = partition
            .files
            .iter()
            .zip(offsets)
            .map(|(file, offset)| File {
                name: name(&file.name),
                offset,
                size: file.content.len() as u64,
                checksum: checksum(&file.content),
            })
            .collect();
        tables.to_bytes()
    }

    fn archive_base(&self, bytes: u64) -> u64 {
        let mut occupied = Occupied::default();
        occupied.add(Extent { base: 0, size: self.memory_end() });
        self.partitions.iter().flat_map(|partition| &partition.mmio).for_each(|extent| occupied.add(*extent));
        occupied.place(bytes, LARGE_PAGE).map_or(self.memory_end(), |extent| extent.base)
    }

    /// All tables but the files; `places` has an entry for each partition in view.
    fn records(&self, view: View, places: &[FilePlaces]) -> Tables {
        let mut tables = Tables { name: self.name.clone(), ..Tables::default() };
        // Which channel of the plan is which of the manifest.
        let mut channels = BTreeMap::new();
        for (index, channel) in self.channels.iter().enumerate() {
            let wanted = match view {
                // A channel within a partition concerns nobody but its root task.
                View::System => !channel.is_local(),
                View::Partition(index) => channel.ends.iter().any(|end| end.partition == index),
            };
            if wanted {
                let Extent { base, size } = channel.memory;
                let record = manifest::Channel { name: name(&channel.name), base, size };
                channels.insert(index, append(&mut tables.channels, [record]).start);
            }
        }
        let indices = match view {
            View::System => 0..self.partitions.len(),
            View::Partition(index) => index..index + 1,
        };
        for (index, &place) in indices.zip(places) {
            if let Some(partition) = self.partitions.get(index) {
                let record = self.partition_record(index, partition, place, &channels, &mut tables);
                tables.partitions.push(record);
            }
        }
        tables
    }

    fn partition_record(
        &self,
        index: usize,
        partition: &Partition,
        place: FilePlaces,
        channels: &BTreeMap<usize, u32>,
        tables: &mut Tables,
    ) -> manifest::Partition {
        let (console_kind, console_port) = match partition.console {
            Console::None => (console::NONE, 0),
            Console::Uart(port) => (console::UART, u32::from(port)),
            Console::Debugcon(port) => (console::DEBUGCON, u32::from(port)),
        };
        let memory = |extent: &Extent| Memory { base: extent.base, size: extent.size };
        let cores = partition.cores.iter().zip(0..).map(|(&number, node)| Core { number, node });
        let ports = partition.ports.iter().map(|ports| Ports { first: ports.first, last: ports.last, reserved: 0 });
        let irqs = partition.interrupts.iter().map(|interrupt| match *interrupt {
            Interrupt::Pin(number) => Irq { kind: irq::PIN, number },
            Interrupt::Msi(number) => Irq { kind: irq::MSI, number },
        });
        let (ends, doorbells_out) = self.ends(index, channels, tables);
        manifest::Partition {
            name: name(&partition.name),
            flags: flags(partition),
            console_kind,
            console_port,
            kernel: place.kernel,
            root_task: place.root_task,
            domains: partition.domains,
            mitigations: partition.mitigations.0,
            root_cnode_bits: partition.root_cnode_bits,
            cores: append(&mut tables.cores, cores),
            memory: append(&mut tables.memory, partition.memory.iter().map(memory)),
            devices: append(&mut tables.devices, partition.mmio.iter().map(memory)),
            ports: append(&mut tables.ports, ports),
            irqs: append(&mut tables.irqs, irqs),
            programs: programs(partition, place.files.start, tables),
            ends,
            doorbells_out,
            files: place.files,
        }
    }

    /// Ends and doorbells of a partition. Its programs will come next in the table of programs.
    fn ends(&self, partition: usize, channels: &BTreeMap<usize, u32>, tables: &mut Tables) -> (Range, Range) {
        let first_program = tables.programs.len();
        let (mut ends, mut doorbells) = (Vec::new(), Vec::new());
        for (channel_index, channel) in self.channels.iter().enumerate() {
            let Some(&number) = channels.get(&channel_index) else { continue };
            for (side, end) in channel.ends.iter().enumerate().filter(|(_, end)| end.partition == partition) {
                let rings = match end.rings {
                    None => NONE,
                    Some(Bell::Notification) => LOCAL,
                    Some(Bell::Doorbell(bell)) => {
                        let route = doorbells.len() as u32;
                        doorbells.push(Doorbell { core: bell.core, vector: bell.vector, channel: number, route });
                        (tables.doorbells.len() + doorbells.len() - 1) as u32
                    }
                };
                let hears = match self.heard_by(channel, side) {
                    None => NONE,
                    Some(Bell::Notification) => LOCAL,
                    Some(Bell::Doorbell(bell)) => bell.vector,
                };
                ends.push(End {
                    channel: number,
                    program: end.program.map_or(NONE, |program| (first_program + program) as u32),
                    access: if end.access == Access::Read { 1 } else { 3 },
                    side: side as u32,
                    rings,
                    hears,
                });
            }
        }
        (append(&mut tables.ends, ends), append(&mut tables.doorbells, doorbells))
    }
}

fn flags(partition: &Partition) -> u32 {
    let flag = |holds: bool, bit: u32| if holds { bit } else { 0 };
    let owns = |device: &str| partition.owns.iter().any(|name| name == device);
    flag(owns(IO_APIC), partition_flags::IOAPIC)
        | flag(owns(ACPI), partition_flags::ACPI)
        | flag(owns(FRAMEBUFFER), partition_flags::FRAMEBUFFER)
        | flag(partition.root_kind == RootKind::Foreign, partition_flags::FOREIGN_ROOT)
        | flag(partition.cores.len() > 1, partition_flags::SMP)
}

fn programs(partition: &Partition, first_file: u32, tables: &mut Tables) -> Range {
    let start = tables.programs.len();
    for program in &partition.programs {
        let grants = program.grants.iter().map(|&file| Grant { file: first_file + file as u32, reserved: 0 });
        let service = if program.lifetime == Lifetime::Service { program_flags::SERVICE } else { 0 };
        let driver = if program.role == Role::Driver { program_flags::DRIVER } else { 0 };
        tables.programs.push(Program {
            name: name(&program.name),
            image: first_file + program.image as u32,
            priority: program.priority,
            budget_us: program.budget_us,
            period_us: program.period_us,
            stack_bytes: program.stack_bytes,
            heap_bytes: program.heap_bytes,
            args: append(&mut tables.strings, program.args.join("\0").into_bytes()),
            grants: append(&mut tables.grants, grants),
            flags: service | driver,
            node: program.node as u32,
        });
    }
    Range { start: start as u32, count: (tables.programs.len() - start) as u32 }
}
