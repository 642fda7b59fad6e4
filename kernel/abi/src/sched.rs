//! Scheduling: priorities, domains, time, and the flags of threads and scheduling contexts.
//!
//! Budgets, periods and consumed times are microseconds. Durations in the domain schedule are ticks of the kernel's
//! clock (the TSC) and fit in 56 bits.

/// How many domains.
pub const NUM_DOMAINS: u64 = 16;
/// Entries of the domain schedule, the end marker included.
pub const NUM_DOMAIN_SCHEDULES: u64 = 100;
/// Longest duration in the domain schedule, in ticks.
pub const MAX_DOMAIN_DURATION: u64 = (1 << 56) - 1;

/// Flags of `SchedControlConfigureFlags`.
pub mod sched_context_flags {
    /// None: round robin if budget and period are equal, else a constant-bandwidth server.
    pub const NONE: u64 = 0;
    /// Keep replenishments as a sporadic server does.
    pub const SPORADIC: u64 = 1;
}

/// Flags of `TCBSetFlags`; a new thread has none.
pub mod tcb_flags {
    /// None.
    pub const NONE: u64 = 0;
    /// The thread may not use the FPU.
    pub const FPU_DISABLED: u64 = 1;
    /// The flags that exist; others are ignored.
    pub const MASK: u64 = FPU_DISABLED;
}
