//! Host only: checks invariants I1, I2 and I4 of `docs/invariants.md` over the endpoints and notifications of an
//! instance.

use crate::{Endpoint, Notification};
use memory::{Phys, Ref};
use std::collections::HashMap;
use thread::{Queue, SchedContext, State, Tcb};

/// Every live object that takes part.
#[derive(Clone, Copy, Debug)]
pub struct Population<'a> {
    /// Endpoints.
    pub endpoints: &'a [Ref<Endpoint>],
    /// Notifications.
    pub notifications: &'a [Ref<Notification>],
    /// Threads.
    pub threads: &'a [Ref<Tcb>],
    /// Scheduling contexts.
    pub contexts: &'a [Ref<SchedContext>],
}

/// Checks everything.
pub fn check(all: &Population<'_>) -> Result<(), String> {
    let mut waits: HashMap<u64, Phys> = HashMap::new();
    for &endpoint in all.endpoints {
        let members = members(&endpoint.queue, all, &mut waits, endpoint.phys())?;
        let directions = [State::BLOCKED_ON_RECEIVE, State::BLOCKED_ON_SEND];
        let in_one = directions.iter().any(|&state| members.iter().all(|thread| thread.state.get() == state));
        if !in_one {
            return Err(format!("I1: {endpoint:?} has threads of both directions, or that do not wait"));
        }
    }
    for &notification in all.notifications {
        let members = members(&notification.queue, all, &mut waits, notification.phys())?;
        if members.iter().any(|thread| thread.state.get() != State::BLOCKED_ON_NOTIFICATION) {
            return Err(format!("I1: somebody in the queue of {notification:?} does not wait for it"));
        }
        if notification.is_active() && !members.is_empty() {
            return Err(format!("I2: {notification:?} is active although threads wait"));
        }
        let thread = notification.bound();
        if thread.is_some_and(|it| !all.threads.contains(&it) || it.bound_notification.get() != notification.phys()) {
            return Err(format!("I4: {notification:?} and its thread {thread:?} disagree"));
        }
        let context = notification.lent();
        if context.is_some_and(|it| !all.contexts.contains(&it) || it.notification.get() != notification.phys()) {
            return Err(format!("I4: {notification:?} and its context {context:?} disagree"));
        }
    }
    for &thread in all.threads {
        let state = thread.state.get();
        let queued = state.is_blocked() && state != State::BLOCKED_ON_REPLY;
        if queued != waits.contains_key(&thread.word()) || queued && waits[&thread.word()] != thread.blocked_on.get() {
            return Err(format!("I1: {thread:?} ({state:?}) is not in the queue it waits in"));
        }
        let bound = thread.bound_notification.get();
        let named = all.notifications.iter().find(|it| it.phys() == bound);
        if bound != Phys(0) && named.is_none_or(|it| it.bound() != Some(thread)) {
            return Err(format!("I4: {thread:?} is bound to {bound:?}, which disagrees"));
        }
        let faulty = !thread.fault.is_none();
        if faulty && (state.is_runnable() || state == State::BLOCKED_ON_RECEIVE) {
            return Err(format!("I1: {thread:?} runs or receives with a fault"));
        }
    }
    for &context in all.contexts {
        let lender = context.notification.get();
        let named = all.notifications.iter().find(|it| it.phys() == lender);
        if lender != Phys(0) && named.is_none_or(|it| it.lent() != Some(context)) {
            return Err(format!("I4: {context:?} is lent by {lender:?}, which disagrees"));
        }
    }
    Ok(())
}

fn members(
    queue: &Queue,
    all: &Population<'_>,
    waits: &mut HashMap<u64, Phys>,
    on: Phys,
) -> Result<Vec<Ref<Tcb>>, String> {
    let members = queue.checked()?;
    for &thread in &members {
        if !all.threads.contains(&thread) || waits.insert(thread.word(), on).is_some() {
            return Err(format!("I1: {thread:?} is dead or in two queues"));
        }
    }
    if members.windows(2).any(|pair| pair[0].priority.get() < pair[1].priority.get()) {
        return Err(format!("I1: the queue of {on:?} is not ordered by priority"));
    }
    Ok(members)
}
