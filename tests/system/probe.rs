//! What user mode can do to a kernel instance: `user-libs/probe` tries, and judges. Here is which of its checks must have
//! run, beside a neighbour that must not notice; and that a kernel without debug system calls still has a console.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::{Context, Result, ensure};
use manifest::mitigations;
use std::time::{Duration, Instant};
use tests::lab::{Lab, PATIENCE, Run, with_mitigations};
use xtask::artifacts::{BENCH, PROBE};
use xtask::console::Line;
use xtask::engine::{Engine, Inspection};
use xtask::form::Mode;
use xtask::launch::{Start, finite_members, members};
use xtask::session::{Report, Session, Until, watch};

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
    tests.add("probe/breakpoints", Slow, |lab| breakpoints(lab, Engine::Qemu));
    tests.add("probe/breakpoints_bochs", Slow, |lab| breakpoints(lab, Engine::Bochs));
    tests.add("probe/under_unmaskable_interrupts", Quick, under_unmaskable_interrupts);
    tests.add("machine_check/parks_one_partition", Quick, |lab| machine_check(lab, 0));
    tests.add("machine_check/parks_one_partition_isolated", Slow, |lab| machine_check(lab, mitigations::KPTI));
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
fn said(run: &Run, partition: &str, mitigations: u32) -> Result<()> {
    let isolated = mitigations & mitigations::KPTI != 0;
    let line = run.lines(partition)?.iter().find(|line| line.starts_with("mitigations: "));
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
    said(&run, "probe", mitigations)?;
    passed(&run, &["int3", "int1", "int-0x80", "int-nmi", "int-double-fault", "int-doorbell", "divide", "ud2"])?;
    passed(
        &run,
        &["hlt", "cli", "port-in", "port-out", "rdmsr", "mov-cr3", "swapgs", "sysret", "sysenter", "bases-refused"],
    )?;
    passed(&run, &["kernel-stack-segment", "kernel-code-segment", "read-kernel", "jump-to-kernel", "simd-divide"])?;
    passed(&run, &["read-non-canonical", "jump-to-non-canonical", "begin-non-canonical", "stack-non-canonical"])?;
    passed(
        &run,
        &["odd-flags-in-a-call", "odd-flags-in-an-exception", "privileged-flags", "misaligned", "x87-divide"],
    )?;
    passed(&run, &["last-page-of-the-user-half", "single-step-over-syscall", "bases-isolation"])?;
    run.succeeded()?;
    Ok(())
}

/// The kernel with seL4's hardware debug API, and programs built for it.
fn breakpoints(lab: &Lab, engine: Engine) -> Result<()> {
    let run = probe(&lab.with_hardware_debug()?, engine, 0)?;
    passed(&run, &["instruction-breakpoint", "write-breakpoint", "access-breakpoint", "breakpoint-of-one-thread"])?;
    passed(&run, &["single-step", "three-steps", "breakpoint-instruction", "breakpoint-held-back-into-a-call"])?;
    run.succeeded()?;
    Ok(())
}

/// Every check of the prober, while unmaskable interrupts arrive as fast as the emulator takes them: they are counted, and
/// nobody notices. They belong to the partition with the I/O APIC.
fn under_unmaskable_interrupts(lab: &Lab) -> Result<()> {
    const LEAST: u64 = 10;
    let text = system(lab)?.replacen("domains = 2", "domains = 2\nowns = [\"ioapic\"]", 1);
    let plan = lab.text(&text)?;
    let mut started = lab.start(&plan, &Start { inspection: Inspection::On, ..Start::on(Engine::Qemu) })?;
    let mut inspector = started.running.take_inspector();
    let mut injector = None;
    let members = finite_members(&plan);
    let report = watch(&mut started.running, &members, &started.consoles, PATIENCE, Until::Finished, |_, line| {
        // Firmware and loader are not made for it: it begins with the prober's first line, and ends with the machine.
        if matches!(line, Line::Text(text) if text.starts_with("probe: "))
            && let Some(mut inspector) = inspector.take()
        {
            let inject = move || (0_u64..).take_while(|_| inspector.inject_nmi().is_ok()).count();
            injector = Some(std::thread::spawn(inject));
        }
    })?;
    drop(started);
    let run = Run { members, report };
    let injector = injector.with_context(|| run.failure("the prober said nothing, or the machine has no monitor"))?;
    let sent = injector.join().ok().context("the injecting thread panicked")?;
    passed(&run, &["syscall-storm", "int3", "single-step-over-syscall", "fpu-isolation", "bases-isolation"])?;
    run.succeeded()?;
    let counted = run.lines("probe")?.iter().rev().find_map(|line| {
        let count = line.strip_prefix("non-maskable interrupts ")?.split(',').next()?;
        count.parse::<u64>().ok()
    });
    let counted = counted.with_context(|| run.failure("no count of unmaskable interrupts"))?;
    eprintln!("{sent} unmaskable interrupts sent, {counted} counted");
    ensure!(counted >= LEAST, run.failure(&format!("{sent} unmaskable interrupts sent, only {counted} counted")));
    Ok(())
}

