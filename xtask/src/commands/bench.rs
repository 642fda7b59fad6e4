//! `cargo xtask bench`: measure, report, and compare with a baseline.

use super::{BAD, GOOD, PLAIN, QUIET};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use xtask::artifacts::{Artifacts, KERNEL};
use xtask::bench::compare::compare;
use xtask::bench::reference::REFERENCES;
use xtask::bench::{footprint, machine, report};
use xtask::{tools, workspace};

/// How long the measuring system may take: it takes a second where the host is idle.
const PATIENCE: Duration = Duration::from_secs(120);

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave out what takes minutes. At present nothing does, so this changes nothing.
    #[arg(long)]
    quick: bool,
    /// Compare with this `report.json`; fail if a deterministic figure is over 2 % worse.
    #[arg(long, value_name = "BASELINE")]
    compare: Option<PathBuf>,
}

/// Measures.
pub fn bench(arguments: &Arguments) -> Result<ExitCode> {
    // Read first: a wrong path should not cost a run.
    let baseline = arguments.compare.as_deref().map(report::read).transpose()?;
    tools::ensure(&[tools::BUILD, tools::QEMU])?;
    let artifacts = Artifacts::build()?;
    anstream::println!("{QUIET}measuring: one partition, one core, counted in instructions{PLAIN}");
    let mut figures = machine::run(&artifacts, PATIENCE)?;
    let kernel = artifacts.path(KERNEL).context("the kernel is not built")?;
    let bytes = std::fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
    figures.extend(footprint::of(&bytes)?);
    let folder = workspace::target_dir().join("bench");
    report::write(&folder, &figures)?;

    println!("{:<22}{:>8}{:>10}{:>10}", "instructions", "Skerry", "seL4 MCS", "to reach");
    for row in &REFERENCES {
        let text = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        let ours = report::median(&figures, row.id);
        println!("{:<22}{:>8}{:>10}{:>10}", row.id, text(ours), text(row.sel4_mcs), text(row.target));
    }
    anstream::println!("{QUIET}no SMP and no clustered rows: these kernels do not exist{PLAIN}");
    println!("report: {}", folder.join("report.md").display());

    let Some(baseline) = baseline else { return Ok(ExitCode::SUCCESS) };
    let comparison = compare(&baseline, &figures);
    for line in &comparison.better {
        anstream::println!("{GOOD}better:{PLAIN} {line}");
    }
    for line in &comparison.worse {
        anstream::eprintln!("{BAD}worse:{PLAIN} {line}");
    }
    if !comparison.worse.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    anstream::println!("{GOOD}nothing is more than 2 % worse than the baseline{PLAIN}");
    Ok(ExitCode::SUCCESS)
}
