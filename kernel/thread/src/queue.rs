//! Intrusive queues of threads, through the one pair of links in the control block.
//!
//! Invariant T1: a thread is in at most one queue. Insertion by priority keeps endpoint and notification queues ordered as
//! in seL4 MCS: highest priority first, first come first served within a priority.

use crate::Tcb;
use core::cell::Cell;
use memory::Ref;

/// A doubly linked queue, 16 bytes; all-zero is empty.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Queue {
    head: Cell<Option<Ref<Tcb>>>,
    tail: Cell<Option<Ref<Tcb>>>,
}

impl Queue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { head: Cell::new(None), tail: Cell::new(None) }
    }

    /// First thread.
    #[inline(always)]
    pub fn head(&self) -> Option<Ref<Tcb>> {
        self.head.get()
    }

    /// Whether nobody waits.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.head.get().is_none()
    }

    /// Adds at the front.
    #[inline]
    pub fn push_front(&self, thread: Ref<Tcb>) {
        self.insert_between(None, thread, self.head.get());
    }

    /// Adds at the end.
    #[inline]
    pub fn push_back(&self, thread: Ref<Tcb>) {
        self.insert_between(self.tail.get(), thread, None);
    }

    /// Adds behind every thread for which `goes_before` holds, scanning from the end.
    #[inline]
    pub fn insert_behind(&self, thread: Ref<Tcb>, goes_before: impl Fn(Ref<Tcb>) -> bool) {
        let mut before = self.tail.get();
        let mut after = None;
        while let Some(candidate) = before {
            if goes_before(candidate) {
                break;
            }
            after = before;
            before = candidate.previous.get();
        }
        self.insert_between(before, thread, after);
    }

    /// Adds by priority, behind its equals.
    pub fn insert_by_priority(&self, thread: Ref<Tcb>) {
        let priority = thread.priority.get();
        self.insert_behind(thread, |other| other.priority.get() >= priority);
    }

    /// As [`insert_by_priority`](Self::insert_by_priority), for a queue that is usually empty.
    #[inline(always)]
    pub fn add_by_priority(&self, thread: Ref<Tcb>) {
        if self.is_empty() {
            self.add_first(thread);
        } else {
            self.insert_by_priority(thread);
        }
    }

    /// Adds to an empty queue.
    #[inline(always)]
    pub fn add_first(&self, thread: Ref<Tcb>) {
        // Its links are empty, as those of any thread that is in no queue.
        self.head.set(Some(thread));
        self.tail.set(Some(thread));
    }

    /// Adds in front of `first`, the queue's head.
    #[inline(always)]
    pub(crate) fn push_before(&self, first: Ref<Tcb>, thread: Ref<Tcb>) {
        thread.next.set(Some(first));
        first.previous.set(Some(thread));
        self.head.set(Some(thread));
    }

    /// Takes `thread`, which is in this queue, out.
    #[inline]
    pub fn remove(&self, thread: Ref<Tcb>) {
        let (previous, next) = (thread.previous.get(), thread.next.get());
        match previous {
            Some(previous) => previous.next.set(next),
            None => self.head.set(next),
        }
        match next {
            Some(next) => next.previous.set(previous),
            None => self.tail.set(previous),
        }
        thread.previous.set(None);
        thread.next.set(None);
    }

    /// Takes `first`, the queue's head, out.
    #[inline(always)]
    pub fn pop_front(&self, first: Ref<Tcb>) {
        let next = first.next.get();
        self.head.set(next);
        match next {
            Some(next) => {
                first.next.set(None);
                next.previous.set(None);
            }
            None => self.tail.set(None),
        }
    }

    /// Takes `first`, the queue's head, out, and adds `last` at the end.
    #[inline(always)]
    pub(crate) fn rotate(&self, first: Ref<Tcb>, last: Ref<Tcb>) {
        // The queue is not empty at any time.
        if let Some(tail) = self.tail.replace(Some(last)) {
            tail.next.set(Some(last));
            last.previous.set(Some(tail));
        }
        let second = first.next.replace(None);
        self.head.set(second);
        if let Some(second) = second {
            second.previous.set(None);
        }
    }

    /// The threads from the front. Changing the queue while iterating ends or repeats the walk; collect what you need first.
    pub fn iter(&self) -> impl Iterator<Item = Ref<Tcb>> {
        core::iter::successors(self.head.get(), |thread| thread.next.get())
    }

    /// The thread behind `thread` in whatever queue it is in.
    pub fn after(thread: Ref<Tcb>) -> Option<Ref<Tcb>> {
        thread.next.get()
    }

    /// The threads from the front, or what is wrong with the links: for the audit.
    #[cfg(not(target_os = "none"))]
    pub fn checked(&self) -> Result<Vec<Ref<Tcb>>, String> {
        let mut found = Vec::new();
        let mut previous = None;
        let mut at = self.head.get();
        while let Some(thread) = at {
            if thread.previous.get() != previous || found.contains(&thread) {
                return Err(format!("T1: links of {thread:?} are broken"));
            }
            found.push(thread);
            previous = at;
            at = thread.next.get();
        }
        if self.tail.get() == previous { Ok(found) } else { Err(format!("T1: a queue's tail is not {previous:?}")) }
    }

    fn insert_between(&self, previous: Option<Ref<Tcb>>, thread: Ref<Tcb>, next: Option<Ref<Tcb>>) {
        thread.previous.set(previous);
        thread.next.set(next);
        match previous {
            Some(previous) => previous.next.set(Some(thread)),
            None => self.head.set(Some(thread)),
        }
        match next {
            Some(next) => next.previous.set(Some(thread)),
            None => self.tail.set(Some(thread)),
        }
    }
}
