//! Everything the `cargo xtask` commands are made of, as a library so that the system tests drive machines with the
//! same code.
//!
//! ```text
//! system.toml ─▶ partition_config::check ─▶ Plan ─┐
//! cargo build (artifacts) ─▶ loader ELF ──────────┴▶ image / iso ─▶ engine (qemu, bochs) ─▶ console ─▶ session
//! ```
//!
//! Nothing here decides what a system means: that is `partition-config`'s. Each module has its tests at its end.
#![forbid(unsafe_code)]

pub mod artifacts;
pub mod assurance;
pub mod bench;
pub mod console;
pub mod engine;
pub mod form;
pub mod fuzz;
pub mod holds;
pub mod image;
pub mod images;
pub mod iso;
pub mod launch;
pub mod parallel;
pub mod session;
pub mod stress;
pub mod tally;
pub mod target;
pub mod tools;
pub mod words;
pub mod workspace;
