//! Sporadic-server refills: a ring of (time, amount) kept ordered, whose amounts always sum to the budget.
//!
//! Invariant T4: refills are ordered and do not overlap, the first is at least the minimum budget, and they sum to the
//! budget. Algorithm: the sporadic servers of the seL4 MCS model (Lyons et al., EuroSys 2018).

use crate::{Clock, Refill, SchedContext, Ticks};
use memory::Ref;

/// Refills of a round-robin context: what is left, and what was used.
pub(crate) const MIN_REFILLS: u32 = 2;

/// The refill ring of one context at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Refills {
    pub(crate) context: Ref<SchedContext>,
    pub(crate) clock: Clock,
}

/// The refill that is being used, or will be first.
#[inline(always)]
pub(crate) fn head(context: Ref<SchedContext>) -> Refill {
    if context.is_round_robin() {
        return context.first.0[0].get();
    }
    SchedContext::slot(context, context.refill_head.get()).get()
}

impl Refills {
    fn following(self, index: u32) -> u32 {
        if index + 1 >= self.context.refill_max.get() { 0 } else { index + 1 }
    }

    fn get(self, index: u32) -> Refill {
        SchedContext::slot(self.context, index).get()
    }

    fn put(self, index: u32, refill: Refill) {
        let slot = SchedContext::slot(self.context, index);
        slot.time.set(refill.time);
        slot.amount.set(refill.amount);
    }

    #[inline(always)]
    pub(crate) fn head(self) -> Refill {
        head(self.context)
    }

    fn set_head(self, refill: Refill) {
        self.put(self.context.refill_head.get(), refill);
    }

    fn tail(self) -> Refill {
        self.get(self.context.refill_tail.get())
    }

    fn set_tail(self, refill: Refill) {
        self.put(self.context.refill_tail.get(), refill);
    }

    fn is_single(self) -> bool {
        self.context.refill_head.get() == self.context.refill_tail.get()
    }

    fn len(self) -> u32 {
        let (head, tail) = (self.context.refill_head.get(), self.context.refill_tail.get());
        if head <= tail { tail - head + 1 } else { tail + 1 + self.context.refill_max.get() - head }
    }

    fn pop(self) -> Refill {
        let refill = self.head();
        self.context.refill_head.set(self.following(self.context.refill_head.get()));
        refill
    }

    fn push(self, refill: Refill) {
        self.context.refill_tail.set(self.following(self.context.refill_tail.get()));
        self.set_tail(refill);
    }

    /// Whether the head may be used at `now`.
    #[inline(always)]
    pub(crate) fn is_ready(self, now: Ticks) -> bool {
        self.head().time <= now
    }

    /// Whether the head has the minimum budget left after `usage`.
    #[inline(always)]
    pub(crate) fn is_sufficient(self, usage: Ticks) -> bool {
        self.head().amount.saturating_sub(usage) >= self.clock.min_budget()
    }

    fn add_used_slot_if_round_robin(self) {
        if self.context.is_round_robin() {
            let time = self.head().time;
            self.push(Refill { time, amount: 0 });
        }
    }

    /// Configures a context that was not: the whole budget is available from `now`.
    pub(crate) fn create(self, max: u32, budget: Ticks, period: Ticks, now: Ticks) {
        self.context.period.set(period);
        self.context.refill_head.set(0);
        self.context.refill_tail.set(0);
        self.context.refill_max.set(max);
        self.set_head(Refill { time: now, amount: budget });
        self.add_used_slot_if_round_robin();
    }

    /// Reconfigures an active context without ever exceeding the new budget in a new period.
    pub(crate) fn update(self, max: u32, budget: Ticks, period: Ticks, now: Ticks) {
        let mut head = self.head();
        self.context.refill_head.set(0);
        self.context.refill_tail.set(0);
        self.context.refill_max.set(max);
        self.context.period.set(period);
        if head.time <= now {
            head.time = now;
        }
        if head.amount >= budget {
            head.amount = budget;
            self.set_head(head);
            self.add_used_slot_if_round_robin();
        } else {
            self.set_head(head);
            self.push(Refill { time: head.time.saturating_add(period), amount: budget - head.amount });
        }
    }

    /// Books `used` time to come back at its time.
    fn schedule_used(self, used: Refill) {
        let tail = self.tail();
        if tail.time.saturating_add(tail.amount) >= used.time {
            self.set_tail(Refill { amount: tail.amount + used.amount, ..tail });
        } else if self.len() < self.context.refill_max.get() {
            self.push(used);
        } else {
            // Full: delay the tail so that the two are one, ending when the later would.
            self.set_tail(Refill { time: used.time.saturating_sub(tail.amount), amount: tail.amount + used.amount });
        }
    }

    /// Charges `usage` ticks to a context that is not round-robin.
    pub(crate) fn charge(self, mut usage: Ticks) {
        let period = self.context.period.get();
        let limit = self.clock.max_release_time();
        while self.head().amount <= usage && self.head().time < limit {
            let head = self.head();
            usage -= head.amount;
            let later = Refill { time: head.time.saturating_add(period), ..head };
            if self.is_single() {
                self.set_head(later);
            } else {
                self.pop();
                self.schedule_used(later);
            }
        }
        let head = self.head();
        if usage > 0 && head.time < limit {
            self.set_head(Refill { time: head.time + usage, amount: head.amount - usage });
            self.schedule_used(Refill { time: head.time.saturating_add(period), amount: usage });
        }
        while self.head().amount < self.clock.min_budget() && !self.is_single() {
            let head = self.pop();
            let next = self.head();
            self.set_head(Refill { time: next.time.saturating_sub(head.amount), amount: next.amount + head.amount });
        }
    }

