//! The manifest: one flat, versioned, zero-copy description of a checked system.
//!
//! `partition-config` writes it, the loader and the root tasks read it. A *system manifest* lists every partition and
//! opens the archive that is appended to the loader; a *partition manifest* has the same form, lists exactly one
//! partition, and is all that partition's root task ever sees of the machine.
//!
//! [`Manifest::decode`] accepts any bytes and never panics: every index and range that a later accessor follows has been
//! checked by it. [`handoff`] is the other contract of this crate: the page a loader leaves for a kernel instance.
//!
//! Layout, all little-endian, every table 8-byte aligned:
//!
//! ```text
//! Header | partitions | cores | memory | devices | ports | irqs | programs | channels | ends | doorbells | files | grants | strings
//! ```
//!
//! Tests: `tests/decode.rs` for arbitrary bytes; `partition-config/tests/properties.rs` for damaged and for sound manifests.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;

mod check;
mod checksum;
mod decode;
mod error;
pub mod handoff;
pub mod program;
pub mod record;

pub use checksum::checksum;
pub use decode::Manifest;
pub use error::DecodeError;
pub use record::*;
