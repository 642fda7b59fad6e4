//! Ranked guards: the one idea by which kernel state is reached, and the only layer where the modes may differ.
//!
//! Every piece of state that more than one core could touch sits in a [`Ranked`] and is reached through a [`Guard`].
//! Holding a guard of rank R lets you take only ranks above R, and the order is checked when the crate that takes the
//! guard is compiled: an inversion does not build, so deadlock between ranks is impossible by typing.
//!
//! This build is the multikernel's: one core owns the state, so guards and tokens are zero-sized, there is no atomic
//! operation, and [`PerCore`] has one element. The layer knows nothing of what it protects.
//!
//! ```compile_fail
//! use sync::{Held, Ranked, rank};
//! let queue: Ranked<rank::RunQueue, u32> = Ranked::new(0);
//! let thread: Ranked<rank::Thread, u32> = Ranked::new(0);
//! let mut entry = Held::at_kernel_entry();
//! let mut queue_guard = queue.lock(&mut entry);
//! let wrong = thread.lock(queue_guard.held()); // a lower rank than the one held: refused by the compiler
//! ```
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod guard;
pub mod rank;

pub use guard::{Guard, Held, PerCore, Ranked};

/// Cores that one kernel instance of this build can run on.
pub const CORES: usize = 1;
