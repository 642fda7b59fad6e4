//! Kernel entries in terms of the layer's primitives, composed as `ipc` and `api` compose them. A step that the layers
//! above would refuse does nothing.

use crate::world::{Objects, World};
use thread::spec::{Charged, Id};
use thread::{Budget, DomainSlot, Donate, State};

/// (budget, period, refills) in ticks: round robin, and two budgets.
pub const BUDGETS: [(u64, u64, u32); 3] = [(100_000, 100_000, 2), (50_000, 200_000, 2), (60_000, 100_000, 4)];

/// What an entry is for. Threads and contexts count from 1, replies from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing but time.
    Pass,
    Yield,
    /// The current thread waits for a signal.
    Wait,
    /// The current thread waits for a call, offering a reply.
    Receive(Id),
    /// The current thread calls this one, which receives.
    Call(Id),
    /// The current thread uses a reply.
    Reply(Id),
    /// This thread hears a signal.
    Signal(Id),
    Suspend(Id),
    Resume(Id),
    Priority(Id, u8),
    Domain(Id, u8),
    Configure(Id, usize),
    Bind(Id, Id),
    Unbind(Id),
    /// A context leaves its chain.
    UnbindReply(Id),
    YieldTo(Id),
    Schedule(usize, u8, u64),
    Start(usize),
    Handler(Id, bool),
}

impl Step {
    pub fn run(self, world: &mut World, pass: u64) {
        let now = world.spec.now + pass;
        world.both(
            |spec| spec.enter(now),
            |it, on| {
                it.on().machine.set_now(now);
                on.update_time();
            },
        );
        match world.both(|spec| spec.check_budget(), |it, on| charged(it, on.check_budget())) {
            Charged::Left => self.act(world),
            Charged::Exhausted => {}
            // As if its handler did not receive: it waits to send.
            Charged::Timeout(thread) => set_state(world, thread, State::BLOCKED_ON_SEND),
        }
        world.both(|spec| spec.leave(), |it, _| it.leave());
        let (deadline, look) = (world.real.on().machine.deadline(), world.spec.next_look());
        assert!(deadline <= look, "the timer is late: {deadline} instead of {look}");
        let current = world.spec.current;
        if world.spec.yielded.contains_key(&current) {
            // It is back.
            world.both(|spec| spec.cancel_yield(current), |it, on| on.cancel_yield(it.thread(current)));
        }
    }

