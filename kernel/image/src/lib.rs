//! Bringing up one instance: from the loader's handoff page to the first instruction of the root task.
//!
//! [`boot::start`] is plain safe code over the layers below and runs in host tests as it does on the machine; only the
//! binary (`main.rs`, `entry.rs`) knows where the handoff lies and how to leave for user mode.
//!
//! ```text
//! memory[0]  | kernel | root image | manifest | files | untyped …            | kernel objects |
//!            base                                      free_base              top of memory[0]
//! ```
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

mod allocate;
pub mod boot;
mod bootinfo;
mod chunks;
mod root_task;

pub use boot::{BootError, start};
