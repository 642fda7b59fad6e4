//! Ranked guards: the one idea by which kernel state is reached, and the only layer where the modes differ.
//!
//! Every piece of state that more than one core could touch is reached through a guard of some [`rank`]. Holding a guard
//! of rank R yields a [`Held`] token with which only ranks above R can be taken, and the order is a trait bound: an
//! inversion does not build, so deadlock between ranks is impossible by typing.
//!
//! What a guard *is* depends on the build. Cargo features of this crate choose, nothing else may ask for them, and the
//! interface is the same:
//!
//! | features | [`MODE`] | a guard is |
//! |---|---|---|
//! | none | `multikernel` | nothing: one core owns the state; zero-sized, no atomics, compiled away |
//! | `smp` | `smp-ticket` | a ticket lock; readers of existence touch only a line of their own |
//! | `smp`, `lock-mcs` | `smp-mcs` | the same with MCS locks |
//! | `smp`, `lock-big` | `smp-big` | one lock, held from kernel entry to exit; everything else is nothing |
//!
//! The layer knows nothing of what it protects. `docs/locking.md` says what that is, rank by rank.
//!
//! ```compile_fail
//! use sync::{CoreIndex, Held, Ranked, rank};
//! let queue: Ranked<rank::RunQueue, u32> = Ranked::new(0);
//! let thread: Ranked<rank::Thread, u32> = Ranked::new(0);
//! let mut entry = Held::at_kernel_entry(CoreIndex::FIRST);
//! let mut queue_guard = queue.lock(&mut entry);
//! let wrong = thread.lock(queue_guard.held()); // a lower rank than the one held: refused by the compiler
//! ```
#![cfg_attr(not(any(test, feature = "explore")), no_std)]
// To measure, the clock must be read.
#![cfg_attr(not(feature = "hold-times"), forbid(unsafe_code))]

mod guard;
mod meter;
#[cfg(not(feature = "smp"))]
mod multikernel;
pub mod rank;
#[cfg(feature = "smp")]
pub mod smp;
#[cfg(any(not(feature = "smp"), feature = "lock-big"))]
mod unstriped;

pub use guard::{Guard, Held, Ranked};
#[cfg(not(feature = "smp"))]
pub use multikernel::{CORES, CoreIndex, Exclusive, Existence, MODE, PerCore, Recalls, Shared};
#[cfg(feature = "smp")]
pub use smp::cores::{CORES, CoreIndex, PerCore};
#[cfg(feature = "smp")]
pub use smp::recall::Recalls;
#[cfg(feature = "smp")]
pub use smp::{Exclusive, Existence, MODE, Shared};
#[cfg(all(feature = "smp", not(feature = "lock-big")))]
pub use smp::{StripeGuard, Striped};
#[cfg(any(not(feature = "smp"), feature = "lock-big"))]
pub use unstriped::{StripeGuard, Striped};
