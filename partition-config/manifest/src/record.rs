//! The fixed-size records of the manifest. Plain data: any bit pattern is a value, meaning is checked by `decode`.

/// First eight bytes of every manifest.
pub const MAGIC: [u8; 8] = *b"SKERRYMF";
/// Version of the layout; a decoder refuses every other.
pub const VERSION: u32 = 3;
/// "No such index", wherever an index is optional.
pub const NONE: u32 = u32::MAX;
/// In place of a doorbell: the program at the other end belongs to the same partition, and its notification is signalled.
pub const LOCAL: u32 = u32::MAX - 1;
/// Longest name in bytes; names are zero-padded.
pub const NAME_BYTES: usize = 32;

record! {
    /// A zero-padded UTF-8 name of at most [`NAME_BYTES`] bytes.
    Name {
        /// The text, then zero bytes.
        bytes: [u8; NAME_BYTES],
    }
}

impl Name {
    /// The name as text, or `None` when the text does not fit or holds a zero byte.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; NAME_BYTES];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.as_bytes().contains(&0)).then_some(Self { bytes })
    }

    /// The text up to the first zero byte; bytes that are not UTF-8 read as `"?"`.
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES);
        core::str::from_utf8(self.bytes.get(..end).unwrap_or(&[])).unwrap_or("?")
    }
}

record! {
    /// Consecutive entries of another table: `start .. start + count`.
    Range {
        /// Index of the first entry.
        start: u32,
        /// Number of entries.
        count: u32,
    }
}

record! {
    /// Where a table lies: byte offset from the start of the manifest, and its number of records.
    Table {
        /// Bytes from the start of the manifest, a multiple of 8.
        offset: u32,
        /// Number of records.
        count: u32,
    }
}

record! {
    /// Opens the manifest.
    Header {
        /// [`MAGIC`].
        magic: [u8; 8],
        /// [`VERSION`].
        version: u32,
        /// Size of this header in bytes.
        header_bytes: u32,
        /// Size of the whole manifest in bytes, tables and strings included, archive files not.
        total_bytes: u64,
        /// `checksum` of everything behind the header.
        checksum: u64,
        /// Name of the system.
        name: Name,
        /// [`Partition`] records.
        partitions: Table,
        /// [`Core`] records.
        cores: Table,
        /// [`Memory`] records.
        memory: Table,
        /// [`Memory`] records that are device (MMIO) ranges.
        devices: Table,
        /// [`Ports`] records.
        ports: Table,
        /// [`Irq`] records.
        irqs: Table,
        /// [`Program`] records.
        programs: Table,
        /// [`Channel`] records.
        channels: Table,
        /// [`End`] records.
        ends: Table,
        /// [`Doorbell`] records.
        doorbells: Table,
        /// [`File`] records.
        files: Table,
        /// [`Grant`] records.
        grants: Table,
        /// String bytes (`count` is in bytes): program arguments, joined by zero bytes.
        strings: Table,
    }
}

record! {
    /// A named slice of the machine.
    Partition {
        /// Name, unique in the system.
        name: Name,
        /// Bits of [`partition_flags`].
        flags: u32,
        /// One of [`console`].
        console_kind: u32,
        /// I/O port of the console (`console_kind` says what is behind it).
        console_port: u32,
        /// File index of the kernel ELF.
        kernel: u32,
        /// File index of the root task ELF.
        root_task: u32,
        /// Scheduling domains; 0 counts as 1.
        domains: u32,
        /// Bits of [`mitigations`].
        mitigations: u32,
        /// log2 of the slots of the root task's CNode; less than 13 counts as 13.
        root_cnode_bits: u32,
        /// Logical cores, see [`Core`].
        cores: Range,
        /// RAM; the kernel lives at the base of the first.
        memory: Range,
        /// MMIO ranges owned.
        devices: Range,
        /// I/O port ranges owned.
        ports: Range,
        /// Interrupt lines and vectors owned.
        irqs: Range,
        /// Programs.
        programs: Range,
        /// Channel ends.
        ends: Range,
        /// Doorbells this partition's programs may ring.
        doorbells_out: Range,
        /// Files the loader copies into the partition (program ELFs and data).
        files: Range,
    }
}

/// Bits of [`Partition::flags`].
pub mod partition_flags {
    /// The partition owns the I/O APIC: its kernel programs the redirection table.
    pub const IOAPIC: u32 = 1;
    /// `root_task` is the user's own seL4 root task: there are no programs.
    pub const FOREIGN_ROOT: u32 = 2;
    /// The partition sees the ACPI tables: the loader adds their pages to its devices.
    pub const ACPI: u32 = 8;
    /// Runs the SMP kernel flavour (more than one core).
    pub const SMP: u32 = 4;
    /// The partition gets the framebuffer, if there is one: the loader adds its pages to its devices.
    pub const FRAMEBUFFER: u32 = 16;
}

/// Bits of [`Partition::mitigations`]: what a kernel does against leaks through the processor's speculation.
pub mod mitigations {
    /// Kernel page-table isolation: while programs run, only the way into the kernel is mapped.
    pub const KPTI: u32 = 1;
    /// Indirect branch restricted speculation, of the kind that is switched on once.
    pub const IBRS: u32 = 2;
    /// Single-thread indirect branch predictors.
    pub const STIBP: u32 = 4;
    /// A barrier in the indirect branch predictor between two address spaces.
    pub const IBPB: u32 = 8;
    /// The return stack is filled between two address spaces.
    pub const RSB: u32 = 16;
    /// Buffers are overwritten before user mode.
    pub const VERW: u32 = 32;
    /// All that can be asked for by name.
    pub const ALL: u32 = KPTI | IBRS | STIBP | IBPB | RSB | VERW;
    /// Beside what is named, what the processor needs.
    pub const AUTO: u32 = 1 << 31;
}

