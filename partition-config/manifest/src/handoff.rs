//! What the loader leaves for one kernel instance: one page in the instance's own memory, read-only to it.
//!
//! The page names only what this instance may know: its cores, its slice, its devices and its doorbell routes. All
//! addresses are physical unless the name says `virt`. See `docs/boot.md` for the memory map it describes.

use crate::record::Memory;

/// First word of a [`Handoff`].
pub const MAGIC: u64 = u64::from_le_bytes(*b"SKERRYHO");
/// Version of the layout.
pub const VERSION: u32 = 4;
/// Most cores one instance can have: as many as the SMP kernel has room for.
pub const MAX_CORES: usize = 16;
/// Most doorbell routes out of one instance.
pub const MAX_ROUTES: usize = 64;
/// Most device ranges of one instance (channels included).
pub const MAX_DEVICES: usize = 64;
/// Most I/O port ranges of one instance.
pub const MAX_PORTS: usize = 32;
/// Most scheduling domains of one instance: what the kernel is built for.
pub const MAX_DOMAINS: u32 = 16;
/// Least log2 slots of a root task's CNode: what programs for seL4 find.
pub const MIN_ROOT_CNODE_BITS: u32 = 13;
/// Most log2 slots of a root task's CNode: 32 MiB.
pub const MAX_ROOT_CNODE_BITS: u32 = 20;
/// Most RAM ranges of one instance.
pub const MAX_MEMORY: usize = 8;
/// Most distinct top-level page-table entries in the kernel half.
pub const MAX_TOP_ENTRIES: usize = 8;

/// Bit of an ELF segment's flags, one of the operating system's own: the segment belongs to the *gate*, the part of the
/// kernel that is mapped while programs run even if the rest is not.
pub const SEGMENT_OF_GATE: u32 = 1 << 20;

/// Where the kernel image is linked and mapped: the top 2 GiB.
pub const KERNEL_VIRT_BASE: u64 = 0xffff_ffff_8000_0000;
/// Where the handoff page is mapped (read-only, no-execute).
pub const HANDOFF_VIRT: u64 = 0xffff_ffff_bfe0_0000;
/// Where the page that switches address spaces is mapped (read-execute); the instance owns a copy.
pub const TRAMPOLINE_VIRT: u64 = 0xffff_ffff_bfe0_2000;
/// Where the local APIC's registers are mapped (read-write, uncached, no-execute), in xAPIC and x2APIC mode alike.
pub const LOCAL_APIC_VIRT: u64 = 0xffff_ffff_bfe0_4000;
/// Where the I/O APIC's registers are mapped, in the instance that owns it.
pub const IO_APIC_VIRT: u64 = 0xffff_ffff_bfe0_5000;
/// First of the kernel stacks; core n's lies at `+ n * STACK_STRIDE`, an unmapped guard below each.
pub const STACK_VIRT_BASE: u64 = 0xffff_ffff_bff0_0000;
/// Distance between two kernel stacks, guard included.
pub const STACK_STRIDE: u64 = 0x1_0000;
/// Size of one kernel stack.
pub const STACK_BYTES: u64 = 0xe000;
/// The kernel window: physical address `p` of the slice is mapped at `WINDOW_VIRT_BASE + p`.
pub const WINDOW_VIRT_BASE: u64 = 0xffff_8000_0000_0000;
/// Physical addresses from here on cannot be in the window (46 bits: 64 TiB).
pub const WINDOW_PHYS_LIMIT: u64 = 1 << 46;

record! {
    /// A doorbell this instance may ring; its position in [`Handoff::routes`] is the route number.
    Route {
        /// Local APIC id of the core that is interrupted.
        apic_id: u32,
        /// CPU vector raised there.
        vector: u32,
    }
}

record! {
    /// I/O ports `first ..= last`.
    PortRange {
        /// First port.
        first: u16,
        /// Last port, itself included.
        last: u16,
    }
}

record! {
    /// A top-level (PML4) entry of the kernel half, copied into every user VSpace.
    TopEntry {
        /// Index in the table, 256..512.
        index: u64,
        /// The entry, as the processor reads it.
        value: u64,
    }
}

