//! Which mutants the tests notice: each test alone first, then for each mutant the tests that come by it.
//!
//! A test that passes only because it catches a panic (it plants a mistake of its own, say) is not asked, nor one that takes
//! very long. Nor is a test of another kernel (for several cores, with the hardware debug API) that the kernel for one core
//! has too: the layers are the same in all.
//!
//! Judging all takes hours. What was judged is kept with what was built, mutants come in an order that spreads over the
//! layers, and a run ends when its time is over; the next goes on. Tests: below.

use super::build::Built;
use super::{Fate, Mutant};
use crate::assurance::read_kept;
use crate::parallel::in_parallel;
use crate::workspace::{Scratch, replace};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A mutant may make a test this many times as slow; beyond, it is stuck.
const PATIENCE: u32 = 8;
/// Tests that take longer are not asked.
const LONGEST: Duration = Duration::from_secs(30);
/// And this much processor time is always allowed, in seconds.
const LEAST_S: u64 = 3;

/// One test of one program.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

/// What is known of a compiled tree with mutants.
#[derive(Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// The tree.
    pub built: Built,
    tests: Vec<Test>,
    /// What became of mutants, by number.
    pub fates: BTreeMap<u32, Fate>,
}

impl Judgement {
    /// Runs each test alone: how long it takes, and which mutants' places it comes by.
    ///
    /// # Errors
    /// When tests cannot be run.
    pub fn begin(built: Built) -> Result<Self> {
        let tests = surveyed(&built)?;
        Ok(Self { built, tests, fates: BTreeMap::new() })
    }

    /// Reads what is kept at `path`.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn load(path: &Path) -> Result<Self> {
        read_kept(path)?.context("no mutants were compiled yet")
    }

    /// Keeps all of it at `path`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        replace(path, serde_json::to_string(self)?)
    }

    /// Judges mutants that were not yet, on as many threads as there are processors, until `deadline`.
    ///
    /// # Errors
    /// When tests cannot be run.
    pub fn go_on(&mut self, deadline: Instant) -> Result<()> {
        let mut by_mutant: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (index, test) in self.tests.iter().enumerate() {
            for number in &test.reaches {
                by_mutant.entry(*number).or_default().push(index);
            }
        }
        let count = self.built.mutants.len();
        let step = spreading(count);
        let spread = (0..count).filter_map(|index| self.built.mutants.get(index * step % count));
        let left: Vec<&Mutant> = spread.filter(|mutant| !self.fates.contains_key(&mutant.number)).collect();
        let kills: Vec<AtomicUsize> = self.tests.iter().map(|_| AtomicUsize::new(0)).collect();
        let fates = in_parallel(left.len(), |index| {
            if Instant::now() > deadline {
                return Ok(None);
            }
            let mutant = left.get(index).context("an index in range")?;
            let reaching = by_mutant.get(&mutant.number).map(Vec::as_slice).unwrap_or_default();
            Ok(Some((mutant.number, fate(mutant, &self.tests, &in_order(&self.tests, reaching, &kills), &kills)?)))
        });
        let fates = fates.into_iter().collect::<Result<Vec<_>>>()?;
        self.fates.extend(fates.into_iter().flatten());
        Ok(())
    }

    /// Takes over what an `earlier` run's tests noticed, of mutants that are the same.
    pub fn take_noticed(&mut self, earlier: &Self) {
        let same = |mutant: &&Mutant| earlier.built.mutants.contains(mutant);
        for mutant in self.built.mutants.iter().filter(same) {
            if let Some(fate) = earlier.fates.get(&mutant.number).filter(|fate| fate.is_noticed()) {
                self.fates.insert(mutant.number, fate.clone());
            }
        }
    }

    /// What was judged.
    pub fn judged(&self) -> Vec<(Mutant, Fate)> {
        let with_fate = |mutant: &Mutant| Some((mutant.clone(), self.fates.get(&mutant.number)?.clone()));
        self.built.mutants.iter().filter_map(with_fate).collect()
    }
}

/// A step that goes round `count` places and comes by all: whatever number of steps is made, they are spread evenly. It is
/// near the golden section.
fn spreading(count: usize) -> usize {
    let has_no_common_divisor = |step: &usize| {
        let (mut one, mut other) = (*step, count);
        while other != 0 {
            (one, other) = (other, one % other);
        }
        one == 1
    };
    (count * 618 / 1000..count).find(has_no_common_divisor).unwrap_or(1)
}

/// First those tests that are quick for what they have noticed so far.
fn in_order(tests: &[Test], reaching: &[usize], kills: &[AtomicUsize]) -> Vec<usize> {
    let kills = |index: usize| kills.get(index).map_or(0, |kills| kills.load(Ordering::Relaxed)) as u32;
    let takes = |index: usize| tests.get(index).map_or(Duration::ZERO, |test| test.takes);
    let mut order = reaching.to_vec();
    order.sort_by_key(|&index| takes(index) / (1 + kills(index)));
    order
}

fn fate(mutant: &Mutant, tests: &[Test], order: &[usize], kills: &[AtomicUsize]) -> Result<Fate> {
    if order.is_empty() {
        return Ok(Fate::NotReached);
    }
    for &index in order {
        let (Some(test), Some(kills)) = (tests.get(index), kills.get(index)) else { continue };
        let mut command = test.command(test.limit_s());
        let status = command.env("SKERRY_MUTANT", mutant.number.to_string()).status().context("cannot run prlimit")?;
        if !status.success() {
            kills.fetch_add(1, Ordering::Relaxed);
        }
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
    let mut seen = BTreeMap::new();
    for program in &built.programs {
        let listed = Command::new(program).args(["--list", "--format=terse"]).output()?;
        for name in names(&String::from_utf8_lossy(&listed.stdout)) {
            // The same test in the folder of another set of features.
            let place = program.parent();
            if *seen.entry((stem(program), name.clone())).or_insert(place) != place {
                continue;
            }
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
        Ok((status.success() && !test.reaches.is_empty() && test.takes < LONGEST).then_some(test))
    });
    Ok(surveyed.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The name of a program without what tells builds apart.
fn stem(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split_once('-').map_or(name.clone(), |(stem, _)| stem.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_nothing_else_are_listed() {
        assert_eq!(names("a::b: test\nc: benchmark\n\n"), ["a::b"]);
    }

    #[test]
    fn every_mutant_gets_its_turn_and_the_first_are_spread() {
        let mut places: Vec<usize> = (0..1586).map(|index| index * spreading(1586) % 1586).collect();
        assert!((0..3).all(|third| places[..60].iter().filter(|place| **place * 3 / 1586 == third).count() > 15));
        places.sort_unstable();
        assert!(places.iter().copied().eq(0..1586));
    }
}
