//! What workers and the first thread tell each other through memory: counts, who rests, and the first failure.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// Most workers.
pub const MAX_WORKERS: usize = 40;

/// What a storm found broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Broken {
    /// An answer that belongs to another call: expected, found.
    Answer = 1,
    /// A signal's number that went back: last, found.
    Signal,
    /// A system call that had to succeed: storm's own step number, error label.
    Step,
    /// A destroyed thread that still runs: counter at its destruction, counter later.
    Undead,
    /// A thread that was started and does not run: core, 0.
    Unborn,
    /// A read from a page that was not mapped there: expected, found.
    Stale,
}

impl Broken {
    const ALL: [Self; 6] = [Self::Answer, Self::Signal, Self::Step, Self::Undead, Self::Unborn, Self::Stale];
}

/// Zero: no failure. Else the kind, and two words about it.
static FAILURE: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static STOP: AtomicBool = AtomicBool::new(false);
static RESTING: [AtomicBool; MAX_WORKERS] = [const { AtomicBool::new(false) }; MAX_WORKERS];
static COUNTS: [AtomicU64; MAX_WORKERS] = [const { AtomicU64::new(0) }; MAX_WORKERS];

/// Notes a failure; the first one counts.
pub fn fail(kind: Broken, a: u64, b: u64) {
    if FAILURE[0].compare_exchange(0, u64::MAX, Acquire, Relaxed).is_ok() {
        FAILURE[1].store(a, Relaxed);
        FAILURE[2].store(b, Relaxed);
        FAILURE[0].store(kind as u64, Release);
    }
}

/// The first failure.
pub fn failure() -> Option<(Broken, u64, u64)> {
    let kind = FAILURE[0].load(Acquire);
    let kind = Broken::ALL.into_iter().find(|known| *known as u64 == kind)?;
    Some((kind, FAILURE[1].load(Relaxed), FAILURE[2].load(Relaxed)))
}

/// The result of a step that must succeed.
pub fn must<T>(step: u64, result: sel4::Result<T>) -> Option<T> {
    result.map_err(|error| fail(Broken::Step, step, error.label())).ok()
}

/// Whether the round is over.
pub fn stopping() -> bool {
    STOP.load(Acquire)
}

/// Ends the round, or lets the next one begin.
pub fn set_stopping(stop: bool) {
    STOP.store(stop, Release);
}

/// One more of what worker `index` does.
pub fn count(index: usize) {
    COUNTS[index].fetch_add(1, Relaxed);
}

/// What worker `index` has done so far.
pub fn counted(index: usize) -> u64 {
    COUNTS[index].load(Relaxed)
}

/// Whether worker `index` rests.
pub fn rests(index: usize) -> bool {
    RESTING[index].load(Acquire)
}

/// Says that worker `index` rests, or no longer does.
pub fn set_resting(index: usize, rests: bool) {
    RESTING[index].store(rests, Release);
}
