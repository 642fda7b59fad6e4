//! The API: what a system call, a fault or an interrupt makes an instance do.
//!
//! [`Kernel`] is one instance as a value; two of them in one process are two instances. Every way into the kernel is a
//! method of [`OnCore`]: [`OnCore::syscall`], [`OnCore::exception`], [`OnCore::interrupt`]; each leaves the thread to run
//! in `core.current`. Decoding checks everything first and changes nothing until it is certain to succeed; long
//! operations stop at preemption points and are repeated by the caller's restart.
//!
//! This is the top layer: obligations that lower layers return are discharged here (`delete`).
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

mod args;
mod cnode;
mod create;
#[cfg(feature = "debug-syscalls")]
mod debug;
mod delete;
mod domain;
mod entry;
mod error;
mod fast;
mod invoke;
mod ioport;
mod irq;
mod kernel;
mod paging;
mod receive;
mod sched;
mod tcb;
mod tcb_control;
mod tcb_debug;
mod tcb_registers;
mod untyped;

pub use create::object_bits;
pub use error::{Outcome, Refusal, Stop};
pub use fast::{Arrival, Blocking, Next, Replied, Rest, Sent};
pub use kernel::{Entry, Kernel, Locks, OnCore, Setup};
