//! The CD image: the same system, started by GRUB, on BIOS, on UEFI, and in Bochs with x2APIC.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::Result;
use std::time::Duration;
use tests::lab::{Lab, PATIENCE};
use xtask::engine::Engine;
use xtask::launch::{Medium, Start};

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
    tests.add_in(forms::ALL, "iso/bochs_x2apic", Slow, |lab| boots(lab, &Start::on(Engine::Bochs), FIRMWARE_PATIENCE));
}

fn boots(lab: &Lab, start: &Start, patience: Duration) -> Result<()> {
    let plan = lab.generated(4)?;
    lab.boot_with(&plan, start, patience)?.succeeded()?;
    Ok(())
}
