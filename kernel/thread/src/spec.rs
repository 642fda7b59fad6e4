//! Who runs, on whose time: the layer of one core as one would like to think of it.
//!
//! The implementation has intrusive links, bitmaps, flags and rings; this has sets, maps and sequences of small numbers
//! that name threads, contexts and replies. Its rules:
//!
//! * **ready**: a sequence per domain and priority; the first of the highest priority of the running domain runs next;
//! * **release**: those who wait for time, by the time they wait for; they become ready when it has come;
//! * **newcomer**: one thread that became ready in this entry. It goes before its equals, but behind them if the current
//!   thread is its equal and goes on. When a second one comes, or the scheduler must choose anyway, it is an ordinary one;
//! * **time**: each context has a [`Budget`]; the entry counts what the current thread used, and the account is settled
//!   when the context changes or the timer is set anew;
//! * **chains**: a context knows the replies it was donated along, the newest first. Using the newest brings it back;
//!   a reply cut out of the middle leaves the older ones as a *piece* that no time hangs on.
//!
//! Thread 0 is the idle thread, context 0 its own. Tests: `tests/refinement.rs` runs this and the layer side by side and
//! compares everything after every operation.

mod donation;
mod placing;
mod reading;
pub mod time;

pub use time::{Budget, Limits};

use crate::{DOMAIN_SLOTS, State, Ticks};
use std::collections::{BTreeMap, BTreeSet};

/// Names a thread, a context or a reply.
pub type Id = usize;
/// The thread that runs when nobody can, and its context.
pub const IDLE: Id = 0;

/// What a thread is by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thread {
    /// What it is doing.
    pub state: State,
    /// 0 to 255.
    pub priority: u8,
    /// Its domain.
    pub domain: u8,
    /// Whether somebody hears of the end of its budget.
    pub has_timeout_handler: bool,
}

/// What a context is by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Context {
    /// `None` while not configured.
    pub budget: Option<Budget>,
    /// Ticks used since somebody asked.
    pub consumed: Ticks,
    /// Whether unused time is forgotten when its thread starts to run again, not whenever it runs.
    pub sporadic: bool,
}

/// What the scheduler will do at the end of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The current thread goes on.
    Stay,
    /// It chooses.
    Choose,
    /// One thread became ready.
    Newcomer(Id),
}

/// Outcome of looking at the budget of the current thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charged {
    /// It may go on.
    Left,
    /// Its time is over.
    Exhausted,
    /// Its time is over and its timeout handler hears of it.
    Timeout(Id),
}

/// The domain schedule and where in it the core is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domains {
    /// Its entries: domain and duration. The first that is missing ends it.
    pub schedule: BTreeMap<usize, (u8, Ticks)>,
    /// Where it begins.
    pub start: usize,
    /// Where it is.
    pub at: usize,
    /// The domain that runs.
    pub running: u8,
    /// Its time left; `None` is for ever.
    pub left: Option<Ticks>,
}

/// The whole layer, of one core.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct System {
    /// Limits of the clock.
    pub limits: Limits,
    /// Threads, the idle thread first.
    pub threads: Vec<Thread>,
    /// Contexts, the idle thread's first.
    pub contexts: Vec<Context>,
    /// Which thread runs on which context: one to one.
    pub runs_on: BTreeMap<Id, Id>,
    /// Which thread yielded to which context: one to one.
    pub yielded: BTreeMap<Id, Id>,
    /// Which reply is whose: one to one.
    pub waits: BTreeMap<Id, Id>,
    /// The replies that a context was donated along, newest first.
    pub chains: BTreeMap<Id, Vec<Id>>,
    /// Chains of two and more that no context hangs on.
    pub pieces: BTreeSet<Vec<Id>>,
    /// Ready threads by domain and priority.
    pub ready: BTreeMap<(u8, u8), Vec<Id>>,
    /// Threads that wait for time.
    pub release: Vec<Id>,
    /// The running thread.
    pub current: Id,
    /// The context whose time is used.
    pub charged: Id,
    /// The moment of this entry.
    pub now: Ticks,
    /// Ticks used since the account was settled.
    pub used: Ticks,
    /// What happens at the end of the entry.
    pub decision: Decision,
    /// The account is settled and the timer set anew at the end of the entry.
    pub settle: bool,
    /// Domains.
    pub domains: Domains,
}

impl System {
    /// The context that `thread` runs on.
    pub fn context_of(&self, thread: Id) -> Option<Id> {
        self.runs_on.get(&thread).copied()
    }

    /// The thread that runs on `context`.
    pub fn thread_of(&self, context: Id) -> Option<Id> {
        self.runs_on.iter().find(|&(_, &other)| other == context).map(|(&thread, _)| thread)
    }

    /// The reply that `thread` offers or waits on.
    pub fn reply_of(&self, thread: Id) -> Option<Id> {
        self.waits.iter().find(|&(_, &other)| other == thread).map(|(&reply, _)| reply)
    }

