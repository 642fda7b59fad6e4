//! Reply objects: who waits for the reply, and the chain along which time was donated.
//!
//! ```text
//! scheduling context ──reply──▶ Reply (newest) ──previous──▶ Reply ──previous──▶ …
//!         ▲───────next(head)──────┘      ▲────────next───────────┘
//! ```
//!
//! Invariant T6: chains are acyclic; `next` of the newest names the scheduling context, of the others the newer reply.

use crate::{SchedContext, Tcb};
use core::cell::Cell;
use memory::{Phys, Ref};

/// Where [`Reply::next`] leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// In no chain, or its newest part was cut off.
    None,
    /// The newest reply of the chain that this context was donated along.
    Head(Ref<SchedContext>),
    /// A newer reply.
    Reply(Ref<Reply>),
}

/// A reply object, 32 bytes.
#[repr(C, align(32))]
#[derive(Debug)]
pub struct Reply {
    /// The caller that waits (blocked on reply), or the receiver that offers this object (blocked on receive).
    pub thread: Cell<Option<Ref<Tcb>>>,
    /// The next older reply of the chain.
    pub previous: Cell<Option<Ref<Reply>>>,
    next: Cell<u64>,
    reserved: Cell<u64>,
}

memory::object!(Reply);

const _: () = assert!(size_of::<Reply>() == 1 << abi::object::REPLY_BITS);

const HEAD: u64 = 1;

/// The tag is below the alignment, so it can as well be added, which takes fewer instructions.
#[inline(always)]
const fn head(context: Ref<SchedContext>) -> u64 {
    context.word().wrapping_add(HEAD)
}

impl Reply {
    /// The next newer element of the chain.
    pub fn next(&self) -> Chain {
        let word = self.next.get();
        match (word, word & HEAD) {
            (0, _) => Chain::None,
            (_, 0) => Chain::Reply(Ref::at(Phys(word))),
            // The bit is below the alignment.
            _ => Chain::Head(Ref::at(Phys(word))),
        }
    }

    /// Whether it is the newest reply of the chain that `context` was donated along.
    #[inline(always)]
    pub fn is_newest_of(&self, context: Ref<SchedContext>) -> bool {
        self.next.get() == head(context)
    }

    /// Whether it is in no chain: nobody's time was donated with it.
    #[inline(always)]
    pub fn is_single(&self) -> bool {
        self.next.get() == 0 && self.previous.get().is_none()
    }

    /// Sets the next newer element.
    #[inline(always)]
    pub fn set_next(&self, next: Chain) {
        self.next.set(match next {
            Chain::None => 0,
            Chain::Head(context) => head(context),
            Chain::Reply(reply) => reply.word(),
        });
    }

    /// Makes `reply` the newest of the chain that `context` was donated along.
    #[inline(always)]
    pub fn push(reply: Ref<Reply>, context: Ref<SchedContext>) {
        let older = context.reply.get();
        if let Some(older) = older {
            older.set_next(Chain::Reply(reply));
        }
        reply.previous.set(older);
        reply.set_next(Chain::Head(context));
        context.reply.set(Some(reply));
    }

    /// Takes `reply`, the newest of `context`'s chain, out of it.
    #[inline(always)]
    pub fn pop(reply: Ref<Reply>, context: Ref<SchedContext>) {
        let older = reply.previous.get();
        if let Some(older) = older {
            older.set_next(Chain::Head(context));
        }
        context.reply.set(older);
        reply.previous.set(None);
        reply.set_next(Chain::None);
    }
}
