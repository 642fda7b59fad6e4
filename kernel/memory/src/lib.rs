//! Raw memory made safe: the kernel window, and typed references to objects placed in it.
//!
//! The window maps physical address `p` of an instance's slice at [`WINDOW_BASE`]` + p`, on the machine by the page
//! tables the loader built, in host tests by one large reservation of the process ([`host`]). The kernel's own image,
//! stacks and page tables are *not* in the window, so no [`Ref`] can name them.
//!
//! Why [`Ref`] may be dereferenced in safe code (this crate and `machine` hold all the `unsafe` below the entry stubs):
//!
//! * every [`Object`] type is plain data behind `Cell`s: any bytes are a valid value, and shared mutation is allowed;
//! * a `Ref` is made only from a physical address, masked into the window and aligned for its type, so it names memory
//!   of this slice or memory that is not mapped at all, where an access traps and parks the instance (invariant M1);
//! * a `Ref` kept in an object is read back only as what was stored: memory has one type at a time, because untyped
//!   memory is zeroed on retype and no capability outlives its object (invariants C3 and C4).
#![cfg_attr(target_os = "none", no_std)]

mod array;
#[cfg(not(target_os = "none"))]
pub mod host;
mod object;
mod range;

pub use array::Array;
pub use object::{Object, Ref};
pub use range::{Phys, Range, clear, peek};

/// Where the window begins.
#[cfg(target_os = "none")]
pub const WINDOW_BASE: u64 = manifest::handoff::WINDOW_VIRT_BASE;
/// Where the window begins in a host process.
#[cfg(not(target_os = "none"))]
pub const WINDOW_BASE: u64 = 0x1000_0000_0000;

/// Bits of a physical address that the window can reach.
#[cfg(target_os = "none")]
pub const WINDOW_BITS: u32 = 46;
/// Bits of a physical address that the host's window can reach (1 TiB).
#[cfg(not(target_os = "none"))]
pub const WINDOW_BITS: u32 = 40;
