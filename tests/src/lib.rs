//! What the system tests are made of: a judge of page tables that shares no code with what it judges, and the laboratory
//! that boots small systems and compares what they do with what they should.
//!
//! The tests themselves are in `system/`, the systems they boot in `systems/`. `cargo xtask test` runs them; alone:
//! `cargo test -p skerry-tests --test system`.
#![forbid(unsafe_code)]

pub mod automaton;
pub mod debugger;
pub mod isolation;
pub mod lab;
#[cfg(test)]
mod synthetic;
pub mod walk;
