//! One lock for everything, held from kernel entry to exit: seL4's design, and the baseline that the others are to beat.

use super::atomic::Line;
use super::fair::Fair;
use crate::{CoreIndex, Held, rank};

/// The big lock, in the place of existence.
#[derive(Debug)]
pub struct Existence<L: Fair> {
    gate: Line<L>,
    nodes: L::Nodes,
}

impl<L: Fair> Existence<L> {
    /// A free lock.
    pub const fn new() -> Self {
        Self { gate: Line(L::FREE), nodes: L::IDLE }
    }

    /// Holds the lock. Core `me` does not hold it yet. `waiting` is called on each turn of the wait loop.
    #[inline(always)]
    pub fn share(&self, me: CoreIndex, waiting: impl FnMut()) -> Turn<'_, L> {
        self.gate.0.acquire(&self.nodes, me, waiting);
        Turn { existence: self, held: Held::new(me) }
    }

    /// The same, but `None` instead of waiting: for a core that cannot answer a recall yet.
    #[inline(always)]
    pub fn share_at_once(&self, me: CoreIndex) -> Option<Turn<'_, L>> {
        self.gate.0.try_acquire(&self.nodes, me).then(|| Turn { existence: self, held: Held::new(me) })
    }

    /// The same as [`share`](Self::share).
    #[inline(always)]
    pub fn exclude(&self, me: CoreIndex, _cores: usize, waiting: impl FnMut()) -> Turn<'_, L> {
        self.share(me, waiting)
    }
}

/// The big lock, held.
#[derive(Debug)]
pub struct Turn<'e, L: Fair> {
    existence: &'e Existence<L>,
    held: Held<'e, rank::Existence>,
}

impl<'e, L: Fair> Turn<'e, L> {
    /// The token that lets higher ranks be taken while this guard lives.
    #[inline(always)]
    pub fn held(&mut self) -> &mut Held<'e, rank::Existence> {
        &mut self.held
    }

    /// Whether another core waits for this one to end: a long operation should stop and be repeated.
    #[inline(always)]
    pub fn is_awaited(&self) -> bool {
        self.existence.gate.0.is_awaited(self.held.core())
    }
}

impl<L: Fair> Drop for Turn<'_, L> {
    #[inline(always)]
    fn drop(&mut self) {
        self.existence.gate.0.release(&self.existence.nodes, self.held.core());
    }
}
