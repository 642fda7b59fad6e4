//! The thread control block: five capability slots, the user context, FPU state, and what the scheduler knows.

use crate::{Debug, FaultPlace, Reply, Roots, SchedContext, State};
use capability::Slot;
use core::cell::Cell;
use machine::{Context, FpuState};
use memory::{Phys, Ref};
use sync::CoreIndex;

/// Slots inside a control block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum TcbSlot {
    /// CSpace root.
    CSpace = 0,
    /// VSpace root.
    VSpace = 1,
    /// Frame of the IPC buffer.
    Buffer = 2,
    /// Fault endpoint.
    FaultHandler = 3,
    /// Timeout endpoint.
    TimeoutHandler = 4,
}

/// Bits of [`Tcb::flags`].
pub mod flag {
    /// In a ready queue.
    pub const QUEUED: u32 = 1;
    /// In the release queue.
    pub const IN_RELEASE_QUEUE: u32 = 2;
    /// The user asked that the FPU trap (`seL4_TCBFlag_fpuDisabled`).
    pub const FPU_DISABLED: u32 = 4;
    /// Waiting to send: the endpoint capability allows grant.
    pub const CAN_GRANT: u32 = 8;
    /// Waiting to send: the endpoint capability allows grant-reply.
    pub const CAN_GRANT_REPLY: u32 = 16;
    /// Waiting to send: it is a Call.
    pub const IS_CALL: u32 = 32;
    /// Steps over an instruction that may read or write its segment bases.
    pub const HAS_BASES: u32 = 64;
}

/// A thread control block, 2048 bytes.
#[repr(C, align(2048))]
#[derive(Debug)]
pub struct Tcb {
    slots: [Slot; 5],
    /// User registers.
    pub context: Context,
    /// What it is doing.
    pub state: Cell<State>,
    /// Priority, 0..=255.
    pub priority: Cell<u8>,
    /// Highest priority it may give.
    pub max_priority: Cell<u8>,
    /// Domain.
    pub domain: Cell<u8>,
    /// Core that it belongs to: whose queues it is in and where it runs.
    pub home: Cell<CoreIndex>,
    /// Bits of [`flag`].
    pub flags: Cell<u32>,
    /// Time it runs on.
    pub sched_context: Cell<Option<Ref<SchedContext>>>,
    /// Neighbours in the one queue it is in: ready, release, endpoint or notification.
    pub(crate) next: Cell<Option<Ref<Tcb>>>,
    pub(crate) previous: Cell<Option<Ref<Tcb>>>,
    /// While blocked: physical address of the endpoint or notification.
    pub blocked_on: Cell<Phys>,
    /// While waiting to send: badge of the capability.
    pub sender_badge: Cell<u64>,
    /// While waiting to receive or for a reply: the reply object.
    pub reply: Cell<Option<Ref<Reply>>>,
    /// Physical address of the bound notification, 0 if none.
    pub bound_notification: Cell<Phys>,
    /// Scheduling context it yielded to.
    pub yield_to: Cell<Option<Ref<SchedContext>>>,
    /// User address of the IPC buffer.
    pub ipc_buffer: Cell<u64>,
    /// Fault it is held for.
    pub fault: FaultPlace,
    /// What CSpace and VSpace come to.
    pub roots: Roots,
    /// Debug name, zero-padded.
    pub name: Cell<[u8; 32]>,
    /// Address of the last instruction that was illegal, whatever the thread was allowed.
    pub refused_at: Cell<u64>,
    /// Hardware debug API: breakpoints and steps.
    pub debug: Debug,
    /// FPU registers while another thread has the FPU.
    pub fpu: FpuState,
}

memory::object!(Tcb);

const _: () = assert!(size_of::<Tcb>() == 1 << abi::object::TCB_BITS);

impl Tcb {
    /// Slot `which` of the thread at `tcb`.
    #[inline(always)]
    pub fn slot(tcb: Ref<Tcb>, which: TcbSlot) -> Ref<Slot> {
        Slot::neighbour(Ref::at(tcb.phys()), which as u64)
    }

    /// The capability in slot `which`.
    #[inline(always)]
    pub fn cap(&self, which: TcbSlot) -> capability::Cap {
        self.slots[which as usize].cap()
    }

    /// Gives a zeroed control block the values of a new thread.
    pub fn initialise(&self) {
        self.context.init_user();
        self.fpu.reset();
    }

    /// Whether all bits of `flags` are set.
    #[inline(always)]
    pub fn has(&self, flags: u32) -> bool {
        self.flags.get() & flags == flags
    }

    /// Sets or clears bits.
    #[inline(always)]
    pub fn set_flags(&self, clear: u32, set: u32) {
        self.flags.set(self.flags.get() & !clear | set);
    }

    /// Whether it could run now: runnable, with a configured scheduling context, and not waiting for its release time.
    #[inline(always)]
    pub fn is_schedulable(&self) -> bool {
        self.state.get().is_runnable()
            && self.sched_context.get().is_some_and(|context| context.is_active())
            && !self.has(flag::IN_RELEASE_QUEUE)
    }
}
