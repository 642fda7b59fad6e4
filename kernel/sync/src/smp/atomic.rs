//! The atomics that the locks are made of, and the two things the locks do that are not one atomic operation.

#[cfg(not(feature = "explore"))]
pub(crate) use self::hardware::{fence_after_rmw, pause};
#[cfg(feature = "explore")]
pub(crate) use super::explored::{AtomicU32, AtomicU64, fence_after_rmw, pause};
pub(crate) use core::sync::atomic::Ordering;
#[cfg(not(feature = "explore"))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(not(feature = "explore"))]
mod hardware {
    /// A full fence, where a sequentially consistent read-modify-write stands directly before it.
    ///
    /// The language says that such an operation and a later sequentially consistent load are not reordered, and on x86-64
    /// the `lock` prefix (or `xchg`) is a full fence already; so this is no instruction.
    #[inline(always)]
    pub(crate) fn fence_after_rmw() {}

    /// One turn of a wait loop.
    #[inline(always)]
    pub(crate) fn pause() {
        core::hint::spin_loop();
    }
}

/// A cache line (64 bytes on every x86-64) of its own, so that cores do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Line<T>(pub(crate) T);
