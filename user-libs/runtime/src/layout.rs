//! Where the root task puts things in a program's address space and capability space.
//!
//! All addresses are virtual and in the lower half. Big areas are 2 MiB aligned so that large pages fit. What lies between
//! areas is never mapped: a stack that grows too far, or a run over the end of a channel, faults. Images end at
//! [`IMAGE_LIMIT`](manifest::program::IMAGE_LIMIT).

/// Programs are linked here.
pub const IMAGE_BASE: u64 = 0x40_0000;
/// The startup block ([`Env`](crate::env::Env)), read-only.
pub const ENV_BASE: u64 = 0x1_0000_0000;
/// Largest startup block.
pub const ENV_MAX_BYTES: u64 = 0x1_0000;
/// The page with the IPC buffer at its start.
pub const IPC_BUFFER_BASE: u64 = 0x1_0010_0000;
/// The page that the FS base points to: word 0 its own address (as the x86-64 TLS ABI wants), word 1 the IPC buffer's.
pub const THREAD_BLOCK_BASE: u64 = 0x1_0010_2000;
/// First byte above the stack, which grows down from here.
pub const STACK_TOP: u64 = 0x2_0000_0000;
/// Largest stack.
pub const STACK_MAX_BYTES: u64 = 0x4000_0000;
/// The heap.
pub const HEAP_BASE: u64 = 0x10_0000_0000;
/// Largest heap.
pub const HEAP_MAX_BYTES: u64 = 0x8_0000_0000;
/// Channels, one after the other, a gap behind each.
pub const CHANNEL_BASE: u64 = 0x20_0000_0000;
/// Granted files, one after the other, a gap behind each.
pub const FILE_BASE: u64 = 0x40_0000_0000;
/// Device registers of driver programs.
pub const DEVICE_BASE: u64 = 0x60_0000_0000;
/// End of the areas above; the root task uses what follows for itself.
pub const AREA_LIMIT: u64 = 0x70_0000_0000;
/// Alignment of channels, files and devices, and the least gap between two of them.
pub const AREA_ALIGN: u64 = 0x20_0000;

/// Bits of a program's CNode: 256 slots.
pub const CNODE_BITS: u32 = 8;

/// What is in which slot of a program's CNode.
pub mod slot {
    /// Its own TCB.
    pub const TCB: u64 = 1;
    /// Its own CNode.
    pub const CNODE: u64 = 2;
    /// The root task's endpoint, badged: exits, output and faults go there.
    pub const ROOT: u64 = 3;
    /// The notification that doorbells and interrupts arrive at.
    pub const NOTIFICATION: u64 = 4;
    /// Its own scheduling context.
    pub const SCHED_CONTEXT: u64 = 5;
    /// Drivers: IRQ control is never handed out; these are the first of the handlers, ports and doorbells.
    pub const FIRST_DOORBELL: u64 = 16;
    /// First I/O port capability.
    pub const FIRST_PORT: u64 = 96;
    /// First IRQ handler capability.
    pub const FIRST_IRQ: u64 = 160;
    /// One past the last slot handed out.
    pub const END: u64 = 256;
}

/// Labels of a program's messages to the root task. Faults come with labels below 16.
pub mod label {
    /// The program ends. Word 0: exit code.
    pub const EXIT: u64 = 0x5e01;
    /// Text for the console. Word 0: length in bytes; the bytes follow, packed into words.
    pub const PRINT: u64 = 0x5e02;
}

/// Most bytes of one [`label::PRINT`] message.
pub const PRINT_MAX_BYTES: usize = 119 * 8;

/// Exit code of a program that panicked.
pub const EXIT_PANIC: i32 = 101;
/// Exit code the root task reports for a program that faulted.
pub const EXIT_FAULT: i32 = 139;
/// Exit code of a partition whose root task could not start it.
pub const EXIT_ROOT: i32 = 102;
