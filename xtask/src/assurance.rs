//! The assurance ladder: obligations, each tied to a check that runs, each check labelled with the kind of evidence it
//! can give.
//!
//! ```text
//! tests/assurance/ledger.toml ─▶ ledger ─▶ runner ─┬▶ cargo, system tests ┐
//!                                                  ├▶ cbmc, bugs planted  │
//!                                                  ├▶ solver (angr, z3)   │
//!                                                  ├▶ coq, with mutants   ├─▶ report (JSON, Markdown, HTML)
//!                                                  ├▶ spin, with mutants  │
//!                                                  ├▶ binary, stack       │
//!                                                  └▶ configuration       ┘
//! ```
//!
//! Nothing here decides what is claimed: that is the ledger's. A claim whose check did not run is *not run*, never held.

pub mod binary;
pub mod cbmc;
pub mod configuration;
pub mod coq;
pub mod disassembly;
pub mod evidence;
pub mod host_tests;
pub mod html;
pub mod ledger;
pub mod mutation;
pub mod planted;
pub mod report;
pub mod runner;
pub mod solver;
pub mod spin;
pub mod stack;
pub mod toolbox;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use std::path::Path;

/// What an earlier run kept at `path`, in JSON; nothing if there is no such file.
///
/// # Errors
/// When the file is not as expected.
pub fn read_kept<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    serde_json::from_slice(&std::fs::read(path)?).with_context(|| format!("in {}", path.display()))
}
