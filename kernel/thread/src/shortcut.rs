//! Short cuts through the scheduler, for fast paths: the cases in which [`Threads::schedule`] has nothing to weigh.
//!
//! What asks (`elapsed`, `wakes`, `next_ready`) changes nothing; what acts leaves the state that `schedule` would leave.
//! One thing differs, and only in when: a timer that is armed for an earlier moment than needed stays armed. It fires
//! once too often, and that interrupt arms it as needed. It is never armed later than the first release time of the release
//! queue (whoever adds to that queue arms it exactly), nor than the end of the current context's budget.

use crate::refill::{Refills, head};
use crate::{Core, SchedContext, State, Tcb, Threads, Ticks, flag};
use machine::Register;
use memory::Ref;

/// Time since the last entry that was accounted, where charging it needs no decision.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed {
    now: Ticks,
    used: Ticks,
}

/// What becoming ready means for a thread.
#[derive(Clone, Copy, Debug)]
pub enum Wake {
    /// The current thread goes on; the other waits in its ready queue.
    Queue,
    /// The other runs, on its own time, and the current thread waits in its ready queue.
    Switch(Turn),
}

/// A change of thread that takes time from one context to another.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    context: Ref<SchedContext>,
    elapsed: Elapsed,
}

impl Threads<'_> {
    /// The time since the last accounted entry; `None` if the scheduler has something to decide about it.
    #[inline(always)]
    pub fn elapsed(&self) -> Option<Elapsed> {
        let core = self.core;
        let now = self.machine.now();
        let used = now.wrapping_sub(core.now.get()).wrapping_add(core.consumed.get());
        let context = core.current_context.get();
        // A clock that went backwards looks like a budget that is used up.
        let enough = left(context).checked_sub(used).is_some_and(|left| left >= core.min_budget);
        if !enough && context != core.idle_context || core.domain_left() != Ticks::MAX {
            return None;
        }
        match core.release.head() {
            Some(first) if is_due(first, now) => None,
            _ => Some(Elapsed { now, used }),
        }
    }

    /// As [`elapsed`](Self::elapsed) until `now`, but also `None` if the current context is not round-robin, if there is a
    /// domain schedule, or if the timer would have to be armed for `next`, which is round-robin: that takes a function
    /// call, and is due at most once each time the timer fires. The current context is not the idle one.
    #[inline(always)]
    fn elapsed_at_once(&self, now: Ticks, next: Ref<SchedContext>) -> Option<Elapsed> {
        let core = self.core;
        let context = core.current_context.get();
        let used = now.checked_sub(core.now.get())?.wrapping_add(core.consumed.get());
        let timer = self.machine.deadline();
        if timer > now + slice_left(next) {
            return None;
        }
        // A timer that is not due yet says that the context has budget left and that nobody is to be released (T11).
        let latest = timer.checked_sub(core.least_at_once.get())?;
        (context.is_round_robin() && now <= latest).then_some(Elapsed { now, used })
    }

    /// `thread`, which is blocked, becomes ready and runs at once, on its own time, instead of `current`, which is not the idle
    /// thread; `None` if that is not so, or not simple.
    #[inline(always)]
    pub fn preempts_at_once(&self, current: Ref<Tcb>, thread: Ref<Tcb>) -> Option<Turn> {
        let context = thread.sched_context.get().filter(|&context| is_own_slice(context) && self.is_here(thread))?;
        if thread.domain.get() != self.core.domain.get()
            || thread.priority.get() <= current.priority.get()
            || !self.can_run_at_once(thread)
        {
            return None;
        }
        Some(Turn { context, elapsed: self.elapsed_at_once(self.machine.now(), context)? })
    }

    /// The turn of a thread that is blocked here and [runs next](Self::runs_next), on its own `context`, when the current thread,
    /// which is not the idle one, blocks; `None` if that is not simple.
    #[inline(always)]
    pub fn own_turn(&self, context: Ref<SchedContext>) -> Option<Turn> {
        if !is_own_slice(context) {
            return None;
        }
        Some(Turn { context, elapsed: self.elapsed_at_once(self.machine.now(), context)? })
    }

    /// Takes it, but for running the thread; the current thread was blocked.
    #[inline(always)]
    pub fn take_own_turn(&self, turn: Turn) {
        self.change_round_robin(turn.context, turn.elapsed);
    }

    /// Does it, but for running the thread: `current` waits in front of its equals.
    #[inline(always)]
    pub fn preempt(&self, current: Ref<Tcb>, turn: Turn) {
        // The current thread is of the domain that runs and in no queue (T3).
        self.core.queues.get().push_front(current);
        self.change_round_robin(turn.context, turn.elapsed);
    }

    /// Keeps the account that `elapsed` stands for, as `update_time` would.
    #[inline(always)]
    pub fn account(&self, elapsed: Elapsed) {
        self.core.now.set(elapsed.now);
        self.core.consumed.set(elapsed.used);
    }

    /// Whether the scheduler would pick `next`, which is about to become ready, once the current thread blocks.
    #[inline(always)]
    pub fn runs_next(&self, current: Ref<Tcb>, next: Ref<Tcb>) -> bool {
        let core = self.core;
        next.domain.get() == core.domain.get()
            && (next.priority.get() >= current.priority.get() || core.is_highest(next.priority.get()))
    }

    /// What happens if `thread`, which is blocked, becomes ready while `current` could go on; `None` if that is not simple.
    /// `known` is what has elapsed, if that was asked already.
    #[inline(always)]
    pub fn wakes(&self, current: Ref<Tcb>, thread: Ref<Tcb>, known: Option<Elapsed>) -> Option<Wake> {
        let context = thread.sched_context.get()?;
        let simple = context.is_active() && !context.is_sporadic() && !thread.has(flag::IN_RELEASE_QUEUE);
        if !simple || !self.is_here(thread) || thread.domain.get() != self.core.domain.get() {
            return None;
        }
        if thread.priority.get() <= current.priority.get() && current != self.core.idle {
            return Some(Wake::Queue);
        }
        let elapsed = match known {
            Some(elapsed) => elapsed,
            None => self.elapsed()?,
        };
        self.can_run(thread).then_some(Wake::Switch(Turn { context, elapsed }))
    }

    /// Does it: `thread` is running or ready from now on.
    #[inline(always)]
    pub fn wake(&self, current: Ref<Tcb>, thread: Ref<Tcb>, wake: Wake) {
        match wake {
            Wake::Queue if thread.priority.get() == current.priority.get() => self.core.ready.append(thread),
            Wake::Queue => self.core.ready.enqueue(thread),
            Wake::Switch(turn) => {
                if current != self.core.idle {
                    self.core.ready.enqueue(current);
                }
                self.take_turn(thread, turn);
            }
        }
    }

    /// The thread that runs if the current one blocks; `None` if nobody can or it is not simple.
    #[inline(always)]
    pub fn next_ready(&self) -> Option<(Ref<Tcb>, Turn)> {
        let next = self.core.ready.highest(self.core.domain.get()).filter(|&next| goes_on(next))?;
        let context = next.sched_context.get().filter(|_| self.can_run(next))?;
        Some((next, Turn { context, elapsed: self.elapsed()? }))
    }

    /// Runs what [`next_ready`](Self::next_ready) found; the current thread was blocked.
    #[inline(always)]
    pub fn run_ready(&self, (next, turn): (Ref<Tcb>, Turn)) {
        self.core.ready.dequeue(next);
        self.take_turn(next, turn);
    }

    #[inline(always)]
    fn take_turn(&self, next: Ref<Tcb>, turn: Turn) {
        self.change_context(turn.context, turn.elapsed);
        self.run(next);
    }

    /// Charges the current context for `elapsed` and goes on with `next`, which is another.
    #[inline(always)]
    fn change_context(&self, next: Ref<SchedContext>, elapsed: Elapsed) {
        let core = self.core;
        let Elapsed { now, used } = elapsed;
        core.now.set(now);
        core.consumed.set(0);
        charge(core, self.refills(core.current_context.get()), used);
        core.current_context.set(next);
        if !next.is_round_robin() && !next.is_sporadic() {
            unblock(self.refills(next), now);
        }
        self.machine.set_deadline_by(now + left(next));
    }

    /// As [`change_context`](Self::change_context), where both are round-robin, neither is idle, and the timer fires in time.
    #[inline(always)]
    fn change_round_robin(&self, next: Ref<SchedContext>, elapsed: Elapsed) {
        let core = self.core;
        let Elapsed { now, used } = elapsed;
        core.now.set(now);
        core.consumed.set(0);
        spend(core.current_context.get(), used);
        core.current_context.set(next);
    }

    /// Makes `thread`, which [can run](Self::can_run), current on the context that is being charged, and ready to be left to
    /// the user but for the registers in its context. Says `false` if [`settle`](Self::settle) is due.
    #[inline(always)]
    pub fn run_at_once(&self, thread: Ref<Tcb>) -> bool {
        self.core.current.set(thread);
        self.machine.set_current(thread.word());
        self.machine.meet(thread.roots.needs.get()) && self.machine.load_fs_base(thread.context.get(Register::FsBase))
    }

    /// Gives the current thread all that it needs of the processor.
    #[inline(never)]
    pub fn settle(&self) {
        let current = self.core.current.get();
        self.set_address_space(current);
        self.set_fpu(current);
        self.machine.load_bases(current.context.get(Register::FsBase), current.context.get(Register::GsBase));
        current.debug.load(&current.context, self.machine);
    }

    /// As [`run_at_once`](Self::run_at_once), with what may be due.
    #[inline(always)]
    pub fn run(&self, thread: Ref<Tcb>) {
        if !self.run_at_once(thread) {
            self.settle();
        }
    }

    /// The current thread gives up the rest of its round-robin slice to an equal with one, which is the answer and is to be
    /// run; `None` if nothing was done. Nobody more important is ready (T3).
    #[inline(always)]
    pub fn yield_at_once(&self, current: Ref<Tcb>) -> Option<Ref<Tcb>> {
        let core = self.core;
        let now = self.machine.now();
        let queues = core.queues.get();
        let queue = queues.of_equals(current);
        let next = queue.head().filter(|&next| goes_on(next) && self.can_run_at_once(next))?;
        let its = next.sched_context.get().filter(|context| context.is_round_robin())?;
        let Elapsed { used, .. } = self.elapsed_at_once(now, its)?;
        core.now.set(now);
        core.consumed.set(0);
        let context = core.current_context.get();
        context.consumed.set(context.consumed.get() + used);
        let [left, over] = &context.first.0;
        left.amount.set(left.amount.get() + over.amount.replace(0));
        core.current_context.set(its);
        queue.rotate(next, current);
        next.set_flags(flag::QUEUED, 0);
        current.set_flags(0, flag::QUEUED);
        Some(next)
    }

    /// The current thread, which has no equal, gives up the rest of its round-robin slice for a new one; `false` if that is not
    /// so, and nothing was done. Nobody more important is ready (T3).
    pub fn yield_alone(&self) -> bool {
        let core = self.core;
        let context = core.current_context.get();
        let is_alone = core.queues.get().of_equals(core.current.get()).is_empty();
        let Some(elapsed) = self.elapsed().filter(|_| is_alone && context.is_round_robin()) else { return false };
        self.account(elapsed);
        self.commit_time();
        self.refills(context).restart_round_robin();
        true
    }
}

