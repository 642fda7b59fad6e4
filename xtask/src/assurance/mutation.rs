//! Mutation: small mistakes all over the kernel's layers, one at a time, and which of them no host test notices.
//!
//! ```text
//! a layer's sources ─ rewrite ─▶ the same with all mutants in it, each behind `skerry_mutant::is(number)`
//!                                   │ compiled once (what does not compile is no mutant)
//!                                   ▼
//! every test alone ─ reach ─▶ which mutants' places it comes by, and how long it takes
//!                                   │
//! every mutant: the tests that reach it, the quickest first, until one fails ─▶ killed by it | survives
//! ```
//!
//! The tree is a copy; the working tree is never touched. Tests: in the modules.

pub mod build;
pub mod judge;
pub mod report;
pub mod rewrite;

use serde::{Deserialize, Serialize};

/// One small mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutant {
    /// Its number in this rewriting.
    pub number: u32,
    /// Path from the root of the tree.
    pub file: String,
    /// Line of the place, from 1.
    pub line: usize,
    /// The function it is in, with the type it belongs to.
    pub function: String,
    /// The text at the place.
    pub from: String,
    /// What is done instead.
    pub to: String,
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fate", content = "by")]
pub enum Fate {
    /// A test failed.
    Killed(String),
    /// A test took more processor time than it may.
    Stuck(String),
    /// All tests that come by passed.
    Survived,
    /// No test comes by.
    NotReached,
}

impl Fate {
    /// Whether some test noticed.
    pub const fn is_noticed(&self) -> bool {
        matches!(self, Self::Killed(_) | Self::Stuck(_))
    }
}
