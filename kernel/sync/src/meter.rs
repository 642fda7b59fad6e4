//! How long guards are held, in builds that measure (`hold-times`); in all others nothing.
//!
//! The longest time of each rank is kept in [`HOLD_TIMES`], where `cargo xtask test --hold-times` reads it from outside the
//! machine. A measured section includes two readings of the clock, and its lock's release.

#[cfg(not(feature = "hold-times"))]
pub(crate) use self::off::Stopwatch;
#[cfg(feature = "hold-times")]
pub(crate) use self::on::Stopwatch;

/// Where times of existence in its shared form are kept: at the number of the rank `Nothing`, which nobody holds.
#[cfg(feature = "smp")]
pub(crate) const SHARED: usize = 0;
/// … and where those of existence alone are.
#[cfg(feature = "smp")]
pub(crate) const ALONE: usize = number::<crate::rank::Existence>();

#[cfg(feature = "smp")]
const fn number<R: crate::rank::Rank>() -> usize {
    R::NUMBER
}

#[cfg(not(feature = "hold-times"))]
mod off {
    /// Measures nothing.
    #[derive(Debug)]
    pub(crate) struct Stopwatch;

    impl Stopwatch {
        #[inline(always)]
        pub(crate) fn start(_rank: usize) -> Self {
            Self
        }

        #[cfg(feature = "smp")]
        #[inline(always)]
        pub(crate) fn lap(&self) {}
    }
}

#[cfg(feature = "hold-times")]
mod on {
    use core::cell::Cell;
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// By number of the rank: ticks of the longest section.
    static HOLD_TIMES: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];

    /// Measures from its making, or its latest lap, to its end.
    #[derive(Debug)]
    pub(crate) struct Stopwatch {
        rank: usize,
        start: Cell<u64>,
    }

    impl Stopwatch {
        #[inline(always)]
        pub(crate) fn start(rank: usize) -> Self {
            Self { rank, start: Cell::new(now()) }
        }

        /// Ends one measurement and begins the next: who holds would let go now, if anybody waited.
        #[inline(always)]
        pub(crate) fn lap(&self) {
            let now = now();
            HOLD_TIMES[self.rank & 7].fetch_max(now.wrapping_sub(self.start.replace(now)), Relaxed);
        }
    }

    impl Drop for Stopwatch {
        #[inline(always)]
        fn drop(&mut self) {
            self.lap();
        }
    }

    #[inline(always)]
    fn now() -> u64 {
        // SAFETY: the kernel and, on the host, the tests run where the time-stamp counter may be read.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
}
