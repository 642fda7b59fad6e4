//! Everything the loader refuses: the code, the culprit in the text, every console, and the exit status.

use crate::Pace::Quick;
use crate::Tests;
use anyhow::{Result, ensure};
use partition_config::plan::{Console, File, Interrupt, Partition};
use partition_config::size::Extent;
use partition_config::{Archive, Plan};
use tests::lab::{Lab, Run};
use xtask::engine::Engine;
use xtask::engine::qemu::REFUSED_STATUS;
use xtask::launch::Start;

/// On which consoles a refusal must appear.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// On that of every partition: the loader could read the manifest.
    Everywhere,
    /// Anywhere: the loader may not know the consoles.
    Somewhere,
}

pub fn add(tests: &mut Tests) {
    let usual = || Start::on(Engine::Qemu);
    tests.add("refuses/core_missing", Quick, move |lab| {
        let plan = lab.generated(4)?;
        let run = lab.boot_with(&plan, &Start { cores: Some(2), ..usual() }, tests::lab::PATIENCE)?;
        refused(&run, "core-missing", &["2"], Seen::Everywhere)
    });
    tests.add("refuses/ram_missing", Quick, move |lab| {
        let mut plan = lab.generated(2)?;
        plan.partitions[1].memory = vec![Extent { base: 0x3000_0000, size: 8 << 20 }];
        // The archive stays in the RAM that is there.
        let archive = Archive { load_base: 64 << 20, ..plan.archive() };
        let run = lab.boot_archive(&plan, &archive, &Start { ram_end: Some(128 << 20), ..usual() })?;
        refused(&run, "ram-missing", &["core-1", "0x30000000"], Seen::Everywhere)
    });
    tampered(tests, "archive_damaged/file", "archive-damaged", Seen::Everywhere, |archive| {
        let middle = archive.bytes.len() / 2;
        archive.bytes[middle] ^= 1;
    });
    tampered(tests, "archive_damaged/manifest", "archive-damaged", Seen::Somewhere, |archive| {
        archive.bytes[size_of::<manifest::Header>() + 40] ^= 0x10;
    });
    tampered(tests, "archive_damaged/truncated", "archive-damaged", Seen::Everywhere, |archive| {
        archive.bytes.truncate((archive.bytes.len() / 2) & !4095);
    });
    tests.add("refuses/archive_no_room", Quick, archive_without_room);
    tampered(tests, "archive_missing", "archive-missing", Seen::Somewhere, |archive| archive.bytes.clear());
    tampered(tests, "archive_missing/zeroes", "archive", Seen::Somewhere, |archive| archive.bytes.fill(0));
    tampered(tests, "manifest_version", "manifest-version", Seen::Somewhere, |archive| archive.bytes[8] = 99);
    on_machine(tests, "cpu_feature/nx", "cpu-feature", &["NX"], Start { cpu: Some("max,-nx".into()), ..usual() });
    on_machine(tests, "cpu_feature/fxsr", "cpu-feature", &["FXSR"], Start { cpu: Some("max,-fxsr".into()), ..usual() });
    // SeaBIOS would make tables of its own.
    let no_acpi = ["-machine", "acpi=off", "-bios", "qboot.rom"].map(String::from).to_vec();
    on_machine(tests, "no_acpi", "no-acpi", &["ACPI"], Start { extra: no_acpi, ..usual() });
    contradictory(tests, "manifest_conflict", "manifest-conflict", &["core-0", "core-1"], |plan| {
        plan.partitions[1].memory = plan.partitions[0].memory.clone();
    });
    contradictory(tests, "slice_too_small", "slice-too-small", &["core-1"], |plan| {
        plan.partitions[1].memory[0].size = 64 << 10;
    });
    contradictory(tests, "kernel_elf", "kernel-elf", &[], |plan| {
        plan.partitions[0].kernel = vec![7u8; 9000].into();
    });
    contradictory(tests, "root_elf", "root-elf", &["core-1"], |plan| {
        plan.partitions[1].root_task = b"no ELF"[..].into();
    });
    contradictory(tests, "device_missing", "device-missing", &["core-1", "pin 40"], |plan| {
        plan.partitions[1].interrupts.push(Interrupt::Pin(40));
    });
    contradictory(tests, "too_many", "too-many", &["513 partitions"], |plan| {
        let last = plan.partitions[1].clone();
        plan.partitions.resize(513, Partition { console: Console::None, ..last });
    });
}

/// An archive that lies on a slice, on a machine whose free memory is too small for it.
fn archive_without_room(lab: &Lab) -> Result<()> {
    let mut plan = lab.generated(2)?;
    let base = plan.memory_end().next_multiple_of(2 << 20);
    plan.partitions[1].memory = vec![Extent { base, size: (126 << 20) - base }];
    plan.partitions[1].files.push(File { name: "ballast".into(), content: vec![1; 24 << 20].into() });
    let archive = Archive { load_base: 64 << 20, ..plan.archive() };
    let start = Start { ram_end: Some(64 << 20), ..Start::on(Engine::Qemu) };
    refused(&lab.boot_archive(&plan, &archive, &start)?, "archive-no-room", &[], Seen::Everywhere)
}

/// Boots two partitions from an archive with something done to it.
fn tampered(tests: &mut Tests, name: &str, code: &'static str, seen: Seen, tamper: fn(&mut Archive)) {
    tests.add(format!("refuses/{name}"), Quick, move |lab| {
        let plan = lab.generated(2)?;
        let mut archive = plan.archive();
        tamper(&mut archive);
        refused(&lab.boot_archive(&plan, &archive, &Start::on(Engine::Qemu))?, code, &[], seen)
    });
}

/// Boots two partitions whose plan was changed after the check.
fn contradictory(
    tests: &mut Tests,
    name: &str,
    code: &'static str,
    culprits: &'static [&'static str],
    change: fn(&mut Plan),
) {
    tests.add(format!("refuses/{name}"), Quick, move |lab| {
        let mut plan = lab.generated(2)?;
        change(&mut plan);
        refused(&lab.boot(&plan)?, code, culprits, Seen::Everywhere)
    });
}

/// Boots two partitions on a machine that lacks something.
fn on_machine(tests: &mut Tests, name: &str, code: &'static str, culprits: &'static [&'static str], start: Start) {
    tests.add(format!("refuses/{name}"), Quick, move |lab: &Lab| {
        let plan = lab.generated(2)?;
        refused(&lab.boot_with(&plan, &start, tests::lab::PATIENCE)?, code, culprits, Seen::Everywhere)
    });
}

fn refused(run: &Run, code: &str, culprits: &[&str], seen: Seen) -> Result<()> {
    let Some(refusal) = &run.report.refusal else { return Err(run.failure("the loader did not refuse")) };
    ensure!(refusal.code.starts_with(&format!("loader::{code}")), run.failure("another refusal was expected"));
    for culprit in culprits {
        ensure!(refusal.text.contains(culprit), run.failure(&format!("the text does not name {culprit}")));
    }
    if seen == Seen::Everywhere {
        let everybody =
            run.members.iter().all(|member| member.console.is_none() || refusal.seen_on.contains(&member.name));
        ensure!(everybody, run.failure("the refusal is not on every console"));
    }
    let status = run.report.status.and_then(|status| status.code());
    ensure!(status == Some(REFUSED_STATUS), run.failure(&format!("the emulator's exit status is {status:?}")));
    let nobody_ran = run.report.partitions.iter().all(|partition| partition.ready.is_none());
    ensure!(nobody_ran, run.failure("a partition was started all the same"));
    Ok(())
}
