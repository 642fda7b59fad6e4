//! The IPC buffer: message words beyond the registers, in a frame of the user's own.
//!
//! The kernel reads and writes it through the window. Another thread of the user may write at the same time, so the words
//! are atomics with relaxed order: a plain load or store each, and no value of theirs is ever trusted twice.

use abi::message::ipc_buffer::{CAPS_OR_BADGES, MESSAGE, RECEIVE_CNODE, RECEIVE_DEPTH, RECEIVE_INDEX, WORDS};
use capability::{FrameSize, Kind, Rights};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use memory::{Phys, Ref};
use thread::{Tcb, TcbSlot};

/// An IPC buffer.
#[repr(C, align(1024))]
#[derive(Debug)]
pub struct Buffer {
    words: [AtomicU64; WORDS],
}

memory::object!(Buffer);

impl Buffer {
    /// The buffer of `thread` if it has one that the kernel may read, and write if `needs` says so.
    #[inline(always)]
    pub fn of(thread: Ref<Tcb>, needs: Rights) -> Option<Ref<Buffer>> {
        Self::in_plain_page(thread).or_else(|| Self::of_unusual(thread, needs))
    }

    /// The buffer of `thread` if it is in the usual kind of frame.
    #[inline(always)]
    pub fn in_plain_page(thread: Ref<Tcb>) -> Option<Ref<Buffer>> {
        Self::is_in_plain_page(thread).then(|| Self::of_plain_page(thread))
    }

    /// Whether it is in the usual kind of frame: a page that may be read and written.
    #[inline(always)]
    pub fn is_in_plain_page(thread: Ref<Tcb>) -> bool {
        thread.cap(TcbSlot::Buffer).is_plain_page()
    }

    /// The buffer of `thread`, which [is in](Self::is_in_plain_page) the usual kind of frame.
    #[inline(always)]
    pub fn of_plain_page(thread: Ref<Tcb>) -> Ref<Buffer> {
        let offset = thread.ipc_buffer.get() & ((1 << FrameSize::Small.bits()) - 1);
        Ref::at(Phys(thread.cap(TcbSlot::Buffer).phys().0 + offset))
    }

    #[inline(never)]
    fn of_unusual(thread: Ref<Tcb>, needs: Rights) -> Option<Ref<Buffer>> {
        let frame = thread.cap(TcbSlot::Buffer);
        if frame.kind() != Kind::Frame || frame.is_device() || !frame.frame_rights().allow(needs) {
            return None;
        }
        let offset = thread.ipc_buffer.get() & ((1 << frame.frame_size().bits()) - 1);
        Some(Ref::at(Phys(frame.phys().0 + offset)))
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        self.words[index & (WORDS - 1)].load(Relaxed)
    }

    #[inline(always)]
    fn set(&self, index: usize, value: u64) {
        self.words[index & (WORDS - 1)].store(value, Relaxed);
    }

    /// Message word `index`, 0 to 119.
    #[inline(always)]
    pub fn message(&self, index: usize) -> u64 {
        self.get(MESSAGE + index)
    }

    /// Writes message word `index`, 0 to 119.
    #[inline(always)]
    pub fn set_message(&self, index: usize, value: u64) {
        self.set(MESSAGE + index, value);
    }

    /// Writes message words `first .. end` to `other`.
    #[inline]
    pub fn copy_message(&self, other: &Buffer, first: usize, end: usize) {
        let range = MESSAGE + first..MESSAGE + end;
        let (Some(from), Some(to)) = (self.words.get(range.clone()), other.words.get(range)) else { return };
        // By eights, four, two and one: a message is a few words, and a loop over each costs more than they do.
        let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<8>(), to.as_chunks::<8>());
        from.iter().zip(to).for_each(|(from, to)| copy(from, to));
        let ((from, from_rest), (to, to_rest)) = (from_rest.as_chunks::<4>(), to_rest.as_chunks::<4>());
        if let ([from], [to]) = (from, to) {
            copy(from, to);
        }
        let ((from, from_last), (to, to_last)) = (from_rest.as_chunks::<2>(), to_rest.as_chunks::<2>());
        if let ([from], [to]) = (from, to) {
            copy(from, to);
        }
        if let ([from], [to]) = (from_last, to_last) {
            to.store(from.load(Relaxed), Relaxed);
        }
    }

    /// CPtr of extra capability `index`, 0 to 2.
    pub fn extra_cap(&self, index: usize) -> u64 {
        self.get(CAPS_OR_BADGES + index)
    }

    /// Tells the receiver the badge of an unwrapped capability.
    pub fn set_badge(&self, index: usize, badge: u64) {
        self.set(CAPS_OR_BADGES + index, badge);
    }

    /// Where a received capability goes: CPtr of a CNode, index, depth.
    pub fn receive_path(&self) -> (u64, u64, u64) {
        (self.get(RECEIVE_CNODE), self.get(RECEIVE_INDEX), self.get(RECEIVE_DEPTH))
    }
}

#[inline(always)]
fn copy<const N: usize>(from: &[AtomicU64; N], to: &[AtomicU64; N]) {
    from.iter().zip(to).for_each(|(from, to)| to.store(from.load(Relaxed), Relaxed));
}
