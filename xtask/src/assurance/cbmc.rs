//! Proofs of the kernel's layers: the harnesses of `tests/assurance/proofs` for all values.
//!
//! ```text
//! Rust ─ rustc (wasm64, overflow checks on) ─▶ WebAssembly ─ wasm2c ─▶ C ─ CBMC ─▶ holds | a counterexample
//! ```
//!
//! A harness holds if no check of it fails, nothing panics, overflows or strays, and its end is reached. For each there is
//! a planted bug, in a copy of the tree, with which it must *not* hold. What is trusted: rustc's WebAssembly back end,
//! wasm2c, CBMC; the shipped machine code comes from another back end. Tests: below.

use super::planted::{Copy, Planted};
use super::toolbox;
use crate::artifacts::cargo;
use crate::target;
use crate::workspace::{Scratch, root, skerry_dir};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A question that takes longer is not decided.
const PATIENCE_S: &str = "240";
/// Loops of a harness turn at most this often; CBMC checks that.
const UNWIND: &str = "8";
const CLAIM: &str = "what is claimed holds";
const TRAP: &str = "no panic, overflow or stray access";
const END: &str = "the end is not reached";

/// What CBMC said of one harness.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Holds,
    /// A value exists for which this fails.
    Fails(String),
    /// No value meets the assumptions, or no check is there.
    Vacuous,
    Undecided(String),
}

/// Whether everything that is needed is there.
///
/// # Errors
/// When the build directory cannot be made.
pub fn present() -> Result<bool> {
    Ok(toolbox::debian("cbmc")?.is_some() && target::source()?.is_some())
}

/// The harnesses of a tree, as C.
#[derive(Debug)]
pub struct Harnesses {
    code: Scratch,
}

impl Harnesses {
    /// Compiles the harnesses of the tree at `tree`.
    ///
    /// # Errors
    /// When a tool is absent or fails.
    pub fn build(tree: &Path) -> Result<Self> {
        let wasm = compile(tree)?;
        let code = Scratch::new()?;
        let mut convert = toolbox::debian("wasm2c")?.context("wabt is not there")?;
        convert.args(["--enable-memory64", "-n", "proofs", "-o"]).arg(code.path().join("proofs.c")).arg(wasm);
        succeed(&mut convert)?;
        let runtime = std::fs::read(tree.join("tests/assurance/proofs/runtime.c"))?;
        std::fs::write(code.path().join("runtime.c"), runtime)?;
        Ok(Self { code })
    }

