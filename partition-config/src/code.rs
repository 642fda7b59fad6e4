//! The stable codes of refusals, in one table: scripts and documentation may rely on them.
//!
//! `tests/refusals.rs` shows each code once, and that `docs/partition-file.md` lists them all.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal),+ $(,)?) => {
        /// Why a system file is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name),+ }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The code as printed, such as `skerry::core::taken`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// One sentence for the reference.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

codes! {
    /// The file is not TOML.
    Syntax = "skerry::toml::syntax",
    /// A key that no table of this kind has.
    UnknownKey = "skerry::toml::unknown-key",
    /// A key that has no default is absent.
    MissingKey = "skerry::toml::missing-key",
    /// A value of the wrong type.
    WrongType = "skerry::toml::wrong-type",
    /// A value that is not one of the choices.
    UnknownValue = "skerry::toml::unknown-value",
    /// A size or a time without a unit that is known, or out of range.
    Unit = "skerry::toml::unit",
    /// An address or a range that cannot be read.
    BadRange = "skerry::toml::range",

    /// A name that another thing of the same kind has.
    NameTaken = "skerry::name::taken",
    /// A name that is empty, longer than 32 bytes, or has a character that is not allowed.
    NameInvalid = "skerry::name::invalid",

    /// The file has no partition.
    NoPartition = "skerry::partition::none",
    /// A partition has neither programs nor a root task of its own.
    PartitionEmpty = "skerry::partition::empty",
    /// A partition has both programs and a root task of its own.
    RootTaskWithPrograms = "skerry::partition::root-task",

    /// A core in two partitions.
    CoreTaken = "skerry::core::taken",
    /// A core named twice by one partition.
    CoreTwice = "skerry::core::twice",
    /// A core number that no machine has.
    CoreRange = "skerry::core::range",
    /// A partition with an empty list of cores.
    CoreNone = "skerry::core::none",
    /// A partition with more cores than one kernel runs on.
    CoreMany = "skerry::core::too-many",

    /// A number of scheduling domains that no kernel has.
    Domains = "skerry::partition::domains",
    /// A CNode that no root task can have, or too small for the pages of its image.
    RootCNode = "skerry::partition::root-cnode-bits",

    /// Memory that does not start and end at a multiple of 2 MiB.
    MemoryMisaligned = "skerry::memory::misaligned",
    /// Memory that two owners name.
    MemoryOverlap = "skerry::memory::overlap",
    /// Memory that ends beyond the 52 bits of a physical address.
    MemoryBeyondPhysical = "skerry::memory::beyond-physical",
    /// Memory that ends beyond the 46 bits that a kernel window reaches.
    MemoryBeyondWindow = "skerry::memory::beyond-window",
    /// Memory in the first MiB.
    MemoryFirstMib = "skerry::memory::first-mib",
    /// Memory where the loader lives, 1 MiB to 16 MiB.
    MemoryLoaderHole = "skerry::memory::loader-hole",
    /// Memory where devices live, 3 GiB to 4 GiB.
    MemoryDeviceHole = "skerry::memory::device-hole",
    /// A slice too small for the kernel and its programs.
    MemoryTooSmall = "skerry::memory::too-small",
    /// More memory ranges than a kernel instance can be given, or none.
    MemoryRanges = "skerry::memory::ranges",

    /// A device that is not in the table of named devices.
    DeviceUnknown = "skerry::device::unknown",
    /// A second owner of a named device.
    DeviceTaken = "skerry::device::taken",
    /// More device ranges, channels or port ranges than a kernel instance can be given.
    DeviceTooMany = "skerry::device::too-many",
    /// A second owner of an I/O port.
    PortsTaken = "skerry::ports::taken",
    /// I/O ports that stay with the loader.
    PortsReserved = "skerry::ports::reserved",
    /// A second owner of device memory.
    MmioTaken = "skerry::mmio::taken",
    /// Device memory that the kernel or the loader keeps.
    MmioReserved = "skerry::mmio::reserved",
    /// Device memory that is not whole 4 KiB pages.
    MmioMisaligned = "skerry::mmio::misaligned",
    /// Device memory that ends beyond the 52 bits of a physical address.
    MmioBeyondPhysical = "skerry::mmio::beyond-physical",
    /// Device memory where a partition has RAM.
    MmioOnMemory = "skerry::mmio::on-memory",
    /// A second owner of an interrupt line, or an interrupt named twice.
    InterruptTaken = "skerry::interrupt::taken",
    /// An interrupt that is no pin or vector.
    InterruptUnknown = "skerry::interrupt::unknown",
    /// An interrupt pin without the I/O APIC.
    InterruptNoIoApic = "skerry::interrupt::no-ioapic",
    /// A console that does not exist.
    ConsoleUnknown = "skerry::console::unknown",
    /// A console whose ports have another owner.
    ConsoleTaken = "skerry::console::taken",

    /// A program image that cannot be read.
    ImageMissing = "skerry::program::image-missing",
    /// A program image that is not a static ELF64 x86-64 executable.
    ImageFormat = "skerry::program::image-format",
    /// A program image with a segment outside the user half.
    ImageOutside = "skerry::program::image-outside",
    /// A program image with overlapping segments.
    ImageOverlap = "skerry::program::image-overlap",
    /// A budget larger than its period, or one that the kernel cannot keep.
    Budget = "skerry::program::budget",
    /// A priority outside 0 to 254.
    Priority = "skerry::program::priority",
    /// A stack that is not whole pages, or of an odd size.
    Stack = "skerry::program::stack",
    /// A heap that is not whole pages, or of an odd size.
    Heap = "skerry::program::heap",
    /// An argument that is empty or holds a zero byte.
    Argument = "skerry::program::argument",
    /// A second driver in a partition with I/O ports or interrupts, which go to one.
    DriverTwice = "skerry::program::driver",
    /// A program on a core that its partition does not have.
    ProgramCore = "skerry::program::core",
    /// A data file that cannot be read.
    FileMissing = "skerry::file::missing",

    /// A channel without exactly two ends.
    ChannelEnds = "skerry::channel::ends",
    /// A channel end that does not exist.
    ChannelEndUnknown = "skerry::channel::end-unknown",
    /// A channel with both ends at the same program.
    ChannelSameProgram = "skerry::channel::same-program",
    /// A channel whose size is not whole pages, or of an odd size.
    ChannelSize = "skerry::channel::size",
    /// Access that is no access, or a channel that nobody may write.
    ChannelAccess = "skerry::channel::access",
    /// More channels than a program can have, or more channels and interrupts than a driver can tell apart.
    ChannelMany = "skerry::channel::too-many",
    /// Two doorbells with the same vector in the same partition.
    DoorbellTaken = "skerry::doorbell::taken",
    /// A vector that is no doorbell vector, or one for a doorbell that does not exist.
    DoorbellVector = "skerry::doorbell::vector",
    /// More doorbells than a partition has vectors, or than a kernel instance has routes.
    DoorbellExhausted = "skerry::doorbell::exhausted",
}
