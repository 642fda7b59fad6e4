//! Host only: checks invariants T1 to T11 of `docs/invariants.md` over the threads, contexts and replies of an instance, as
//! they hold between two kernel entries.

use crate::refill::MIN_REFILLS;
use crate::{Action, Chain, Core, DOMAINS, PRIORITIES, Refill, Reply, SchedContext, State, Tcb, Threads, flag};
use memory::Ref;
use std::collections::HashSet;

/// Every live object of the kinds of this layer; the idle thread and its context are not listed.
#[derive(Clone, Copy, Debug)]
pub struct Population<'a> {
    /// Threads.
    pub threads: &'a [Ref<Tcb>],
    /// Scheduling contexts, with log2 of their size.
    pub contexts: &'a [(Ref<SchedContext>, u32)],
    /// Reply objects.
    pub replies: &'a [Ref<Reply>],
}

impl Population<'_> {
    fn has_thread(&self, thread: Ref<Tcb>) -> bool {
        self.threads.contains(&thread)
    }

    fn has_context(&self, context: Ref<SchedContext>) -> bool {
        self.contexts.iter().any(|&(other, _)| other == context)
    }
}

/// Checks everything.
pub fn check(on: &Threads<'_>, all: &Population<'_>) -> Result<(), String> {
    let (mut ready, mut waiting) = (HashSet::new(), HashSet::new());
    for (_, core) in on.cores.iter() {
        ready_queues(core, all, &mut ready)?;
        release_queue(on, core, all, &mut waiting)?;
    }
    for &thread in all.threads {
        let in_ready = ready.contains(&thread.word());
        let in_release = waiting.contains(&thread.word());
        if in_ready != thread.has(flag::QUEUED) || in_release != thread.has(flag::IN_RELEASE_QUEUE) {
            return Err(format!("T1: flags of {thread:?} disagree with the queues ({in_ready}, {in_release})"));
        }
        if in_ready && in_release {
            return Err(format!("T1: {thread:?} is in two queues"));
        }
        if in_release && !thread.state.get().is_runnable() {
            return Err(format!("T7: {thread:?} waits for time but could not run: {:?}", thread.state.get()));
        }
        if !on.roots_are_right(thread) {
            return Err(format!("T9: {thread:?} does not have the roots it was found to have"));
        }
        let is_current = thread == on.home(thread).current.get();
        if in_ready != (thread.is_schedulable() && !is_current) {
            return Err(format!(
                "T3: {thread:?} queued {in_ready}, current {is_current}, schedulable {}: {:?}",
                thread.is_schedulable(),
                thread.state.get()
            ));
        }
    }
    for (_, core) in on.cores.iter() {
        current(on, core, all)?;
        timer(on, core)?;
    }
    for &(context, bits) in all.contexts {
        refills(on, context, bits)?;
    }
    bindings(all)?;
    chains(all)
}

/// T1, T2: well-formed queues whose members have their domain and priority, and bitmaps that agree.
fn ready_queues(core: &Core, all: &Population<'_>, members: &mut HashSet<u64>) -> Result<(), String> {
    for domain in 0..DOMAINS as u8 {
        let mut highest = None;
        for priority in 0..PRIORITIES {
            let queue = core.ready.queue(domain, priority as u8);
            for thread in queue.checked()? {
                let place = (thread.domain.get(), usize::from(thread.priority.get()));
                if thread.home.get() != core.index {
                    return Err(format!("T8: {thread:?} is queued away from its home {:?}", thread.home.get()));
                }
                if !all.has_thread(thread) || place != (domain, priority) || !members.insert(thread.word()) {
                    return Err(format!("T1: {thread:?} of {place:?} in ready queue ({domain}, {priority})"));
                }
            }
            if core.ready.is_marked(domain, priority as u8) == queue.is_empty() {
                return Err(format!("T2: bit of ready queue ({domain}, {priority}) is wrong"));
            }
            highest = if queue.is_empty() { highest } else { Some(priority as u8) };
        }
        if core.ready.highest_priority(domain) != highest {
            return Err(format!("T2: highest priority of domain {domain} is not {highest:?}"));
        }
    }
    Ok(())
}

