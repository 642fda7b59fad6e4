//! What user mode can do to a kernel instance: `user-libs/probe` tries, and judges. Here is which of its checks must have
//! run, beside a neighbour that must not notice; and that a kernel without debug system calls still has a console.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::{Result, ensure};
use manifest::mitigations;
use std::time::Duration;
use tests::lab::{Lab, PATIENCE, Run, with_mitigations};
use xtask::artifacts::{BENCH, PROBE};
use xtask::engine::Engine;
use xtask::form::Mode;
use xtask::launch::Start;

pub fn add(tests: &mut Tests) {
    for (way, mitigations) in [("", 0), ("_isolated", mitigations::ALL), ("_verw", mitigations::VERW)] {
        let on = move |engine| move |lab: &Lab| exceptions(lab, engine, mitigations);
        tests.add_in(forms::ALL, format!("probe/exceptions{way}"), Quick, on(Engine::Qemu));
        tests.add_in(forms::ALL, format!("probe/exceptions{way}_bochs"), Slow, on(Engine::Bochs));
    }
    tests.add_in(forms::ALL, "probe/fpu_isolation", Quick, |lab| {
        passed(&probe(lab, Engine::Qemu, 0)?, &["fpu-isolation", "fpu-denied"])
    });
    tests.add_in(forms::ALL, "probe/domains_alternate", Quick, |lab| {
        passed(&probe(lab, Engine::Qemu, 0)?, &["domains"])
    });
    tests.add("release_kernel/console", Quick, release_kernel);
}

/// The prober in one partition, with two domains, and an ordinary program in another. Root tasks of their own cannot be
/// merged: where several cores share a kernel, the prober's partition has a second one, and so has, clustered, the other.
fn system(lab: &Lab) -> Result<String> {
    let (cores, others) = match lab.form().mode {
        Mode::Multikernel => ("[0]", "[1]"),
        Mode::Smp => ("[0, 1]", "[2]"),
        Mode::Clustered => ("[0, 1]", "[2, 3]"),
    };
    Ok(format!(
        "[[partition]]\nname = \"probe\"\ncores = {cores}\nmemory = \"32M\"\ndomains = 2\nroot-task = {:?}\n\
         [[partition]]\nname = \"neighbour\"\ncores = {others}\nprogram = [{{ image = \"hello\" }}]\n",
        lab.root_task(PROBE)?
    ))
}

fn probe(lab: &Lab, engine: Engine, mitigations: u32) -> Result<Run> {
    let plan = with_mitigations(lab.text(&system(lab)?)?, mitigations);
    let patience = if engine == Engine::Bochs { Duration::from_secs(600) } else { PATIENCE };
    Lab::follow_all(lab.start(&plan, &Start::on(engine))?, &plan, patience)
}

/// Fails unless the kernel said that it isolates page tables, or that it does not.
fn said(run: &Run, mitigations: u32) -> Result<()> {
    let isolated = mitigations & mitigations::KPTI != 0;
    let line = run.lines("probe")?.iter().find(|line| line.starts_with("mitigations: "));
    let is_on = line.is_some_and(|line| line.contains("kpti on (named)"));
    ensure!(line.is_some() && is_on == isolated, run.failure("the kernel's line about mitigations"));
    Ok(())
}

/// Fails unless each of these checks passed.
fn passed(run: &Run, checks: &[&str]) -> Result<()> {
    for check in checks {
        let line = format!("probe: {check}: ok");
        ensure!(run.lines("probe")?.contains(&line), run.failure(&format!("no `{line}`")));
    }
    Ok(())
}

fn exceptions(lab: &Lab, engine: Engine, mitigations: u32) -> Result<()> {
    let run = probe(lab, engine, mitigations)?;
    said(&run, mitigations)?;
    passed(&run, &["int3", "int1", "int-0x80", "int-nmi", "int-double-fault", "int-doorbell", "divide", "ud2"])?;
    passed(
        &run,
        &["hlt", "cli", "port-in", "port-out", "rdmsr", "mov-cr3", "swapgs", "sysret", "wrfsbase", "sysenter"],
    )?;
    passed(&run, &["kernel-stack-segment", "kernel-code-segment", "read-kernel", "jump-to-kernel", "simd-divide"])?;
    passed(&run, &["read-non-canonical", "jump-to-non-canonical", "begin-non-canonical", "stack-non-canonical"])?;
    passed(
        &run,
        &["odd-flags-in-a-call", "odd-flags-in-an-exception", "privileged-flags", "misaligned", "x87-divide"],
    )?;
    passed(&run, &["last-page-of-the-user-half", "single-step-over-syscall"])?;
    run.succeeded()?;
    Ok(())
}

/// A program's text and how it ended reach the host on the kernel without debug system calls: root tasks print through the
/// ports of their consoles, a UART here, a debug port there.
fn release_kernel(lab: &Lab) -> Result<()> {
    let lab = lab.with_release_kernel()?;
    for console in ["com1", "debugcon"] {
        let program = "program = [{ image = \"hello\" }]";
        let plan = lab.text(&format!("[[partition]]\nname = \"solo\"\nconsole = \"{console}\"\n{program}\n"))?;
        let run = lab.boot(&plan)?;
        run.succeeded()?;
        let greeted = run.lines("solo")?.iter().any(|line| line.contains("hello from hello in solo"));
        ensure!(greeted, run.failure("no greeting"));
    }
    // What is left out is left out: there the prober's bytes would be a fault of its own.
    let plan = lab.text(&format!(
        "[[partition]]\nname = \"bench\"\nmemory = \"32M\"\nroot-task = {:?}\n",
        lab.root_task(BENCH)?
    ))?;
    let run = Lab::follow_all(lab.start(&plan, &Start::on(Engine::Qemu))?, &plan, Duration::from_secs(5))?;
    let mut others = run.lines("bench")?.iter().filter(|line| !line.starts_with("mitigations: "));
    ensure!(others.next().is_none(), run.failure("a debug system call printed"));
    Ok(())
}
