//! Capabilities: their words, their rights, the slots they live in, how CPtrs find them, and who was derived from whom.
//!
//! The layer owns the derivation tree (CDT): a doubly linked list in depth-first order, as in seL4, in which "is a child
//! of" is decided by comparing neighbours. It keeps invariants C1–C5 of `docs/invariants.md` and knows nothing of what an
//! object does: deleting the last capability of one returns to the caller, who finalises the object.
//!
//! Tests: `tests/` of this crate runs the real slots against [`spec`], an abstract tree, operation by operation.
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

#[cfg(not(target_os = "none"))]
pub mod audit;
mod cap;
mod derive;
mod lookup;
mod rights;
mod slot;
#[cfg(not(target_os = "none"))]
pub mod spec;
mod tree;
mod untyped;

pub use cap::{Cap, FrameSize, Kind, Zombie};
pub use derive::{DeriveError, is_final, mask_rights, same_object, same_region, update_data};
pub use derive::{derive, is_parent};
pub use lookup::{LookupFault, Resolved, lookup_slot, resolve};
pub use rights::Rights;
pub use slot::Slot;
pub use untyped::{Placed, place};
