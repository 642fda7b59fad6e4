//! The other way: objects that stand for a given state, so that a search can go back to one.

use super::{Budget, Decision, IDLE, Id, System};
use crate::audit::Population;
use crate::refill::MIN_REFILLS;
use crate::{Action, Chain, DOMAIN_SLOTS, DomainSlot, Reply, SchedContext, Tcb, Threads, Ticks};
use memory::Ref;

impl System {
    /// Makes the objects of `on`'s core stand for this state. Timeout handlers stay as they are.
    pub fn place(&self, on: &Threads<'_>, all: &Population<'_>) {
        let core = on.core;
        let thread = |id: Id| if id == IDLE { core.idle } else { all.threads[id - 1] };
        let context = |id: Id| if id == IDLE { core.idle_context } else { all.contexts[id - 1].0 };
        for &it in all.threads {
            on.dequeue(it);
            on.release_remove(it);
            it.sched_context.set(None);
            it.reply.set(None);
            it.yield_to.set(None);
        }
        for &(it, _) in all.contexts {
            it.thread.set(None);
            it.reply.set(None);
            it.yield_from.set(None);
        }
        for &it in all.replies {
            it.thread.set(None);
            it.previous.set(None);
            it.set_next(Chain::None);
        }
        for (id, wanted) in self.threads.iter().enumerate() {
            thread(id).state.set(wanted.state);
            thread(id).priority.set(wanted.priority);
            thread(id).domain.set(wanted.domain);
        }
        for (id, wanted) in self.contexts.iter().enumerate() {
            place_budget(context(id), wanted.budget.as_ref());
            context(id).consumed.set(wanted.consumed);
            context(id).sporadic.set(wanted.sporadic.into());
        }
        for (&runs, &time) in &self.runs_on {
            thread(runs).sched_context.set(Some(context(time)));
            context(time).thread.set(Some(thread(runs)));
        }
        for (&from, &to) in &self.yielded {
            thread(from).yield_to.set(Some(context(to)));
            context(to).yield_from.set(Some(thread(from)));
        }
        for (&reply, &waiter) in &self.waits {
            all.replies[reply].thread.set(Some(thread(waiter)));
            thread(waiter).reply.set(Some(all.replies[reply]));
        }
        for (&time, chain) in &self.chains {
            chain.iter().rev().for_each(|&reply| Reply::push(all.replies[reply], context(time)));
        }
        for pair in self.pieces.iter().flat_map(|piece| piece.windows(2)) {
            all.replies[pair[0]].previous.set(Some(all.replies[pair[1]]));
            all.replies[pair[1]].set_next(Chain::Reply(all.replies[pair[0]]));
        }
        self.ready.values().flatten().for_each(|&id| on.append(thread(id)));
        for &id in &self.release {
            core.release.push_back(thread(id));
            thread(id).set_flags(0, crate::flag::IN_RELEASE_QUEUE);
        }
        self.place_core(on, thread, context);
    }

    fn place_core(&self, on: &Threads<'_>, thread: impl Fn(Id) -> Ref<Tcb>, context: impl Fn(Id) -> Ref<SchedContext>) {
        let core = on.core;
        core.current.set(thread(self.current));
        core.current_context.set(context(self.charged));
        core.now.set(self.now);
        core.consumed.set(self.used);
        core.reprogram.set(self.settle);
        core.action.set(match self.decision {
            Decision::Stay => Action::Resume,
            Decision::Choose => Action::Choose,
            Decision::Newcomer(id) => Action::Candidate(thread(id)),
        });
        let domains = &self.domains;
        for at in 0..DOMAIN_SLOTS {
            let &(domain, duration) = domains.schedule.get(&at).unwrap_or(&(0, 0));
            on.set_domain_slot(at, DomainSlot { domain, duration });
        }
        core.domain_start.set(domains.start);
        core.domain_index.set(domains.at);
        core.set_domain(domains.running);
        core.set_domain_left(domains.left.unwrap_or(Ticks::MAX));
        on.machine.set_deadline(self.next_look());
    }
}

fn place_budget(context: Ref<SchedContext>, budget: Option<&Budget>) {
    let (period, most, pieces) = match budget {
        None => (0, 0, Vec::new()),
        Some(&Budget::RoundRobin { since, left, used }) => (0, MIN_REFILLS, vec![(since, left), (since, used)]),
        Some(Budget::Sporadic { period, most, pieces }) => (*period, *most as u32, pieces.clone()),
    };
    context.period.set(period);
    context.refill_max.set(most);
    context.refill_head.set(0);
    context.refill_tail.set((pieces.len() as u32).saturating_sub(1));
    for (at, &(time, amount)) in pieces.iter().enumerate() {
        let slot = SchedContext::slot(context, at as u32);
        slot.time.set(time);
        slot.amount.set(amount);
    }
}
