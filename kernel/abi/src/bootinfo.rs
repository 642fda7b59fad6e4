//! What a root task finds when it starts: its first capabilities, the bootinfo page, and the chunks behind it.
//!
//! The page's address is in `rdi` at the root task's entry. If [`BootInfo::extra_len`] is not 0, chunks follow from
//! the next page on, each a [`Header`] and its contents, one behind the other. Tests: `tests/numbers.rs`.

words! {
    /// Slots of the root task's CNode that have a fixed meaning.
    InitialSlot: u64, from_slot {
        /// Always empty.
        Null = 0,
        /// The root task's TCB.
        InitThreadTcb = 1,
        /// Its CNode.
        InitThreadCNode = 2,
        /// Its address space (a PML4).
        InitThreadVSpace = 3,
        /// IRQ control.
        IrqControl = 4,
        /// ASID control.
        AsidControl = 5,
        /// The ASID pool its address space is in.
        InitThreadAsidPool = 6,
        /// I/O port control.
        IoPortControl = 7,
        /// I/O space; empty without VT-d.
        IoSpace = 8,
        /// The bootinfo page.
        BootInfoFrame = 9,
        /// The IPC buffer's page.
        InitThreadIpcBuffer = 10,
        /// Domain control.
        Domain = 11,
        /// Arm only: empty.
        SmmuSidControl = 12,
        /// Arm only: empty.
        SmmuCbControl = 13,
        /// The root task's scheduling context.
        InitThreadSc = 14,
        /// Arm only: empty.
        Smc = 15,
    }
}

/// First slot without a fixed meaning.
pub const NUM_INITIAL_CAPS: u64 = 16;
/// Most untypeds one bootinfo page lists.
pub const MAX_UNTYPEDS: usize = 230;
/// Size of the bootinfo page in bytes; the extra chunks start behind it.
pub const FRAME_BYTES: usize = 4096;
/// Bytes of a [`ChunkId::X86Framebuffer`] chunk, behind its header.
pub const FRAMEBUFFER_BYTES: u64 = 22;

/// Slots `start .. end` of the root task's CNode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SlotRegion {
    /// First slot.
    pub start: u64,
    /// First slot behind.
    pub end: u64,
}

impl SlotRegion {
    /// How many slots.
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// One untyped capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct UntypedDesc {
    /// Physical address, aligned to the size.
    pub paddr: u64,
    /// Bits of the size.
    pub size_bits: u8,
    /// 1 if it is device memory: neither zeroed nor read by the kernel.
    pub is_device: u8,
    /// Zero.
    pub padding: [u8; 6],
}

/// The bootinfo page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct BootInfo {
    /// Bytes of the extra chunks behind this page; 0 if there are none.
    pub extra_len: u64,
    /// Number of the core this root task runs on, within the instance.
    pub node_id: u64,
    /// Cores of the instance.
    pub num_nodes: u64,
    /// Levels of I/O page tables; all ones without VT-d.
    pub num_iopt_levels: u64,
    /// Address of the root task's IPC buffer.
    pub ipc_buffer: u64,
    /// Empty slots.
    pub empty: SlotRegion,
    /// Shared frames: none.
    pub shared_frames: SlotRegion,
    /// Pages of the root task's image, in ascending order of address.
    pub user_image_frames: SlotRegion,
    /// Paging structures of the root task, top down.
    pub user_image_paging: SlotRegion,
    /// Arm only: none.
    pub io_space_caps: SlotRegion,
    /// Pages of the extra chunks.
    pub extra_bi_pages: SlotRegion,
    /// Bits of slots of the root task's CNode.
    pub init_thread_cnode_size_bits: u64,
    /// The root task's domain.
    pub init_thread_domain: u64,
    /// One scheduling control capability for each core.
    pub schedcontrol: SlotRegion,
    /// Untyped capabilities; the n-th is described by `untyped_list[n]`.
    pub untyped: SlotRegion,
    /// Descriptions of the untyped capabilities.
    pub untyped_list: [UntypedDesc; MAX_UNTYPEDS],
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<UntypedDesc>() == 16);
    assert!(size_of::<SlotRegion>() == 16);
    assert!(offset_of!(BootInfo, empty) == 40);
    assert!(offset_of!(BootInfo, init_thread_cnode_size_bits) == 136);
    assert!(offset_of!(BootInfo, schedcontrol) == 152);
    assert!(offset_of!(BootInfo, untyped_list) == 184);
    assert!(size_of::<BootInfo>() == 184 + 16 * MAX_UNTYPEDS);
    assert!(size_of::<BootInfo>() <= FRAME_BYTES);
    assert!(size_of::<Header>() == 16);
    assert!(size_of::<Instance>() == 48);
};

