//! The ticket lock: take a number, wait until it is called. Two words and no memory of waiting cores, but all waiting cores
//! watch the same line.
//!
//! Tickets have 64 bits: at one per nanosecond they repeat after 584 years, longer than any core can wait. (With 32 bits it
//! is 4 seconds, and a waiter that sleeps through exactly one round shares its number with another: CertiKOS found its
//! proof of mutual exclusion to fail there.) The order survives the wrap itself, since numbers are only compared for equality.

use super::atomic::{AtomicU64, Ordering, pause};
use super::fair::Fair;
use crate::CoreIndex;

/// A ticket lock.
#[derive(Debug)]
pub struct Ticket {
    /// The number that the next core to arrive takes.
    next: AtomicU64,
    /// The number whose turn it is. Only the holder writes it.
    serving: AtomicU64,
}

impl Ticket {
    const fn starting_at(number: u64) -> Self {
        Self { next: AtomicU64::new(number), serving: AtomicU64::new(number) }
    }
}

impl Fair for Ticket {
    type Nodes = ();

    const FREE: Self = Self::starting_at(0);
    const IDLE: () = ();

    #[inline(always)]
    fn acquire(&self, _nodes: &(), _me: CoreIndex, waiting: impl FnMut()) {
        let mine = self.next.fetch_add(1, Ordering::SeqCst);
        if self.serving.load(Ordering::Acquire) != mine {
            self.wait_for(mine, waiting);
        }
    }

    #[inline(always)]
    fn try_acquire(&self, _nodes: &(), _me: CoreIndex) -> bool {
        let free = self.serving.load(Ordering::Acquire);
        self.next.compare_exchange(free, free.wrapping_add(1), Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    #[inline(always)]
    fn release(&self, _nodes: &(), _me: CoreIndex) {
        let mine = self.serving.load(Ordering::Relaxed);
        self.serving.store(mine.wrapping_add(1), Ordering::Release);
    }

    #[inline(always)]
    fn is_awaited(&self, _me: CoreIndex) -> bool {
        self.next.load(Ordering::Relaxed) != self.serving.load(Ordering::Relaxed).wrapping_add(1)
    }

    /// Equal words were equal at the moment `next` was read: `serving` never passes `next`, and neither goes back.
    #[inline(always)]
    fn latest(&self) -> Option<u64> {
        let next = self.next.load(Ordering::SeqCst);
        (next != self.serving.load(Ordering::Acquire)).then_some(next)
    }
}

impl Ticket {
    #[cold]
    #[inline(never)]
    fn wait_for(&self, mine: u64, mut waiting: impl FnMut()) {
        while self.serving.load(Ordering::Acquire) != mine {
            waiting();
            pause();
        }
    }
}

#[cfg(all(test, not(feature = "explore")))]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_last_ticket() {
        let lock = Ticket::starting_at(u64::MAX);
        for _ in 0..3 {
            lock.acquire(&(), CoreIndex::FIRST, || panic!("the lock is free"));
            assert!(lock.latest().is_some());
            lock.release(&(), CoreIndex::FIRST);
            assert_eq!(lock.latest(), None);
        }
        assert_eq!(lock.next.into_inner(), 2);
    }
}
