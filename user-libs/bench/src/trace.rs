//! The time stamps of one thread's system calls, in memory that every thread of the benchmark sees.
//!
//! Threads run on one core and write their own trace only; it is read when they are stopped. Tests: below.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Calls before the samples that count.
pub const WARM_UP: usize = 16;
/// Samples that count.
pub const SAMPLES: usize = 64;
/// Calls that a thread makes.
pub const RUNS: usize = WARM_UP + SAMPLES;

/// When one call began and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamps {
    /// Before the stub's first instruction.
    pub start: u64,
    /// After its last.
    pub end: u64,
}

/// The stamps of all calls of a thread.
#[derive(Debug)]
pub struct Trace {
    starts: [AtomicU64; RUNS],
    ends: [AtomicU64; RUNS],
}

/// The trace of the thread that calls, signals or faults.
pub static CLIENT: Trace = Trace::new();
/// The trace of the thread that serves, waits or handles.
pub static SERVER: Trace = Trace::new();

impl Trace {
    /// A trace without stamps.
    pub const fn new() -> Self {
        Self { starts: [const { AtomicU64::new(0) }; RUNS], ends: [const { AtomicU64::new(0) }; RUNS] }
    }

    /// Keeps the stamps of call `index`.
    pub fn set(&self, index: usize, stamps: Stamps) {
        if let (Some(start), Some(end)) = (self.starts.get(index), self.ends.get(index)) {
            start.store(stamps.start, Relaxed);
            end.store(stamps.end, Relaxed);
        }
    }

    /// Start of call `index`.
    pub fn start(&self, index: usize) -> u64 {
        self.starts.get(index).map_or(0, |stamp| stamp.load(Relaxed))
    }

    /// End of call `index`.
    pub fn end(&self, index: usize) -> u64 {
        self.ends.get(index).map_or(0, |stamp| stamp.load(Relaxed))
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_beyond_the_last_run_are_dropped() {
        let trace = Trace::new();
        trace.set(RUNS - 1, Stamps { start: 1, end: 2 });
        trace.set(RUNS, Stamps { start: 3, end: 4 });
        assert_eq!((trace.start(RUNS - 1), trace.end(RUNS - 1), trace.end(RUNS)), (1, 2, 0));
    }
}
