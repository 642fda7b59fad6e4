//! Measures the system calls of the kernel instance it runs on, as that instance's root task.
//!
//! ```text
//! main ─▶ run ─▶ ipc, signal, irq, fault, sched, objects   one file per kind of operation
//!                   │         stage: threads, address spaces, capabilities
//!                   └────────▶ timed: the stub around one system call; trace: its time stamps; stats: the median
//! ```
//!
//! `scale` is a programme of its own, for several cores. Each figure of the other is a line `bench <id> <median> <min> <max> <samples>` on the console, in ticks of the time-stamp counter;
//! `cargo xtask bench` runs it where such a tick is one executed instruction. The stub's own cost is measured with the
//! system call replaced by a `nop` and subtracted, so a figure is what happens from the `syscall` instruction to the
//! return to user mode, not counting the `syscall` instruction itself. Tests: in `stats` and `trace`.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod stats;
pub mod trace;

#[cfg(target_os = "none")]
mod fault;
#[cfg(target_os = "none")]
mod ipc;
#[cfg(target_os = "none")]
mod irq;
#[cfg(target_os = "none")]
mod objects;
#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
mod scale;
#[cfg(target_os = "none")]
mod sched;
#[cfg(target_os = "none")]
mod signal;
#[cfg(target_os = "none")]
mod stage;
#[cfg(target_os = "none")]
mod timed;

#[cfg(target_os = "none")]
pub use run::run;