/// Charges a current context that has the budget, as `commit_time` would.
#[inline(always)]
fn charge(core: &Core, refills: Refills, used: Ticks) {
    let context = refills.context;
    if !context.is_round_robin() {
        return charge_sporadic(refills, used);
    }
    if context != core.idle_context {
        spend(context, used);
    }
}

/// Charges a round-robin context.
#[inline(always)]
fn spend(context: Ref<SchedContext>, used: Ticks) {
    let [left, over] = &context.first.0;
    left.amount.set(left.amount.get() - used);
    over.amount.set(over.amount.get() + used);
    context.consumed.set(context.consumed.get() + used);
}

/// What `context` may use before it must be looked at again.
#[inline(always)]
fn left(context: Ref<SchedContext>) -> Ticks {
    if context.is_round_robin() { slice_left(context) } else { left_sporadic(context) }
}

/// Whether a blocked thread's context lets it run at once: its thread is not in the release queue (T7).
#[inline(always)]
fn is_own_slice(context: Ref<SchedContext>) -> bool {
    context.is_active() && context.is_round_robin()
}

/// What a round-robin context may use.
#[inline(always)]
fn slice_left(context: Ref<SchedContext>) -> Ticks {
    context.first.0[0].amount.get()
}

// What follows is out of line and without `Threads`, which would cost the callers its making.

#[inline(never)]
fn charge_sporadic(refills: Refills, used: Ticks) {
    let context = refills.context;
    if used > 0 {
        refills.charge(used);
    }
    context.consumed.set(context.consumed.get().saturating_add(used));
}

#[inline(never)]
fn left_sporadic(context: Ref<SchedContext>) -> Ticks {
    head(context).amount
}

#[inline(never)]
fn unblock(refills: Refills, now: Ticks) {
    refills.unblock(now);
}

#[inline(always)]
fn is_due(first: Ref<Tcb>, now: Ticks) -> bool {
    first.sched_context.get().is_none_or(|context| head(context).time <= now)
}

/// Whether `thread`, which is ready, has nothing to settle before it runs.
#[inline(always)]
fn goes_on(thread: Ref<Tcb>) -> bool {
    thread.state.get() == State::RUNNING && thread.yield_to.get().is_none()
}
