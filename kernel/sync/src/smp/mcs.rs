//! The MCS lock (Mellor-Crummey and Scott 1991): waiting cores form a list, and each watches only its own line, which its
//! predecessor writes. Names are core indices instead of pointers, so that the lock is safe code.

use super::atomic::{AtomicU32, Line, Ordering, pause};
use super::cores::CORES;
use super::fair::Fair;
use crate::CoreIndex;

/// Name of no core. That of core `n` is `n + 1`.
const NOBODY: u32 = 0;

/// An MCS lock.
#[derive(Debug)]
pub struct Mcs {
    /// The core that arrived last; [`NOBODY`] while the lock is free.
    tail: AtomicU32,
}

/// The nodes of all cores, each in its line.
#[derive(Debug)]
pub struct Nodes([Line<Node>; CORES]);

/// A core in the list of a lock.
#[derive(Debug)]
struct Node {
    /// The core behind it, once that has said so.
    next: AtomicU32,
    /// 1 until the core before it hands over.
    waits: AtomicU32,
}

impl Nodes {
    #[inline(always)]
    fn of(&self, core: CoreIndex) -> &Node {
        &self.0[core.get()].0
    }

    /// The node of the core with this name, which is not [`NOBODY`].
    #[inline(always)]
    fn named(&self, name: u32) -> &Node {
        &self.0[(name as usize - 1) & (CORES - 1)].0
    }
}

#[inline(always)]
fn name(core: CoreIndex) -> u32 {
    core.get() as u32 + 1
}

impl Fair for Mcs {
    type Nodes = Nodes;

    const FREE: Self = Self { tail: AtomicU32::new(NOBODY) };
    const IDLE: Nodes = Nodes([const { Line(Node { next: AtomicU32::new(NOBODY), waits: AtomicU32::new(0) }) }; CORES]);

    #[inline(always)]
    fn acquire(&self, nodes: &Nodes, me: CoreIndex, waiting: impl FnMut()) {
        nodes.of(me).next.store(NOBODY, Ordering::Relaxed);
        // Release: whoever queues behind finds the node in order. Acquire: what was done before the lock became free.
        let before = self.tail.swap(name(me), Ordering::SeqCst);
        if before != NOBODY {
            nodes.wait_behind(before, me, waiting);
        }
    }

    #[inline(always)]
    fn try_acquire(&self, nodes: &Nodes, me: CoreIndex) -> bool {
        nodes.of(me).next.store(NOBODY, Ordering::Relaxed);
        self.tail.compare_exchange(NOBODY, name(me), Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    #[inline(always)]
    fn release(&self, nodes: &Nodes, me: CoreIndex) {
        if self.tail.load(Ordering::Relaxed) != name(me)
            || self.tail.compare_exchange(name(me), NOBODY, Ordering::Release, Ordering::Relaxed).is_err()
        {
            nodes.hand_over(me);
        }
    }

    #[inline(always)]
    fn is_awaited(&self, me: CoreIndex) -> bool {
        self.tail.load(Ordering::Relaxed) != name(me)
    }

    #[inline(always)]
    fn latest(&self) -> Option<u64> {
        let tail = self.tail.load(Ordering::SeqCst);
        (tail != NOBODY).then_some(tail.into())
    }
}

impl Nodes {
    #[cold]
    #[inline(never)]
    fn wait_behind(&self, before: u32, me: CoreIndex, mut waiting: impl FnMut()) {
        let mine = self.of(me);
        mine.waits.store(1, Ordering::Relaxed);
        // Only after this store does the core before know whom to hand over to.
        self.named(before).next.store(name(me), Ordering::Release);
        while mine.waits.load(Ordering::Acquire) != 0 {
            waiting();
            pause();
        }
    }

    #[cold]
    #[inline(never)]
    fn hand_over(&self, me: CoreIndex) {
        // A core that is in the list but has not said so is between two neighbouring instructions of `acquire`: short.
        let next = loop {
            match self.of(me).next.load(Ordering::Acquire) {
                NOBODY => pause(),
                next => break next,
            }
        };
        self.named(next).waits.store(0, Ordering::Release);
    }
}
