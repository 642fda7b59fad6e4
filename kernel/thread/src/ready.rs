//! Ready queues: one per domain and priority, and a two-level bitmap that finds the highest in two bit scans.
//!
//! Invariant T2: bit p of a domain's bitmap is set exactly when the queue of priority p is not empty.

use crate::{Queue, Tcb, Ticks, flag};
use core::cell::Cell;
use core::mem::offset_of;
use memory::{Phys, Ref};

/// Priorities, 0 to 255.
pub const PRIORITIES: usize = 256;
/// Scheduling domains.
pub const DOMAINS: usize = abi::sched::NUM_DOMAINS as usize;

const WORDS: usize = PRIORITIES / 64;

/// The ready queues of one domain.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Domain {
    occupied_words: Cell<u64>,
    occupied: [Cell<u64>; WORDS],
    queues: [Queue; PRIORITIES],
}

memory::object!(Domain);

impl Domain {
    /// The queue of the priority of `thread`.
    #[inline(always)]
    pub(crate) fn of_equals(&self, thread: Ref<Tcb>) -> &Queue {
        &self.queues[usize::from(thread.priority.get())]
    }

    /// Adds `thread`, which is not queued, in front of its equals.
    #[inline(always)]
    pub(crate) fn push_front(&self, thread: Ref<Tcb>) {
        let priority = usize::from(thread.priority.get());
        let queue = &self.queues[priority];
        match queue.head() {
            Some(first) => queue.push_before(first, thread),
            None => {
                queue.add_first(thread);
                self.mark(priority);
            }
        }
        thread.set_flags(0, flag::QUEUED);
    }

    #[inline(always)]
    fn mark(&self, priority: usize) {
        let word = &self.occupied[priority / 64];
        word.set(word.get() | 1 << (priority % 64));
        self.occupied_words.set(self.occupied_words.get() | 1 << (priority / 64));
    }
}

/// One entry of the domain schedule.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DomainSlot {
    /// Ticks it runs; 0 ends the schedule.
    pub duration: Ticks,
    /// Domain.
    pub domain: u8,
}

/// Entries of the domain schedule.
pub const DOMAIN_SLOTS: usize = abi::sched::NUM_DOMAIN_SCHEDULES as usize;

/// The ready queues and the domain schedule of one core. All-zero is empty.
#[repr(C)]
#[derive(Debug)]
pub struct ReadyQueues {
    domains: [Domain; DOMAINS],
    pub(crate) schedule: [Cell<DomainSlot>; DOMAIN_SLOTS],
}

memory::object!(ReadyQueues);

impl ReadyQueues {
    #[inline(always)]
    fn domain(&self, domain: u8) -> &Domain {
        &self.domains[usize::from(domain) % DOMAINS]
    }

    /// Adds a thread in front of its equals, unless it is queued already.
    #[inline]
    pub fn enqueue(&self, thread: Ref<Tcb>) {
        if !thread.has(flag::QUEUED) {
            self.mark(thread).push_front(thread);
        }
    }

    /// Adds a thread behind its equals, unless it is queued already.
    pub fn append(&self, thread: Ref<Tcb>) {
        if !thread.has(flag::QUEUED) {
            self.mark(thread).push_back(thread);
        }
    }

    fn mark(&self, thread: Ref<Tcb>) -> &Queue {
        let domain = self.domain(thread.domain.get());
        let priority = usize::from(thread.priority.get());
        domain.mark(priority);
        thread.set_flags(0, flag::QUEUED);
        &domain.queues[priority]
    }

    /// Takes a thread out, if it is queued.
    pub fn dequeue(&self, thread: Ref<Tcb>) {
        if !thread.has(flag::QUEUED) {
            return;
        }
        let domain = self.domain(thread.domain.get());
        let priority = usize::from(thread.priority.get());
        let queue = &domain.queues[priority];
        queue.remove(thread);
        thread.set_flags(flag::QUEUED, 0);
        if queue.is_empty() {
            let word = &domain.occupied[priority / 64];
            word.set(word.get() & !(1 << (priority % 64)));
            if word.get() == 0 {
                domain.occupied_words.set(domain.occupied_words.get() & !(1 << (priority / 64)));
            }
        }
    }

    /// The queues of `domain`.
    pub(crate) fn of(ready: Ref<ReadyQueues>, domain: u8) -> Ref<Domain> {
        let index = u64::from(domain) % DOMAINS as u64;
        Ref::at(Phys(ready.phys().0 + offset_of!(ReadyQueues, domains) as u64 + index * size_of::<Domain>() as u64))
    }

    /// Highest priority that has a thread in `domain`.
    #[inline(always)]
    pub fn highest_priority(&self, domain: u8) -> Option<u8> {
        let domain = self.domain(domain);
        let words = domain.occupied_words.get();
        if words == 0 {
            return None;
        }
        let word = (63 - words.leading_zeros()) as usize % WORDS;
        let bit = 63 - (domain.occupied[word].get() | 1).leading_zeros();
        Some((word * 64) as u8 + bit as u8)
    }

    /// The thread to run in `domain`.
    pub fn highest(&self, domain: u8) -> Option<Ref<Tcb>> {
        let priority = self.highest_priority(domain)?;
        self.domain(domain).queues[usize::from(priority)].head()
    }

    /// A queue and its bit, for the audit.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn queue(&self, domain: u8, priority: u8) -> &Queue {
        &self.domain(domain).queues[usize::from(priority)]
    }

    #[cfg(not(target_os = "none"))]
    pub(crate) fn is_marked(&self, domain: u8, priority: u8) -> bool {
        let domain = self.domain(domain);
        let word = usize::from(priority) / 64;
        domain.occupied[word].get() >> (priority % 64) & 1 != 0 && domain.occupied_words.get() >> word & 1 != 0
    }
}