    /// Moves `usage` from what is left to what was used, of a round-robin context.
    #[inline(always)]
    pub(crate) fn charge_round_robin(self, usage: Ticks) {
        let [left, used] = &self.context.first.0;
        let usage = usage.min(left.amount.get());
        left.amount.set(left.amount.get() - usage);
        used.amount.set(used.amount.get() + usage);
    }

    /// Makes the full time slice available again.
    #[inline(always)]
    pub(crate) fn restart_round_robin(self) {
        let [left, used] = &self.context.first.0;
        left.amount.set(left.amount.get() + used.amount.replace(0));
    }

    /// Forgets time that passed unused: a head that is ready starts at `now`. Says whether it was.
    pub(crate) fn unblock(self, now: Ticks) -> bool {
        if self.context.is_round_robin() || !self.is_ready(now) {
            return false;
        }
        self.set_head(Refill { time: now, ..self.head() });
        while !self.is_single() {
            let head = self.head();
            let next = self.get(self.following(self.context.refill_head.get()));
            if next.time > head.time.saturating_add(head.amount) {
                break;
            }
            self.pop();
            self.set_head(Refill { time: head.time, amount: next.amount + head.amount });
        }
        true
    }

    /// Refills from the head on; their amounts add up to the budget. For the audit.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn all(self) -> Vec<Refill> {
        let first = self.context.refill_head.get();
        let indices = core::iter::successors(Some(first), |&index| Some(self.following(index)));
        indices.take(self.len() as usize).map(|index| self.get(index)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::Machine;
    use memory::Phys;
    use memory::host::Slice;
    use proptest::prelude::*;

    const BUDGET: Ticks = 500_000;
    const PERIOD: Ticks = 2_000_000;

    fn context(slice: &Slice) -> Refills {
        Refills { context: Ref::at(slice.range().base.offset(4096)), clock: Clock::of(&Machine::new()) }
    }

    fn check(refills: Refills, budget: Ticks) -> Result<(), TestCaseError> {
        let all = refills.all();
        prop_assert_eq!(all.iter().map(|refill| refill.amount).sum::<Ticks>(), budget, "{:?}", all);
        for pair in all.windows(2) {
            prop_assert!(pair[0].time + pair[0].amount <= pair[1].time, "{:?}", all);
        }
        prop_assert!(all[0].amount >= refills.clock.min_budget(), "{:?}", all);
        Ok(())
    }

    proptest! {
        /// Run, sleep, run …: whatever the pattern, no window of a period sees more than the budget.
        #[test]
        fn no_more_than_the_budget_is_used_in_any_period(
            max in 2u32..10,
            steps in prop::collection::vec((0u64..600_000, 0u64..1_500_000), 1..60),
        ) {
            let slice = Slice::new(2 << 20);
            let refills = context(&slice);
            let mut now = 1_000;
            refills.create(max, BUDGET, PERIOD, now);
            let mut used: Vec<(Ticks, Ticks)> = Vec::new();
            for (run, sleep) in steps {
                now = now.max(refills.head().time);
                // As a switch to a thread with constant bandwidth does.
                refills.unblock(now);
                check(refills, BUDGET)?;
                let run = run.min(refills.head().amount);
                used.push((now, run));
                now += run;
                refills.charge(run);
                check(refills, BUDGET)?;
                now += sleep;
            }
            for &(from, _) in &used {
                let inside = |&(at, amount): &(Ticks, Ticks)| {
                    if at < from { 0 } else { amount.min((from + PERIOD).saturating_sub(at)) }
                };
                prop_assert!(used.iter().map(inside).sum::<Ticks>() <= BUDGET, "from {}: {:?}", from, used);
            }
        }

        #[test]
        fn reconfiguring_keeps_the_new_budget(
            run in 0u64..500_000, budget in 20_000u64..900_000, stretch in 1u64..5, max in 2u32..10, later in 0u64..3_000_000,
        ) {
            let slice = Slice::new(2 << 20);
            let refills = context(&slice);
            refills.create(4, BUDGET, PERIOD, 0);
            refills.charge(run);
            refills.update(max, budget, budget * stretch + 1, later);
            let all = refills.all();
            prop_assert_eq!(all.iter().map(|refill| refill.amount).sum::<Ticks>(), budget);
            prop_assert!(all.len() <= max as usize);
        }

        #[test]
        fn round_robin_moves_time_between_two_refills(runs in prop::collection::vec(0u64..600_000, 1..30)) {
            let slice = Slice::new(2 << 20);
            let refills = context(&slice);
            refills.create(MIN_REFILLS, BUDGET, 0, 5);
            for run in runs {
                refills.charge_round_robin(run);
                prop_assert_eq!(refills.all().len(), 2);
                prop_assert_eq!(refills.all().iter().map(|refill| refill.amount).sum::<Ticks>(), BUDGET);
                if !refills.is_sufficient(0) {
                    refills.restart_round_robin();
                    prop_assert_eq!(refills.head(), Refill { time: 5, amount: BUDGET });
                }
            }
        }
    }

    #[test]
    fn a_ring_stays_inside_the_smallest_object() {
        let slice = Slice::new(2 << 20);
        let refills = context(&slice);
        let most = SchedContext::capacity(7) as u32;
        assert_eq!(most, 2);
        let guard: Ref<crate::sched_context::RefillSlot> = Ref::at(Phys(refills.context.phys().0 + 128));
        guard.time.set(77);
        refills.create(most, BUDGET, PERIOD, 0);
        for _ in 0..40 {
            refills.charge(60_000);
            assert!(refills.all().len() <= 2);
        }
        assert_eq!(guard.time.get(), 77);
    }
}
