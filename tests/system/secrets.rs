//! Two runs of a machine that differ in one partition's secret only: a partition without a channel from it says the same,
//! bit by bit, and in lockstep at the same tick.
//!
//! Bochs gives each core its five instructions in turn, whatever the others do, so what a core does when is up to its
//! own kernel. QEMU's counted instructions are those of all cores together: there only what is said can be compared.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tests::lab::{Lab, PATIENCE, Run};
use xtask::artifacts::Lock;
use xtask::engine::Engine;
use xtask::form::Form;
use xtask::launch::{Start, set_arguments};
use xtask::session::PartitionReport;

/// Few bits and many.
const SECRETS: [u64; 2] = [0x0000_0000_0400_0010, 0xfedc_ba98_7654_3211];
/// Four cores in lockstep take their time.
const LOCKSTEP_PATIENCE: Duration = Duration::from_secs(300);

pub fn add(tests: &mut Tests) {
    let separate = &forms::ALL[..1];
    tests.add_in(separate, "secrets/two_runs_in_lockstep", Slow, |lab| {
        let [one, other] = two_runs(lab, &Start::on(Engine::Bochs), &[])?;
        for name in ["bystander", "waiting"] {
            let (seen, also) = (report(&one, name)?, report(&other, name)?);
            ensure!(seen.lines.len() > 2 && seen.ready.is_some(), one.failure(&format!("{name} saw nothing")));
            ensure!(seen == also, differing(name, seen, also));
        }
        may_learn(&one, &other)
    });
    tests.add_in(separate, "secrets/one_kernel_tells_in_lockstep", Slow, |lab| {
        // The same programs over one kernel: the witnesses must notice, or they would notice nothing above.
        let shared = lab.in_form(Form::smp(Lock::Ticket));
        let [one, other] = two_runs(&shared, &Start::on(Engine::Bochs), &[])?;
        let (seen, also) = (report(&one, "bystander")?, report(&other, "bystander")?);
        ensure!(seen.lines != also.lines, "no clock of a bystander on the same kernel shows the secret");
        Ok(())
    });
    tests.add_in(separate, "secrets/two_runs_by_output", Quick, |lab| {
        let extra = vec!["-icount".to_owned(), "shift=0,sleep=off".to_owned()];
        let untimed = ["256".to_owned(), "untimed".to_owned()];
        let [one, other] = two_runs(lab, &Start { extra, ..Start::on(Engine::Qemu) }, &untimed)?;
        let (seen, also) = (&report(&one, "bystander")?.lines, &report(&other, "bystander")?.lines);
        // Which of the two programs says its line first is a matter of time.
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        ensure!(seen.len() > 2 && sorted(seen) == sorted(also), "{seen:?} and {also:?}");
        may_learn(&one, &other)
    });
}

/// The system with each secret; `witness`: other arguments for the witnesses.
fn two_runs(lab: &Lab, start: &Start, witness: &[String]) -> Result<[Run; 2]> {
    let plan = lab.system("two-runs")?;
    let run = |secret: u64| -> Result<Run> {
        let mut plan = plan.clone();
        // As many digits whatever the secret: the image is as long, and everything in it lies where it lay.
        set_arguments(&mut plan, "secret-holder", &[format!("{secret:020}")]);
        if !witness.is_empty() {
            ["first", "second"].iter().for_each(|name| set_arguments(&mut plan, name, witness));
        }
        let patience = if start.engine == Engine::Bochs { LOCKSTEP_PATIENCE } else { PATIENCE };
        let run = lab.boot_with(&plan, start, patience)?;
        run.succeeded()?;
        Ok(run)
    };
    let [one, other] = SECRETS;
    Ok([run(one)?, run(other)?])
}

fn report<'a>(run: &'a Run, name: &str) -> Result<&'a PartitionReport> {
    run.report.partition(name).with_context(|| format!("no partition {name}"))
}

/// The secret is no idle one: it shows where it may.
fn may_learn(one: &Run, other: &Run) -> Result<()> {
    for name in ["holder", "friend"] {
        ensure!(report(one, name)?.lines != report(other, name)?.lines, "{name} does the same with both secrets");
    }
    Ok(())
}

fn differing(name: &str, one: &PartitionReport, other: &PartitionReport) -> String {
    let lines = one.lines.iter().zip(&other.lines).find(|(one, other)| one != other);
    format!("{name} tells the secrets apart: {lines:?}; ready {:?} and {:?}", one.ready, other.ready)
}
