//! Address spaces: page tables as objects, frames mapped into them, and ASIDs that name them.
//!
//! A VSpace is a top-level table (PML4). Its upper half is the instance's own kernel half, copied when the table is made,
//! and never changed (invariant V1); its lower half holds only tables and frames that user capabilities put there
//! (invariant V2). The layer decides where an entry goes and flushes what must be flushed; it knows nothing of threads.
//!
//! Tests: `tests/` of this crate runs the layer against [`spec`], its specification, operation by operation;
//! `kernel/image/tests/instance` runs whole instances, with an audit of the invariants after every entry.
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

mod asid;
#[cfg(not(target_os = "none"))]
pub mod audit;
mod entry;
mod map;
#[cfg(not(target_os = "none"))]
pub mod spec;
mod table;

pub use asid::{AsidPool, AsidTable, POOL_ENTRIES};
pub use entry::{Attributes, Entry};
pub use map::{MapError, Mapper};
pub use table::{Level, Table};

/// First address above the user half.
pub const USER_TOP: u64 = abi::vm::USER_TOP;