    fn act(self, world: &mut World) {
        let current = world.spec.current;
        let state = |world: &World, thread: Id| world.spec.threads[thread].state;
        match self {
            Step::Pass => {}
            Step::Yield if current != 0 => {
                world.both(|spec| spec.yield_slice(), |_, on| on.yield_slice());
                world.both(|spec| spec.must_choose(), |_, on| on.reschedule_required());
            }
            Step::Wait if current != 0 => set_state(world, current, State::BLOCKED_ON_NOTIFICATION),
            Step::Receive(reply) if current != 0 && !world.spec.waits.contains_key(&reply) => {
                world.both(
                    |spec| {
                        spec.waits.insert(reply, current);
                    },
                    |it, _| {
                        it.reply(reply).thread.set(Some(it.thread(current)));
                        it.thread(current).reply.set(Some(it.reply(reply)));
                    },
                );
                set_state(world, current, State::BLOCKED_ON_RECEIVE);
            }
            Step::Call(callee) if current != 0 && state(world, callee) == State::BLOCKED_ON_RECEIVE => {
                let Some(reply) = world.spec.reply_of(callee) else { return };
                unlink(world, reply, callee);
                world.both(
                    |spec| spec.push_reply(current, callee, reply, true),
                    |it, on| on.push_reply(it.thread(current), it.thread(callee), it.reply(reply), Donate::Yes),
                );
                set_state(world, callee, State::RUNNING);
                unblock_sporadic(world, callee);
                became_ready(world, callee);
            }
            Step::Reply(reply) if current != 0 => reply_through(world, reply),
            Step::Signal(thread) if state(world, thread) == State::BLOCKED_ON_NOTIFICATION => {
                set_state(world, thread, State::RUNNING);
                if world.spec.is_schedulable(thread) {
                    became_ready(world, thread);
                }
                unblock_sporadic(world, thread);
            }
            Step::Suspend(thread) => suspend(world, thread),
            Step::Resume(thread) if state(world, thread).is_stopped() => resume(world, thread),
            Step::Priority(thread, priority) => set_priority(world, thread, priority),
            Step::Domain(thread, domain) => {
                dequeue(world, thread);
                world.both(|spec| spec.threads[thread].domain = domain, |it, _| it.thread(thread).domain.set(domain));
                if world.spec.is_schedulable(thread) {
                    enqueue(world, thread);
                }
                must_choose(world);
            }
            Step::Configure(context, which) => {
                let (budget, period, refills) = BUDGETS[which];
                world.both(
                    |spec| spec.configure(context, budget, period, refills as usize),
                    |it, on| on.configure(it.context(context), sync::CoreIndex::FIRST, budget, period, refills),
                );
            }
            Step::Bind(context, thread) => {
                let is_free = world.spec.thread_of(context).is_none() && world.spec.context_of(thread).is_none();
                if is_free && (!state(world, thread).is_blocked() || world.spec.has_time(context)) {
                    world.both(
                        |spec| spec.bind(context, thread),
                        |it, on| on.bind(it.context(context), it.thread(thread)),
                    );
                }
            }
            Step::Unbind(context) if world.spec.thread_of(context) != Some(current) => {
                world.both(|spec| spec.unbind(context), |it, on| on.unbind(it.context(context)));
                unbind_reply(world, context);
            }
            Step::UnbindReply(context) => unbind_reply(world, context),
            Step::YieldTo(context) if current != 0 => yield_to(world, context),
            Step::Schedule(at, _, 0) if at != world.spec.domains.start => {
                world.both(
                    |spec| spec.domains.schedule.retain(|&other, _| other != at),
                    |_, on| on.set_domain_slot(at, DomainSlot::default()),
                );
            }
            Step::Schedule(at, domain, duration) if duration != 0 => {
                world.both(
                    |spec| spec.domains.schedule.extend([(at, (domain, duration))]),
                    |_, on| on.set_domain_slot(at, DomainSlot { domain, duration }),
                );
            }
            Step::Start(at) if world.spec.domains.schedule.contains_key(&at) => {
                world.both(|spec| spec.start_schedule(at), |_, on| on.start_schedule(at));
            }
            Step::Handler(thread, has) => {
                world.both(|spec| spec.threads[thread].has_timeout_handler = has, |it, _| it.set_handler(thread, has));
            }
            _ => {}
        }
    }
}

fn charged(real: &Objects, budget: Budget) -> Charged {
    match budget {
        Budget::Left => Charged::Left,
        Budget::Exhausted => Charged::Exhausted,
        Budget::Timeout(thread) => Charged::Timeout(real.id(thread)),
    }
}

fn set_state(world: &mut World, thread: Id, state: State) {
    world.both(|spec| spec.set_state(thread, state), |it, on| on.set_state(it.thread(thread), state));
}

fn became_ready(world: &mut World, thread: Id) {
    world.both(|spec| spec.became_ready(thread), |it, on| on.possible_switch_to(it.thread(thread)));
}

fn must_choose(world: &mut World) {
    world.both(|spec| spec.must_choose(), |_, on| on.reschedule_required());
}

fn enqueue(world: &mut World, thread: Id) {
    world.both(|spec| spec.enqueue(thread), |it, on| on.enqueue(it.thread(thread)));
}

fn dequeue(world: &mut World, thread: Id) {
    world.both(|spec| spec.dequeue(thread), |it, on| on.dequeue(it.thread(thread)));
}

fn unlink(world: &mut World, reply: Id, thread: Id) {
    world.both(|spec| spec.unlink_reply(reply, thread), |it, on| on.unlink_reply(it.reply(reply), it.thread(thread)));
}

fn unbind_reply(world: &mut World, context: Id) {
    world.both(|spec| spec.unbind_reply(context), |it, on| on.unbind_reply(it.context(context)));
}

/// As the layer above does for a thread that starts to run again.
fn unblock_sporadic(world: &mut World, thread: Id) {
    let Some(context) = world.spec.context_of(thread) else { return };
    world.both(
        |spec| spec.unblock_sporadic(context),
        |it, on| {
            let real = it.context(context);
            if real.is_sporadic() && real != on.core.current_context.get() {
                on.unblock(real);
            }
        },
    );
}

