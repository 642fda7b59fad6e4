//! Boots the measuring root task, alone on one core, and collects its figures.

use super::figures::Figure;
use crate::artifacts::{Artifacts, BENCH};
use crate::engine::Engine;
use crate::form::Form;
use crate::images::{Checked, Inputs, check_text};
use crate::launch::{Start, launch, members};
use crate::session::{Until, Work, watch};
use anyhow::{Context, Result, bail, ensure};
use partition_config::Plan;
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
    let start = Start { extra: ICOUNT_ARGUMENTS.map(str::to_owned).to_vec(), ..Start::on(Engine::Qemu) };
    let lines = watch_to_the_end(&check(artifacts, &text, Form::default())?, artifacts, &start, patience)?;
    let figures: Vec<Figure> = lines.iter().filter_map(|line| Figure::parse(line)).collect();
    ensure!(!figures.is_empty(), "the benchmark printed no figure");
    Ok(figures)
}

/// The plan of a system file that is our own, with kernels of this form.
///
/// # Errors
/// When it is refused all the same.
pub fn check(artifacts: &Artifacts, text: &str, form: Form) -> Result<Plan> {
    match check_text("bench.toml", text, Path::new("/"), artifacts, &Inputs { form, ..Inputs::default() }) {
        Checked::Accepted(plan) => Ok(*plan),
        Checked::Refused(report) => bail!("the benchmark's own system file is refused: {report}"),
    }
}

/// Boots `plan` and gives the lines of its consoles once every partition with a console is done.
///
/// # Errors
/// When the system does not start, does not finish in `patience`, or finishes with another code than 0.
pub fn watch_to_the_end(plan: &Plan, artifacts: &Artifacts, start: &Start, patience: Duration) -> Result<Vec<String>> {
    let mut members = members(plan);
    for member in &mut members {
        // A root task of the kind that usually never says when it is finished; this one does.
        member.work = Work::Finite;
    }
    let mut started = launch(plan, artifacts, start)?;
    let report = watch(&mut started.running, &members, &started.consoles, patience, Until::Finished, |_, _| {})?;
    drop(started);
    let problems = report.problems(&members);
    let lines: Vec<_> = report.partitions.into_iter().flat_map(|partition| partition.lines).collect();
    if !problems.is_empty() {
        let last = lines.last().map_or("", String::as_str);
        bail!("the benchmark failed: {}; its last line: {last}", problems.join("; "));
    }
    Ok(lines)
}
