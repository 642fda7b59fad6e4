//! [`Recalls`]: one core asks another to put back everything it holds, and waits until it has.
//!
//! The only wait of one core for another outside the locks. It ends, because
//! * only the core that holds existence alone asks, so there is one request at a time in the instance, and who asks is not
//!   asked;
//! * the target is then in user mode or idle, where the kick reaches it, or waits for existence, where each turn of the wait
//!   loop looks for a request; it holds no lock, and to answer it needs none: what it touches to put back is lent to it by the
//!   core that waits.

use super::atomic::{AtomicU32, Line, Ordering, pause};
use super::cores::CORES;
use crate::CoreIndex;

/// Requests of the cores of one instance.
#[derive(Debug)]
pub struct Recalls {
    /// 1 from the request to the answer.
    asked: [Line<AtomicU32>; CORES],
}

impl Recalls {
    /// No requests.
    pub const fn new() -> Self {
        Self { asked: [const { Line(AtomicU32::new(0)) }; CORES] }
    }

    /// Asks core `target`, which is not the caller's, to put back what it holds; kicks it, that is, makes it enter its kernel
    /// (an interrupt); returns when it has. Only for the holder of [`Exclusive`](crate::Exclusive).
    ///
    /// What the caller did before, the target sees, and what the target put back, the caller sees.
    pub fn request(&self, target: CoreIndex, kick: impl FnOnce()) {
        let asked = self.line(target);
        asked.store(1, Ordering::Release);
        kick();
        while asked.load(Ordering::Acquire) != 0 {
            pause();
        }
    }

    /// If core `me` is asked: puts back, then says so.
    #[inline(always)]
    pub fn answer(&self, me: CoreIndex, put_back: impl FnOnce()) {
        if self.is_requested(me) {
            put_back();
            self.line(me).store(0, Ordering::Release);
        }
    }

    /// Whether core `me` is asked.
    #[inline(always)]
    pub fn is_requested(&self, me: CoreIndex) -> bool {
        self.line(me).load(Ordering::Acquire) != 0
    }

    #[inline(always)]
    fn line(&self, core: CoreIndex) -> &AtomicU32 {
        &self.asked[core.get()].0
    }
}
