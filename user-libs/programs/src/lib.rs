//! Programs of the example systems and of the system tests.
//!
//! Each binary in `src/bin` is one line; what it runs is a function here, so that its logic compiles and is tested on the
//! host. A program takes its parameters from its arguments, its channels from the startup block: the channel whose first
//! end it is goes out, the one whose second end it is comes in.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod error;
pub mod kernel;
mod listen;
pub mod malice;
pub mod neighbour;
pub mod ping;
pub mod pipeline;
pub mod secret;
pub mod simple;
pub mod storm;

pub use error::{ProgramError, report};