/// T7: sorted by release time, each with a context.
fn release_queue(
    on: &Threads<'_>,
    core: &Core,
    all: &Population<'_>,
    members: &mut HashSet<u64>,
) -> Result<(), String> {
    let mut last = 0;
    for thread in core.release.checked()? {
        if thread.home.get() != core.index {
            return Err(format!("T8: {thread:?} waits for time away from its home {:?}", thread.home.get()));
        }
        let Some(context) = thread.sched_context.get().filter(|context| context.is_active()) else {
            return Err(format!("T7: {thread:?} waits for time without an active context"));
        };
        let time = on.refills(context).head().time;
        if !all.has_thread(thread) || !members.insert(thread.word()) || time < last {
            return Err(format!("T7: {thread:?} is misplaced in the release queue ({time} after {last})"));
        }
        last = time;
    }
    Ok(())
}

/// T3: the current thread can run, on the current context; T8: on its home, and nothing of others is in its registers.
fn current(on: &Threads<'_>, core: &Core, all: &Population<'_>) -> Result<(), String> {
    let thread = core.current.get();
    if thread.sched_context.get() != Some(core.current_context.get()) {
        return Err(format!("T3: {thread:?} does not run on the current context"));
    }
    if let Some(owner) = core.fpu_owner()
        && (!all.has_thread(owner) || owner.home.get() != core.index)
    {
        return Err(format!("T8: the FPU belongs to {owner:?}, dead or of another core"));
    }
    if thread == core.idle {
        return Ok(());
    }
    if thread.home.get() != core.index {
        return Err(format!("T8: {thread:?} runs away from its home {:?}", thread.home.get()));
    }
    if !on.slots_are_at_hand(thread) {
        return Err(format!("T10: the slots of the current thread {thread:?} are not at hand"));
    }
    let runs = thread.state.get() == State::RUNNING && thread.is_schedulable() && all.has_thread(thread);
    if !runs || thread.domain.get() != core.domain.get() {
        return Err(format!("T3: the current thread {thread:?} cannot run: {:?}", thread.state.get()));
    }
    let refills = on.refills(core.current_context.get());
    let has_time = refills.context.is_active() && refills.is_ready(core.now.get()) && refills.is_sufficient(0);
    if !has_time {
        let all = refills.all();
        return Err(format!("T3: the context of {thread:?} has no budget at {}: {all:?}", core.now.get()));
    }
    let priority = thread.priority.get();
    // A core that was told to look again has not done so yet.
    if core.action.get() == Action::Resume
        && core.ready.highest_priority(core.domain.get()).is_some_and(|best| best > priority)
    {
        return Err(format!("T3: {thread:?} of priority {priority} runs although a better one is ready"));
    }
    Ok(())
}

/// T11: the timer fires before a round-robin budget is used up, and before somebody's wait for time has ended.
fn timer(on: &Threads<'_>, core: &Core) -> Result<(), String> {
    // A core that was told to look again has not done so yet.
    if core.action.get() != Action::Resume || core.reprogram.get() {
        return Ok(());
    }
    let context = core.current_context.get();
    let is_slice = context != core.idle_context && context.is_round_robin();
    let counted_from = core.now.get().wrapping_sub(core.consumed.get());
    let end = is_slice.then(|| counted_from.wrapping_add(on.refills(context).head().amount));
    let release = core.release.head().and_then(|thread| thread.sched_context.get());
    let release = release.map(|context| on.refills(context).head().time);
    let armed = core.machine.deadline();
    match end.into_iter().chain(release).min() {
        Some(first) if armed > first => {
            Err(format!("T11: the timer is armed for {armed}, {end:?} or {release:?} is first"))
        }
        _ => Ok(()),
    }
}

/// Refills of an active context, head first.
pub fn refills_of(on: &Threads<'_>, context: Ref<SchedContext>) -> Vec<Refill> {
    on.refills(context).all()
}

