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
//! Calls and replies are tried twice, from one text, with more [`Care`] the second time: what needs no function call is
//! first, because then nothing needs saving.
//!
//! Tests run scenarios with and without, and compare the memory (`image/tests/instance/fast_paths.rs` and `fuzz.rs` there).

mod call;
mod receive;
mod reply;
mod send;

pub use reply::Replied;
pub use send::{Blocking, Sent};

use crate::OnCore;
use capability::{Cap, lookup_slot};
use ipc::{Buffer, Ipc, MESSAGE_REGISTERS, copy_words};
use machine::Register;
use memory::Ref;
use sync::Shared;
use thread::{SchedContext, Tcb, TcbSlot};

/// Message info bits that a fast message has clear: extra capabilities.
const CAPS: u64 = 0x180;
/// Message info bits that a receiver does not get from the sender: capabilities unwrapped and passed.
const NOT_SENT: u64 = 0xf80;
const LENGTH: u64 = 0x7f;

/// What to try after a fast path refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The same with more care.
    Fast,
    /// Nothing fast: it is an invocation of another kind of object.
    Slow,
}

/// How much a fast path takes upon itself. What it refuses, the next more careful attempt does.
trait Care {
    /// Message info bits that say whether there are extra capabilities and how long the message is, and the greatest value
    /// of them that is taken.
    const TAKEN: (u64, u64);
    /// Whether it calls functions, which find the place of a thread in a queue of others, or an unusual IPC buffer.
    const CALLS: bool;

    /// The capability that `cptr` names for `current`; null if there is none or it is too hard to find.
    fn lookup(ipc: &Ipc<'_>, current: Ref<Tcb>, cptr: u64) -> Cap;

    /// Whether `thread` can be run; not if that is too hard to find out.
    fn can_run(ipc: &Ipc<'_>, thread: Ref<Tcb>) -> bool;

    /// Copies the words of a message; says how many arrive.
    fn copy(from: Ref<Tcb>, to: Ref<Tcb>, length: u64) -> u64;
}

/// Nothing that takes a function call, so that the compiler keeps everything in registers that need no saving: messages in
/// registers between threads whose roots are at hand.
struct AtOnce;

/// Everything that the scheduler and the derivation tree have no part in.
struct Thorough;

impl Care for AtOnce {
    const TAKEN: (u64, u64) = (CAPS | LENGTH, MESSAGE_REGISTERS.len() as u64);
    const CALLS: bool = false;

    #[inline(always)]
    fn lookup(ipc: &Ipc<'_>, current: Ref<Tcb>, cptr: u64) -> Cap {
        ipc.slots_at_hand(current).get(cptr).map_or(Cap::NULL, |slot| slot.cap())
    }

    #[inline(always)]
    fn can_run(ipc: &Ipc<'_>, thread: Ref<Tcb>) -> bool {
        ipc.can_run_at_once(thread)
    }

    #[inline(always)]
    fn copy(from: Ref<Tcb>, to: Ref<Tcb>, length: u64) -> u64 {
        // Registers beyond the message's length keep what the receiver had in them.
        for register in MESSAGE_REGISTERS.into_iter().take(length as usize) {
            to.context.set(register, from.context.get(register));
        }
        length
    }
}

impl Care for Thorough {
    const TAKEN: (u64, u64) = (CAPS, 0);
    const CALLS: bool = true;

    #[inline(always)]
    fn lookup(ipc: &Ipc<'_>, current: Ref<Tcb>, cptr: u64) -> Cap {
        match ipc.slots(current).get(cptr) {
            Some(slot) => slot.cap(),
            None => lookup_by_steps(current, cptr),
        }
    }

    #[inline(always)]
    fn can_run(ipc: &Ipc<'_>, thread: Ref<Tcb>) -> bool {
        ipc.can_run(thread)
    }

    #[inline(always)]
    fn copy(from: Ref<Tcb>, to: Ref<Tcb>, length: u64) -> u64 {
        if length > MESSAGE_REGISTERS.len() as u64 {
            copy_long(from, to, length)
        } else {
            AtOnce::copy(from, to, length)
        }
    }
}

/// The thread that runs next. It is neither in a queue nor current yet: until it is, no other core may have the instance to
/// itself, and find that nobody runs it.
#[derive(Debug)]
#[must_use]
pub struct Next<'k> {
    /// The thread.
    pub thread: Ref<Tcb>,
    /// What keeps the others out.
    pub(crate) _shared: Shared<'k>,
}

/// The thread that runs next, and two words of its message that are not in its context yet: they may go straight to RDI and
/// RSI.
#[derive(Debug)]
#[must_use]
pub struct Arrival<'k> {
    /// The thread.
    pub next: Next<'k>,
    /// Badge of the capability that the message came through.
    pub badge: u64,
    /// Its message info.
    pub info: u64,
}

