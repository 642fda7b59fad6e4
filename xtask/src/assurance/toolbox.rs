//! Tools that Debian 12 does not have, in a private folder below `target/`: fetched when asked, never installed.
//!
//! CBMC and wabt come from Debian 13 and run with that release's own C library, beside the machine's. Z3 and angr come from
//! PyPI, into an environment of their own. Whoever lacks one gets *not run*, never a pass.

use crate::target::{self, PrivateApt};
use crate::tools::{self, SPIN, present};
use crate::workspace::skerry_dir;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// How to get what is missing.
pub const ADVICE: &str = "`cargo xtask assure --install` fetches it into target/";

const SUITE: &str = "trixie";
/// CBMC, wabt, and the libraries they run with.
const PACKAGES: [&str; 9] =
    ["cbmc", "wabt", "minisat", "libstdc++6", "libgcc-s1", "libc6", "libssl3t64", "libzstd1", "zlib1g"];
/// From PyPI. angr's own requirements admit versions that do not work with it.
const PYTHON: [&str; 4] = ["angr==9.2.213", "bitstring<5", "pycparser==3.0", "z3-solver"];

fn unpacked() -> Result<PathBuf> {
    Ok(skerry_dir()?.join("tools").join(SUITE))
}

fn environment() -> Result<PathBuf> {
    Ok(skerry_dir()?.join("tools/python"))
}

/// A program of Debian 13, if it was fetched.
///
/// # Errors
/// When the build directory cannot be made.
pub fn debian(program: &str) -> Result<Option<Command>> {
    let root = unpacked()?;
    let file = root.join("usr/bin").join(program);
    if !file.exists() {
        return Ok(None);
    }
    let mut command = Command::new(root.join("usr/lib64/ld-linux-x86-64.so.2"));
    let libraries = format!("{0}/usr/lib/x86_64-linux-gnu:{0}/usr/lib", root.display());
    command.arg("--library-path").arg(libraries).arg(file);
    Ok(Some(command))
}

/// Where wabt's headers are.
///
/// # Errors
/// When the build directory cannot be made.
pub fn wabt_headers() -> Result<PathBuf> {
    Ok(unpacked()?.join("usr/include"))
}

/// Python with the solvers, if it was fetched.
///
/// # Errors
/// When the build directory cannot be made.
pub fn python() -> Result<Option<Command>> {
    let file = environment()?.join("bin/python");
    let complete = environment()?.join("complete").exists();
    Ok((complete && file.exists()).then(|| Command::new(file)))
}

/// Fetches whatever is not there.
///
/// # Errors
/// When a download fails; what was fetched before stays.
pub fn install() -> Result<()> {
    tools::ensure(&[tools::COQ, SPIN])?;
    if debian("cbmc")?.is_none() {
        eprintln!("fetching CBMC and wabt of Debian {SUITE}");
        let apt = PrivateApt::new(&skerry_dir()?.join("apt"))?;
        apt.use_suite(SUITE)?;
        apt.update()?;
        std::fs::create_dir_all(skerry_dir()?.join("tools"))?;
        apt.download(&PACKAGES, &unpacked()?)?;
    }
    if target::source()?.is_none() {
        eprintln!("fetching the source of Rust's library");
        target::fetch()?;
    }
    if python()?.is_none() {
        eprintln!("fetching {} from PyPI", PYTHON.join(", "));
        ensure!(present("python3"), "python3 is missing");
        let dir = environment()?;
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir))?;
        run(Command::new(dir.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(PYTHON))?;
        std::fs::write(dir.join("complete"), "")?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
