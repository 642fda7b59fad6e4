//! A checked system with everything resolved: the value between the checks and the manifest.

use crate::devices::UART_PORTS;
use crate::size::{Extent, PortExtent};
use std::sync::Arc;

/// Bytes shared by several partitions.
pub type Content = Arc<[u8]>;

/// A checked system.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the system.
    pub name: String,
    /// The partitions, in the order of the file.
    pub partitions: Vec<Partition>,
    /// The channels, in the order of the file.
    pub channels: Vec<Channel>,
}

/// A checked partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Name.
    pub name: String,
    /// Logical cores; not empty.
    pub cores: Vec<u32>,
    /// RAM; not empty; the kernel lives at the base of the first.
    pub memory: Vec<Extent>,
    /// Scheduling domains, 1 to [`manifest::handoff::MAX_DOMAINS`].
    pub domains: u32,
    /// log2 of the slots of the root task's CNode, 13 to [`manifest::handoff::MAX_ROOT_CNODE_BITS`].
    pub root_cnode_bits: u32,
    /// Mitigations of leaks through speculation.
    pub mitigations: crate::schema::Mitigations,
    /// What must fit into the memory.
    pub need: Need,
    /// Names of the owned devices.
    pub owns: Vec<String>,
    /// Device memory, sorted, disjoint.
    pub mmio: Vec<Extent>,
    /// I/O ports, sorted, disjoint; the console's among them.
    pub ports: Vec<PortExtent>,
    /// Interrupts, sorted.
    pub interrupts: Vec<Interrupt>,
    /// Console.
    pub console: Console,
    /// The kernel ELF, without symbols.
    pub kernel: Content,
    /// The root task ELF, without symbols.
    pub root_task: Content,
    /// Whose root task it is.
    pub root_kind: RootKind,
    /// Programs; empty with a foreign root task.
    pub programs: Vec<Program>,
    /// Files the loader copies into the partition: program images first, then data.
    pub files: Vec<File>,
}

/// Where a partition's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// Nowhere.
    None,
    /// A 16550 UART with its first register at this port.
    Uart(u16),
    /// A byte-wide debug port.
    Debugcon(u16),
}

impl Console {
    /// Its I/O ports.
    pub fn ports(self) -> Option<PortExtent> {
        match self {
            Self::None => None,
            Self::Uart(first) => Some(PortExtent { first, last: first.saturating_add(UART_PORTS - 1) }),
            Self::Debugcon(port) => Some(PortExtent { first: port, last: port }),
        }
    }
}

/// An interrupt of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interrupt {
    /// A pin of the I/O APIC.
    Pin(u32),
    /// A user vector for message-signalled interrupts; 0 is CPU vector `ipi::USER_FIRST`.
    Msi(u32),
}

/// Whose root task a partition runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// Skerry's, which starts the programs.
    Skerry,
    /// The user's own.
    Foreign,
}

/// When a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The partition is finished when it has ended.
    Job,
    /// Never: the partition is finished without it.
    Service,
}

/// Whether a program gets the partition's devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It does not.
    Plain,
    /// It does.
    Driver,
}

/// A checked program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name.
    pub name: String,
    /// Position of its core among the partition's.
    pub node: usize,
    /// Index into the partition's files.
    pub image: usize,
    /// Priority, 0..=254.
    pub priority: u32,
    /// Budget, microseconds.
    pub budget_us: u64,
    /// Period, microseconds.
    pub period_us: u64,
    /// Stack, bytes.
    pub stack_bytes: u64,
    /// Heap, bytes; 0 for none.
    pub heap_bytes: u64,
    /// Arguments.
    pub args: Vec<String>,
    /// Indices into the partition's files.
    pub grants: Vec<usize>,
    /// When it ends.
    pub lifetime: Lifetime,
    /// Whether it gets devices.
    pub role: Role,
}

