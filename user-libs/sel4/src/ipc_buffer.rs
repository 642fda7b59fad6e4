//! The IPC buffer, as a program sees its own; places of words in it are `abi::message::ipc_buffer`'s.

use abi::message::{MAX_EXTRA_CAPS, MAX_LENGTH, ipc_buffer};

/// A thread's IPC buffer: what of a message does not travel in registers.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(1024))]
pub struct IpcBuffer {
    /// Message info; the kernel does not use this copy.
    pub tag: u64,
    /// Message words; the first four travel in registers instead.
    pub message: [u64; MAX_LENGTH],
    /// The program's own.
    pub user_data: u64,
    /// Out: capability pointers to send. In: badges of unwrapped capabilities.
    pub caps_or_badges: [u64; MAX_EXTRA_CAPS],
    /// Receive path: CNode to resolve from.
    pub receive_cnode: u64,
    /// Receive path: where the received capability goes.
    pub receive_index: u64,
    /// Receive path: bits of the index to resolve.
    pub receive_depth: u64,
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<IpcBuffer>() == 1 << ipc_buffer::SIZE_BITS);
    assert!(size_of::<IpcBuffer>() == ipc_buffer::WORDS * 8);
    assert!(offset_of!(IpcBuffer, message) == ipc_buffer::MESSAGE * 8);
    assert!(offset_of!(IpcBuffer, user_data) == ipc_buffer::USER_DATA * 8);
    assert!(offset_of!(IpcBuffer, caps_or_badges) == ipc_buffer::CAPS_OR_BADGES * 8);
    assert!(offset_of!(IpcBuffer, receive_cnode) == ipc_buffer::RECEIVE_CNODE * 8);
    assert!(offset_of!(IpcBuffer, receive_index) == ipc_buffer::RECEIVE_INDEX * 8);
    assert!(offset_of!(IpcBuffer, receive_depth) == ipc_buffer::RECEIVE_DEPTH * 8);
};

impl IpcBuffer {
    /// A buffer of zeroes.
    pub const ZERO: Self = Self {
        tag: 0,
        message: [0; MAX_LENGTH],
        user_data: 0,
        caps_or_badges: [0; MAX_EXTRA_CAPS],
        receive_cnode: 0,
        receive_index: 0,
        receive_depth: 0,
    };
}
