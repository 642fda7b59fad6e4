//! The CD image: the same system, started by GRUB, on BIOS, on UEFI, and in Bochs with x2APIC.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::{Result, ensure};
use std::fs::File;
use std::io::Read;
use std::time::Duration;
use tests::lab::{Lab, PATIENCE};
use xtask::engine::{Engine, bochs};
use xtask::launch::{Medium, Start};

const CORES: u32 = 4;
/// Firmware and GRUB take their time under emulation.
const FIRMWARE_PATIENCE: Duration = Duration::from_secs(300);

pub fn add(tests: &mut Tests) {
    let qemu = || Start::on(Engine::Qemu);
    tests.add_in(forms::ALL, "iso/bios", Quick, move |lab| {
        boots(lab, &Start { medium: Medium::Iso, ..qemu() }, PATIENCE)
    });
    tests.add_in(forms::ALL, "iso/uefi", Slow, move |lab| {
        boots(lab, &Start { medium: Medium::IsoUefi, ..qemu() }, FIRMWARE_PATIENCE)
    });
    tests.add_in(forms::ALL, "iso/bochs_x2apic", Slow, x2apic);
}

fn boots(lab: &Lab, start: &Start, patience: Duration) -> Result<()> {
    let plan = lab.generated(CORES)?;
    lab.boot_with(&plan, start, patience)?.succeeded()?;
    Ok(())
}

/// Bochs logs what each core's APIC base register is set to: enabled (bit 11), in x2APIC mode (bit 10), and bit 8 on the
/// first core.
fn x2apic(lab: &Lab) -> Result<()> {
    let plan = lab.generated(CORES)?;
    let started = lab.start(&plan, &Start::on(Engine::Bochs))?;
    let mut log = File::open(started.running.scratch().path().join(bochs::LOG))?;
    Lab::follow(started, &plan, FIRMWARE_PATIENCE)?.succeeded()?;
    let mut text = String::new();
    log.read_to_string(&mut text)?;
    for core in 0..CORES {
        let base = if core == 0 { "fee00d00" } else { "fee00c00" };
        let set =
            |line: &str| line.contains(&format!("[CPU{core} ")) && line.ends_with(&format!("{base} to MSR_APICBASE"));
        ensure!(text.lines().any(set), "core {core} does not run in x2APIC mode:\n{text}");
    }
    Ok(())
}
