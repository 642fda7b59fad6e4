//! Existence as a reader/writer lock that scales with cores: a reader writes only its own line, a writer pays for all.
//!
//! ```text
//!                 gate (fair lock)       readers (a line per core)
//!  share, alone   looked at              mine := 1 … 0
//!  share, late    watched                mine := 2, 1 … 0
//!  share, queued  taken, passed on       mine := 1 … 0
//!  exclude        held to the end        none seen at 1
//! ```
//! *No reader beside a writer.* A reader stores 1 to its line, then looks at the gate; a writer takes the gate, then looks at
//! the lines; all four are sequentially consistent, so at least one of the two sees the other. A reader that does steps back
//! and watches the gate: when that is free it tries again; when it was overtaken a few times it queues there. Having the turn
//! there it is alone with the readers, stores 1 and passes the turn on: the next writer's turn comes after that store.
//!
//! *What is done in one form is seen in the next.* A writer's release of the gate is acquired by the reader's look or by its
//! turn; a reader's release of its line is acquired by the writer's look at it.
//!
//! *Nobody starves.* The gate is first come, first served. While it is taken no reader enters but by its turn, so a writer
//! waits for at most one section of each other core. A reader lets at most [`PATIENCE`] looks go by, or a few other cores.
//!
//! *Why it watches.* Who queues must be waited for. Where cores are threads of a host that has fewer processors, the core whose
//! turn comes is often one that does not run, and all wait until the host changes that: with cores that share in a loop, for
//! each entry of another that is alone. Who watches is waited for by nobody, but long operations stop for it.

use super::atomic::{AtomicU32, Line, Ordering, fence_after_rmw, pause};
use super::cores::CORES;
use super::fair::Fair;
use crate::meter::{ALONE, SHARED, Stopwatch};
use crate::{CoreIndex, Held, rank};

/// How long a reader watches a gate that is taken before it queues there, in looks; and how many of them a look counts for
/// that finds another turn to be the last than the look before: a core has overtaken it.
const PATIENCE: u32 = if cfg!(feature = "explore") { 1 } else { 4 * TO_BE_OVERTAKEN };
const TO_BE_OVERTAKEN: u32 = 4_000;

/// A core's line while it shares existence, and while it waits for that; 0 else.
const IN: u32 = 1;
const WATCHING: u32 = 2;

/// The lock that keeps looked-up objects alive.
#[derive(Debug)]
pub struct Existence<L: Fair> {
    gate: Line<L>,
    nodes: L::Nodes,
    /// See [`IN`] and [`WATCHING`].
    readers: [Line<AtomicU32>; CORES],
}

impl<L: Fair> Existence<L> {
    /// A free lock.
    pub const fn new() -> Self {
        Self { gate: Line(L::FREE), nodes: L::IDLE, readers: [const { Line(AtomicU32::new(0)) }; CORES] }
    }

    /// Holds existence together with other cores that share it. Core `me` does not hold it yet. `waiting` is called on each
    /// turn of the wait loops, if it waits.
    #[inline(always)]
    pub fn share(&self, me: CoreIndex, waiting: impl FnMut()) -> Shared<'_> {
        match self.share_at_once(me) {
            Some(shared) => shared,
            None => self.share_later(me, waiting),
        }
    }

    /// As [`share`](Self::share), but `None` instead of waiting: for a core that cannot answer a recall yet.
    #[inline(always)]
    pub fn share_at_once(&self, me: CoreIndex) -> Option<Shared<'_>> {
        let line = &self.readers[me.get()].0;
        line.swap(IN, Ordering::SeqCst);
        fence_after_rmw();
        let shared = Shared { line, held: Held::new(me), _held_for: Stopwatch::start(SHARED) };
        self.gate.0.latest().is_none().then_some(shared)
    }

    #[cold]
    #[inline(never)]
    fn share_later(&self, me: CoreIndex, mut waiting: impl FnMut()) -> Shared<'_> {
        let line = &self.readers[me.get()].0;
        let (mut patience, mut latest) = (PATIENCE, None);
        while patience > 0 {
            line.store(WATCHING, Ordering::Release);
            waiting();
            pause();
            let before = core::mem::replace(&mut latest, self.gate.0.latest());
            if latest.is_none()
                && let Some(shared) = self.share_at_once(me)
            {
                return shared;
            }
            patience = patience.saturating_sub(if latest.is_some() && latest == before { 1 } else { TO_BE_OVERTAKEN });
        }
        self.gate.0.acquire(&self.nodes, me, waiting);
        line.store(IN, Ordering::Relaxed);
        self.gate.0.release(&self.nodes, me);
        Shared { line, held: Held::new(me), _held_for: Stopwatch::start(SHARED) }
    }

    /// Holds existence alone among the first `cores` cores, which are all that use this lock. Core `me` does not hold it yet.
    /// `waiting` is called on each turn of the wait loops.
    #[inline(always)]
    pub fn exclude(&self, me: CoreIndex, cores: usize, mut waiting: impl FnMut()) -> Exclusive<'_, L> {
        self.gate.0.acquire(&self.nodes, me, &mut waiting);
        fence_after_rmw();
        for core in 0..cores {
            let line = &self.readers[core & (CORES - 1)].0;
            if line.load(Ordering::SeqCst) == IN {
                wait_for_reader(line, &mut waiting);
            }
        }
        Exclusive { existence: self, held: Held::new(me), held_for: Stopwatch::start(ALONE) }
    }
}

#[cold]
#[inline(never)]
fn wait_for_reader(line: &AtomicU32, waiting: &mut impl FnMut()) {
    while line.load(Ordering::Acquire) == IN {
        waiting();
        pause();
    }
}

/// Existence, held together with others. Objects stay alive; slots do not change.
#[derive(Debug)]
pub struct Shared<'e> {
    line: &'e AtomicU32,
    held: Held<'e, rank::Existence>,
    _held_for: Stopwatch,
}

/// Existence, held alone.
#[derive(Debug)]
pub struct Exclusive<'e, L: Fair> {
    existence: &'e Existence<L>,
    held: Held<'e, rank::Existence>,
    held_for: Stopwatch,
}

impl<'e> Shared<'e> {
    /// The token that lets higher ranks be taken while this guard lives.
    #[inline(always)]
    pub fn held(&mut self) -> &mut Held<'e, rank::Existence> {
        &mut self.held
    }
}

impl<'e, L: Fair> Exclusive<'e, L> {
    /// The token that lets higher ranks be taken while this guard lives.
    #[inline(always)]
    pub fn held(&mut self) -> &mut Held<'e, rank::Existence> {
        &mut self.held
    }

    /// Whether another core waits for this one to end: a long operation should stop and be repeated.
    #[inline(always)]
    pub fn is_awaited(&self) -> bool {
        self.held_for.lap();
        let watches = |line: &Line<AtomicU32>| line.0.load(Ordering::Relaxed) == WATCHING;
        self.existence.gate.0.is_awaited(self.held.core()) || self.existence.readers.iter().any(watches)
    }
}

impl Drop for Shared<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.line.store(0, Ordering::Release);
    }
}

impl<L: Fair> Drop for Exclusive<'_, L> {
    #[inline(always)]
    fn drop(&mut self) {
        self.existence.gate.0.release(&self.existence.nodes, self.held.core());
    }
}
