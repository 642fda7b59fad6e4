//! [`Cpu`]: what one core keeps for itself and the entry stubs find through GS.
//!
//! ```text
//! GS ─▶ this · current · kernel_stack · handler_stack · user_rsp · smap · …   the stubs' words, by offset
//!       TSS, GDT, IDT                                      what the processor reads
//!       stacks for #DF/#MC (CR3 above it), NMI (counter above it), #DB, entry
//! ```
//!
//! The gate (`docs/decisions/0010-…`): with isolated page tables this block is all the data that is mapped while programs run. It holds
//! addresses, and of programs where the last one stopped (RIP, RSP, flags), no other register.
//!
//! All-zero bytes are a valid unstarted `Cpu`, so an array of them costs no space in the kernel's file.
//! `x86_64::start` fills it in, once. Only the core that owns it touches it afterwards, which is why it may be
//! shared as a static (`Sync`).
//!
//! Tests: at the end of this file.

use crate::gate::GATES;
use crate::selector::GDT_ENTRIES;
use core::cell::{Cell, UnsafeCell};
use core::ptr;

/// Bytes of the stack of double faults and machine checks; they print.
pub const FATAL_STACK_BYTES: usize = 8192;
/// Bytes of the NMI's stack; the stub pushes nothing.
pub const NMI_STACK_BYTES: usize = 256;
/// Bytes of the debug exception's stack; the stub pushes three words.
pub const DEBUG_STACK_BYTES: usize = 256;

/// Bytes of the stack on which entries from the user begin with isolated page tables: one frame, and one in it.
pub const ENTRY_STACK_BYTES: usize = 256;

/// A stack; its top is its end.
#[repr(C, align(16))]
pub struct StackArea<const BYTES: usize> {
    bytes: UnsafeCell<[u8; BYTES]>,
}

impl<const BYTES: usize> StackArea<BYTES> {
    const fn new() -> Self {
        Self { bytes: UnsafeCell::new([0; BYTES]) }
    }

    /// The address behind the last byte.
    pub fn top(&self) -> u64 {
        self.bytes.get() as u64 + BYTES as u64
    }
}

/// A 64-bit task state segment, in 32-bit words because its 64-bit fields are misaligned.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct TaskState {
    words: [u32; 26],
}

impl TaskState {
    const STACK_0: usize = 1;
    const INTERRUPT_STACKS: usize = 9;
    const IO_MAP: usize = 25;

    /// Limit of the segment; the I/O permission bitmap would lie beyond it, so every user port access faults.
    pub const LIMIT: u32 = size_of::<Self>() as u32 - 1;

    /// Entering from the user switches to `kernel_stack`; entry n of the interrupt stack table is
    /// `interrupt_stacks[n - 1]`.
    pub const fn new(kernel_stack: u64, interrupt_stacks: [u64; 3]) -> Self {
        let mut words = [0; 26];
        words[Self::STACK_0] = kernel_stack as u32;
        words[Self::STACK_0 + 1] = (kernel_stack >> 32) as u32;
        let mut entry = 0;
        while entry < interrupt_stacks.len() {
            words[Self::INTERRUPT_STACKS + 2 * entry] = interrupt_stacks[entry] as u32;
            words[Self::INTERRUPT_STACKS + 2 * entry + 1] = (interrupt_stacks[entry] >> 32) as u32;
            entry += 1;
        }
        words[Self::IO_MAP] = (Self::LIMIT + 1) << 16;
        Self { words }
    }
}

/// One core's block. The first fields are known to the entry stubs by offset.
#[repr(C, align(64))]
pub struct Cpu {
    /// The address of this block: the argument of every handler.
    pub this: Cell<*const Cpu>,
    /// The thread whose context the stubs save to and restore from, by its address.
    pub current: Cell<u64>,
    /// Top of this core's kernel stack.
    pub kernel_stack: Cell<u64>,
    /// A return address below `kernel_stack`: for handlers that are jumped to.
    pub handler_stack: Cell<u64>,
    /// The user's stack pointer for two instructions of the system call entry.
    pub user_rsp: Cell<u64>,
    /// Whether CR4.SMAP is on, so that entries must clear AC (0 or 1).
    pub smap: Cell<u64>,
    /// With isolated page tables: CR3 of the current address space, for the way out. Else 0.
    pub user_root: Cell<u64>,
    /// Operand of the `verw` on the way out, or 0 for none.
    pub verw: Cell<u64>,
    /// Top of `entry_stack`.
    pub entry_stack_top: Cell<u64>,
    /// Position among the instance's cores.
    index: Cell<usize>,
    /// Whatever the kernel keeps per core.
    payload: Cell<*const ()>,
    /// Task state segment.
    pub task: UnsafeCell<TaskState>,
    /// Global descriptor table.
    pub gdt: UnsafeCell<[u64; GDT_ENTRIES]>,
    /// Interrupt descriptor table.
    pub idt: UnsafeCell<[[u64; 2]; GATES]>,
    /// Stack of double faults and machine checks.
    pub fatal_stack: StackArea<FATAL_STACK_BYTES>,
    /// With isolated page tables: CR3 of the kernel, else 0. Lies right above their stack,
    /// where their stub finds it although GS may be the user's.
    pub kernel_root: Cell<u64>,
    /// Stack of the NMI.
    pub nmi_stack: StackArea<NMI_STACK_BYTES>,
    /// NMIs so far. Lies right above the NMI's stack, where its stub finds it without any register.
    pub nmi_count: Cell<u64>,
    /// Stack of the debug exception.
    pub debug_stack: StackArea<DEBUG_STACK_BYTES>,
    /// Where entries from the user begin with isolated page tables.
    pub entry_stack: StackArea<ENTRY_STACK_BYTES>,
}

