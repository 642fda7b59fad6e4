//! The calling thread's IPC buffer, word by word.
//!
//! The kernel reads and writes the buffer during system calls, so no reference to it is ever handed out. Indices that a
//! message cannot have are ignored on writing and read as 0.

use crate::cnode::Slot;
use crate::thread::ipc_buffer;
use abi::CPtr;
use abi::message::{MAX_EXTRA_CAPS, MAX_LENGTH, ipc_buffer as layout};

/// Reads word `index` of the whole buffer.
fn read(index: usize) -> u64 {
    debug_assert!(index < layout::WORDS);
    // SAFETY: the thread's buffer is mapped and aligned (see `thread`), and callers keep `index` inside its 128 words.
    unsafe { ipc_buffer().cast::<u64>().add(index).read_volatile() }
}

/// Writes word `index` of the whole buffer.
fn write(index: usize, value: u64) {
    debug_assert!(index < layout::WORDS);
    // SAFETY: as in `read`.
    unsafe { ipc_buffer().cast::<u64>().add(index).write_volatile(value) }
}

/// Message word `index` (the first four of a message are in registers, not here).
#[inline]
pub fn word(index: usize) -> u64 {
    if index < MAX_LENGTH { read(layout::MESSAGE + index) } else { 0 }
}

/// Sets message word `index` (the first four of a message are in registers, not here).
#[inline]
pub fn set_word(index: usize, value: u64) {
    if index < MAX_LENGTH {
        write(layout::MESSAGE + index, value);
    }
}

/// The badge of extra capability `index` of the last message, if its bit in `caps_unwrapped` is set.
#[inline]
pub fn badge(index: usize) -> u64 {
    if index < MAX_EXTRA_CAPS { read(layout::CAPS_OR_BADGES + index) } else { 0 }
}

/// Sets extra capability `index` of the next message.
#[inline]
pub fn set_cap(index: usize, capability: CPtr) {
    if index < MAX_EXTRA_CAPS {
        write(layout::CAPS_OR_BADGES + index, capability);
    }
}

/// Sets where a received capability goes. It stays set until changed.
#[inline]
pub fn set_receive_slot(slot: Slot) {
    write(layout::RECEIVE_CNODE, slot.root.cptr());
    write(layout::RECEIVE_INDEX, slot.index);
    write(layout::RECEIVE_DEPTH, slot.depth);
}

/// The program's own word.
#[inline]
pub fn user_data() -> u64 {
    read(layout::USER_DATA)
}

/// Sets the program's own word.
#[inline]
pub fn set_user_data(value: u64) {
    write(layout::USER_DATA, value);
}
