//! Interrupts as messages: which vector belongs to whom, and the doorbells this instance may ring.
//!
//! Each vector has a capability slot that holds the notification to signal, so revoking the notification unbinds the
//! interrupt as any other derived capability. What may be bound at all is fixed by the handoff: I/O APIC pins, MSI vectors
//! and doorbells of this instance, and nothing else (invariants D1–D3 of `docs/invariants.md`). The layer never writes an
//! interrupt command that is not made from a listed route.
//!
//! Tests: `tests/` of this crate runs the layer against [`spec`], its specification, operation by operation;
//! `kernel/image/tests/instance` runs whole instances, with an audit of the invariants after every entry.
#![cfg_attr(target_os = "none", no_std)]
#![forbid(unsafe_code)]

#[cfg(not(target_os = "none"))]
pub mod audit;
#[cfg(not(target_os = "none"))]
pub mod spec;
mod table;

pub use table::{Allowed, Grant, InterruptTable, Refusal, Source, VECTORS};
