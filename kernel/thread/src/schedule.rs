//! The scheduler of one core: accounting, choosing, switching, and the timer.

use crate::refill::{MIN_REFILLS, Refills};
use crate::tcb::flag;
use crate::{Action, Clock, Core, DOMAIN_SLOTS, DomainSlot, Epoch, SchedContext, State, Tcb, TcbSlot, Ticks};
use capability::Kind;
use machine::Machine;
use memory::Ref;
use sync::{CoreIndex, PerCore, Recalls};
use vspace::AsidTable;

/// Outcome of charging the current thread for the time it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Budget {
    /// It may go on.
    Left,
    /// Its time is over; the scheduler will choose.
    Exhausted,
    /// As `Exhausted`, and its timeout handler must hear of it: the caller sends the fault.
    Timeout(Ref<Tcb>),
}

/// The threads as one core sees them, and what switching between them needs.
#[derive(Clone, Copy, Debug)]
pub struct Threads<'k> {
    /// This core's processor.
    pub machine: &'k Machine,
    /// This core's scheduler state.
    pub core: &'k Core,
    /// Every core of the instance, this one too.
    pub cores: &'k PerCore<Core>,
    /// How another core is asked to put back what it holds.
    pub recalls: &'k Recalls,
    /// When threads' roots last became invalid.
    pub epoch: &'k Epoch,
    /// The instance's address spaces.
    pub asids: &'k AsidTable,
    /// Address space of the kernel alone, for threads without a valid one.
    pub kernel_root: memory::Phys,
}

