//! Messages between threads: endpoints, notifications, replies, capability transfer, and faults as messages.
//!
//! The layer moves words and capabilities from a sender to a receiver and decides who runs next; it decodes nothing.
//! Invariants I1–I4 of `docs/invariants.md`: a queue holds only threads blocked on it, all in one direction; a
//! notification is active only while nobody waits; a badge is never lost; a bound thread and its notification name each other.
//!
//! Tests: `tests/` of this crate runs the layer against [`spec`], its specification, operation by operation;
//! `kernel/image/tests/instance` runs whole instances, with an audit of the invariants after every entry.
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

#[cfg(not(target_os = "none"))]
pub mod audit;
mod buffer;
mod cancel;
mod endpoint;
mod fault;
mod notification;
mod reply;
#[cfg(not(target_os = "none"))]
pub mod spec;
mod transfer;

pub use buffer::Buffer;
pub use cancel::Progress;
pub use endpoint::{Endpoint, ReceiveMode, Sending, bound_notification};
pub use notification::Notification;
pub use transfer::{ExtraCaps, MESSAGE_REGISTERS, copy_words, extra_caps, message_info, receive_slot, set_word, word};

use core::ops::Deref;
use thread::Threads;

/// The operations, for the threads of one core.
#[derive(Clone, Copy, Debug)]
pub struct Ipc<'k> {
    /// Threads of this core.
    pub threads: Threads<'k>,
}

impl<'k> Deref for Ipc<'k> {
    type Target = Threads<'k>;

    #[inline(always)]
    fn deref(&self) -> &Threads<'k> {
        &self.threads
    }
}
