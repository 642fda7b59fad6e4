//! The words shared between a kernel instance and user programs: numbers, layouts and sizes, and nothing that acts.
//!
//! The values are those of seL4 16.0.0 for x86_64 with MCS (huge pages, `SetTLSBase` as a system call; without VT-x,
//! VT-d, SMP and the hardware debug API), so a root task built for seL4 runs unmodified. Skerry's own additions stand
//! apart and are named `Skerry…`; none of them takes a number that seL4 uses.
//!
//! | module | owns |
//! |---|---|
//! | [`syscall`] | system call numbers |
//! | [`invocation`] | invocation labels |
//! | [`object`] | object types and sizes |
//! | [`error`], [`fault`] | what an invocation answers, what a fault handler hears |
//! | [`message`] | message info, places in the IPC buffer |
//! | [`register`] | which register carries what; the user context |
//! | [`breakpoint`] | words of the hardware debug API |
//! | [`bootinfo`] | the page a root task starts from |
//! | [`vm`], [`irq`], [`sched`] | limits of mappings, interrupts and scheduling |
//!
//! Sizes are asserted at compile time beside each layout; the numbers are spelt out once more in `tests/numbers.rs`.
//!
//! Source: seL4 Reference Manual and API reference, version 16.0.0.
#![no_std]
#![forbid(unsafe_code)]

#[macro_use]
mod words;

pub mod bootinfo;
pub mod breakpoint;
pub mod error;
pub mod fault;
pub mod invocation;
pub mod irq;
pub mod message;
pub mod object;
pub mod register;
pub mod sched;
pub mod syscall;
pub mod vm;

/// A capability pointer: an index into the invoker's capability space, resolved by the kernel at every use.
pub type CPtr = u64;

/// Whether this build has seL4's hardware debug API.
pub const HARDWARE_DEBUG: bool = cfg!(feature = "hardware-debug");
