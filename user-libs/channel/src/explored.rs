//! The shared memory of exploration: [`loom`]'s atomic words, which try every interleaving and every reordering that the
//! memory model permits, behind the interface of `core`'s, so that the rings under test are the rings of programs, line by
//! line.
//!
//! What the explorer is asked depends on the word. Those of records are *plain* memory: any access of one end that is not
//! ordered with the other's is an error, which covers also a load that a processor delays beyond a later store (loom runs
//! loads in order, so no wrong value would come of it). A word may be *relaxed*, which is wrong, and a thread may *leave out
//! its fences*, which is wrong too: to show that the explorer would notice.

use loom::cell::Cell;
use loom::sync::atomic as loom_atomic;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// A word of a region.
pub struct AtomicU64(Kind);

enum Kind {
    Absent,
    Atomic(loom_atomic::AtomicU64),
    Relaxed(loom_atomic::AtomicU64),
    Exchanged(loom_atomic::AtomicU64),
    /// Nobody ever waits for this mutex: loom runs one thread at a time, and none stops in between.
    Plain(Mutex<Cell<u64>>),
}

impl AtomicU64 {
    /// An atomic word.
    pub fn new(value: u64) -> Self {
        Self(Kind::Atomic(loom_atomic::AtomicU64::new(value)))
    }

    /// One that a thread stores to and another exchanges. What an exchange writes comes directly after what it read, so
    /// every later store comes after both; loom forgets that unless the store is an exchange too.
    pub fn exchanged(value: u64) -> Self {
        Self(Kind::Exchanged(loom_atomic::AtomicU64::new(value)))
    }

    /// A broken one, to which every access is relaxed.
    pub fn relaxed(value: u64) -> Self {
        Self(Kind::Relaxed(loom_atomic::AtomicU64::new(value)))
    }

    /// A word that is not atomic: accesses from two threads, one of them a store, must be ordered by others.
    pub fn plain(value: u64) -> Self {
        Self(Kind::Plain(Mutex::new(Cell::new(value))))
    }

    /// A word that nobody touches.
    pub fn absent() -> Self {
        Self(Kind::Absent)
    }

    pub(crate) fn load(&self, ordering: Ordering) -> u64 {
        match &self.0 {
            Kind::Absent => panic!("a load where there is nothing"),
            Kind::Atomic(word) | Kind::Exchanged(word) => word.load(ordering),
            Kind::Relaxed(word) => word.load(Ordering::Relaxed),
            Kind::Plain(word) => word.lock().unwrap().get(),
        }
    }

    pub(crate) fn store(&self, value: u64, ordering: Ordering) {
        match &self.0 {
            Kind::Absent => panic!("a store where there is nothing"),
            Kind::Atomic(word) => word.store(value, ordering),
            Kind::Relaxed(word) => word.store(value, Ordering::Relaxed),
            Kind::Exchanged(word) => _ = word.swap(value, ordering),
            Kind::Plain(word) => word.lock().unwrap().set(value),
        }
    }

    pub(crate) fn swap(&self, value: u64, ordering: Ordering) -> u64 {
        match &self.0 {
            Kind::Exchanged(word) => word.swap(value, ordering),
            _ => panic!("an exchange of a word that is not for it"),
        }
    }
}

loom::thread_local! {
    static UNFENCED: std::cell::Cell<bool> = std::cell::Cell::new(false);
}

/// From now on this thread of the model leaves out its fences.
pub fn leave_out_fences() {
    UNFENCED.with(|unfenced| unfenced.set(true));
}

pub(crate) fn fence(ordering: Ordering) {
    if !UNFENCED.with(std::cell::Cell::get) {
        loom_atomic::fence(ordering);
    }
}

pub(crate) fn spin_loop() {
    loom::thread::yield_now();
}
