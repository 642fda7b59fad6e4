//! The scheduling context object: a budget per period, kept as a queue of refills behind the object's header.

use crate::{Reply, Tcb, Ticks};
use core::cell::Cell;
use memory::{Phys, Ref};
use sync::CoreIndex;

/// An amount of time that may be used from a moment on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refill {
    /// Earliest use, ticks.
    pub time: Ticks,
    /// Ticks that may be used.
    pub amount: Ticks,
}

#[repr(C)]
#[derive(Debug)]
pub(crate) struct RefillSlot {
    pub(crate) time: Cell<Ticks>,
    pub(crate) amount: Cell<Ticks>,
}

memory::object!(RefillSlot);

impl RefillSlot {
    #[inline(always)]
    pub(crate) fn get(&self) -> Refill {
        Refill { time: self.time.get(), amount: self.amount.get() }
    }
}

/// The refills that every context has room for.
#[repr(C, align(32))]
#[derive(Debug)]
pub(crate) struct FirstRefills(pub(crate) [RefillSlot; 2]);

/// A scheduling context: a header of 96 bytes and refills, two in the smallest object.
#[repr(C, align(32))]
#[derive(Debug)]
pub struct SchedContext {
    /// Ticks between replenishments; 0 for round robin.
    pub period: Cell<Ticks>,
    /// Ticks used since somebody asked.
    pub consumed: Cell<Ticks>,
    /// The thread that runs on it.
    pub thread: Cell<Option<Ref<Tcb>>>,
    /// Newest reply of the chain it was donated along.
    pub reply: Cell<Option<Ref<Reply>>>,
    /// Physical address of the notification that lends it, 0 if none.
    pub notification: Cell<Phys>,
    /// Word sent with timeout faults.
    pub badge: Cell<u64>,
    /// Thread that yielded to it.
    pub yield_from: Cell<Option<Ref<Tcb>>>,
    /// Non-zero for a sporadic server (budget is not saved up while blocked), zero for constant bandwidth.
    pub sporadic: Cell<u32>,
    /// Refills that fit; 0 while not configured.
    pub(crate) refill_max: Cell<u32>,
    pub(crate) refill_head: Cell<u32>,
    pub(crate) refill_tail: Cell<u32>,
    /// Core whose time it is.
    pub home: Cell<CoreIndex>,
    /// Round robin: what is left, and what was used.
    pub(crate) first: FirstRefills,
}

memory::object!(SchedContext);

/// Bytes of the header.
const HEADER_BYTES: u64 = 96;
const _: () = assert!(core::mem::offset_of!(SchedContext, first) as u64 == HEADER_BYTES);
const _: () = assert!(size_of::<SchedContext>() as u64 == abi::object::CORE_SCHED_CONTEXT_BYTES);

impl SchedContext {
    /// Refills that fit into an object of 2^`size_bits` bytes.
    pub const fn capacity(size_bits: u32) -> u64 {
        ((1u64 << size_bits) - HEADER_BYTES) / 16
    }

    /// Whether it was configured.
    #[inline(always)]
    pub fn is_active(&self) -> bool {
        self.refill_max.get() > 0
    }

    /// Whether it is a round-robin context: full budget always, time slices only.
    #[inline(always)]
    pub fn is_round_robin(&self) -> bool {
        self.period.get() == 0
    }

    /// Whether it is a configured sporadic server.
    #[inline(always)]
    pub fn is_sporadic(&self) -> bool {
        self.sporadic.get() != 0
    }

    /// Makes it unconfigured: nothing runs on it until it is configured again.
    pub fn deactivate(&self) {
        self.refill_max.set(0);
    }

    #[inline(always)]
    pub(crate) fn slot(context: Ref<SchedContext>, index: u32) -> Ref<RefillSlot> {
        Ref::at(Phys(context.phys().0 + HEADER_BYTES + u64::from(index) * 16))
    }
}
