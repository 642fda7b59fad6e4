//! How an end wakes its peer and sleeps itself.

use crate::atomic::spin_loop;

/// A way to wake the peer and to wait for being woken.
///
/// `ring` after `wait` began must end that `wait`, and a `ring` that comes *before* it must not be lost: it ends the next
/// `wait` at once. seL4 notifications and doorbells have this property. A `wait` may also end for no reason.
pub trait Bell {
    /// Whether [`wait`](Self::wait) relies on the peer's [`ring`](Self::ring). If not, the rings leave out the memory fence and never ring.
    const SLEEPS: bool;
    /// Wakes the peer if it waits, or else makes its next wait return at once.
    fn ring(&self);
    /// Waits until the peer rings.
    fn wait(&self);
    /// How often to look again before going to sleep.
    fn spins(&self) -> u32 {
        0
    }
}

/// No bell: waiting is looking again. Both ends may choose this independently only if the *other* end never sleeps on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Polling;

impl Bell for Polling {
    const SLEEPS: bool = false;
    fn ring(&self) {}
    fn wait(&self) {
        spin_loop();
    }
}
