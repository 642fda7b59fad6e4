//! Boots the measuring root task, alone on one core, and collects its figures.

use super::figures::{BYTES, Figure, ICOUNT, INSTRUCTIONS};
use crate::artifacts::{Artifacts, BENCH};
use crate::engine::Engine;
use crate::form::Form;
use crate::images::{Checked, Inputs, check_text};
use crate::launch::{Start, finite_members, launch};
use crate::session::{Until, watch};
use anyhow::{Context, Result, bail, ensure};
use partition_config::Plan;
use partition_config::schema::Mitigations;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// QEMU's arguments for one tick per instruction: no host time gets in.
pub const ICOUNT_ARGUMENTS: [&str; 2] = ["-icount", "shift=0,sleep=off"];

/// What the figures with mitigations are called: `ipc.call.same.mitigated`.
const MITIGATED: &str = ".mitigated";

/// Runs it under QEMU, one tick of the time-stamp counter per executed instruction: without mitigations, and with all of
/// them for what is entering and leaving the kernel.
///
/// # Errors
/// When the system does not start, does not finish in `patience`, or finishes with another code than 0.
pub fn run(artifacts: &Artifacts, patience: Duration) -> Result<Vec<Figure>> {
    let plain = plan(artifacts)?;
    let mut guarded = plain.clone();
    for partition in &mut guarded.partitions {
        partition.mitigations = Mitigations(manifest::mitigations::ALL);
    }
    let mut figures = measure(artifacts, &plain, patience)?;
    let is_entry = |figure: &Figure| {
        ["ipc.", "signal.", "fault.", "syscall.", "yield."].iter().any(|kind| figure.id.starts_with(kind))
    };
    let renamed = |figure: Figure| Figure { id: figure.id + MITIGATED, ..figure };
    figures.extend(measure(artifacts, &guarded, patience)?.into_iter().filter(is_entry).map(renamed));
    Ok(figures)
}

fn measure(artifacts: &Artifacts, plan: &Plan, patience: Duration) -> Result<Vec<Figure>> {
    let start = Start { extra: ICOUNT_ARGUMENTS.map(str::to_owned).to_vec(), ..Start::on(Engine::Qemu) };
    let lines = watch_to_the_end(plan, artifacts, &start, patience)?;
    let figures: Vec<Figure> = Figure::of_lines(&lines);
    ensure!(!figures.is_empty(), "the benchmark printed no figure");
    Ok(figures)
}

/// One partition on one core, whose root task measures.
///
/// # Errors
/// When the root task is not built.
pub fn plan(artifacts: &Artifacts) -> Result<Plan> {
    check(artifacts, &system("bench", 1, artifacts)?, Form::default())
}

/// Boots as many instances as `count`, each with a core of its own, and says after how many instructions the first of
/// their root tasks ran, and the last.
///
/// # Errors
/// As [`run`].
pub fn boot(artifacts: &Artifacts, count: u32, patience: Duration) -> Result<Vec<Figure>> {
    let plan = check(artifacts, &system("boot", count, artifacts)?, Form::default())?;
    let start = Start { extra: ICOUNT_ARGUMENTS.map(str::to_owned).to_vec(), ..Start::on(Engine::Qemu) };
    let lines = watch_to_the_end(&plan, artifacts, &start, patience)?;
    let figures: Vec<Figure> = Figure::of_lines(&lines);
    let of = |id: &str| figures.iter().filter(|figure| figure.id == id).map(|figure| figure.median).collect::<Vec<_>>();
    let (boots, memory) = (of("boot.to_user"), of("footprint.kernel.memory"));
    ensure!(boots.len() == count as usize, "{} of {count} instances said when they came up", boots.len());
    let spread =
        |values: &[u64]| (values.iter().copied().min().unwrap_or(0), values.iter().copied().max().unwrap_or(0));
    let ((first, last), (least, most)) = (spread(&boots), spread(&memory));
    let figure = |id: &str, unit: &str, median, min, max| Figure {
        cores: count,
        min,
        max,
        samples: boots.len() as u64,
        ..Figure::single(id, ICOUNT, unit, median)
    };
    Ok(vec![
        figure("footprint.boot.all", INSTRUCTIONS, last, first, last),
        figure("footprint.kernel.memory.all", BYTES, memory.iter().sum(), least, most),
    ])
}

/// A system of `count` partitions that run the benchmark.
fn system(name: &str, count: u32, artifacts: &Artifacts) -> Result<String> {
    let root_task = artifacts.path(BENCH).context("the benchmark is not built")?.display().to_string();
    let mut text = format!("[system]\nname = \"{name}\"\ndefaults.mitigations = \"none\"\n");
    let memory = if count == 1 { "32M" } else { "8M" };
    for partition in 0..count {
        let name = if count == 1 { name.to_owned() } else { format!("{name}{partition}") };
        // A String takes any write.
        let _ = writeln!(text, "[[partition]]\nname = \"{name}\"\nmemory = \"{memory}\"\nroot-task = {root_task:?}");
    }
    if count == 1 {
        // The device whose interrupts are measured.
        text.push_str("owns = [\"ioapic\", \"pit\"]\ninterrupts = [\"pin 2\"]\n");
    }
    Ok(text)
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
    // A root task of the kind that usually never says when it is finished; this one does.
    let members = finite_members(plan);
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
