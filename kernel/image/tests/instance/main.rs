//! A whole instance on the host: a made-up handoff, the model of the machine, and tests that act as user mode.
//!
//! Every kernel entry of every test is followed by the audit (`harness::audit`), which checks the invariants of
//! `docs/invariants.md` over all live objects.

mod harness;

mod bases;
mod boot;
#[cfg(feature = "hardware-debug")]
mod breakpoints;
mod cnode;
mod donation;
mod edges;
mod fast_paths;
mod faults;
mod fuzz;
mod ipc;
mod mitigations;
mod notification;
mod own_time;
mod paging;
mod revoke;
mod scheduling;
mod several;
mod tcb;
mod untyped;
