//! Units: ticks of the time-stamp counter, microseconds at the API.

use machine::Machine;

/// Time-stamp counter ticks.
pub type Ticks = u64;

/// Worst-case execution time assumed for the kernel, microseconds (seL4's value for x86).
const KERNEL_WCET_US: u64 = 10;
/// Length of the initial thread's time slice, microseconds.
pub const BOOT_SLICE_US: u64 = 5_000;

/// Conversions and limits of one machine.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ticks_per_us: u64,
}

impl Clock {
    /// The clock of `machine`.
    #[inline(always)]
    pub fn of(machine: &Machine) -> Self {
        Self { ticks_per_us: machine.ticks_per_us().max(1) }
    }

    /// Microseconds as ticks; saturates.
    #[inline(always)]
    pub const fn ticks(self, us: u64) -> Ticks {
        us.saturating_mul(self.ticks_per_us)
    }

    /// Ticks as microseconds, rounded down.
    pub const fn us(self, ticks: Ticks) -> u64 {
        ticks / self.ticks_per_us
    }

    /// Least budget that is worth a dispatch: entry and exit.
    #[inline(always)]
    pub const fn min_budget(self) -> Ticks {
        2 * KERNEL_WCET_US * self.ticks_per_us
    }

    /// Least budget, microseconds.
    pub const fn min_budget_us(self) -> u64 {
        2 * KERNEL_WCET_US
    }

    /// Longest period that never overflows a release time, microseconds.
    pub const fn max_period_us(self) -> u64 {
        u64::MAX / self.ticks_per_us / 8
    }

    /// Refills are never delayed past this.
    #[inline(always)]
    pub(crate) const fn max_release_time(self) -> Ticks {
        u64::MAX - 5 * (u64::MAX / 8)
    }
}
