//! What the objects of the layer stand for: the state of the specification that they are a form of.

use super::{Budget, Context, Decision, Domains, IDLE, Id, Limits, System, Thread, time};
use crate::audit::{Population, refills_of};
use crate::{
    Action, Chain, DOMAIN_SLOTS, DOMAINS, PRIORITIES, Queue, Reply, SchedContext, Tcb, TcbSlot, Threads, Ticks,
};
use capability::Kind;
use memory::Ref;
use std::collections::BTreeMap;

impl System {
    /// Reads the state of `on`'s core. Objects are named by their place in `all`, counted from 1; replies from 0.
    pub fn read(on: &Threads<'_>, all: &Population<'_>) -> Self {
        let core = on.core;
        let thread_id = |thread: Ref<Tcb>| place(all.threads.iter(), &thread).map_or(IDLE, |at| at + 1);
        let context_id =
            |context: Ref<SchedContext>| place(all.contexts.iter().map(|it| &it.0), &context).map_or(IDLE, |at| at + 1);
        let reply_id = |reply: Ref<Reply>| place(all.replies.iter(), &reply).expect("a live reply");
        let threads = || std::iter::once(core.idle).chain(all.threads.iter().copied());
        let contexts = || std::iter::once(core.idle_context).chain(all.contexts.iter().map(|it| it.0));

        let mut ready = BTreeMap::new();
        let domains = (0..DOMAINS as u8).filter(|&domain| core.ready.highest_priority(domain).is_some());
        for (domain, priority) in domains.flat_map(|domain| (0..PRIORITIES).map(move |it| (domain, it as u8))) {
            if core.ready.is_marked(domain, priority) {
                let queue: Vec<Id> = members(core.ready.queue(domain, priority)).map(thread_id).collect();
                ready.insert((domain, priority), queue);
            }
        }
        let chain = |newest: Ref<Reply>| -> Vec<Id> {
            let older = std::iter::successors(Some(newest), |reply| reply.previous.get());
            older.take(all.replies.len() + 1).map(reply_id).collect()
        };
        let is_cut = |reply: &&Ref<Reply>| reply.next() == Chain::None && reply.previous.get().is_some();
        let own = |(thread, context): (Ref<Tcb>, Option<Ref<SchedContext>>)| {
            context.map(|context| (thread_id(thread), context_id(context)))
        };
        Self {
            limits: Limits { least: on.clock().min_budget(), end: on.clock().max_release_time() },
            threads: threads().map(thread).collect(),
            contexts: contexts().map(|it| context(on, it)).collect(),
            runs_on: threads().map(|it| (it, it.sched_context.get())).filter_map(own).collect(),
            yielded: threads().map(|it| (it, it.yield_to.get())).filter_map(own).collect(),
            waits: all
                .replies
                .iter()
                .filter_map(|&reply| Some((reply_id(reply), thread_id(reply.thread.get()?))))
                .collect(),
            chains: contexts().filter_map(|it| Some((context_id(it), chain(it.reply.get()?)))).collect(),
            pieces: all.replies.iter().filter(is_cut).map(|&newest| chain(newest)).collect(),
            ready,
            release: members(&core.release).map(thread_id).collect(),
            current: thread_id(core.current.get()),
            charged: context_id(core.current_context.get()),
            now: core.now.get(),
            used: core.consumed.get(),
            decision: match core.action.get() {
                Action::Resume => Decision::Stay,
                Action::Choose => Decision::Choose,
                Action::Candidate(thread) => Decision::Newcomer(thread_id(thread)),
            },
            settle: core.reprogram.get(),
            domains: Domains {
                schedule: (0..DOMAIN_SLOTS)
                    .map(|at| (at, on.domain_slot(at)))
                    .filter(|(_, slot)| slot.duration != 0)
                    .map(|(at, slot)| (at, (slot.domain, slot.duration)))
                    .collect(),
                start: core.domain_start.get(),
                at: core.domain_index.get(),
                running: core.domain.get(),
                left: Some(core.domain_left()).filter(|&left| left != Ticks::MAX),
            },
        }
    }
}

/// A queue whose links are right.
fn members(queue: &Queue) -> impl Iterator<Item = Ref<Tcb>> {
    queue.checked().expect("well-formed links").into_iter()
}

fn place<'a, T: PartialEq + 'a>(mut all: impl Iterator<Item = &'a T>, one: &T) -> Option<usize> {
    all.position(|other| other == one)
}

fn thread(thread: Ref<Tcb>) -> Thread {
    Thread {
        state: thread.state.get(),
        priority: thread.priority.get(),
        domain: thread.domain.get(),
        has_timeout_handler: thread.cap(TcbSlot::TimeoutHandler).kind() == Kind::Endpoint,
    }
}

fn context(on: &Threads<'_>, context: Ref<SchedContext>) -> Context {
    let budget = context.is_active().then(|| {
        let pieces = time::pieces(&refills_of(on, context));
        if context.is_round_robin() {
            Budget::RoundRobin { since: pieces[0].0, left: pieces[0].1, used: pieces[1].1 }
        } else {
            Budget::Sporadic { period: context.period.get(), most: context.refill_max.get() as usize, pieces }
        }
    });
    Context { budget, consumed: context.consumed.get(), sporadic: context.is_sporadic() }
}
