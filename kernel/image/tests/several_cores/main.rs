//! One instance over several cores, on the host: what crosses cores, one kernel entry after the other.
//!
//! A core that another one interrupts answers a recall at once, as if it waited to enter, and enters its kernel at
//! `System::settle`. What may happen *between* two instructions of two cores is explored in `kernel/sync`. Every entry is
//! followed by the audit of the whole instance.

#[path = "../instance/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of one core")]
mod harness;

mod crossing;