fn resume_context(world: &mut World, thread: Id) {
    if let Some(context) = world.spec.context_of(thread) {
        world.both(|spec| spec.resume_context(context), |it, on| on.resume_context(it.context(context)));
    }
}

fn reply_through(world: &mut World, reply: Id) {
    let Some(&caller) = world.spec.waits.get(&reply) else { return };
    if world.spec.threads[caller].state != State::BLOCKED_ON_REPLY {
        return;
    }
    world.both(|spec| spec.remove_reply(reply, caller), |it, on| on.remove_reply(it.reply(reply), it.thread(caller)));
    unblock_sporadic(world, caller);
    set_state(world, caller, State::RUNNING);
    let Some(context) = world.spec.context_of(caller) else { return };
    let has_time = world.both(|spec| spec.has_time(context), |it, on| on.has_time(it.context(context)));
    if has_time {
        became_ready(world, caller);
    } else {
        world.both(|spec| spec.postpone(context), |it, on| on.postpone(it.context(context)));
    }
}

fn cancel_wait(world: &mut World, thread: Id) {
    match world.spec.threads[thread].state {
        State::BLOCKED_ON_REPLY => {
            world.both(|spec| spec.cancel_reply(thread), |it, on| on.cancel_reply(it.thread(thread)));
        }
        State::BLOCKED_ON_RECEIVE => match world.spec.reply_of(thread) {
            Some(reply) => unlink(world, reply, thread),
            None => set_state(world, thread, State::INACTIVE),
        },
        state if state.is_blocked() => set_state(world, thread, State::INACTIVE),
        _ => {}
    }
}

fn suspend(world: &mut World, thread: Id) {
    cancel_wait(world, thread);
    dequeue(world, thread);
    world.both(|spec| spec.release_remove(thread), |it, on| on.release_remove(it.thread(thread)));
    world.both(|spec| spec.cancel_yield(thread), |it, on| on.cancel_yield(it.thread(thread)));
    set_state(world, thread, State::INACTIVE);
}

fn resume(world: &mut World, thread: Id) {
    cancel_wait(world, thread);
    set_state(world, thread, State::RUNNING);
    unblock_sporadic(world, thread);
    resume_context(world, thread);
    if world.spec.is_schedulable(thread) {
        became_ready(world, thread);
    }
}

fn set_priority(world: &mut World, thread: Id, priority: u8) {
    let set = |world: &mut World| {
        world.both(|spec| spec.threads[thread].priority = priority, |it, _| it.thread(thread).priority.set(priority));
    };
    let runs = world.spec.threads[thread].state.is_runnable();
    if runs && (thread == world.spec.current || world.spec.is_ready(thread)) {
        dequeue(world, thread);
        set(world);
        if world.spec.is_schedulable(thread) {
            enqueue(world, thread);
        }
        must_choose(world);
    } else {
        set(world);
    }
}

fn yield_to(world: &mut World, context: Id) {
    let current = world.spec.current;
    let Some(thread) = world.spec.thread_of(context) else { return };
    if thread == current || world.spec.yielded.contains_key(&current) {
        return;
    }
    // Who yielded to it before is told.
    let earlier = world.spec.yielded.iter().find(|&(_, &other)| other == context).map(|(&thread, _)| thread);
    if let Some(earlier) = earlier {
        world.both(|spec| spec.cancel_yield(earlier), |it, on| on.cancel_yield(it.thread(earlier)));
    }
    resume_context(world, thread);
    let priority = |thread: Id| world.spec.threads[thread].priority;
    if !world.spec.is_schedulable(thread) {
        return;
    }
    if priority(thread) < priority(current) {
        dequeue(world, thread);
        enqueue(world, thread);
        return;
    }
    world.both(
        |spec| {
            spec.yielded.insert(current, context);
        },
        |it, _| {
            it.thread(current).yield_to.set(Some(it.context(context)));
            it.context(context).yield_from.set(Some(it.thread(current)));
        },
    );
    dequeue(world, thread);
    enqueue(world, current);
    enqueue(world, thread);
    must_choose(world);
}