impl BootInfo {
    /// A page that says nothing.
    pub const EMPTY: Self = {
        const NONE: SlotRegion = SlotRegion { start: 0, end: 0 };
        Self {
            extra_len: 0,
            node_id: 0,
            num_nodes: 1,
            num_iopt_levels: u64::MAX,
            ipc_buffer: 0,
            empty: NONE,
            shared_frames: NONE,
            user_image_frames: NONE,
            user_image_paging: NONE,
            io_space_caps: NONE,
            extra_bi_pages: NONE,
            init_thread_cnode_size_bits: 0,
            init_thread_domain: 0,
            schedcontrol: NONE,
            untyped: NONE,
            untyped_list: [UntypedDesc { paddr: 0, size_bits: 0, is_device: 0, padding: [0; 6] }; MAX_UNTYPEDS],
        }
    };
}

/// What every extra chunk starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// What the chunk is: a [`ChunkId`].
    pub id: u64,
    /// Its bytes, this header included. Chunks follow each other without padding.
    pub len: u64,
}

words! {
    /// Kinds of extra chunks.
    ChunkId: u64, from_id {
        /// Nothing for programs written for seL4, which skip it or file it away: some have a table with a place for each kind
        /// below and look no further. Skerry's own chunks are of this kind and begin with a [`SkerryChunk`].
        Padding = 0,
        /// VESA mode information.
        X86Vbe = 1,
        /// Memory map of the boot loader.
        X86MemoryMap = 2,
        /// The ACPI root pointer: a copy of its 36 bytes.
        X86AcpiRsdp = 3,
        /// The linear framebuffer that the boot loader set up: [`FRAMEBUFFER_BYTES`], little-endian and packed, as in
        /// multiboot2's tag 8. Physical address (u64); bytes from one line to the next, width in pixels, height in lines
        /// (u32 each); bits of a pixel, and its type (u8 each): 0 indexes a palette, 1 is direct colour.
        X86Framebuffer = 4,
        /// Frequency of the TSC in MHz: four bytes.
        X86TscFreq = 5,
        /// Device tree.
        Fdt = 6,
    }
}

words! {
    /// First word of a [`ChunkId::Padding`] chunk of Skerry's: what follows it.
    SkerryChunk: u64, from_tag {
        /// The partition manifest.
        Manifest = 0x534b_0001,
        /// An [`Instance`].
        Instance = 0x534b_0002,
    }
}

/// Contents of a [`SkerryChunk::Instance`] behind its first word. Chunks may lie at any address: read by bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Instance {
    /// Physical address of the file area: a device untyped in the list.
    pub files_base: u64,
    /// Its bytes.
    pub files_size: u64,
    /// TSC when the loader began.
    pub loader_start_tsc: u64,
    /// TSC ticks per microsecond.
    pub tsc_mhz: u64,
    /// Physical address of the instance's first memory range.
    pub slice_base: u64,
    /// Its bytes.
    pub slice_size: u64,
}

impl Instance {
    /// Bytes of the contents.
    pub const BYTES: usize = size_of::<Self>();
}
