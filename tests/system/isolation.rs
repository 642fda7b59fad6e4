//! A misbehaving program or kernel hurts its own partition only.

use crate::Pace::Quick;
use crate::{Tests, forms};
use anyhow::{Context, Result, ensure};
use tests::lab::{Lab, Run};

pub fn add(tests: &mut Tests) {
    tests.add_in(forms::ALL, "isolation/stray_programs_fault", Quick, stray_programs);
    tests.add_in(forms::SEVERAL_KERNELS, "isolation/stray_kernel_parks", Quick, |lab| {
        let run = lab.boot(&lab.system("stray-kernel")?)?;
        parked(&run, "stray", &["0xffff800004200000"])?;
        finished(&run, &["neighbour", "other"])
    });
    tests.add_in(forms::SEVERAL_KERNELS, "isolation/kernel_panic_parks", Quick, |lab| {
        let run = lab.boot(&lab.system("kernel-panic")?)?;
        parked(&run, "panicking", &[])?;
        finished(&run, &["left", "right"])
    });
}

fn stray_programs(lab: &Lab) -> Result<()> {
    let run = lab.boot(&lab.system("stray-programs")?)?;
    finished(&run, &["neighbour"])?;
    let stray = run.report.partition("stray").context("no partition `stray`")?;
    let exits = |code: fn(i64) -> bool| stray.exits.iter().filter(move |(_, found)| code(*found)).count();
    ensure!(exits(|code| code != 0) == 6, run.failure("six programs were to fault"));
    ensure!(stray.exits.contains(&("unharmed".into(), 0)), run.failure("the seventh program did not finish"));
    let survivor = stray.lines.iter().find(|line| line.contains("nothing stopped"));
    ensure!(survivor.is_none(), run.failure("an access went through"));
    for address in ["0xffff800004a00000", "0xffff800004200000", "0x4200000", "0xffffffff80000000", "0xffffffffbfe04000"]
    {
        let reported = stray.lines.iter().any(|line| line.contains(&format!("of {address} failed")));
        ensure!(reported, run.failure(&format!("the fault at {address} was not reported")));
    }
    Ok(())
}

/// `partition` parked, and said why.
fn parked(run: &Run, partition: &str, words: &[&str]) -> Result<()> {
    let found = run.report.partition(partition).with_context(|| format!("no partition {partition}"))?;
    let Some(text) = &found.parked else { return Err(run.failure(&format!("{partition} did not park"))) };
    for word in words {
        ensure!(text.contains(word), run.failure(&format!("the panic does not name {word}")));
    }
    let survived = found.lines.iter().any(|line| line.contains("nothing stopped") || line.contains("did not panic"));
    ensure!(!survived, run.failure("the kernel went on"));
    Ok(())
}

/// Every one of `partitions` did its job.
fn finished(run: &Run, partitions: &[&str]) -> Result<()> {
    for name in partitions {
        let done = run.report.partition(name).and_then(|partition| partition.done);
        ensure!(done == Some(0), run.failure(&format!("{name} did not finish")));
    }
    Ok(())
}
