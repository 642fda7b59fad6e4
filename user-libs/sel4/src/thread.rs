//! What each thread of a program has of its own: a block of words that `fs` points to.
//!
//! The block's first word is its own address, as the x86-64 convention for thread-local storage wants, the second is the
//! address of the thread's IPC buffer. Whoever starts a thread prepares the block and either lets the thread
//! [`enter`] it, or starts it with that FS base (`Tcb::set_tls_base`, or `fs_base` of `Tcb::write_registers`).

use crate::IpcBuffer;

/// The block; it must lie still while any thread's `fs` points to it.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct ThreadBlock {
    this: *const ThreadBlock,
    ipc_buffer: *mut IpcBuffer,
    /// For the runtime: whatever else it wants to find per thread.
    pub runtime: [u64; 2],
}

impl ThreadBlock {
    /// A block that points nowhere yet.
    pub const EMPTY: Self = Self { this: core::ptr::null(), ipc_buffer: core::ptr::null_mut(), runtime: [0; 2] };

    /// Makes the block at `at` describe a thread whose IPC buffer is `buffer` (as that thread sees it).
    ///
    /// # Safety
    /// `at` is valid for writes and aligned, and `buffer` is, for that thread, the mapped IPC buffer the kernel knows.
    pub unsafe fn prepare(at: *mut ThreadBlock, buffer: *mut IpcBuffer) {
        // SAFETY: valid and aligned by the caller's promise.
        unsafe { at.write(Self { this: at, ipc_buffer: buffer, ..Self::EMPTY }) }
    }
}

/// Makes a prepared block the calling thread's. One system call (`SetTLSBase`).
///
/// # Safety
/// `block` was prepared for this thread and stays valid and in place for as long as the thread runs.
pub unsafe fn enter(block: *const ThreadBlock) {
    crate::sys::set_tls_base(block as u64);
}

/// The calling thread's IPC buffer.
#[cfg(target_os = "none")]
#[inline(always)]
pub fn ipc_buffer() -> *mut IpcBuffer {
    let buffer;
    // SAFETY: reads one word of the block that `fs` points to, by `enter`'s contract; before that the FS base is 0,
    // and the read faults.
    unsafe { core::arch::asm!("mov {}, fs:[8]", out(reg) buffer, options(nostack, preserves_flags, readonly)) };
    buffer
}

/// The calling thread's block.
#[cfg(target_os = "none")]
#[inline(always)]
pub fn block() -> *mut ThreadBlock {
    let block;
    // SAFETY: as in `ipc_buffer`.
    unsafe { core::arch::asm!("mov {}, fs:[0]", out(reg) block, options(nostack, preserves_flags, readonly)) };
    block
}

#[cfg(not(target_os = "none"))]
pub use crate::host::ipc_buffer;

const _: () = assert!(core::mem::offset_of!(ThreadBlock, this) == 0);
const _: () = assert!(core::mem::offset_of!(ThreadBlock, ipc_buffer) == 8);
