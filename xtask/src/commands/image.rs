//! `cargo xtask image`: a system as a CD image.

use super::print_refusal;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::artifacts::Artifacts;
use xtask::form::Form;
use xtask::images::{Checked, Inputs, check_file};
use xtask::iso::{self, Screen};
use xtask::tools;

/// Options of `image`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The system file.
    file: PathBuf,
    /// Where to write the image.
    #[arg(short, long, default_value = "skerry.iso")]
    output: PathBuf,
    /// A file to hand to the programs that are granted one as `input`.
    #[arg(long)]
    input: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// Writes an image.
pub fn image(arguments: &Arguments) -> Result<ExitCode> {
    tools::ensure(&[tools::BUILD, tools::ISO])?;
    let artifacts = Artifacts::build()?;
    let inputs = Inputs { input: arguments.input.clone(), form: arguments.form };
    match check_file(&arguments.file, &artifacts, &inputs)? {
        Checked::Refused(report) => Ok(print_refusal(report)),
        Checked::Accepted(plan) => {
            let plan = arguments.form.apply(*plan, &artifacts)?;
            iso::write(&artifacts.loader()?, &plan.archive().bytes, Screen::of(&plan), &arguments.output)?;
            let size = std::fs::metadata(&arguments.output)?.len();
            println!("{}: {:.1} MiB, boots by BIOS and UEFI", arguments.output.display(), size as f64 / 1048576.0);
            println!("the machine needs {} cores and RAM up to {:#x}", plan.core_count(), plan.memory_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}