impl<'k> OnCore<'k> {
    /// The current thread gives up its turn to an equal, which is the answer; `None` if nothing was done.
    #[inline(always)]
    pub fn yield_at_once(self, current: Ref<Tcb>) -> Option<Next<'k>> {
        let shared = self.share()?;
        self.ipc().yield_at_once(current).map(|thread| Next { thread, _shared: shared })
    }

    /// As [`syscall`](Self::syscall), for a Yield that [`yield_at_once`](Self::yield_at_once) left.
    #[inline(always)]
    pub fn rest_of_yield(self) {
        let done = self.share().is_some_and(|_shared| self.ipc().yield_alone());
        if !done {
            self.slow_syscall();
        }
    }

    /// The instance together with other cores; `None` if one of them took away the thread whose entry this is.
    #[inline(always)]
    fn share(self) -> Option<Shared<'k>> {
        let ipc = self.ipc();
        let shared = self.kernel.locks.existence.share(self.core().index, || ipc.answer_recall());
        ipc.regain_space();
        (!ipc.was_recalled()).then_some(shared)
    }

    /// Runs the thread that one of the fast paths gave, which is the answer.
    ///
    /// # Errors
    /// It is current, but [`settle`](Self::settle) is due before others are let in.
    #[inline(always)]
    pub fn run_at_once(self, next: Next<'k>) -> Result<Ref<Tcb>, Next<'k>> {
        if self.ipc().run_at_once(next.thread) { Ok(next.thread) } else { Err(next) }
    }

    /// Gives the current thread all that it needs of the processor.
    #[inline(never)]
    pub fn settle(self) {
        self.ipc().settle();
    }

    /// Runs the thread that a message arrived at.
    #[inline(always)]
    pub(crate) fn arrive(self, Arrival { next, badge, info }: Arrival<'k>) {
        next.thread.context.set(Register::Rdi, badge);
        next.thread.context.set(Register::Rsi, info);
        self.run(next);
    }

    /// Runs the thread that one of the fast paths gave, with what may be due.
    #[inline(always)]
    pub(crate) fn run(self, next: Next<'k>) {
        self.ipc().run(next.thread);
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

/// Whether a message with this info is for this care.
#[inline(always)]
fn takes<C: Care>(info: u64) -> bool {
    let (bits, most) = C::TAKEN;
    info & bits <= most
}

/// Copies the words of a message without capabilities; gives the info that the receiver gets.
#[inline(always)]
fn copy<C: Care>(from: Ref<Tcb>, to: Ref<Tcb>, info: u64) -> u64 {
    // Label and length stay; nothing was unwrapped.
    let length = C::copy(from, to, info & LENGTH);
    info & !NOT_SENT & !LENGTH | length
}

/// Copies a message that does not fit the registers; says how many words arrive.
#[inline(never)]
fn copy_long(from: Ref<Tcb>, to: Ref<Tcb>, length: u64) -> u64 {
    let length = (length as usize).min(abi::message::MAX_LENGTH);
    if !Buffer::is_in_plain_page(from) || !Buffer::is_in_plain_page(to) {
        return copy_words(from, to, length) as u64;
    }
    let (source, target) = (Buffer::of_plain_page(from), Buffer::of_plain_page(to));
    for register in MESSAGE_REGISTERS {
        to.context.set(register, from.context.get(register));
    }
    source.copy_message(&target, MESSAGE_REGISTERS.len(), length);
    length as u64
}
