//! `cargo xtask check`: the tables of a system, or what is wrong with its file.

use super::print_refusal;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::artifacts::Artifacts;
use xtask::images::{Checked, Inputs, check_file};

/// Options of `check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The system file.
    file: PathBuf,
}

/// Checks a file.
pub fn check(arguments: &Arguments) -> Result<ExitCode> {
    let artifacts = Artifacts::build()?;
    match check_file(&arguments.file, &artifacts, &Inputs::default())? {
        Checked::Refused(report) => Ok(print_refusal(report)),
        Checked::Accepted(plan) => {
            println!("{}", plan.tables().trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}
