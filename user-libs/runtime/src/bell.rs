//! A channel's bell: seL4's signal on a doorbell capability, and seL4's wait on the program's notification.

use crate::env::{Channel, NONE};
use crate::notify;
use channel::Bell;

/// Rings the peer's doorbell; waits for the peer's ring. Either may be missing: then ringing does nothing, and waiting
/// only gives way to other threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoorbellBell {
    doorbell: u32,
    badge_bit: u32,
}

impl DoorbellBell {
    /// The bell of a channel end.
    pub const fn of(channel: &Channel) -> Self {
        Self { doorbell: channel.doorbell, badge_bit: channel.badge_bit }
    }

    /// Bit of the notification's badge, as a mask; 0 if this end hears no doorbell.
    pub const fn mask(self) -> u64 {
        if self.badge_bit < 64 { 1 << self.badge_bit } else { 0 }
    }

    /// Whether this end can ring.
    pub const fn rings(self) -> bool {
        self.doorbell != NONE
    }

    /// How often this end was rung (see [`heard`](crate::heard)).
    pub fn heard(self) -> u64 {
        notify::heard(self.badge_bit)
    }
}

impl Bell for DoorbellBell {
    const SLEEPS: bool = true;

    fn ring(&self) {
        if self.rings() {
            sel4::Doorbell::new(self.doorbell.into()).ring();
        }
    }

    fn wait(&self) {
        match self.mask() {
            0 => sel4::yield_now(),
            mask => drop(notify::wait_for(mask)),
        }
    }
}