// SAFETY: after `start`, a `Cpu` is reached only through the GS base of the one core it belongs to, with interrupts off.
unsafe impl Sync for Cpu {}

impl Cpu {
    /// An unstarted block, all zero.
    pub const fn new() -> Self {
        Self {
            this: Cell::new(ptr::null()),
            current: Cell::new(0),
            kernel_stack: Cell::new(0),
            handler_stack: Cell::new(0),
            user_rsp: Cell::new(0),
            smap: Cell::new(0),
            user_root: Cell::new(0),
            verw: Cell::new(0),
            entry_stack_top: Cell::new(0),
            index: Cell::new(0),
            payload: Cell::new(ptr::null()),
            task: UnsafeCell::new(TaskState { words: [0; 26] }),
            gdt: UnsafeCell::new([0; GDT_ENTRIES]),
            idt: UnsafeCell::new([[0; 2]; GATES]),
            fatal_stack: StackArea::new(),
            kernel_root: Cell::new(0),
            nmi_stack: StackArea::new(),
            nmi_count: Cell::new(0),
            debug_stack: StackArea::new(),
            entry_stack: StackArea::new(),
        }
    }

    /// The block of the core this runs on.
    ///
    /// # Safety
    /// GS is the kernel's, and the block started.
    #[cfg(target_os = "none")]
    #[inline(always)]
    pub unsafe fn this() -> &'static Self {
        let this: *const Self;
        // SAFETY: `start` points GS at a block that lives for ever and leaves its address in it, where it stays.
        unsafe {
            core::arch::asm!(
                "mov {this}, gs:[{offset}]", this = out(reg) this, offset = const core::mem::offset_of!(Self, this),
                options(pure, nomem, nostack, preserves_flags)
            );
            &*this
        }
    }

    /// Position among the instance's cores.
    pub fn index(&self) -> usize {
        self.index.get()
    }

    /// Names the core; for `start`.
    pub fn set_index(&self, index: usize) {
        self.index.set(index);
    }

    /// What [`Cpu::set_payload`] left, null before.
    pub fn payload(&self) -> *const () {
        self.payload.get()
    }

    /// Leaves a pointer to the kernel's per-core state for the handlers.
    pub fn set_payload(&self, payload: *const ()) {
        self.payload.set(payload);
    }

    /// Non-maskable interrupts counted so far.
    pub fn nmi_count(&self) -> u64 {
        self.nmi_count.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn the_nmi_counter_lies_right_above_the_nmi_stack() {
        assert_eq!(offset_of!(Cpu, nmi_count), offset_of!(Cpu, nmi_stack) + NMI_STACK_BYTES);
        let cpu = Cpu::new();
        assert_eq!(cpu.nmi_stack.top(), cpu.nmi_count.as_ptr() as u64);
    }

    #[test]
    fn the_kernels_cr3_lies_right_above_the_fatal_stack() {
        assert_eq!(offset_of!(Cpu, kernel_root), offset_of!(Cpu, fatal_stack) + FATAL_STACK_BYTES);
    }

    #[test]
    fn every_stack_top_is_aligned() {
        let cpu = Cpu::new();
        for top in [cpu.fatal_stack.top(), cpu.nmi_stack.top(), cpu.debug_stack.top(), cpu.entry_stack.top()] {
            assert_eq!(top % 16, 0);
        }
    }

    #[test]
    fn a_task_state_segment_is_the_manuals() {
        let task = TaskState::new(0x1111_2222_3333_4444, [0xa_0000_000b, 2, 3]);
        assert_eq!(size_of::<TaskState>(), 104);
        assert_eq!((task.words[1], task.words[2]), (0x3333_4444, 0x1111_2222));
        assert_eq!((task.words[9], task.words[10]), (0xb, 0xa), "IST1 at byte 36");
        assert_eq!(task.words[25] >> 16, 104, "the I/O bitmap lies beyond the limit");
    }
}