/// A file of a partition.
#[derive(Clone, Debug)]
pub struct File {
    /// Name.
    pub name: String,
    /// Content.
    pub content: Content,
}

/// A checked channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Name.
    pub name: String,
    /// Where it lies; base 0 if both ends are in one partition, whose root task then takes memory of its own.
    pub memory: Extent,
    /// First and second end.
    pub ends: [End; 2],
}

/// One end of a channel.
#[derive(Clone, Debug)]
pub struct End {
    /// Index of the partition.
    pub partition: usize,
    /// Index of the program in the partition; `None` for a root task of the user's own.
    pub program: Option<usize>,
    /// What it may do.
    pub access: crate::schema::Access,
    /// How it wakes the other end.
    pub rings: Option<Bell>,
}

/// How one end of a channel wakes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bell {
    /// By interrupting a core of another partition.
    Doorbell(Doorbell),
    /// By signalling the notification of a program of the same partition.
    Notification,
}

impl Bell {
    /// The doorbell, if it is one.
    pub fn doorbell(self) -> Option<Doorbell> {
        match self {
            Self::Doorbell(doorbell) => Some(doorbell),
            Self::Notification => None,
        }
    }
}

/// A doorbell: a fixed core and vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorbell {
    /// Logical core that hears it.
    pub core: u32,
    /// CPU vector there.
    pub vector: u32,
}

/// Bytes that a partition needs, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Kernel image, page tables, stacks.
    pub kernel: u64,
    /// Root task image.
    pub root_task: u64,
    /// Manifest and files, alignment included.
    pub files: u64,
    /// Loaded programs: images, stacks, page tables, kernel objects.
    pub programs: u64,
    /// The root task's own objects.
    pub room: u64,
}

impl Need {
    /// All of it.
    pub fn total(&self) -> u64 {
        [self.root_task, self.files, self.programs, self.room].into_iter().fold(self.kernel, u64::saturating_add)
    }

    /// What has to lie in the first range: all but the programs.
    pub fn first_range(&self) -> u64 {
        self.total().saturating_sub(self.programs)
    }
}

impl Partition {
    /// Whether the partition ever finishes: it has a program that is no service.
    pub fn finishes(&self) -> bool {
        self.programs.iter().any(|program| program.lifetime == Lifetime::Job)
    }

    /// Its cores with their positions.
    pub fn nodes(&self) -> impl Iterator<Item = (usize, u32)> {
        self.cores.iter().copied().enumerate()
    }

    /// Bytes of RAM.
    pub fn memory_bytes(&self) -> u64 {
        self.memory.iter().map(|range| range.size).fold(0, u64::saturating_add)
    }
}

impl Channel {
    /// Whether both ends are in one partition.
    pub fn is_local(&self) -> bool {
        let [first, second] = &self.ends;
        first.partition == second.partition
    }
}

impl Plan {
    /// Name of the system.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Cores the machine must have: one more than the highest number named.
    pub fn core_count(&self) -> u32 {
        self.partitions.iter().flat_map(|partition| &partition.cores).max().map_or(0, |core| core + 1)
    }

    /// End of the highest slice or channel.
    pub fn memory_end(&self) -> u64 {
        let slices = self.partitions.iter().flat_map(|partition| &partition.memory);
        let channels = self.shared_channels().map(|(_, channel)| &channel.memory);
        slices.chain(channels).map(|range| range.end()).max().unwrap_or(0)
    }

    /// The channels between two partitions, with their indices: those that have a place of their own in memory.
    pub fn shared_channels(&self) -> impl Iterator<Item = (usize, &Channel)> + Clone {
        self.channels.iter().enumerate().filter(|(_, channel)| !channel.is_local())
    }

    /// What wakes the end `side` (0 or 1) of `channel`.
    pub fn heard_by(&self, channel: &Channel, side: usize) -> Option<Bell> {
        channel.ends.get(1 - side.min(1)).and_then(|other| other.rings)
    }
}
