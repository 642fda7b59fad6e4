//! What shared memory is made of: the processor's words, or an explorer's ([`explored`](crate::explored)).

#[cfg(feature = "explore")]
pub(crate) use crate::explored::{AtomicU64, fence, spin_loop};
pub(crate) use core::sync::atomic::Ordering;
#[cfg(not(feature = "explore"))]
pub(crate) use core::{
    hint::spin_loop,
    sync::atomic::{AtomicU64, fence},
};