impl Threads<'_> {
    /// Conversions for this core's timer.
    pub fn clock(&self) -> Clock {
        Clock::of(self.machine)
    }

    pub(crate) fn refills(&self, context: Ref<SchedContext>) -> Refills {
        Refills { context, clock: self.clock() }
    }

    /// Whether `context` has budget that may be used now.
    pub fn has_time(&self, context: Ref<SchedContext>) -> bool {
        context.is_active() && {
            let refills = self.refills(context);
            refills.is_ready(self.core.now.get()) && refills.is_sufficient(0)
        }
    }

    /// Reads the clock at kernel entry and counts what the current thread used.
    #[inline(always)]
    pub fn update_time(&self) {
        let core = self.core;
        let now = self.machine.now();
        let used = now.saturating_sub(core.now.get());
        core.now.set(now);
        core.consumed.set(core.consumed.get() + used);
        if core.domain_left() != Ticks::MAX {
            let left = core.domain_left();
            let expired = used.saturating_add(self.clock().min_budget()) >= left;
            core.set_domain_left(if expired { 0 } else { left - used });
        }
    }

    /// Whether the current thread has the budget for another kernel entry; charges it if not.
    #[inline(always)]
    pub fn check_budget(&self) -> Budget {
        let core = self.core;
        let context = core.current_context.get();
        if context == core.idle_context {
            return Budget::Left;
        }
        if self.refills(context).is_sufficient(core.consumed.get()) {
            return if core.domain_left() == 0 { Budget::Exhausted } else { Budget::Left };
        }
        self.charge_budget(core.consumed.get(), TimeoutFault::Allowed)
    }

    /// Whether the current context would survive another entry, without charging anything.
    pub fn has_budget_left(&self) -> bool {
        let core = self.core;
        let context = core.current_context.get();
        core.domain_left() != 0
            && (context == core.idle_context
                || context.is_active() && self.refills(context).is_sufficient(core.consumed.get()))
    }

    /// The current thread gives up the rest of its budget; only what it used counts as consumed.
    pub fn yield_slice(&self) {
        let context = self.core.current_context.get();
        let consumed = context.consumed.get().saturating_add(self.core.consumed.get());
        let rest = self.refills(context).head().amount;
        let _ = self.charge_budget(rest, TimeoutFault::Suppressed);
        context.consumed.set(consumed);
    }

    /// Settles the account after a long operation was stopped: the current thread or its context may be gone by now.
    pub fn settle_after_preemption(&self) -> Budget {
        let core = self.core;
        if core.current.get().is_schedulable() {
            self.check_budget()
        } else if core.current_context.get().is_active() {
            self.charge_budget(core.consumed.get(), TimeoutFault::Suppressed)
        } else {
            core.consumed.set(0);
            Budget::Exhausted
        }
    }

    /// Settles the account of a current thread that was blocked although its budget was used up; its context may have gone
    /// along to another thread, which then waits for the next refill in its place.
    pub fn settle_overdraft(&self) {
        let core = self.core;
        let context = core.current_context.get();
        if context == core.idle_context || self.refills(context).is_sufficient(core.consumed.get()) {
            // Only the domain's time is over.
            return;
        }
        let _ = self.charge_budget(core.consumed.get(), TimeoutFault::Suppressed);
        let has_heir = context.thread.get().is_some_and(|thread| thread.state.get().is_runnable());
        if has_heir && !self.has_time(context) {
            self.postpone(context);
        }
    }

    /// Charges `consumed` ticks to the current context and ends the time slice.
    pub fn charge_budget(&self, consumed: Ticks, timeout: TimeoutFault) -> Budget {
        let core = self.core;
        let context = core.current_context.get();
        if context != core.idle_context && context.is_active() {
            let refills = self.refills(context);
            if context.is_round_robin() {
                refills.restart_round_robin();
            } else {
                refills.charge(consumed);
            }
            context.consumed.set(context.consumed.get().saturating_add(consumed));
        }
        core.consumed.set(0);
        let current = core.current.get();
        if !current.is_schedulable() {
            return Budget::Exhausted;
        }
        let outcome = self.end_slice(context, timeout);
        self.reschedule_required();
        core.reprogram.set(true);
        outcome
    }

    fn end_slice(&self, context: Ref<SchedContext>, timeout: TimeoutFault) -> Budget {
        let current = self.core.current.get();
        let has_handler = current.cap(TcbSlot::TimeoutHandler).kind() == Kind::Endpoint;
        if timeout == TimeoutFault::Allowed && !context.is_round_robin() && has_handler {
            return Budget::Timeout(current);
        }
        if self.has_time(context) {
            self.append(current);
        } else {
            self.postpone(context);
        }
        Budget::Exhausted
    }

    /// Charges what was used so far, without ending the slice.
    pub fn commit_time(&self) {
        let core = self.core;
        let context = core.current_context.get();
        let used = core.consumed.get();
        if context != core.idle_context && context.is_active() {
            if used > 0 {
                if context.is_round_robin() {
                    self.refills(context).charge_round_robin(used);
                } else {
                    self.refills(context).charge(used);
                }
            }
            context.consumed.set(context.consumed.get().saturating_add(used));
        }
        core.consumed.set(0);
    }

    /// Puts the context's thread off until its next refill.
    pub fn postpone(&self, context: Ref<SchedContext>) {
        let Some(thread) = context.thread.get() else { return };
        self.dequeue(thread);
        self.release_enqueue(thread);
        self.reprogram(self.home(thread));
    }

    fn release_enqueue(&self, thread: Ref<Tcb>) {
        let release_time =
            |thread: Ref<Tcb>| thread.sched_context.get().map_or(0, |context| self.refills(context).head().time);
        if thread.has(flag::IN_RELEASE_QUEUE) {
            return;
        }
        let time = release_time(thread);
        self.home(thread).release.insert_behind(thread, |other| release_time(other) <= time);
        thread.set_flags(0, flag::IN_RELEASE_QUEUE);
    }

    /// Takes `thread` out of the release queue, if it is there.
    pub fn release_remove(&self, thread: Ref<Tcb>) {
        if thread.has(flag::IN_RELEASE_QUEUE) {
            let home = self.home(thread);
            if home.release.head() == Some(thread) {
                self.reprogram(home);
            }
            home.release.remove(thread);
            thread.set_flags(flag::IN_RELEASE_QUEUE, 0);
        }
    }

    /// Takes `thread` out of its ready queue, if it is in one.
    pub fn dequeue(&self, thread: Ref<Tcb>) {
        self.home(thread).ready.dequeue(thread);
    }

    /// Adds `thread` in front of its equals.
    pub fn enqueue(&self, thread: Ref<Tcb>) {
        self.home(thread).ready.enqueue(thread);
    }

    /// Adds `thread` behind its equals.
    pub fn append(&self, thread: Ref<Tcb>) {
        self.home(thread).ready.append(thread);
    }

    /// Sets the state; a current thread that can no longer run makes the scheduler choose.
    #[inline(always)]
    pub fn set_state(&self, thread: Ref<Tcb>, state: State) {
        thread.state.set(state);
        self.state_changed(thread);
    }

    /// To be called when `thread`'s state or context changed.
    #[inline(always)]
    pub fn state_changed(&self, thread: Ref<Tcb>) {
        if thread == self.core.current.get() && self.core.action.get() == Action::Resume && !thread.is_schedulable() {
            self.core.action.set(Action::Choose);
        }
    }

    /// Makes the scheduler choose; a candidate goes to the ready queue.
    pub fn reschedule_required(&self) {
        if let Action::Candidate(candidate) = self.core.action.get()
            && candidate.is_schedulable()
        {
            self.enqueue(candidate);
        }
        self.core.action.set(Action::Choose);
    }

    /// Makes the core that `thread` belongs to choose anew.
    pub fn reschedule_home(&self, thread: Ref<Tcb>) {
        if self.is_here(thread) {
            self.reschedule_required();
        } else {
            self.poke(self.home(thread));
        }
    }

    /// `target` became ready: switch to it if it turns out to be the best.
    #[inline]
    pub fn possible_switch_to(&self, target: Ref<Tcb>) {
        let core = self.core;
        if target.sched_context.get().is_none() || target.has(flag::IN_RELEASE_QUEUE) {
            return;
        }
        if !self.is_here(target) {
            self.enqueue(target);
            let home = self.home(target);
            let beats = target.domain.get() == home.domain.get()
                && (home.current.get() == home.idle || home.current.get().priority.get() < target.priority.get());
            if beats {
                self.poke(home);
            }
            return;
        }
        if target.domain.get() != core.domain.get() {
            core.ready.enqueue(target);
        } else if core.action.get() != Action::Resume {
            self.reschedule_required();
            core.ready.enqueue(target);
        } else {
            core.action.set(Action::Candidate(target));
        }
    }

    /// Makes every thread ready whose release time has come.
    fn awaken(&self) {
        while let Some(thread) = self.core.release.head() {
            let ready =
                thread.sched_context.get().is_none_or(|context| self.refills(context).is_ready(self.core.now.get()));
            if !ready {
                return;
            }
            self.release_remove(thread);
            self.possible_switch_to(thread);
            self.core.reprogram.set(true);
        }
    }

    /// Does what the entry decided: picks the thread to run, switches to it, and sets the timer.
    pub fn schedule(&self) {
        let core = self.core;
        self.awaken();
        if core.domain_left() == 0 {
            core.reprogram.set(true);
            self.reschedule_required();
        }
        let action = core.action.get();
        if action != Action::Resume {
            let current = core.current.get();
            let was_runnable = current.is_schedulable();
            if was_runnable {
                self.enqueue(current);
                if !self.is_here(current) {
                    // It moved to another core.
                    self.poke(self.home(current));
                }
            }
            match action {
                Action::Candidate(candidate) if candidate.is_schedulable() && self.is_here(candidate) => {
                    let (priority, mine) = (candidate.priority.get(), current.priority.get());
                    let check_bitmap = current == core.idle || priority < mine;
                    let beaten = core.ready.highest_priority(core.domain.get()).is_some_and(|best| best > priority);
                    if check_bitmap && beaten {
                        core.ready.enqueue(candidate);
                        self.choose();
                    } else if was_runnable && priority == mine {
                        core.ready.append(candidate);
                        self.choose();
                    } else {
                        self.switch_to(candidate);
                    }
                }
                _ => self.choose(),
            }
        }
        core.action.set(Action::Resume);
        self.switch_context();
        if core.reprogram.get() {
            self.set_next_interrupt();
            core.reprogram.set(false);
        }
    }

    fn choose(&self) {
        let core = self.core;
        if core.domain_left() == 0 {
            self.next_domain();
        }
        match core.ready.highest(core.domain.get()) {
            Some(thread) => self.switch_to(thread),
            None => self.switch_to_idle(),
        }
    }

    /// Makes `thread` current: its address space and the right to its FPU state.
    pub fn switch_to(&self, thread: Ref<Tcb>) {
        self.set_address_space(thread);
        self.set_fpu(thread);
        self.core.ready.dequeue(thread);
        self.core.current.set(thread);
    }

    /// Lets `thread` use the FPU if its registers are there.
    #[inline(always)]
    pub(crate) fn set_fpu(&self, thread: Ref<Tcb>) {
        if self.core.has_fpu(thread) {
            self.machine.fpu_enable();
        } else {
            self.machine.fpu_disable();
        }
    }

    fn switch_to_idle(&self) {
        self.machine.set_address_space(self.kernel_root.0, 0);
        self.machine.fpu_disable();
        self.core.current.set(self.core.idle);
    }

    /// Loads the address space of `thread`, or the kernel's own if it has no valid one.
    #[inline(always)]
    pub fn set_address_space(&self, thread: Ref<Tcb>) {
        match self.address_space_of(thread) {
            Some(space) => self.machine.load(space),
            None => self.machine.set_address_space(self.kernel_root.0, 0),
        }
    }

    /// Makes the current thread's context the one that is charged from now on.
    fn switch_context(&self) {
        let core = self.core;
        let Some(next) = core.current.get().sched_context.get() else { return };
        if next != core.current_context.get() {
            core.reprogram.set(true);
            if next != core.idle_context && !next.is_sporadic() {
                self.unblock(next);
            }
        }
        if core.reprogram.get() {
            self.commit_time();
        }
        core.current_context.set(next);
    }

    /// Forgets budget time that passed while nobody used it.
    pub fn unblock(&self, context: Ref<SchedContext>) {
        if context.is_active() && self.refills(context).unblock(self.core.now.get()) {
            self.core.reprogram.set(true);
        }
    }

    fn set_next_interrupt(&self) {
        let core = self.core;
        let context = core.current_context.get();
        let now = core.now.get();
        let mut next = Ticks::MAX;
        if context != core.idle_context {
            next = now.saturating_add(self.refills(context).head().amount);
        }
        next = next.min(now.saturating_add(core.domain_left()));
        if let Some(first) = core.release.head().and_then(|thread| thread.sched_context.get()) {
            next = next.min(self.refills(first).head().time);
        }
        self.machine.set_deadline(next);
    }

    fn next_domain(&self) {
        let core = self.core;
        let mut index = core.domain_index.get() + 1;
        if core.ready.schedule.get(index).is_none_or(|slot| slot.get().duration == 0) {
            index = core.domain_start.get();
        }
        core.domain_index.set(index);
        core.work_units.set(0);
        core.reprogram.set(true);
        let slot = self.domain_slot(index);
        core.set_domain(slot.domain);
        core.set_domain_left(slot.duration);
    }

    /// Entry `index` of the domain schedule; beyond the end it is empty.
    pub fn domain_slot(&self, index: usize) -> DomainSlot {
        self.core.ready.schedule.get(index).map(|slot| slot.get()).unwrap_or_default()
    }

    /// Writes entry `index` of every core's domain schedule; beyond the end nothing happens.
    pub fn set_domain_slot(&self, index: usize, slot: DomainSlot) {
        for (_, core) in self.cores.iter() {
            if let Some(place) = core.ready.schedule.get(index) {
                place.set(slot);
            }
        }
    }

    /// Where the domain schedule begins.
    pub fn schedule_start(&self) -> usize {
        self.core.domain_start.get()
    }

    /// Makes the domain schedule begin at `index`, now, on every core.
    pub fn start_schedule(&self, index: usize) {
        for (_, core) in self.cores.iter() {
            core.domain_start.set(index);
            // The entry before it counts as just ended, so that the next choice moves on to `index`.
            core.domain_index.set(DOMAIN_SLOTS - 1);
            core.set_domain_left(0);
            if core.index != self.core.index {
                self.poke(core);
            }
        }
        self.reschedule_required();
    }

    /// Configures a scheduling context as time of core `home`: budget and period in ticks, `refills` of them at most (at
    /// least two).
    pub fn configure(&self, context: Ref<SchedContext>, home: CoreIndex, budget: Ticks, period: Ticks, refills: u32) {
        let thread = context.thread.get();
        if let Some(thread) = thread {
            self.take_back(thread);
            // Its release time and budget are about to change: out of the sorted queues, and charged for what it used.
            self.release_remove(thread);
            self.dequeue(thread);
            if self.core.current_context.get() == context {
                self.commit_time();
                // The timer was set for the old budget.
                self.core.reprogram.set(true);
            }
        }
        context.home.set(home);
        if let Some(thread) = thread {
            self.migrate(thread, home);
        }
        let now = self.core.now.get();
        if budget == period {
            // Round robin: a period of 0 makes the budget always ready to be refilled.
            self.refills(context).create(MIN_REFILLS, budget, 0, now);
        } else if context.is_active() && thread.is_some_and(|thread| thread.state.get().is_runnable()) {
            self.refills(context).update(refills, budget, period, now);
        } else {
            self.refills(context).create(refills, budget, period, now);
        }
        let Some(thread) = thread else { return };
        self.resume_context(context);
        if thread == self.core.current.get() {
            self.reschedule_required();
        } else if thread.state.get().is_runnable() {
            self.possible_switch_to(thread);
        }
    }

    /// All of `context`'s refills added up, for invariant checks.
    #[cfg(not(target_os = "none"))]
    pub fn budget_of(&self, context: Ref<SchedContext>) -> Ticks {
        self.refills(context).all().iter().map(|refill| refill.amount).sum()
    }
}

/// Whether ending a slice may be reported to the timeout handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutFault {
    /// It may.
    Allowed,
    /// The thread ended its slice itself.
    Suppressed,
}
