//! The same systems in every form: a kernel for each core, one kernel over all cores with each kind of lock, two kernels
//! over two cores each; and storms on each kind of kernel.

use crate::Pace::{Quick, Slow};
use crate::Tests;
use anyhow::{Context, Result};
use std::time::Duration;
use tests::lab::{Lab, PATIENCE};
use xtask::artifacts::Lock;
use xtask::engine::{Engine, Threads};
use xtask::form::{Form, Kernel};
use xtask::images::Inputs;
use xtask::launch::{Start, granted_file};
use xtask::stress::storm;
use xtask::words::{Printed, WordCounts};
use xtask::workspace::systems_dir;

/// A storm in the tests: a few rounds. `cargo xtask test --stress SECONDS` takes longer.
const STORM: Duration = Duration::from_secs(12);

pub fn add(tests: &mut Tests) {
    let smp = Lock::ALL.map(Form::smp);
    for form in smp.into_iter().chain([Form::clustered(Lock::Ticket)]) {
        tests.add(format!("modes/pipeline/{form}"), Quick, move |lab| pipeline(lab, form));
    }
    for form in smp {
        tests.add(format!("modes/storm/2_cores/{form}"), Quick, move |lab| stormed(lab, form, 2));
        tests.add(format!("modes/storm/4_cores/{form}"), Slow, move |lab| stormed(lab, form, 4));
    }
    let alone = Form { kernel: Kernel::Smp, ..Form::default() };
    for form in [Form::default(), alone] {
        tests.add(format!("modes/storm/1_core/{form}"), Slow, move |lab| stormed(lab, form, 1));
    }
}

/// The word-count pipeline, unmodified, against the host's own count.
fn pipeline(lab: &Lab, form: Form) -> Result<()> {
    let plan = lab.file(systems_dir().join("pipeline.toml"), &Inputs { form, ..Inputs::default() })?;
    let text = granted_file(&plan, "input").context("nobody is granted `input`")?;
    let run = lab.boot_with(&plan, &Start::on(Engine::Qemu), PATIENCE)?;
    run.succeeded()?;
    let printed = Printed::of(run.lines("reporter")?);
    WordCounts::of(&text).judge(&printed).map_err(|difference| run.failure(&difference.to_string()))
}

fn stormed(lab: &Lab, form: Form, cores: u32) -> Result<()> {
    let storm = storm(lab.artifacts(), form, cores, Threads::One, STORM)?;
    eprintln!("{form} on {cores} cores: {} rounds, {}", storm.rounds, storm.counts);
    Ok(())
}