    /// Whether `thread` is in a ready queue.
    pub fn is_ready(&self, thread: Id) -> bool {
        self.ready.values().flatten().any(|&other| other == thread)
    }

    /// Whether `thread` could run now.
    pub fn is_schedulable(&self, thread: Id) -> bool {
        let has_time = self.context_of(thread).is_some_and(|context| self.contexts[context].budget.is_some());
        self.threads[thread].state.is_runnable() && has_time && !self.release.contains(&thread)
    }

    /// Whether `context` has time that may be used now.
    pub fn has_time(&self, context: Id) -> bool {
        self.contexts[context].budget.as_ref().is_some_and(|budget| budget.has_time(self.now, self.limits))
    }

    /// The thread that the scheduler would choose.
    pub fn best(&self) -> Id {
        let mine = self.ready.range((self.domains.running, 0)..=(self.domains.running, u8::MAX));
        mine.last().map_or(IDLE, |(_, queue)| queue[0])
    }

    // ---- time

    /// The core enters the kernel at `now`.
    pub fn enter(&mut self, now: Ticks) {
        let used = now.saturating_sub(self.now);
        self.now = now;
        self.used += used;
        let least = self.limits.least;
        self.domains.left =
            self.domains.left.map(|left| if left <= used.saturating_add(least) { 0 } else { left - used });
    }

    /// Whether the current thread may do anything in this entry; ends its slice if not.
    pub fn check_budget(&mut self) -> Charged {
        if self.charged == IDLE {
            return Charged::Left;
        }
        let amount = self.contexts[self.charged].budget.as_ref().map_or(0, |budget| budget.first().1);
        if amount.saturating_sub(self.used) < self.limits.least {
            return self.end_slice(self.used, true);
        }
        if self.domains.left == Some(0) { Charged::Exhausted } else { Charged::Left }
    }

    /// The current thread gives up the rest of its slice.
    pub fn yield_slice(&mut self) {
        let consumed = self.contexts[self.charged].consumed + self.used;
        let rest = self.contexts[self.charged].budget.as_ref().map_or(0, |budget| budget.first().1);
        self.end_slice(rest, false);
        self.contexts[self.charged].consumed = consumed;
    }

    /// The slice of the current thread ended when `used` of it was used.
    pub fn end_slice(&mut self, used: Ticks, may_report: bool) -> Charged {
        let (charged, current, limits) = (self.charged, self.current, self.limits);
        let mut round_robin = true;
        if charged != IDLE
            && let Some(budget) = &mut self.contexts[charged].budget
        {
            budget.end_slice(used, limits);
            round_robin = budget.is_round_robin();
            self.contexts[charged].consumed += used;
        }
        self.used = 0;
        if !self.is_schedulable(current) {
            return Charged::Exhausted;
        }
        let report = may_report && !round_robin && self.threads[current].has_timeout_handler;
        if !report && self.has_time(charged) {
            self.append(current);
        } else if !report {
            self.postpone(charged);
        }
        self.must_choose();
        self.settle = true;
        if report { Charged::Timeout(current) } else { Charged::Exhausted }
    }

    /// Charges the current context for what was used so far.
    pub fn settle_account(&mut self) {
        let used = std::mem::take(&mut self.used);
        let limits = self.limits;
        if self.charged != IDLE
            && let Some(budget) = &mut self.contexts[self.charged].budget
        {
            budget.spend(used, limits);
            self.contexts[self.charged].consumed += used;
        }
    }

    /// The thread of `context` waits until its time comes.
    pub fn postpone(&mut self, context: Id) {
        let Some(thread) = self.thread_of(context) else { return };
        self.dequeue(thread);
        if !self.release.contains(&thread) {
            let comes = |it: &Self, thread| {
                let budget = it.context_of(thread).and_then(|context| it.contexts[context].budget.clone());
                budget.map_or(0, |budget| budget.first().0)
            };
            let mine = comes(self, thread);
            let place = self.release.iter().rposition(|&other| comes(self, other) <= mine).map_or(0, |at| at + 1);
            self.release.insert(place, thread);
        }
        self.settle = true;
    }

    /// `thread` does not wait for time any more.
    pub fn release_remove(&mut self, thread: Id) {
        self.settle |= self.release.first() == Some(&thread);
        self.release.retain(|&other| other != thread);
    }

    /// `context` was not used until now.
    pub fn unblock(&mut self, context: Id) {
        let now = self.now;
        self.settle |= self.contexts[context].budget.as_mut().is_some_and(|budget| budget.forget_the_past(now));
    }

    /// `context`, if sporadic, was not used until now.
    pub fn unblock_sporadic(&mut self, context: Id) {
        if self.contexts[context].sporadic && context != self.charged {
            self.unblock(context);
        }
    }

    // ---- ready queues

