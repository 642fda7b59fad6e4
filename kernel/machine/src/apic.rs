//! The local APIC on paper: register numbers, values and the timer's arithmetic, without touching it.
//!
//! Tests: at the end of this file.

/// Register offsets in the xAPIC page; the x2APIC MSR is `0x800 + offset / 16`.
#[allow(missing_docs, reason = "the names are the manual's (Intel SDM volume 3, table 11-1)")]
pub mod register {
    pub const ID: u32 = 0x20;
    pub const VERSION: u32 = 0x30;
    pub const TASK_PRIORITY: u32 = 0x80;
    pub const END_OF_INTERRUPT: u32 = 0xb0;
    pub const SPURIOUS: u32 = 0xf0;
    pub const IN_SERVICE: u32 = 0x100;
    pub const REQUEST: u32 = 0x200;
    pub const ERROR_STATUS: u32 = 0x280;
    pub const LVT_CMCI: u32 = 0x2f0;
    pub const COMMAND_LOW: u32 = 0x300;
    pub const COMMAND_HIGH: u32 = 0x310;
    pub const LVT_TIMER: u32 = 0x320;
    pub const LVT_THERMAL: u32 = 0x330;
    pub const LVT_PERFORMANCE: u32 = 0x340;
    pub const LVT_LINT0: u32 = 0x350;
    pub const LVT_LINT1: u32 = 0x360;
    pub const LVT_ERROR: u32 = 0x370;
    pub const TIMER_INITIAL: u32 = 0x380;
    pub const TIMER_DIVIDE: u32 = 0x3e0;
}

/// Local vector table entry: masked.
pub const LVT_MASKED: u32 = 1 << 16;
/// LVT: deliver as non-maskable interrupt; the vector is ignored.
pub const LVT_NMI: u32 = 4 << 8;
/// Timer entry: TSC-deadline mode (one-shot is zero).
pub const LVT_TSC_DEADLINE: u32 = 2 << 17;
/// Spurious vector register: software enable.
pub const SOFTWARE_ENABLE: u32 = 1 << 8;
/// Divide configuration: divide by one.
pub const DIVIDE_BY_ONE: u32 = 0b1011;
/// Command register: delivery pending (xAPIC only).
pub const DELIVERY_PENDING: u32 = 1 << 12;
/// Highest destination that fits an xAPIC command; 0xff is broadcast.
pub const XAPIC_DESTINATION_MAX: u32 = 0xfe;

/// The MSR of the register at `offset` in x2APIC mode.
pub const fn msr(offset: u32) -> u32 {
    0x800 + (offset >> 4)
}

/// Request-register offsets that can hold an interrupt for the kernel: vectors 32..=255.
pub const REQUESTS: [u32; 7] = [0x210, 0x220, 0x230, 0x240, 0x250, 0x260, 0x270];

/// How many timer ticks (divide by one) pass between TSC values `now` and `at`: rounded up, at least 1, and at most what
/// the counter holds, so that a far deadline fires early and never late by more than rounding.
///
/// `ticks_x1024` is timer ticks per microsecond times 1024, `tsc_mhz` TSC ticks per microsecond.
pub fn timer_count(now: u64, at: u64, ticks_x1024: u32, tsc_mhz: u32) -> u32 {
    let wait = u128::from(at.saturating_sub(now));
    let count = (wait * u128::from(ticks_x1024)).div_ceil(u128::from(tsc_mhz.max(1)) * 1024);
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn registers_map_to_the_manuals_msrs() {
        assert_eq!(msr(register::ID), 0x802);
        assert_eq!(msr(register::END_OF_INTERRUPT), 0x80b);
        assert_eq!(msr(register::COMMAND_LOW), 0x830);
        assert_eq!(msr(register::TIMER_DIVIDE), 0x83e);
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_once() {
        assert_eq!(timer_count(1000, 0, 1024 * 100, 2000), 1);
        assert_eq!(timer_count(1000, 1000, 1024 * 100, 2000), 1);
    }

    #[test]
    fn a_microsecond_is_a_microsecond() {
        assert_eq!(timer_count(0, 2000, 1024 * 100, 2000), 100);
        assert_eq!(timer_count(0, 2001, 1024 * 100, 2000), 101);
    }

    proptest! {
        #[test]
        fn the_count_is_never_early_unless_it_saturates(
            now in 0..u64::MAX / 2, wait: u64, ticks in 1u32.., mhz in 1u32..10_000,
        ) {
            let at = now.saturating_add(wait);
            let count = timer_count(now, at, ticks, mhz);
            let elapsed = u128::from(count) * u128::from(mhz) * 1024;
            let due = u128::from(at - now) * u128::from(ticks);
            prop_assert!(count == u32::MAX || elapsed >= due);
            prop_assert!(count == 1 || elapsed - u128::from(mhz) * 1024 < due);
        }
    }
}
