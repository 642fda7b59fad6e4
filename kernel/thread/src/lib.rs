//! Threads and time: control blocks, scheduling contexts and their refills, run queues, domains, reply chains.
//!
//! The MCS model of seL4: a thread runs on a *scheduling context* (budget per period), which may be donated along calls;
//! the scheduler picks the highest-priority thread whose context has budget. The layer owns invariants T1–T8 of
//! `docs/invariants.md` (run queue ↔ state, refill sums, acyclic reply chains). It knows nothing of messages: where a
//! budget's end must become a fault message, [`Budget::Timeout`] says so and the caller sends it.
//!
//! Tests: `tests/` of this crate runs the layer against [`spec`], its specification, operation by operation;
//! `kernel/image/tests/instance` runs whole instances, with an audit of the invariants after every entry.
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

#[cfg(not(target_os = "none"))]
pub mod audit;
mod bases;
mod core_state;
mod cross_core;
mod debug;
mod donation;
mod fault;
mod queue;
mod ready;
mod refill;
pub mod registers;
mod reply;
mod roots;
mod sched_context;
mod schedule;
mod shortcut;
#[cfg(not(target_os = "none"))]
pub mod spec;
mod state;
mod tcb;
mod time;

pub use core_state::{Action, Core};
pub use debug::Debug;
pub use donation::Donate;
pub use fault::{Fault, FaultPlace, Phase, lookup_words};
pub use queue::Queue;
pub use ready::{DOMAIN_SLOTS, DOMAINS, DomainSlot, PRIORITIES, ReadyQueues};
pub use reply::{Chain, Reply};
pub use roots::{Epoch, Roots};
pub use sched_context::{Refill, SchedContext};
pub use schedule::{Budget, Threads, TimeoutFault};
pub use shortcut::{Elapsed, Turn, Wake};
pub use state::State;
pub use tcb::{Tcb, TcbSlot, flag};
pub use time::{BOOT_SLICE_US, Clock, Ticks};
