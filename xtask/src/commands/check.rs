//! `cargo xtask check`: the tables of a system, or what is wrong with its file.

use super::print_refusal;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::artifacts::Artifacts;
use xtask::form::Form;
use xtask::images::{Checked, Inputs, check_file};

/// Options of `check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The system file.
    file: PathBuf,
    #[command(flatten)]
    form: Form,
}

/// Checks a file.
pub fn check(arguments: &Arguments) -> Result<ExitCode> {
    let artifacts = Artifacts::build()?;
    let inputs = Inputs { form: arguments.form, ..Inputs::default() };
    match check_file(&arguments.file, &artifacts, &inputs)? {
        Checked::Refused(report) => Ok(print_refusal(report)),
        Checked::Accepted(plan) => {
            let plan = arguments.form.apply(*plan, &artifacts)?;
            println!("{}", plan.tables().trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}
