//! The longest times for which a kernel's locks are held: a kernel that measures itself runs the benchmark's operations and a
//! storm, one tick of the clock for each instruction, and its maxima are read from outside the machine.
//!
//! On one core nobody waits, so what is measured is the sections' own length.

use crate::artifacts::{Artifacts, BENCH, KERNEL, STRESS};
use crate::bench::machine::{ICOUNT_ARGUMENTS, check};
use crate::engine::{Engine, Inspection};
use crate::form::Form;
use crate::launch::{Start, finite_members, launch};
use crate::session::{End, Until, watch};
use crate::stress::ROUND;
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSymbol};
use std::time::Duration;

/// What is measured, in the order of the kernel's table (`kernel/sync/src/meter.rs`).
pub const NAMES: [&str; 8] =
    ["existence, shared", "existence, alone", "derivation", "object", "reply", "thread", "run queue", "device"];

/// The kernel's table.
const TABLE: &str = "HOLD_TIMES";
/// The benchmark takes seconds where the host is idle; a storm never ends.
const PATIENCE: Duration = Duration::from_secs(90);

/// Instructions of the longest section of each of [`NAMES`], in the benchmark and in a storm.
///
/// # Errors
/// When a machine does not start, does not do what is measured, or its monitor does not answer.
pub fn measure(artifacts: &Artifacts) -> Result<[[u64; NAMES.len()]; 2]> {
    let artifacts = artifacts.clone().with_hold_times()?;
    let kernel = std::fs::read(artifacts.path(KERNEL).context("the kernel is not built")?)?;
    let file = object::File::parse(&*kernel)?;
    let table = file.symbols().find(|symbol| symbol.name().is_ok_and(|name| name.contains(TABLE)));
    let table = table.with_context(|| format!("the kernel has no {TABLE}"))?.address();
    Ok([longest(&artifacts, BENCH, table)?, longest(&artifacts, STRESS, table)?])
}

fn longest(artifacts: &Artifacts, root_task_name: &str, table: u64) -> Result<[u64; NAMES.len()]> {
    let root_task = artifacts.path(root_task_name).context("a root task is not built")?.display().to_string();
    let text = format!("[[partition]]\nname = \"held\"\nmemory = \"32M\"\nroot-task = {root_task:?}\n");
    let plan = check(artifacts, &text, Form::default())?;
    let members = finite_members(&plan);
    let extra = ICOUNT_ARGUMENTS.map(str::to_owned).to_vec();
    let start = Start { extra, inspection: Inspection::On, ..Start::on(Engine::Qemu) };
    let mut started = launch(&plan, artifacts, &start)?;
    let report = watch(&mut started.running, &members, &started.consoles, PATIENCE, Until::Finished, |_, _| {})?;
    match root_task_name {
        // A storm is cut short, but has come round.
        STRESS => {
            let lines = report.partitions.iter().flat_map(|partition| &partition.lines);
            let rounds = lines.filter(|line| line.starts_with(ROUND)).count();
            ensure!(report.end == End::Timeout && rounds > 0, "{rounds} rounds in {PATIENCE:?}: {report:?}");
        }
        _ => {
            let problems = report.problems(&members);
            ensure!(problems.is_empty(), "{}", problems.join("; "));
        }
    }
    let monitor = started.running.inspector().context("the machine has no monitor")?;
    monitor.stop()?;
    let text = monitor.human(&format!("x /{}gx {table:#x}", NAMES.len()))?;
    let words = text.split_ascii_whitespace().filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let words: Vec<u64> = words.collect();
    words.try_into().ok().with_context(|| format!("the monitor said\n{text}"))
}
