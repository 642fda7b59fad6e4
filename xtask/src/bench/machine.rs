//! Boots the measuring root task, alone on one core, and collects its figures.

use super::figures::Figure;
use crate::artifacts::{Artifacts, BENCH};
use crate::engine::Engine;
use crate::images::{Checked, Inputs, check_text};
use crate::launch::{Start, launch, members};
use crate::session::{Until, Work, watch};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::time::Duration;

/// QEMU's arguments for one tick per instruction: no host time gets in.
const ICOUNT_ARGUMENTS: [&str; 2] = ["-icount", "shift=0,sleep=off"];

/// Runs it under QEMU, one tick of the time-stamp counter per executed instruction.
///
/// # Errors
/// When the system does not start, does not finish in `patience`, or finishes with another code than 0.
pub fn run(artifacts: &Artifacts, patience: Duration) -> Result<Vec<Figure>> {
    let root_task = artifacts.path(BENCH).context("the benchmark is not built")?;
    let text = format!(
        "[system]\nname = \"bench\"\n[[partition]]\nname = \"bench\"\nmemory = \"32M\"\nroot-task = {:?}\n",
        root_task.display().to_string()
    );
    let plan = match check_text("bench.toml", &text, Path::new("/"), artifacts, &Inputs::default()) {
        Checked::Accepted(plan) => plan,
        Checked::Refused(report) => bail!("the benchmark's own system file is refused: {report}"),
    };
    let mut members = members(&plan);
    for member in &mut members {
        // A root task of the kind that usually never says when it is finished; this one does.
        member.work = Work::Finite;
    }
    let start = Start { extra: ICOUNT_ARGUMENTS.map(str::to_owned).to_vec(), ..Start::on(Engine::Qemu) };
    let mut started = launch(&plan, artifacts, &start)?;
    let report = watch(&mut started.running, &members, &started.consoles, patience, Until::Finished, |_, _| {})?;
    drop(started);
    let lines: Vec<_> = report.partitions.iter().flat_map(|partition| &partition.lines).collect();
    if let Some(problem) = report.problems(&members).first() {
        let last = lines.last().map_or("", |line| line.as_str());
        bail!("the benchmark failed: {problem}; its last line: {last}");
    }
    let figures: Vec<Figure> = lines.iter().filter_map(|line| Figure::parse(line)).collect();
    ensure!(!figures.is_empty(), "the benchmark printed no figure");
    Ok(figures)
}
