//! `cargo xtask doctor`: what this machine has, and getting what it lacks.

use super::{BAD, GOOD, PLAIN};
use anyhow::{Result, ensure};
use std::process::ExitCode;
use xtask::artifacts::cargo;
use xtask::engine::qemu::worth_kvm;
use xtask::target::{Library, TRIPLE};
use xtask::tools;

/// Lists the tools, then makes everything complete.
pub fn doctor() -> Result<ExitCode> {
    let groups = [
        ("to build", tools::BUILD),
        ("to fuzz", tools::FUZZ),
        ("to run systems", tools::QEMU),
        ("for CD images", tools::ISO),
        ("to boot them by UEFI", tools::UEFI),
        ("for --engine bochs", tools::BOCHS),
    ];
    for (purpose, group) in groups {
        println!("{purpose}:");
        for tool in group {
            let (style, state) = if tools::present(tool.file) { (GOOD, "there  ") } else { (BAD, "missing") };
            anstream::println!("  {style}{state}{PLAIN} {:<20} {} ({})", tool.package, tool.purpose, tool.file);
        }
    }
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let accelerator = if worth_kvm(&cpuinfo) { "KVM" } else { "TCG (no virtualisation that this user may use)" };
    println!("accelerator: {accelerator}");
    tools::ensure(&groups.map(|(_, group)| group))?;
    for part in ["fmt", "clippy"] {
        let there = cargo().args([part, "--version"]).output().is_ok_and(|output| output.status.success());
        ensure!(there, "cargo {part} is missing: run `rustup component add rustfmt clippy`");
    }
    match Library::ensure()? {
        Library::Ready => println!("Rust target {TRIPLE}: there"),
        Library::Source(path) => println!("Rust target {TRIPLE}: built from {}", path.display()),
    }
    anstream::println!("{GOOD}everything is there{PLAIN}");
    Ok(ExitCode::SUCCESS)
}
