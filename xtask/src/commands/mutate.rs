//! `cargo xtask mutate`: which small mistakes in the kernel's layers no host test notices.

use anyhow::{Context, Result};
use clap::Args;
use std::process::ExitCode;
use std::time::Instant;
use xtask::assurance::mutation::report::{Explanations, Outcome};
use xtask::assurance::mutation::{build, judge};
use xtask::workspace;

/// Options of `mutate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Layers: folders of kernel/.
    #[arg(long, value_delimiter = ',', default_values = ["capability", "thread", "ipc"])]
    layers: Vec<String>,
    /// Keep the outcome as tests/assurance/mutation.json, which the assurance report shows.
    #[arg(long)]
    publish: bool,
}

/// Makes, compiles and judges the mutants.
pub fn mutate(arguments: &Arguments) -> Result<ExitCode> {
    let started = Instant::now();
    let folder = workspace::root().join("tests/assurance");
    let explanations = Explanations::load(&folder.join("survivors.toml"))?;
    println!("compiling …");
    let built = build::build(&arguments.layers)?;
    println!("{} mutants compile ({:.0} s)", built.mutants.len(), started.elapsed().as_secs_f64());
    let fates = judge::judge(&built, &|done, all| {
        if done.is_multiple_of(100) {
            println!("{done} of {all} ({:.0} s)", started.elapsed().as_secs_f64());
        }
    })?;
    let outcome = Outcome::of(&fates, &explanations);
    println!("{}\n{}", outcome.scores_markdown(), outcome.survivors_markdown());
    for stale in &outcome.stale {
        println!("explains nothing any more: {stale}");
    }
    let reports = workspace::target_dir().join("assurance");
    std::fs::create_dir_all(&reports)?;
    std::fs::write(reports.join("mutants.json"), serde_json::to_string_pretty(&fates)?)?;
    let json = serde_json::to_string_pretty(&outcome)? + "\n";
    std::fs::write(reports.join("mutation.json"), &json)?;
    if arguments.publish {
        std::fs::write(folder.join("mutation.json"), json).context("cannot keep the outcome")?;
    }
    Ok(if outcome.stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
