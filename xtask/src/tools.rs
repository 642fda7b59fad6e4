//! The host's tools: which are needed for what, and getting those that are missing.
//!
//! On Debian, as root, missing packages are installed (and that is said first); anybody else is told the one command to
//! run. Nothing else is ever installed. Tests: below.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// A file whose presence shows that a Debian package is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// What it is for.
    pub purpose: &'static str,
    /// Program name (looked up in `PATH`) or absolute path.
    pub file: &'static str,
    /// Debian package.
    pub package: &'static str,
}

const fn tool(purpose: &'static str, file: &'static str, package: &'static str) -> Tool {
    Tool { purpose, file, package }
}

/// What compiling and linking needs besides Rust.
pub const BUILD: &[Tool] =
    &[tool("linking host programs", "cc", "gcc"), tool("C library", "/usr/include/stdio.h", "libc6-dev")];
/// What `cargo xtask fuzz` needs: its engine is written in C++.
pub const FUZZ: &[Tool] = &[tool("the fuzzing engine", "c++", "g++")];
/// What `cargo xtask run` needs.
pub const QEMU: &[Tool] = &[tool("the machine", "qemu-system-x86_64", "qemu-system-x86")];
/// What `cargo xtask image` needs.
pub const ISO: &[Tool] = &[
    tool("ISO images", "grub-mkrescue", "grub-common"),
    tool("boot by BIOS", "/usr/lib/grub/i386-pc/cdboot.img", "grub-pc-bin"),
    tool("boot by UEFI", "/usr/lib/grub/x86_64-efi/moddep.lst", "grub-efi-amd64-bin"),
    tool("ISO images", "xorriso", "xorriso"),
    tool("the UEFI boot partition", "mformat", "mtools"),
];
/// What booting an ISO by UEFI needs.
pub const UEFI: &[Tool] = &[tool("UEFI firmware", "/usr/share/ovmf/OVMF.fd", "ovmf")];
/// What `--engine bochs` needs. The text display is named although it is not used: `bochs` depends on some display, and with
/// the one that apt would pick by itself (wxWidgets) it dies at start on a machine without a screen.
pub const BOCHS: &[Tool] = &[
    tool("the second emulator", "bochs", "bochs"),
    tool("a display for it", "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so", "bochs-term"),
    tool("its firmware", "/usr/share/bochs/BIOS-bochs-latest", "bochsbios"),
    tool("its video firmware", "/usr/share/vgabios/vgabios.bin", "vgabios"),
];

/// What the liveness models of `cargo xtask assure` need.
pub const SPIN: &[Tool] = &[tool("checking models", "spin", "spin")];
/// What the theorems of `cargo xtask assure` need.
pub const COQ: &[Tool] = &[tool("checking theorems", "coqc", "coq")];
/// What the solvers of `cargo xtask assure` are fetched with.
pub const PYTHON: &[Tool] = &[
    tool("solvers", "python3", "python3"),
    tool("environments for them", "/usr/lib/python3.11/ensurepip/__init__.py", "python3-venv"),
];

/// The tools of `wanted` that are not there.
pub fn missing(wanted: &[&[Tool]]) -> Vec<Tool> {
    wanted.iter().copied().flatten().copied().filter(|tool| !present(tool.file)).collect()
}

/// Makes sure that every tool of `wanted` is there, installing what is missing if that is possible.
///
/// # Errors
/// When something is missing and cannot be installed; the message is the command that installs it.
pub fn ensure(wanted: &[&[Tool]]) -> Result<()> {
    let missing = missing(wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = packages(&missing);
    let command = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !present("apt-get") || !is_root() {
        let sudo = if is_root() { "" } else { "sudo " };
        bail!("missing: {}. On Debian, run\n    {sudo}{command}", packages.join(", "));
    }
    eprintln!("missing: {}; running `{command}`", packages.join(", "));
    if !install(&packages)? {
        eprintln!("that failed; running `apt-get update` and trying again");
        apt(&["update", "-q"])?;
        if !install(&packages)? {
            bail!("could not install {}; run\n    {command}", packages.join(", "));
        }
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<bool> {
    let fixed = ["install", "-y", "-q", "--no-install-recommends"];
    apt(&[&fixed[..], packages].concat())
}

fn apt(arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new("apt-get");
    // Another run may be installing the same.
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300"]);
    command.args(arguments).stdout(std::io::stderr());
    Ok(command.status().context("cannot run apt-get")?.success())
}

fn packages(tools: &[Tool]) -> Vec<&'static str> {
    let mut packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Whether `file` is a program in `PATH`, or an existing absolute path.
pub fn present(file: &str) -> bool {
    if file.starts_with('/') {
        return Path::new(file).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(system).any(|dir| dir.join(file).is_file())
}

fn is_root() -> bool {
    // The owner of our own process's files: no unsafe call, no `id` program.
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| status.lines().find_map(|line| line.strip_prefix("Uid:").map(str::to_owned)))
        .is_some_and(|ids| ids.split_ascii_whitespace().nth(1) == Some("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_the_path_and_files_by_their_name() {
        assert!(present("sh"));
        assert!(present("/proc/self/status"));
        assert!(!present("no-such-program-as-this"));
        assert!(!present("/no/such/file"));
    }

    #[test]
    fn a_package_is_named_once() {
        let tools = [tool("a", "x", "p"), tool("b", "y", "p"), tool("c", "z", "o")];
        assert_eq!(packages(&tools), ["o", "p"]);
    }
}
