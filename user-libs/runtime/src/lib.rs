//! What a program of a partition starts on: entry, startup block, console, heap, channels, exit.
//!
//! A program is a function and one line:
//!
//! ```ignore
//! #![cfg_attr(target_os = "none", no_std, no_main)]
//! runtime::entry!(run);
//!
//! fn run(env: &runtime::Env) -> i32 {
//!     runtime::println!("hello from {}", env.partition());
//!     0
//! }
//! ```
//!
//! The root task has prepared everything before the first instruction: stack, FS base, IPC buffer, the startup block
//! ([`env`]) and the capabilities listed in [`layout::slot`]. A program has one thread. Its output goes line by line
//! through the root task, so that lines of several programs do not mix.
//!
//! On a host operating system the same code compiles and its logic can be tested; see `sel4::host`.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod bell;
mod channels;
pub mod console;
pub mod env;
pub mod heap;
pub mod layout;
mod notify;
pub mod start;
mod tsc;
pub mod write;

pub use bell::DoorbellBell;
pub use channels::{ChannelEnd, ChannelError};
pub use env::Env;
pub use notify::{heard, poll_for, wait_for};
pub use start::exit;
pub use tsc::rdtsc;
