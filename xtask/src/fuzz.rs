//! Coverage-guided fuzzing: builds `tests/fuzz` with libFuzzer and instrumentation, and runs its functions.
//!
//! The corpus in the tree is read only; what a run finds goes to `target/skerry/fuzz/corpus/`, inputs that fail to
//! `target/skerry/fuzz/failures/`. Only flags of stable compilers are used.

use crate::artifacts::cargo;
use crate::workspace::{root, skerry_dir, target_dir};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What makes the compiler count edges and show comparisons to libFuzzer.
const INSTRUMENTATION: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

/// Seconds after which an input is one that hangs: thousands of times what the longest takes, since they pass on a clock
/// on the wall and the host may be busy.
const HANGS: &str = "-timeout=120";

/// Longer inputs show nothing new.
const MAX_BYTES: &str = "-max_len=4096";

/// The engine with everything that is fuzzed.
#[derive(Clone, Debug)]
pub struct Fuzzer {
    binary: PathBuf,
}

/// How a function fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Inputs tried, if the engine said.
    pub tried: Option<u64>,
    /// The last words of the engine, if an input failed.
    pub failure: Option<String>,
}

impl Fuzzer {
    /// Builds the engine.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn build() -> Result<Self> {
        let status = cargo()
            .args(["build", "--quiet", "--profile", "fuzz", "-p", "skerry-fuzz", "--bin", "skerry-fuzz"])
            .args(["--features", "engine", "--target", TRIPLE])
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", INSTRUMENTATION.join(" "))
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "the fuzzers do not build");
        Ok(Self { binary: target_dir().join(TRIPLE).join("fuzz/skerry-fuzz") })
    }

    /// Fuzzes `target` for `duration`.
    ///
    /// # Errors
    /// When the engine cannot be run; an input that fails is no error.
    pub fn run(&self, target: &str, duration: Duration) -> Result<Outcome> {
        let (work, failures) = (directory("corpus", target)?, directory("failures", target)?);
        let output = self
            .engine(target)
            .args([format!("-max_total_time={}", duration.as_secs().max(1)), HANGS.into()])
            .args(["-rss_limit_mb=2048", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", failures.display()))
            .args([&work, &corpus(target)])
            .stdout(Stdio::null())
            .output()
            .context("cannot run the fuzzer")?;
        let text = String::from_utf8_lossy(&output.stderr);
        let tried =
            text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok());
        let failure = (!output.status.success()).then(|| {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(40)..].join("\n")
        });
        Ok(Outcome { tried, failure })
    }

    /// Replaces the corpus in the tree by the smallest part of it, and of what runs found, that reaches as much.
    ///
    /// # Errors
    /// When the engine or the file system refuses.
    pub fn minimise(&self, target: &str) -> Result<()> {
        let (kept, work) = (corpus(target), directory("corpus", target)?);
        let merged = tempfile::tempdir().context("no temporary directory")?;
        let status = self
            .engine(target)
            .args(["-set_cover_merge=1", HANGS])
            .args([merged.path(), &kept, &work])
            .stderr(Stdio::null())
            .status()
            .context("cannot run the fuzzer")?;
        ensure!(status.success(), "the inputs of {target} cannot be merged");
        std::fs::remove_dir_all(&kept).with_context(|| format!("cannot remove {}", kept.display()))?;
        std::fs::create_dir_all(&kept).with_context(|| format!("cannot create {}", kept.display()))?;
        for entry in std::fs::read_dir(merged.path())?.flatten() {
            std::fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
        Ok(())
    }

    fn engine(&self, target: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.env("SKERRY_FUZZ_TARGET", target).arg(MAX_BYTES);
        command
    }
}

/// The names of what is fuzzed: each has a folder of inputs in the tree.
///
/// # Errors
/// When the tree cannot be read.
pub fn targets() -> Result<Vec<String>> {
    let dir = root().join("tests/fuzz/corpus");
    let entries = std::fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut names: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Where the tree keeps the inputs of `target`.
fn corpus(target: &str) -> PathBuf {
    root().join("tests/fuzz/corpus").join(target)
}

fn directory(kind: &str, target: &str) -> Result<PathBuf> {
    let path = skerry_dir()?.join("fuzz").join(Path::new(kind)).join(target);
    std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}