/// Values of [`Partition::console_kind`].
pub mod console {
    /// No console: output is dropped.
    pub const NONE: u32 = 0;
    /// A 16550 UART at `console_port`.
    pub const UART: u32 = 1;
    /// A byte-wide debug port (QEMU `isa-debugcon`, Bochs 0xe9).
    pub const DEBUGCON: u32 = 2;
}

record! {
    /// One logical core: the n-th usable processor of the ACPI MADT, counted from 0 (the boot processor first).
    Core {
        /// The logical core.
        number: u32,
        /// Position among the partition's cores.
        node: u32,
    }
}

record! {
    /// A physical range, in bytes.
    Memory {
        /// Physical address of the first byte.
        base: u64,
        /// Bytes.
        size: u64,
    }
}

record! {
    /// I/O ports `first ..= last`.
    Ports {
        /// First port.
        first: u16,
        /// Last port, itself included.
        last: u16,
        /// Zero.
        reserved: u32,
    }
}

record! {
    /// One interrupt: `kind` from [`irq`], `number` is an I/O APIC pin or a user vector (0 is CPU vector 0x30).
    Irq {
        /// One of [`irq`].
        kind: u32,
        /// Pin or user vector.
        number: u32,
    }
}

/// Values of [`Irq::kind`].
pub mod irq {
    /// An I/O APIC pin (global system interrupt).
    pub const PIN: u32 = 0;
    /// A message-signalled vector.
    pub const MSI: u32 = 1;
}

record! {
    /// A program that the root task starts.
    Program {
        /// Name, unique in the partition.
        name: Name,
        /// File index of the ELF.
        image: u32,
        /// Priority, 0..=255, also its maximum controlled priority.
        priority: u32,
        /// Budget per period, microseconds.
        budget_us: u64,
        /// Period, microseconds; equal to the budget for a round-robin thread.
        period_us: u64,
        /// Stack size in bytes, a multiple of 4096.
        stack_bytes: u64,
        /// Heap size in bytes, a multiple of 4096; 0 for none.
        heap_bytes: u64,
        /// Byte range of the arguments in the string table, zero-separated.
        args: Range,
        /// Data files granted to it.
        grants: Range,
        /// Bits of [`program_flags`].
        flags: u32,
        /// Position of its core among the partition's.
        node: u32,
    }
}

/// Stands between the two names of a program whose partition was merged with others: `partition/program`. Names of the
/// system file have no such character.
pub const MERGED: char = '/';

impl Program {
    /// Whether its name carries that of the partition it comes from.
    pub fn is_merged(&self) -> bool {
        self.name.as_str().contains(MERGED)
    }

    /// The names that the program itself is told, whatever its partition was merged with: the partition's and its own.
    pub fn names(&self, partition: &Partition) -> (Name, Name) {
        let names = self.name.as_str().split_once(MERGED);
        let names = names.and_then(|(home, own)| Some((Name::new(home)?, Name::new(own)?)));
        names.unwrap_or((partition.name, self.name))
    }
}

/// Bits of [`Program::flags`].
pub mod program_flags {
    /// Runs for ever: the partition is finished without it.
    pub const SERVICE: u32 = 1;
    /// Gets capabilities for the partition's devices, ports and interrupts.
    pub const DRIVER: u32 = 2;
}

record! {
    /// A shared-memory channel. In a partition manifest only those with an end in the partition; one with both ends there
    /// is that partition's own affair, and in no other manifest.
    Channel {
        /// Name, unique in the system.
        name: Name,
        /// Physical base; 0 if both ends are in the partition, whose root task then takes memory of its own.
        base: u64,
        /// Size in bytes, a multiple of 4096.
        size: u64,
    }
}

impl Channel {
    /// Whether both ends are in one partition.
    pub const fn is_local(&self) -> bool {
        self.base == 0
    }
}

record! {
    /// One end of a channel.
    End {
        /// Index of the channel.
        channel: u32,
        /// Index of the program (in the table of programs); [`NONE`] in a partition with a root task of the user's own.
        program: u32,
        /// Bit 0: may read. Bit 1: may write.
        access: u32,
        /// 0 for the end listed first, 1 for the other.
        side: u32,
        /// Index into `doorbells` of the doorbell this end rings, or [`LOCAL`], or [`NONE`].
        rings: u32,
        /// Vector of the doorbell this end hears (see crate `ipi`), or [`LOCAL`], or [`NONE`].
        hears: u32,
    }
}

record! {
    /// A doorbell: fixed target core and vector.
    Doorbell {
        /// Logical core that is interrupted.
        core: u32,
        /// CPU vector, within `ipi::DOORBELL_VECTORS`.
        vector: u32,
        /// Index of the channel that it belongs to.
        channel: u32,
        /// Position within its partition's `doorbells_out`: the route number the kernel knows it by.
        route: u32,
    }
}

record! {
    /// A file of the archive.
    File {
        /// File name as programs know it.
        name: Name,
        /// System manifest: byte offset from the start of the archive. Partition manifest: from the start of the
        /// partition's file area. A multiple of 4096.
        offset: u64,
        /// Size in bytes.
        size: u64,
        /// `checksum` of its bytes.
        checksum: u64,
    }
}

record! {
    /// A data file mapped read-only into a program.
    Grant {
        /// Index of the file.
        file: u32,
        /// Zero.
        reserved: u32,
    }
}