record! {
    /// The page itself.
    Handoff {
        /// [`MAGIC`].
        magic: u64,
        /// [`VERSION`].
        version: u32,
        /// Bits of [`features`].
        features: u32,
        /// Processors of this instance; more than one only for the SMP kernel.
        core_count: u32,
        /// Valid entries of `memory`.
        memory_count: u32,
        /// Valid entries of `devices`.
        device_count: u32,
        /// Valid entries of `ports`.
        port_count: u32,
        /// Valid entries of `routes`.
        route_count: u32,
        /// Valid entries of `top_entries`.
        top_entry_count: u32,
        /// Console, as in the manifest.
        console_kind: u32,
        /// Console port.
        console_port: u32,
        /// TSC ticks per microsecond.
        tsc_mhz: u32,
        /// Local APIC timer ticks (divider 1) per microsecond, times 1024.
        apic_timer_mhz_x1024: u32,
        /// I/O APIC: number of pins (0: not ours), first global system interrupt.
        io_apic_pins: u32,
        /// First global system interrupt of the I/O APIC.
        io_apic_gsi_base: u32,
        /// Bits of [`crate::mitigations`], as the manifest has them.
        mitigations: u32,
        /// log2 of the slots of the root task's CNode, at most [`MAX_ROOT_CNODE_BITS`]; less than [`MIN_ROOT_CNODE_BITS`] counts as that.
        root_cnode_bits: u32,
        /// I/O APIC pins this instance may route (bit n: pin n).
        pins: u64,
        /// User vectors this instance may allocate for MSI (bit n: CPU vector 0x30 + n).
        msi_vectors: [u64; 2],
        /// Doorbell vectors this instance hears (bit n: CPU vector `ipi::DOORBELL_FIRST + n`).
        doorbells_heard: u64,
        /// Physical address of the ACPI root pointer, 0 if none was found.
        rsdp: u64,
        /// The root pointer itself, zero-padded: its memory may lie in no partition.
        rsdp_bytes: [u8; 40],
        /// The framebuffer, if this instance owns it and there is one: the first 22 bytes of multiboot2's tag 8, zero-padded.
        /// The first word is its physical address, 0 if there is none; its pages are among `devices`.
        framebuffer: [u64; 3],
        /// Scheduling domains; 0 counts as 1, as in a stock seL4.
        domain_count: u64,
        /// TSC when the loader began.
        loader_start_tsc: u64,
        /// Kernel's own memory (image, tables, stacks, this page): not in the window.
        kernel: Memory,
        /// The instance's top-level page table.
        top_table: u64,
        /// A second top-level table, whose kernel half maps the gate only ([`SEGMENT_OF_GATE`]); 0 if the manifest rules
        /// out that it is used.
        gate_table: u64,
        /// RAM ranges of the slice; `memory[0]` holds `kernel` at its base. All but `kernel` is in the window.
        memory: [Memory; MAX_MEMORY],
        /// Physical range of the loaded root task: segments at their offsets, gaps and bss zeroed.
        root_image: Memory,
        /// Lowest virtual address of the root task, page-aligned; `root_image` is mapped from here.
        root_virt_base: u64,
        /// Entry point of the root task.
        root_entry: u64,
        /// The partition manifest (page-aligned; `size` in bytes).
        manifest: Memory,
        /// The file area (page-aligned; multiple of 4096 bytes; may be empty): a device untyped to the kernel.
        files: Memory,
        /// First free byte of `memory[0]` behind all of the above, page-aligned. `memory[1..]` are wholly free.
        free_base: u64,
        /// Kernel-half entries of `top_table`.
        top_entries: [TopEntry; MAX_TOP_ENTRIES],
        /// Kernel-half entry of `gate_table`.
        gate_entry: TopEntry,
        /// Local APIC id of each core, in the order of the indices that the cores enter with.
        apic_ids: [u32; MAX_CORES],
        /// MMIO and channel ranges: the kernel makes device untypeds of them.
        devices: [Memory; MAX_DEVICES],
        /// I/O ports the instance may issue capabilities for.
        ports: [PortRange; MAX_PORTS],
        /// Doorbells out.
        routes: [Route; MAX_ROUTES],
    }
}

const _: () = assert!(size_of::<Handoff>() <= 4096);

/// Bits of [`Handoff::features`]: what the loader found on every core of the machine.
pub mod features {
    /// The local APICs run in x2APIC mode.
    pub const X2APIC: u32 = 1;
    /// The local APIC timer has TSC-deadline mode.
    pub const TSC_DEADLINE: u32 = 2;
    /// CR4.PCIDE may be set.
    pub const PCID: u32 = 4;
    /// `invpcid` exists.
    pub const INVPCID: u32 = 8;
    /// 1 GiB pages.
    pub const HUGE_PAGES: u32 = 16;
    /// `rdfsbase` and friends.
    pub const FSGSBASE: u32 = 32;
    /// SMEP was enabled.
    pub const SMEP: u32 = 64;
    /// SMAP was enabled.
    pub const SMAP: u32 = 128;
    /// UMIP was enabled.
    pub const UMIP: u32 = 256;
    /// Programs cannot read what is mapped for the kernel only (not open to Meltdown).
    pub const NO_MELTDOWN: u32 = 1 << 9;
    /// Buffers do not leak to programs (not open to MDS).
    pub const NO_MDS: u32 = 1 << 10;
    /// `verw` overwrites buffers.
    pub const MD_CLEAR: u32 = 1 << 11;
    /// IA32_PRED_CMD has the barrier.
    pub const IBPB: u32 = 1 << 12;
    /// IA32_SPEC_CTRL has STIBP.
    pub const STIBP: u32 = 1 << 13;
    /// IBRS may be set once and for all (Intel's enhanced IBRS).
    pub const IBRS_ALL: u32 = 1 << 14;
    /// EFER has AMD's automatic IBRS.
    pub const AUTO_IBRS: u32 = 1 << 15;
}