/// An error that the hardware could not correct parks the instance on whose core it is reported, and says so; a corrected
/// one raises nothing. With isolated tables it mostly arrives where the handler is not mapped.
fn machine_check(lab: &Lab, mitigations: u32) -> Result<()> {
    const CORRECTED: u64 = 1 << 63 | 0x135;
    const UNCORRECTED: u64 = 1 << 63 | 1 << 61 | 1 << 60 | 1 << 57 | 0x135;
    let plan = lab.text(
        "[[partition]]\nname = \"broken\"\nprogram = [{ image = \"spinner\" }]\n\
         [[partition]]\nname = \"neighbour\"\nprogram = [{ image = \"hello\" }]\n",
    )?;
    let plan = with_mitigations(plan, mitigations);
    let mut started = lab.start(&plan, &Start { inspection: Inspection::On, ..Start::on(Engine::Qemu) })?;
    let mut inspector = started.running.take_inspector().context("the machine has no monitor")?;
    let members = finite_members(&plan);
    let mut session = Session::new(&members, &started.consoles);
    // Firmware and loader are not made for it.
    session.follow(&mut started.running, PATIENCE, Until::Ready, |_, _| {})?;
    inspector.inject_machine_check(0, 2, CORRECTED)?;
    session.follow(&mut started.running, Duration::from_millis(300), Until::Finished, |_, _| {})?;
    inspector.inject_machine_check(0, 1, UNCORRECTED)?;
    session.follow(&mut started.running, PATIENCE, Until::Finished, |_, _| {})?;
    let report = session.finish(|_, _| {});
    let run = Run { members, report };
    let parked = run.report.partition("broken").and_then(|partition| partition.parked.as_deref());
    let says = parked.is_some_and(|text| text.contains("uncorrected machine check, bank 1, status 0xb2"));
    said(&run, "neighbour", mitigations)?;
    ensure!(says, run.failure("the partition with the error does not say so"));
    let neighbour = run.report.partition("neighbour").and_then(|partition| partition.done);
    ensure!(neighbour == Some(0), run.failure("the neighbour did not finish"));
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
    let mut started = lab.start(&plan, &Start::on(Engine::Qemu))?;
    let members = members(&plan);
    let mut session = Session::new(&members, &started.consoles);
    let lines = |report: &Report| report.partition("bench").map_or(0, |partition| partition.lines.len());
    let (end, piece) = (Instant::now() + PATIENCE, Duration::from_millis(200));
    // The kernel's own line is there once it runs; the benchmark's first would follow.
    while lines(session.follow(&mut started.running, piece, Until::Finished, |_, _| {})?) == 0 && Instant::now() < end {
    }
    session.follow(&mut started.running, Duration::from_secs(5), Until::Finished, |_, _| {})?;
    let report = session.finish(|_, _| {});
    let run = Run { members, report };
    let is_kernels = |line: &String| line.starts_with("mitigations: ");
    ensure!(run.lines("bench")?.iter().any(is_kernels), run.failure("the kernel does not run"));
    ensure!(run.lines("bench")?.iter().all(is_kernels), run.failure("a debug system call printed"));
    Ok(())
}
