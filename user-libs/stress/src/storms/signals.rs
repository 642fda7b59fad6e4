//! Numbers behind signals, from one core to another: the last number is always seen, and none goes back.

use crate::crew::rest;
use crate::ledger::{Broken, count, fail, stopping};
use crate::props::PROPS;
use core::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

/// The number behind the last signal.
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// Set in the last number of a round.
const LAST: u64 = 1 << 63;

/// Stores a number and signals, over and over. Rests only when the round is over; the waiter must hear of it.
pub extern "C" fn sender(index: usize) -> ! {
    let mut number = 0;
    loop {
        while !stopping() {
            number += 1;
            NUMBER.store(number, Release);
            PROPS.bell().signal();
            count(index);
        }
        number += 1;
        NUMBER.store(number | LAST, Release);
        PROPS.bell().signal();
        rest(index);
    }
}

/// Waits, never looks without having been signalled.
pub extern "C" fn waiter(index: usize) -> ! {
    let mut last = 0;
    loop {
        PROPS.bell().wait();
        let found = NUMBER.load(Acquire);
        let number = found & !LAST;
        if number < last {
            fail(Broken::Signal, last, number);
        }
        let is_new = number != last;
        last = number;
        count(index);
        if found & LAST != 0 && is_new {
            rest(index);
        }
    }
}
