//! The form of the layer for one kernel over several cores.
//!
//! ```text
//! existence ──┬─ reader/writer (readers: a line each) ─┐
//! recall      └─ big                                   ├─ fair ─┬─ ticket
//! striped ─────────────────────────────────────────────┘        └─ mcs       atomic
//! ```
//! Both fair locks and both forms of existence are always compiled and tested; the features only say which of them the
//! kernel gets.

pub(crate) mod atomic;
pub mod big;
pub(crate) mod cores;
pub mod existence;
#[cfg(feature = "explore")]
pub mod explored;
pub mod fair;
pub mod mcs;
pub(crate) mod recall;
pub mod striped;
pub mod ticket;

/// The fair lock of this build.
#[cfg(feature = "lock-mcs")]
pub type Lock = mcs::Mcs;
/// The fair lock of this build.
#[cfg(not(feature = "lock-mcs"))]
pub type Lock = ticket::Ticket;

#[cfg(not(feature = "lock-big"))]
mod chosen {
    use super::{Lock, existence, striped};

    /// Which build this is.
    pub const MODE: &str = if cfg!(feature = "lock-mcs") { "smp-mcs" } else { "smp-ticket" };
    /// The lock that keeps looked-up objects alive.
    pub type Existence = existence::Existence<Lock>;
    /// Existence, held together with others. Objects stay alive; slots do not change.
    pub type Shared<'e> = existence::Shared<'e>;
    /// Existence, held alone.
    pub type Exclusive<'e> = existence::Exclusive<'e, Lock>;
    /// The locks of all objects of rank `R`.
    pub type Striped<R> = striped::Striped<R, Lock>;
    /// An object of rank `R`, held.
    pub type StripeGuard<'g, R> = striped::StripeGuard<'g, R, Lock>;
}

#[cfg(feature = "lock-big")]
mod chosen {
    use super::{Lock, big};

    /// Which build this is.
    pub const MODE: &str = "smp-big";
    /// The one lock of this build.
    pub type Existence = big::Existence<Lock>;
    /// The big lock, held: to this build sharing is holding alone.
    pub type Shared<'e> = big::Turn<'e, Lock>;
    /// The big lock, held.
    pub type Exclusive<'e> = big::Turn<'e, Lock>;
}

pub use chosen::*;
