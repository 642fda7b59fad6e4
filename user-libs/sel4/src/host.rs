//! A stand-in kernel for programs built for a host operating system: a closure that sees every system call.
//!
//! Each host thread has its own closure and its own IPC buffer, so tests may run in parallel.

use crate::IpcBuffer;
use crate::sys::Answer;
use abi::syscall::Syscall;
use std::boxed::Box;
use std::cell::{Cell, RefCell};

/// The registers a system call goes in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `rdx`.
    pub number: Syscall,
    /// `rdi`.
    pub capability: u64,
    /// `rsi`.
    pub info: u64,
    /// `r10 r8 r9 r15`.
    pub words: [u64; 4],
    /// `r12`, if the call carries a reply object (or, for `NBSendWait`, what it sends to).
    pub reply: Option<u64>,
    /// `r13`, if the call is `NBSendRecv`.
    pub destination: Option<u64>,
}

type Kernel = Box<dyn FnMut(Frame, &mut IpcBuffer) -> Answer>;

std::thread_local! {
    static KERNEL: RefCell<Option<Kernel>> = const { RefCell::new(None) };
    static BUFFER: Cell<*mut IpcBuffer> = const { Cell::new(core::ptr::null_mut()) };
}

/// Makes `kernel` answer the system calls of this host thread from now on.
pub fn set_kernel(kernel: impl FnMut(Frame, &mut IpcBuffer) -> Answer + 'static) {
    KERNEL.with(|cell| *cell.borrow_mut() = Some(Box::new(kernel)));
}

/// This host thread's IPC buffer, made on first use and kept until the process ends.
pub fn ipc_buffer() -> *mut IpcBuffer {
    BUFFER.with(|cell| {
        if cell.get().is_null() {
            cell.set(Box::leak(Box::new(IpcBuffer::ZERO)));
        }
        cell.get()
    })
}

/// # Panics
/// If no kernel was set on this host thread, or the kernel itself makes a system call.
fn trap(frame: Frame) -> Answer {
    KERNEL.with(|cell| {
        let mut kernel = cell.borrow_mut();
        let kernel = kernel.as_mut().expect("a system call needs a kernel: see sel4::host::set_kernel");
        // SAFETY: the buffer is leaked, so it lives; it belongs to this thread, and the rest of the crate reaches it
        // only by raw pointers that it does not hold across a system call.
        kernel(frame, unsafe { &mut *ipc_buffer() })
    })
}

/// See the module [`crate::sys`].
pub fn plain(number: Syscall, capability: u64, info: u64, words: [u64; 4]) -> Answer {
    trap(Frame { number, capability, info, words, reply: None, destination: None })
}

/// See the module [`crate::sys`].
pub fn with_reply(number: Syscall, capability: u64, info: u64, words: [u64; 4], reply: u64) -> Answer {
    trap(Frame { number, capability, info, words, reply: Some(reply), destination: None })
}

/// See the module [`crate::sys`].
pub fn with_destination(
    number: Syscall,
    source: u64,
    info: u64,
    words: [u64; 4],
    reply: u64,
    destination: u64,
) -> Answer {
    trap(Frame { number, capability: source, info, words, reply: Some(reply), destination: Some(destination) })
}
