//! The time-stamp counter.

/// Reads the time-stamp counter: ticks of a constant rate ([`Env::tsc_mhz`](crate::Env::tsc_mhz)), the same on all cores
/// as far as the machine keeps them so.
#[inline]
pub fn rdtsc() -> u64 {
    // SAFETY: the instruction only reads; user programs may execute it, since no kernel sets CR4.TSD.
    unsafe { core::arch::x86_64::_rdtsc() }
}
