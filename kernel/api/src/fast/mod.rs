//! Fast paths: the system calls, faults and interrupts that make up nearly all entries, without the generality.
//!
//! ```text
//! call      Call and fault to a passive receiver      the scheduling context goes along, uncharged
//! reply     ReplyRecv, the way back                   the same
//! send      Send, NBSend: message, signal, nothing    a woken thread runs or is queued
//! receive   Recv, Wait, NBRecv, NBWait                takes what is there, or lets the next thread run
//! ```
//!
//! A fast path first checks that the slow path would do exactly this, then does it: the same objects end in the same
//! state. Anything unusual returns `false` having changed nothing, and the slow path decides. Time is charged where the
//! scheduling context that pays changes (`thread::shortcut`); elsewhere it goes on being counted, and the next entry that
//! charges finds it. A fast path shares the instance with other cores (`docs/locking.md`): it reads slots, changes only
//! threads and contexts of its own core, and holds the endpoint, notification or reply that it uses.
//!
//! Tests run scenarios with and without, and compare the memory (`image/tests/instance/fast_paths.rs` and `fuzz.rs` there).

mod call;
mod receive;
mod reply;
mod send;

pub use send::Blocking;

use crate::OnCore;
use capability::{Cap, Slot, lookup_slot};
use ipc::{Buffer, MESSAGE_REGISTERS, copy_words};
use machine::{AddressSpace, Register};
use memory::{Array, Ref};
use sync::Shared;
use thread::{SchedContext, Tcb, TcbSlot};

/// Message info bits that a fast message has clear: extra capabilities.
const CAPS: u64 = 0x180;
/// Message info bits that a receiver does not get from the sender: capabilities unwrapped and passed.
const NOT_SENT: u64 = 0xf80;
const LENGTH: u64 = 0x7f;

impl<'k> OnCore<'k> {
    /// The current thread gives up its turn.
    #[inline(always)]
    pub(crate) fn fast_yield(self) -> bool {
        let Some((_shared, current)) = self.share() else { return false };
        let done = self.ipc().pass_turn(current);
        if done {
            self.leave_for(self.core().current.get());
        }
        done
    }

    /// The instance together with other cores, and the thread whose entry this is; `None` if another core took it away.
    #[inline(always)]
    fn share(self) -> Option<(Shared<'k>, Ref<Tcb>)> {
        let ipc = self.ipc();
        let shared = self.kernel.locks.existence.share(self.core().index, || ipc.answer_recall());
        ipc.regain_space();
        (!ipc.was_recalled()).then(|| (shared, self.core().current.get()))
    }

    /// Makes `thread` current on the scheduling context that is being charged, and leaves the kernel for it.
    #[inline(always)]
    fn continue_as(self, thread: Ref<Tcb>, space: AddressSpace) {
        self.ipc().run(thread, space);
        self.leave_for(thread);
    }

    /// What is left to do when `thread` became current.
    #[inline(always)]
    fn leave_for(self, thread: Ref<Tcb>) {
        let (machine, context) = (self.machine(), &thread.context);
        machine.load_bases(context.get(Register::FsBase), context.get(Register::GsBase));
        machine.set_current_context(&raw const thread.context);
    }
}

/// The capability that `cptr` names for `thread`, whose `slots` are at hand; null if there is none.
#[inline(always)]
fn lookup(thread: Ref<Tcb>, slots: Array<Slot>, cptr: u64) -> Cap {
    match slots.get(cptr) {
        Some(slot) => slot.cap(),
        None => lookup_by_steps(thread, cptr),
    }
}

/// Out of line, so that the common case keeps its registers.
#[cold]
#[inline(never)]
fn lookup_by_steps(thread: Ref<Tcb>, cptr: u64) -> Cap {
    lookup_slot(thread.cap(TcbSlot::CSpace), cptr).map_or(Cap::NULL, |slot| slot.cap())
}

#[inline(always)]
fn move_context(context: Ref<SchedContext>, from: Ref<Tcb>, to: Ref<Tcb>) {
    from.sched_context.set(None);
    context.thread.set(Some(to));
    to.sched_context.set(Some(context));
}

/// Delivers a message without capabilities, whose info is `info`.
#[inline(always)]
fn deliver(from: Ref<Tcb>, to: Ref<Tcb>, info: u64, badge: u64) {
    let length = (info & LENGTH) as usize;
    // Label and length stay; nothing was unwrapped.
    let mut delivered = info & !NOT_SENT;
    if length > MESSAGE_REGISTERS.len() {
        let arrived = deliver_long(from, to, length);
        delivered = delivered & !LENGTH | arrived;
    } else {
        // Registers beyond the message's length keep what the receiver had in them.
        for register in MESSAGE_REGISTERS.into_iter().take(length) {
            to.context.set(register, from.context.get(register));
        }
    }
    to.context.set(Register::Rsi, delivered);
    to.context.set(Register::Rdi, badge);
}

/// Copies a message that does not fit the registers; says how many words arrive.
#[inline(never)]
fn deliver_long(from: Ref<Tcb>, to: Ref<Tcb>, length: usize) -> u64 {
    let length = length.min(abi::message::MAX_LENGTH);
    let (Some(source), Some(target)) = (Buffer::in_plain_page(from), Buffer::in_plain_page(to)) else {
        return copy_words(from, to, length) as u64;
    };
    for register in MESSAGE_REGISTERS {
        to.context.set(register, from.context.get(register));
    }
    source.copy_message(&target, MESSAGE_REGISTERS.len(), length);
    length as u64
}