    fn ask(&self, harness: &str) -> Result<Answer> {
        let cbmc = toolbox::debian("cbmc")?.context("CBMC is not there")?;
        let mut command = Command::new("timeout");
        command.arg(PATIENCE_S).arg(cbmc.get_program()).args(cbmc.get_args()).current_dir(self.code.path());
        command.args(["runtime.c", "proofs.c", "--function", "prove", "--no-standard-checks", "--slice-formula"]);
        command.args(["--unwind", UNWIND, "--unwinding-assertions", "-I.", "-I"]).arg(toolbox::wabt_headers()?);
        // Bounds of every access, which wasm2c leaves to the machine's page tables otherwise.
        command.args(["-DWASM_RT_MEMCHECK_BOUNDS_CHECK=1", "-DWASM_RT_USE_MMAP=0"]);
        command.args(["-DWASM_RT_NONCONFORMING_UNCHECKED_STACK_EXHAUSTION=1", "-D__builtin_memcpy=memcpy"]);
        let output = command.arg(format!("-DHARNESS={harness}")).output().context("cannot run CBMC")?;
        Ok(read(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// Whether `harness` holds in the tree, and fails with each bug of `planted` in `copy`.
///
/// # Errors
/// Inner: why the claim does not hold. Outer: when nothing could be run.
pub fn judge(harnesses: &Harnesses, copy: &Copy, harness: &str, planted: &[Planted]) -> Result<Result<String, String>> {
    match harnesses.ask(harness)? {
        Answer::Holds => {}
        Answer::Fails(what) => return Ok(Err(format!("{harness}: `{what}` fails for some value"))),
        Answer::Vacuous => return Ok(Err(format!("{harness} shows nothing: its end is never reached"))),
        Answer::Undecided(why) => return Ok(Err(format!("{harness} is not decided: {why}"))),
    }
    for bug in planted {
        let answer = copy.plant(bug, |tree| Harnesses::build(tree)?.ask(harness))?;
        if !matches!(answer, Answer::Fails(_)) {
            return Ok(Err(format!("planted bug `{}` is not found: {answer:?}", bug.why)));
        }
    }
    Ok(Ok(format!("{harness} holds for all values; {} planted bugs found", planted.len())))
}

/// Compiles the proofs of `tree`; the WebAssembly file.
fn compile(tree: &Path) -> Result<PathBuf> {
    let library = target::source()?.context("the source of Rust's library is not there")?;
    // Cargo names a package by its place in its workspace, so a copy would leave what was planted where the tree's own build
    // finds it.
    let build = skerry_dir()?.join(if tree == root() { "proofs" } else { "proofs-planted" });
    std::fs::create_dir_all(&build)?;
    let name = "wasm64-unknown-none";
    let target = build.join(format!("{name}.json"));
    let description = description()?;
    if std::fs::read_to_string(&target).ok().as_ref() != Some(&description) {
        std::fs::write(&target, description)?;
    }
    let mut command = cargo();
    command.current_dir(tree).args(["build", "--quiet", "--release", "-p", "skerry-proofs", "-Zjson-target-spec"]);
    command.args(["-Zbuild-std=core,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"]);
    command.arg("--target").arg(&target).env("CARGO_TARGET_DIR", &build);
    command.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
    // A panic is a trap, and so is an overflow: both are then questions for the model checker.
    command.env("RUSTFLAGS", "-Zunstable-options -Cpanic=immediate-abort");
    command.env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    succeed(&mut command)?;
    Ok(build.join(name).join("release/proofs.wasm"))
}

/// The compiler's own description of 64-bit WebAssembly, as a target without an operating system and with a small stack.
fn description() -> Result<String> {
    let mut command = Command::new("rustc");
    command.args(["-Zunstable-options", "--print", "target-spec-json", "--target", "wasm64-unknown-unknown"]);
    let output = command.env("RUSTC_BOOTSTRAP", "1").current_dir(root()).output().context("cannot run rustc")?;
    let mut target: serde_json::Value = serde_json::from_slice(&output.stdout).context("rustc knows no wasm64")?;
    target["os"] = "none".into();
    Ok(serde_json::to_string_pretty(&target)?.replace("stack-size=1048576", "stack-size=1024"))
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{:?} failed: {}", command.get_program(), errors.trim());
    Ok(())
}

/// What CBMC's report says.
fn read(report: &str) -> Answer {
    if !report.contains("** Results:") {
        let last = report.lines().last().unwrap_or("it said nothing, or not in time");
        return Answer::Undecided(last.to_owned());
    }
    let failed = |line: &&str| line.ends_with(": FAILURE");
    if let Some(line) = report.lines().filter(failed).find(|line| !line.contains(END)) {
        let known = [CLAIM, TRAP].into_iter().find(|name| line.contains(name));
        return known.map_or_else(|| Answer::Undecided(line.to_owned()), |name| Answer::Fails(name.to_owned()));
    }
    let ended = report.lines().filter(failed).any(|line| line.contains(END));
    let checked = report.contains(&format!("{CLAIM}: SUCCESS"));
    if ended && checked { Answer::Holds } else { Answer::Vacuous }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(claim: &str, trap: &str, end: &str) -> String {
        format!("** Results:\n[a.1] line 1 {CLAIM}: {claim}\n[b.1] line 2 {TRAP}: {trap}\n[c.1] line 3 {END}: {end}\n")
    }

    #[test]
    fn a_claim_holds_if_nothing_fails_and_the_end_is_reached() {
        assert_eq!(read(&report("SUCCESS", "SUCCESS", "FAILURE")), Answer::Holds);
        assert_eq!(read(&report("FAILURE", "SUCCESS", "FAILURE")), Answer::Fails(CLAIM.into()));
        assert_eq!(read(&report("SUCCESS", "FAILURE", "FAILURE")), Answer::Fails(TRAP.into()));
    }

    #[test]
    fn what_shows_nothing_is_no_proof() {
        assert_eq!(read(&report("SUCCESS", "SUCCESS", "SUCCESS")), Answer::Vacuous);
        assert!(matches!(read(""), Answer::Undecided(_)));
        let loop_bound = "** Results:\n[prove.unwind.0] line 9 unwinding assertion loop 0: FAILURE\n";
        assert!(matches!(read(loop_bound), Answer::Undecided(_)));
    }
}
