//! Which mutants the tests notice: each test alone first, then for each mutant the tests that come by it.
//!
//! A test that passes only because it catches a panic (it plants a mistake of its own, say) is not asked. Tests: below.

use super::build::Built;
use super::{Fate, Mutant};
use crate::workspace::Scratch;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A mutant may make a test this many times as slow; beyond, it is stuck.
const PATIENCE: u32 = 8;
/// And this much processor time is always allowed, in seconds.
const LEAST_S: u64 = 3;

/// One test of one program.
#[derive(Clone, Debug)]
struct Test {
    program: PathBuf,
    folder: PathBuf,
    name: String,
    takes: Duration,
    reaches: Vec<u32>,
}

impl Test {
    fn command(&self, limit_s: u64) -> Command {
        // What a stuck test is stopped by is its own processor time: other work on the machine does not count.
        let mut command = Command::new("prlimit");
        command.arg(format!("--cpu={limit_s}")).arg(&self.program);
        command.args(["--exact", &self.name, "--test-threads=1"]).current_dir(&self.folder);
        command.env("SKERRY_QUICK", "1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn limit_s(&self) -> u64 {
        LEAST_S.max((self.takes * PATIENCE).as_secs() + 1)
    }
}

/// Runs every mutant of `built`, on as many threads as there are processors; `progress` hears what was done of how many.
///
/// # Errors
/// When tests cannot be run, or fail without a mutant.
pub fn judge(built: &Built, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Vec<(Mutant, Fate)>> {
    let tests = surveyed(built)?;
    let mut by_mutant: BTreeMap<u32, Vec<&Test>> = BTreeMap::new();
    for test in &tests {
        for number in &test.reaches {
            by_mutant.entry(*number).or_default().push(test);
        }
    }
    for tests in by_mutant.values_mut() {
        tests.sort_by_key(|test| test.takes);
    }
    let none = Vec::new();
    let fates = in_parallel(built.mutants.len(), |index| {
        let mutant = built.mutants.get(index).context("an index in range")?;
        let fate = fate(mutant, by_mutant.get(&mutant.number).unwrap_or(&none))?;
        progress(index + 1, built.mutants.len());
        Ok(fate)
    })?;
    Ok(built.mutants.iter().cloned().zip(fates).collect())
}

fn fate(mutant: &Mutant, tests: &[&Test]) -> Result<Fate> {
    if tests.is_empty() {
        return Ok(Fate::NotReached);
    }
    for test in tests {
        let mut command = test.command(test.limit_s());
        let status = command.env("SKERRY_MUTANT", mutant.number.to_string()).status().context("cannot run prlimit")?;
        match status.code() {
            Some(0) => {}
            Some(_) => return Ok(Fate::Killed(test.name.clone())),
            // A signal: out of processor time, or a crash.
            None => return Ok(Fate::Stuck(test.name.clone())),
        }
    }
    Ok(Fate::Survived)
}

/// Every test that passes by itself: how long it takes, and which mutants' places it comes by.
fn surveyed(built: &Built) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for program in &built.programs {
        let listed = Command::new(program).args(["--list", "--format=terse"]).output()?;
        for name in names(&String::from_utf8_lossy(&listed.stdout)) {
            let folder = built.tree.join("kernel").join(folder_of(program));
            tests.push(Test { program: program.clone(), folder, name, takes: Duration::ZERO, reaches: Vec::new() });
        }
    }
    ensure!(!tests.is_empty(), "no test was found");
    let scratch = Scratch::new()?;
    let surveyed = in_parallel(tests.len(), |index| {
        let mut test = tests.get(index).context("an index in range")?.clone();
        let path = scratch.path().join(index.to_string());
        let started = Instant::now();
        let status = test.command(600).env("SKERRY_REACHED", &path).status().context("cannot run prlimit")?;
        test.takes = started.elapsed();
        test.reaches = std::fs::read_to_string(&path).map(|text| numbers(&text)).unwrap_or_default();
        Ok((status.success() && !test.reaches.is_empty()).then_some(test))
    })?;
    Ok(surveyed.into_iter().flatten().collect())
}

/// The layer whose test program lies at `program`: tests find their files from its folder.
fn folder_of(program: &Path) -> &'static str {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let layers = ["capability", "thread", "ipc", "vspace", "api"];
    layers.into_iter().find(|layer| name.starts_with(layer)).unwrap_or("image")
}

fn names(listed: &str) -> Vec<String> {
    listed.lines().filter_map(|line| Some(line.strip_suffix(": test")?.to_string())).collect()
}

fn numbers(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<T>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let result = work(index);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_nothing_else_are_listed() {
        assert_eq!(names("a::b: test\nc: benchmark\n\n"), ["a::b"]);
    }

    #[test]
    fn work_in_parallel_keeps_its_order() {
        let squares = in_parallel(100, |index| Ok(index * index)).unwrap();
        assert!(squares.iter().enumerate().all(|(index, square)| *square == index * index));
        assert!(in_parallel(3, |index| if index == 1 { anyhow::bail!("no") } else { Ok(()) }).is_err());
    }
}
