//! The program's one notification, shared by all its channels and interrupts: each has a bit of the badge.
//!
//! Waiting takes *all* bits from the kernel, so bits nobody waits for now are kept here until somebody does: no ring is
//! lost. Tests: below, against a stand-in kernel.

use crate::layout::slot;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bits that arrived and were not waited for yet.
static PENDING: AtomicU64 = AtomicU64::new(0);
/// How often each bit arrived.
static HEARD: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

const NOTIFICATION: sel4::Notification = sel4::Notification::new(slot::NOTIFICATION);

/// Waits until a bit of `mask` arrives, or returns at once if one has; takes and returns the bits of `mask` that did.
pub fn wait_for(mask: u64) -> u64 {
    loop {
        let found = take(mask);
        if found != 0 || mask == 0 {
            return found;
        }
        note(NOTIFICATION.wait());
    }
}

/// Takes and returns the bits of `mask` that have arrived, without waiting.
pub fn poll_for(mask: u64) -> u64 {
    note(NOTIFICATION.poll());
    take(mask)
}

/// How often a bit has arrived so far. Rings that came before the last one was taken count as one.
pub fn heard(badge_bit: u32) -> u64 {
    HEARD.get(badge_bit as usize).map_or(0, |count| count.load(Relaxed))
}

fn take(mask: u64) -> u64 {
    PENDING.fetch_and(!mask, Relaxed) & mask
}

fn note(mut bits: u64) {
    PENDING.fetch_or(bits, Relaxed);
    while bits != 0 {
        HEARD[bits.trailing_zeros() as usize].fetch_add(1, Relaxed);
        bits &= bits - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn a_ring_for_somebody_else_is_kept() {
        let mut arrivals = VecDeque::from([0b10, 0b110, 0b1]);
        sel4::host::set_kernel(move |_, _| sel4::sys::Answer {
            badge: arrivals.pop_front().expect("waited once too often"),
            ..Default::default()
        });
        assert_eq!(wait_for(0b1), 0b1);
        assert_eq!(wait_for(0b110), 0b110, "both came while waiting for the first");
        assert_eq!(heard(1), 2);
        assert_eq!((heard(0), heard(63), heard(64)), (1, 0, 0));
        assert_eq!(wait_for(0), 0);
    }
}