    fn queue(&mut self, thread: Id) -> &mut Vec<Id> {
        let Thread { domain, priority, .. } = self.threads[thread];
        self.ready.entry((domain, priority)).or_default()
    }

    /// `thread` goes before its equals, unless it is ready already.
    pub fn enqueue(&mut self, thread: Id) {
        if !self.is_ready(thread) {
            self.queue(thread).insert(0, thread);
        }
    }

    /// `thread` goes behind its equals, unless it is ready already.
    pub fn append(&mut self, thread: Id) {
        if !self.is_ready(thread) {
            self.queue(thread).push(thread);
        }
    }

    /// `thread` is not ready any more.
    pub fn dequeue(&mut self, thread: Id) {
        self.ready.values_mut().for_each(|queue| queue.retain(|&other| other != thread));
        self.ready.retain(|_, queue| !queue.is_empty());
    }

    // ---- decisions

    /// `thread` does something else from now on.
    pub fn set_state(&mut self, thread: Id, state: State) {
        self.threads[thread].state = state;
        if thread == self.current && self.decision == Decision::Stay && !self.is_schedulable(thread) {
            self.decision = Decision::Choose;
        }
    }

    /// The scheduler must choose.
    pub fn must_choose(&mut self) {
        if let Decision::Newcomer(thread) = self.decision
            && self.is_schedulable(thread)
        {
            self.enqueue(thread);
        }
        self.decision = Decision::Choose;
    }

    /// `thread` became ready.
    pub fn became_ready(&mut self, thread: Id) {
        if self.context_of(thread).is_none() || self.release.contains(&thread) {
            return;
        }
        if self.threads[thread].domain != self.domains.running {
            self.enqueue(thread);
        } else if self.decision == Decision::Stay {
            self.decision = Decision::Newcomer(thread);
        } else {
            self.must_choose();
            self.enqueue(thread);
        }
    }

    /// The end of the entry: who runs, on which context. Returns the moment at which the core must look again, if that
    /// had to be found anew.
    pub fn leave(&mut self) -> Option<Ticks> {
        while let Some(&first) = self.release.first() {
            let context = self.context_of(first).and_then(|context| self.contexts[context].budget.as_ref());
            if context.is_some_and(|budget| budget.first().0 > self.now) {
                break;
            }
            self.release_remove(first);
            self.became_ready(first);
        }
        if self.domains.left == Some(0) {
            self.settle = true;
            self.must_choose();
        }
        if self.decision != Decision::Stay {
            self.choose();
        }
        self.decision = Decision::Stay;
        self.change_context();
        std::mem::take(&mut self.settle).then(|| self.next_look())
    }

    fn choose(&mut self) {
        let goes_on = self.is_schedulable(self.current);
        if goes_on {
            self.enqueue(self.current);
        }
        if let Decision::Newcomer(thread) = self.decision
            && self.is_schedulable(thread)
        {
            let equal = self.threads[thread].priority == self.threads[self.current].priority;
            if goes_on && equal { self.append(thread) } else { self.enqueue(thread) }
        }
        if self.domains.left == Some(0) {
            self.next_domain();
        }
        self.current = self.best();
        self.dequeue(self.current);
    }

    fn change_context(&mut self) {
        let Some(next) = self.context_of(self.current) else { return };
        if next != self.charged {
            self.settle = true;
            if next != IDLE && !self.contexts[next].sporadic {
                self.unblock(next);
            }
        }
        if self.settle {
            self.settle_account();
        }
        self.charged = next;
    }

    /// The moment at which something ends or begins.
    pub fn next_look(&self) -> Ticks {
        let budget = self.contexts[self.charged].budget.as_ref().filter(|_| self.charged != IDLE);
        let slice = budget.map(|budget| self.now.saturating_add(budget.first().1.saturating_sub(self.used)));
        let domain = self.domains.left.map(|left| self.now.saturating_add(left));
        let first = self.release.first().and_then(|&thread| self.context_of(thread));
        let release = first.and_then(|context| self.contexts[context].budget.as_ref()).map(|budget| budget.first().0);
        [slice, domain, release].into_iter().flatten().min().unwrap_or(Ticks::MAX)
    }

    // ---- domains

    fn next_domain(&mut self) {
        let domains = &mut self.domains;
        let next = domains.at + 1;
        domains.at = if domains.schedule.contains_key(&next) { next } else { domains.start };
        let entry = domains.schedule.get(&domains.at);
        // An entry where the schedule begins cannot be emptied.
        (domains.running, domains.left) = entry.map_or((0, None), |&(domain, duration)| (domain, Some(duration)));
        self.settle = true;
    }

    /// The schedule begins anew at entry `at`.
    pub fn start_schedule(&mut self, at: usize) {
        (self.domains.start, self.domains.at, self.domains.left) = (at, DOMAIN_SLOTS - 1, Some(0));
        self.must_choose();
    }
}
