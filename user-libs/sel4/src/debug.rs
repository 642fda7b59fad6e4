//! Debug system calls. A release kernel does not know them: there each is an unknown-syscall fault of the caller.

use crate::cap::{Capability, Tcb};
use crate::{buffer, sys};
use abi::syscall::Syscall;
use core::fmt;

/// Prints one byte on the partition's console.
#[inline]
pub fn put_char(byte: u8) {
    sys::plain(Syscall::DebugPutChar, byte.into(), 0, [0; 4]);
}

/// Prints bytes; one system call each.
pub fn put_bytes(bytes: &[u8]) {
    for byte in bytes {
        put_char(*byte);
    }
}

/// The partition's console, for `write!`; one system call per byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        put_bytes(text.as_bytes());
        Ok(())
    }
}

/// Prints the scheduler's state.
pub fn dump_scheduler() {
    sys::plain(Syscall::DebugDumpScheduler, 0, 0, [0; 4]);
}

/// Prints the capability spaces.
pub fn snapshot() {
    sys::plain(Syscall::DebugSnapshot, 0, 0, [0; 4]);
}

/// Stops this kernel instance.
pub fn halt() {
    sys::plain(Syscall::DebugHalt, 0, 0, [0; 4]);
}

/// The kernel's own type number of a capability; 0 for none.
pub fn cap_identify(capability: impl Capability) -> u32 {
    sys::plain(Syscall::DebugCapIdentify, capability.cptr(), 0, [0; 4]).badge as u32
}

/// Longest thread name `DebugNameThread` keeps, in bytes without the final NUL; longer text is cut.
///
/// The text must end within the message words of the IPC buffer.
pub const THREAD_NAME_MAX: usize = abi::message::MAX_LENGTH * 8 - 1;

/// Names a thread in the kernel's messages; a longer name than [`THREAD_NAME_MAX`] bytes is cut.
pub fn name_thread(thread: Tcb, name: &str) {
    let name = &name.as_bytes()[..name.len().min(THREAD_NAME_MAX)];
    for index in 0..=name.len() / 8 {
        let mut word = [0; 8];
        let rest = &name[index * 8..];
        let part = &rest[..rest.len().min(8)];
        word[..part.len()].copy_from_slice(part);
        buffer::set_word(index, u64::from_le_bytes(word));
    }
    sys::plain(Syscall::DebugNameThread, thread.cptr(), 0, [0; 4]);
}

/// Skerry: makes the kernel instance panic and park its core.
pub fn panic_kernel() {
    sys::plain(Syscall::SkerryDebugPanic, 0, 0, [0; 4]);
}

/// Skerry: makes the kernel read a virtual address of its own; gives what it read, if it survived that.
pub fn peek(address: u64) -> u64 {
    sys::plain(Syscall::SkerryDebugPeek, address, 0, [0; 4]).badge
}
