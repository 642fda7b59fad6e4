//! What one core knows about scheduling: who runs, on whose time, who could, and when to look again.

use crate::ready::Domain;
use crate::{Clock, DomainSlot, Queue, ReadyQueues, SchedContext, Tcb, Ticks, flag};
use core::cell::Cell;
use machine::Machine;
use memory::Ref;
use sync::CoreIndex;

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

/// What a recalled core puts back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The thread it runs, with all that is in registers.
    Everything,
    /// The address space, with all that is remembered of it.
    Space,
}

/// One core of the instance: its processor and its scheduler state.
#[derive(Debug)]
pub struct Core {
    /// Which of the instance's cores it is.
    pub index: CoreIndex,
    /// The processor.
    pub machine: Machine,
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
    /// Those of the domain that runs.
    pub(crate) queues: Cell<Ref<Domain>>,
    pub(crate) release: Queue,
    /// Time of this kernel entry.
    pub now: Cell<Ticks>,
    /// Ticks used since they were last charged.
    pub consumed: Cell<Ticks>,
    /// The timer must be set anew.
    pub reprogram: Cell<bool>,
    /// Domain that runs: see [`Core::set_domain`].
    pub(crate) domain: Cell<u8>,
    /// Least budget that is worth a dispatch, ticks.
    pub(crate) min_budget: Ticks,
    domain_left: Cell<Ticks>,
    /// What must be left of a budget for a short cut that does not look at the domain schedule.
    pub(crate) least_at_once: Cell<Ticks>,
    pub(crate) domain_index: Cell<usize>,
    pub(crate) domain_start: Cell<usize>,
    fpu_owner: Cell<Option<Ref<Tcb>>>,
    /// Work units since the last preemption check.
    pub work_units: Cell<u32>,
    /// What another core wants of this one.
    pub(crate) wanted: Cell<Wanted>,
    /// The current thread's address space is not loaded any more.
    pub(crate) space_lost: Cell<bool>,
    /// Cores that are to look again when this entry ends, bit n for core n.
    pub(crate) pokes: Cell<u32>,
}

impl Core {
    /// Whether no ready thread of the running domain has a priority above `priority`.
    #[inline(always)]
    pub fn is_highest(&self, priority: u8) -> bool {
        self.ready.highest_priority(self.domain.get()).is_none_or(|best| best <= priority)
    }

    /// Ticks until the running domain's turn ends; the greatest number if it does not.
    #[inline(always)]
    pub(crate) fn domain_left(&self) -> Ticks {
        self.domain_left.get()
    }

    /// Changes it.
    pub(crate) fn set_domain_left(&self, left: Ticks) {
        self.domain_left.set(left);
        self.least_at_once.set(if left == Ticks::MAX { self.min_budget } else { Ticks::MAX });
    }

    /// Makes `domain` the one that runs.
    pub(crate) fn set_domain(&self, domain: u8) {
        self.domain.set(domain);
        self.queues.set(ReadyQueues::of(self.ready, domain));
    }

    /// Thread whose registers are in the FPU.
    #[inline(always)]
    pub fn fpu_owner(&self) -> Option<Ref<Tcb>> {
        self.fpu_owner.get()
    }

    /// The FPU's registers are `owner`'s from now on. What two threads need of the processor is other than before.
    pub fn set_fpu_owner(&self, owner: Option<Ref<Tcb>>) {
        let before = self.fpu_owner.replace(owner);
        [before, owner].into_iter().flatten().for_each(|thread| thread.roots.forget());
    }

    /// Whether `thread` may use the FPU at once: its registers are there.
    #[inline(always)]
    pub fn has_fpu(&self, thread: Ref<Tcb>) -> bool {
        self.fpu_owner.get() == Some(thread) && !thread.has(flag::FPU_DISABLED)
    }

    /// Whether `thread` belongs to this core.
    #[inline(always)]
    pub fn owns(&self, thread: Ref<Tcb>) -> bool {
        thread.home.get() == self.index
    }

    /// Core `index`, on `machine`, runs `idle` on `idle_context`, with domain 0 for ever, which is also what the schedule
    /// says. All three are zeroed objects.
    pub fn new(
        index: CoreIndex,
        machine: Machine,
        idle: Ref<Tcb>,
        idle_context: Ref<SchedContext>,
        ready: Ref<ReadyQueues>,
    ) -> Self {
        idle.home.set(index);
        idle_context.home.set(index);
        idle.state.set(crate::State::IDLE);
        idle.sched_context.set(Some(idle_context));
        ready.schedule[0].set(DomainSlot { domain: 0, duration: abi::sched::MAX_DOMAIN_DURATION });
        let min_budget = Clock::of(&machine).min_budget();
        Self {
            index,
            min_budget,
            least_at_once: Cell::new(min_budget),
            machine,
            current: Cell::new(idle),
            current_context: Cell::new(idle_context),
            idle,
            idle_context,
            action: Cell::new(Action::Choose),
            ready,
            queues: Cell::new(ReadyQueues::of(ready, 0)),
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
            wanted: Cell::new(Wanted::Everything),
            space_lost: Cell::new(false),
            pokes: Cell::new(0),
        }
    }
}
