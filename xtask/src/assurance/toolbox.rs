//! Tools that Debian 12 does not have, in a private folder below `target/`: fetched when asked, never installed.
//!
//! CBMC and wabt come from Debian 13 and run with that release's own C library, beside the machine's. angr and z3 come from
//! PyPI into a virtual environment. Whoever lacks one gets *not run*, never a pass.

use crate::target::{self, PrivateApt};
use crate::tools::{self, COQ, PYTHON, SPIN};
use crate::workspace::skerry_dir;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How to get what is missing.
pub const ADVICE: &str = "`cargo xtask assure --install` fetches it into target/";

const SUITE: &str = "trixie";
/// CBMC, wabt, and the libraries they run with.
const PACKAGES: [&str; 9] =
    ["cbmc", "wabt", "minisat", "libstdc++6", "libgcc-s1", "libc6", "libssl3t64", "libzstd1", "zlib1g"];

/// Solvers, with the libraries of the versions that they work with.
const WHEELS: [&str; 4] = ["angr==9.2.*", "bitstring<5", "pycparser==3.0", "z3-solver"];
/// There once the whole environment is.
const COMPLETE: &str = "complete";

fn environment() -> Result<PathBuf> {
    Ok(skerry_dir()?.join("tools/python"))
}

/// The Python that has the solvers, if they were fetched.
///
/// # Errors
/// When the build directory cannot be made.
pub fn python() -> Result<Option<PathBuf>> {
    let environment = environment()?;
    Ok(environment.join(COMPLETE).exists().then(|| environment.join("bin/python")))
}

fn unpacked() -> Result<PathBuf> {
    Ok(skerry_dir()?.join("tools").join(SUITE))
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

/// Fetches whatever is not there.
///
/// # Errors
/// When a download fails; what was fetched before stays.
pub fn install() -> Result<()> {
    tools::ensure(&[COQ, SPIN])?;
    if debian("cbmc")?.is_none() {
        eprintln!("fetching CBMC and wabt of Debian {SUITE}");
        let apt = PrivateApt::new(&skerry_dir()?.join("apt"))?;
        apt.use_suite(SUITE)?;
        apt.update()?;
        std::fs::create_dir_all(skerry_dir()?.join("tools"))?;
        apt.download(&PACKAGES, &unpacked()?)?;
    }
    if python()?.is_none() {
        // Debian's Python makes environments only with a package of its own; other Pythons need none.
        if !can_make_environments() {
            tools::ensure(&[PYTHON])?;
        }
        eprintln!("fetching angr and z3 from PyPI");
        let environment = environment()?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(environment.join("bin/pip")).args(["install", "--quiet"]).args(WHEELS))?;
        std::fs::write(environment.join(COMPLETE), "")?;
    }
    if target::source()?.is_none() {
        eprintln!("fetching the source of Rust's library");
        target::fetch()?;
    }
    Ok(())
}

fn can_make_environments() -> bool {
    let mut command = Command::new("python3");
    let tried = command.args(["-c", "import venv, ensurepip"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_os_string();
    let status = command.stdout(std::io::stderr()).status().with_context(|| format!("cannot run {name:?}"))?;
    ensure!(status.success(), "{name:?} failed");
    Ok(())
}
