//! What one core knows about scheduling: who runs, on whose time, who could, and when to look again.

use crate::{Queue, ReadyQueues, SchedContext, Tcb, Ticks};
use core::cell::Cell;
use memory::Ref;

/// What the scheduler has to do at the end of this kernel entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep the current thread.
    Resume,
    /// Look for the highest-priority thread.
    Choose,
    /// This thread became ready and is worth a direct switch.
    Candidate(Ref<Tcb>),
}

/// Scheduler state of one core.
#[derive(Debug)]
pub struct Core {
    /// The running thread.
    pub current: Cell<Ref<Tcb>>,
    /// The context whose time is being used.
    pub current_context: Cell<Ref<SchedContext>>,
    /// The idle thread and its context.
    pub idle: Ref<Tcb>,
    pub(crate) idle_context: Ref<SchedContext>,
    /// To do before leaving the kernel.
    pub action: Cell<Action>,
    /// Ready queues, in an object of their own because they are large.
    pub(crate) ready: Ref<ReadyQueues>,
    pub(crate) release: Queue,
    /// Time of this kernel entry.
    pub now: Cell<Ticks>,
    /// Ticks used since they were last charged.
    pub consumed: Cell<Ticks>,
    /// The timer must be set anew.
    pub reprogram: Cell<bool>,
    /// Domain that runs.
    pub domain: Cell<u8>,
    pub(crate) domain_left: Cell<Ticks>,
    pub(crate) domain_index: Cell<usize>,
    pub(crate) domain_start: Cell<usize>,
    /// Thread whose registers are in the FPU.
    pub fpu_owner: Cell<Option<Ref<Tcb>>>,
    /// Work units since the last preemption check.
    pub work_units: Cell<u32>,
}

impl Core {
    /// Whether no ready thread of the running domain has a priority above `priority`.
    #[inline(always)]
    pub fn is_highest(&self, priority: u8) -> bool {
        self.ready.highest_priority(self.domain.get()).is_none_or(|best| best <= priority)
    }

    /// A core that runs `idle` on `idle_context`, with one domain for ever. All three are zeroed objects.
    pub fn new(idle: Ref<Tcb>, idle_context: Ref<SchedContext>, ready: Ref<ReadyQueues>) -> Self {
        idle.state.set(crate::State::IDLE);
        idle.sched_context.set(Some(idle_context));
        idle_context.thread.set(Some(idle));
        Self {
            current: Cell::new(idle),
            current_context: Cell::new(idle_context),
            idle,
            idle_context,
            action: Cell::new(Action::Choose),
            ready,
            release: Queue::new(),
            now: Cell::new(0),
            consumed: Cell::new(0),
            reprogram: Cell::new(true),
            domain: Cell::new(0),
            domain_left: Cell::new(Ticks::MAX),
            domain_index: Cell::new(0),
            domain_start: Cell::new(0),
            fpu_owner: Cell::new(None),
            work_units: Cell::new(0),
        }
    }
}