/// T4: the ring fits its object, is ordered and disjoint, and its head is worth a dispatch.
fn refills(on: &Threads<'_>, context: Ref<SchedContext>, bits: u32) -> Result<(), String> {
    if !context.is_active() {
        return Ok(());
    }
    let most = context.refill_max.get();
    let fits = u64::from(most) <= SchedContext::capacity(bits) && most >= MIN_REFILLS;
    if !fits || context.refill_head.get() >= most || context.refill_tail.get() >= most {
        return Err(format!("T4: ring of {context:?} leaves its object"));
    }
    let all = on.refills(context).all();
    if context.is_round_robin() {
        return if all.len() == 2 { Ok(()) } else { Err(format!("T4: round robin with {} refills", all.len())) };
    }
    for pair in all.windows(2) {
        if pair[0].time.saturating_add(pair[0].amount) > pair[1].time {
            return Err(format!("T4: refills of {context:?} overlap: {all:?}"));
        }
    }
    if all[0].amount < on.clock().min_budget() {
        return Err(format!("T4: head of {context:?} is too small: {all:?}"));
    }
    Ok(())
}

/// T5: contexts and threads name each other, by binding and by yield.
fn bindings(all: &Population<'_>) -> Result<(), String> {
    for &thread in all.threads {
        if let Some(context) = thread.sched_context.get()
            && (!all.has_context(context) || context.thread.get() != Some(thread))
        {
            return Err(format!("T5: {thread:?} runs on {context:?}, which disagrees"));
        }
        if thread.sched_context.get().is_some_and(|context| context.home.get() != thread.home.get()) {
            return Err(format!("T8: {thread:?} is not where its time is"));
        }
        if let Some(context) = thread.yield_to.get()
            && (!all.has_context(context) || context.yield_from.get() != Some(thread))
        {
            return Err(format!("T5: {thread:?} yielded to {context:?}, which disagrees"));
        }
    }
    for &(context, _) in all.contexts {
        for (thread, back) in [
            (context.thread.get(), context.thread.get().and_then(|thread| thread.sched_context.get())),
            (context.yield_from.get(), context.yield_from.get().and_then(|thread| thread.yield_to.get())),
        ] {
            if thread.is_some_and(|thread| !all.has_thread(thread) || back != Some(context)) {
                return Err(format!("T5: {context:?} names {thread:?}, which disagrees"));
            }
        }
    }
    Ok(())
}

/// T6: replies and waiting threads name each other; chains are mutual, acyclic and end at their context.
fn chains(all: &Population<'_>) -> Result<(), String> {
    let live = |reply: Ref<Reply>| all.replies.contains(&reply);
    for &thread in all.threads {
        let state = thread.state.get();
        let may_have = state == State::BLOCKED_ON_RECEIVE || state == State::BLOCKED_ON_REPLY;
        match thread.reply.get() {
            Some(reply) if !may_have || !live(reply) || reply.thread.get() != Some(thread) => {
                return Err(format!("T6: {thread:?} ({state:?}) waits on {reply:?}, which disagrees"));
            }
            None if state == State::BLOCKED_ON_REPLY => return Err(format!("T6: {thread:?} waits on no reply")),
            _ => {}
        }
    }
    for &reply in all.replies {
        if let Some(thread) = reply.thread.get()
            && (!all.has_thread(thread) || thread.reply.get() != Some(reply))
        {
            return Err(format!("T6: {reply:?} names {thread:?}, which disagrees"));
        }
        let is_linked = reply.next() != Chain::None || reply.previous.get().is_some();
        let waits = reply.thread.get().is_some_and(|thread| thread.state.get() == State::BLOCKED_ON_REPLY);
        if is_linked && !waits {
            return Err(format!("T6: {reply:?} is in a chain, but nobody waits on it"));
        }
        let mutual = match reply.next() {
            Chain::None => true,
            Chain::Head(context) => all.has_context(context) && context.reply.get() == Some(reply),
            Chain::Reply(newer) => live(newer) && newer.previous.get() == Some(reply),
        };
        let below = reply.previous.get().is_none_or(|older| live(older) && older.next() == Chain::Reply(reply));
        if !mutual || !below {
            return Err(format!("T6: links of {reply:?} are not mutual"));
        }
        let length =
            std::iter::successors(Some(reply), |reply| reply.previous.get()).take(all.replies.len() + 1).count();
        if length > all.replies.len() {
            return Err(format!("T6: {reply:?} is in a cycle"));
        }
    }
    for &(context, _) in all.contexts {
        if let Some(reply) = context.reply.get()
            && (!live(reply) || reply.next() != Chain::Head(context))
        {
            return Err(format!("T6: {context:?} names {reply:?} as its newest, which disagrees"));
        }
    }
    Ok(())
}
