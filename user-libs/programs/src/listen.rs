//! Before the first bare ring: the other end says in shared memory that it listens.
//!
//! A ring that arrives before the other partition has bound its doorbell reaches nobody. Channels of messages need no
//! care, since a ring only follows a sleeper's flag; programs that ring without messages use this.

use core::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use runtime::ChannelEnd;

/// Index of the word that says so.
const LISTENING: usize = 16;

fn word(end: &ChannelEnd) -> Option<&'static AtomicU64> {
    end.region().words().get(LISTENING)
}

/// Says that this end listens, if it may write.
pub fn listen(end: &ChannelEnd) {
    if let (true, Some(word)) = (end.is_writable(), word(end)) {
        word.store(1, Release);
    }
}

/// Waits until the other end listens.
pub fn await_listener(end: &ChannelEnd) {
    while word(end).is_some_and(|word| word.load(Acquire) == 0) {
        sel4::yield_now();
    }
}
