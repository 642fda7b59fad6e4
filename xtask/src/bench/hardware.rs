//! On the machine at hand: cycles of the time-stamp counter, where a processor executes and not an emulator.
//!
//! The same binary from the same ISO, its results over the serial line: in QEMU with KVM, where the host's processor
//! offers virtualisation, or on a PC of its own, whose serial output was saved to a file. Tests: below.

use super::figures::Figure;
use super::machine::{plan, watch_to_the_end};
use crate::artifacts::Artifacts;
use crate::engine::{Engine, qemu};
use crate::iso::{self, Screen};
use crate::launch::{Medium, Start};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;

/// Engine where a hypervisor runs the kernel on the host's processor.
pub const KVM: &str = "kvm";
/// Engine where nothing is below the loader.
pub const HARDWARE: &str = "hardware";
/// Unit of both.
pub const CYCLES: &str = "TSC cycles";
const COMMAND: &str = "cargo xtask bench --only machine";

/// Writes the ISO to `to`: boot it on a PC whose first serial port is recorded.
///
/// # Errors
/// When it cannot be made.
pub fn image(artifacts: &Artifacts, to: &Path) -> Result<()> {
    iso::write(&artifacts.loader()?, &plan(artifacts)?.archive().bytes, Screen::Text, to)
}

/// Boots the ISO under KVM.
///
/// # Errors
/// Where the processor offers no virtualisation: under an emulated one the figures would mean nothing. Else as for any
/// run.
pub fn under_kvm(artifacts: &Artifacts, cpuinfo: &str, patience: Duration) -> Result<Vec<Figure>> {
    ensure!(
        qemu::worth_kvm(cpuinfo),
        "this machine's processor offers no virtualisation (no vmx or svm in /proc/cpuinfo, or no /dev/kvm): figures from \
         here would be the emulator's"
    );
    let start = Start { medium: Medium::Iso, ..Start::on(Engine::Qemu) };
    let lines = watch_to_the_end(&plan(artifacts)?, artifacts, &start, patience)?;
    from_lines(lines.iter().map(String::as_str), KVM, COMMAND)
}

/// The figures in what a PC's serial port said.
///
/// # Errors
/// When the file cannot be read, or the benchmark did not come to its end in it.
pub fn from_serial(path: &Path) -> Result<Vec<Figure>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    // Firmware and boot loader may have said anything before.
    let text = String::from_utf8_lossy(&bytes);
    let command = format!("{COMMAND} --serial {}", path.display());
    from_lines(text.lines(), HARDWARE, &command).with_context(|| format!("in {}", path.display()))
}

fn from_lines<'l>(lines: impl Iterator<Item = &'l str>, engine: &str, command: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut finished = false;
    for line in lines.map(|line| line.trim_end_matches('\r')) {
        // A line that firmware left unfinished may stand before the first.
        let Some(figure) = line.find("bench ").and_then(|at| Figure::parse(&line[at..])) else { continue };
        finished |= figure.id == LAST;
        if figure.unit == super::figures::INSTRUCTIONS {
            let (engine, command) = (engine.to_owned(), command.to_owned());
            figures.push(Figure { engine, unit: CYCLES.to_owned(), command, ..figure });
        }
    }
    ensure!(finished, "the benchmark did not come to its end: no figure {LAST}");
    Ok(figures)
}

/// What the root task measures last.
const LAST: &str = "retype.endpoint";

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "GRUB loading.\r\n\x1b[Hbench boot.to_user 900 900 900 1\r\nbench footprint.slice 4096 4096 4096 1\r\n\
                        garbage \u{fffd}\r\nbench ipc.call.same 714 700 1200 64\r\n\
                        bench retype.endpoint 1500 1490 1600 64\r\n";

    #[test]
    fn what_a_serial_port_said_becomes_cycles_of_the_hardware() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial.log");
        std::fs::write(&path, SAID).unwrap();
        let figures = from_serial(&path).unwrap();
        let ids: Vec<_> = figures.iter().map(|figure| figure.id.as_str()).collect();
        assert_eq!(ids, ["boot.to_user", "ipc.call.same", "retype.endpoint"], "memory is in no machine's cycles");
        let call = &figures[1];
        assert_eq!((call.engine.as_str(), call.unit.as_str()), (HARDWARE, CYCLES));
        assert_eq!((call.median, call.min, call.max, call.samples), (714, 700, 1200, 64));
        assert!(call.command.starts_with("cargo xtask bench --only machine --serial "));
    }

    #[test]
    fn a_recording_that_breaks_off_is_refused() {
        let begun = SAID.lines().take(4);
        assert!(from_lines(begun, HARDWARE, "").unwrap_err().to_string().contains("did not come to its end"));
    }

    #[test]
    fn an_emulated_processor_is_refused_before_anything_is_started() {
        let refusal = under_kvm(&Artifacts::default(), "flags : fpu sse2 hypervisor", Duration::ZERO).unwrap_err();
        assert!(refusal.to_string().contains("no vmx or svm"), "{refusal}");
    }
}
