//! Running checks: each package's tests once, the kernel built and disassembled once, whatever the number of
//! obligations that rest on them. Tests: below.

use super::cbmc::{self, Harnesses};
use super::disassembly::{Placed, disassemble};
use super::ledger::{Check, Ledger, Obligation, Pace, Rule};
use super::planted::{Caught, Copy, Planted};
use super::report::{Entry, Status};
use super::solver::{self, Verdicts};
use super::stack::{self, Words};
use super::{binary, configuration, coq, spin, toolbox};
use crate::artifacts::{Artifacts, KERNEL, cargo};
use crate::images::{Checked, Inputs, check_file};
use crate::workspace::{root, skerry_dir, systems_dir};
use anyhow::{Context, Result};
use manifest::handoff::STACK_BYTES;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Tests by name, and whether each passed.
type Passed = BTreeMap<String, bool>;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What takes minutes in all.
    Quick,
    /// Everything.
    Full,
}

/// Whether bugs are planted in the code, to see that checks find them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bugs {
    /// Only where the check is a proof: a proof that no bug breaks is none.
    OfProofs,
    /// All; each means compiling again.
    All,
}

/// Runs checks and remembers what they share.
pub struct Runner<'a> {
    ledger: &'a Ledger,
    extent: Extent,
    bugs: Bugs,
    caught: Vec<Caught>,
    packages: BTreeMap<String, Passed>,
    artifacts: Option<Artifacts>,
    release: Option<Artifacts>,
    code: Option<Code>,
    proofs: Option<(Harnesses, Copy)>,
    leaves: Option<Option<Verdicts>>,
}

/// A kernel's machine code.
struct Code {
    placed: Vec<Placed>,
    words: Words,
}

impl Code {
    fn read(elf: &Path) -> Result<Self> {
        let bytes = std::fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
        Ok(Self { placed: disassemble(&bytes)?, words: Words::of(&bytes)? })
    }

    fn judge(&self, check: &Check, ledger: &Ledger) -> Result<String, String> {
        match check {
            Check::Binary { rule, .. } if rule.complete => {
                binary::judge_complete(&rules(ledger).collect::<Vec<_>>(), &self.placed)
            }
            Check::Binary { rule, .. } => binary::judge(rule, &self.placed),
            Check::Stack { rule, .. } => stack::judge(rule, &self.placed, &self.words, STACK_BYTES),
            _ => Err("this is no question about machine code".into()),
        }
    }
}

/// What a check came to, and a remark.
type Outcome = (Status, String);

fn outcome(verdict: Result<String, String>) -> Outcome {
    match verdict {
        Ok(note) => (Status::Holds, note),
        Err(note) => (Status::Fails, note),
    }
}

impl<'a> Runner<'a> {
    /// A runner that has run nothing.
    pub fn new(ledger: &'a Ledger, extent: Extent, bugs: Bugs) -> Self {
        Self {
            ledger,
            extent,
            bugs,
            caught: Vec::new(),
            packages: BTreeMap::new(),
            artifacts: None,
            release: None,
            code: None,
            proofs: None,
            leaves: None,
        }
    }

    /// Runs the check of one obligation.
    pub fn run(&mut self, obligation: &Obligation) -> Entry {
        let started = Instant::now();
        let (status, note) = match &obligation.check {
            None => (Status::Open, String::new()),
            // A check that could not be carried out shows nothing; it is certainly no pass.
            Some(check) => self.check(check).unwrap_or_else(|error| (Status::Fails, format!("{error:#}"))),
        };
        // Checks do not know whose they are.
        self.caught.iter_mut().filter(|caught| caught.id.is_empty()).for_each(|it| it.id.clone_from(&obligation.id));
        Entry::new(obligation, status, note, started.elapsed().as_secs_f64())
    }

    /// Planted bugs that were found so far.
    pub fn caught(&self) -> &[Caught] {
        &self.caught
    }

    fn found(&mut self, bug: &Planted, said: impl Into<String>) {
        self.caught.push(Caught { id: String::new(), bug: bug.clone(), said: said.into() });
    }

    fn check(&mut self, check: &Check) -> Result<Outcome> {
        match check {
            Check::Cargo { package, features, tests, planted } => {
                let verdict = judge_tests(self.package(package, features)?, tests);
                let Ok(note) = verdict else { return Ok(outcome(verdict)) };
                if self.bugs == Bugs::OfProofs || planted.is_empty() {
                    return Ok((Status::Holds, note));
                }
                let copy = Copy::of_the_tree()?;
                for bug in planted {
                    let passed = copy.plant(bug, |tree| test(package, features, tests, Some(tree)))?;
                    let verdict = |name| judge_tests(&passed, std::slice::from_ref(name)).err();
                    let Some(failed) = tests.iter().find_map(verdict) else {
                        return Ok((Status::Fails, format!("planted bug `{}` is not found", bug.why)));
                    };
                    self.found(bug, failed);
                }
                Ok((Status::Holds, format!("{note}; {} planted bugs found", planted.len())))
            }
            Check::System { pace: Pace::Full, .. } if self.extent == Extent::Quick => {
                Ok((Status::NotRun, "runs with --full".into()))
            }
            Check::System { tests, .. } => {
                let mut passed = Passed::new();
                for test in tests {
                    let arguments = ["test", "--quiet", "-p", "skerry-tests", "--test", "system", "--"];
                    let mut command = cargo();
                    command.args(arguments).args(["--exact", "--include-ignored", test]);
                    let output = command.output().context("cannot run the system tests")?;
                    // With one test the exit status says it all, once it is known to have run.
                    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
                    passed.insert(test.clone(), output.status.success() && ran);
                }
                Ok(outcome(judge_tests(&passed, tests)))
            }
            Check::Coq { file, theorems, mutants } => match coq::ensure() {
                Ok(()) => Ok(outcome(coq::judge(file, theorems, mutants)?)),
                Err(error) => Ok((Status::NotRun, format!("{error:#}"))),
            },
            Check::Spin { file, mutants } => match spin::ensure_there() {
                Ok(()) => Ok(outcome(spin::judge(file, mutants)?)),
                Err(error) => Ok((Status::NotRun, format!("{error:#}"))),
            },
            Check::Binary { planted, .. } | Check::Stack { planted, .. } | Check::Leaf { planted, .. } => {
                let elf = self.kernel_path()?;
                self.machine_code(check, &elf, planted)
            }
            Check::Proof { .. } if !cbmc::present()? => Ok((Status::NotRun, format!("no CBMC: {}", toolbox::ADVICE))),
            Check::Proof { harness, planted } => {
                if self.proofs.is_none() {
                    self.proofs = Some((Harnesses::build(&root())?, Copy::of_the_tree()?));
                }
                let (harnesses, copy) = self.proofs.as_ref().context("just built")?;
                let verdict = cbmc::judge(harnesses, copy, harness, planted)?;
                if verdict.is_ok() {
                    planted.iter().for_each(|bug| self.found(bug, "a value for which the claim fails"));
                }
                Ok(outcome(verdict))
            }
            Check::Separation => {
                let places = [systems_dir(), root().join("tests/systems")];
                let archives: Vec<_> = self.archives(&places)?.into_iter().map(|(_, archive)| archive).collect();
                match solver::separation(&archives)? {
                    Some(verdict) => Ok(outcome(verdict)),
                    None => Ok((Status::NotRun, format!("no z3: {}", toolbox::ADVICE))),
                }
            }
            Check::Configuration => self.configuration(),
        }
    }

    fn package(&mut self, package: &str, features: &[String]) -> Result<&Passed> {
        let key = format!("{package} {}", features.join(","));
        if !self.packages.contains_key(&key) {
            let passed = test(package, features, &named(self.ledger, package, features), None)?;
            self.packages.insert(key.clone(), passed);
        }
        self.packages.get(&key).context("just run")
    }

    fn artifacts(&mut self) -> Result<&Artifacts> {
        if self.artifacts.is_none() {
            self.artifacts = Some(Artifacts::build()?);
        }
        self.artifacts.as_ref().context("just built")
    }

    /// Where the release kernel's ELF file is.
    fn kernel_path(&mut self) -> Result<PathBuf> {
        if self.release.is_none() {
            self.release = Some(self.artifacts()?.clone().with_release_kernel()?);
        }
        let release = self.release.as_ref().context("just built")?;
        Ok(release.path(KERNEL).context("the kernel is not built")?.to_owned())
    }

    /// Judges the machine code at `elf`, and with all time that of kernels in which bugs were planted.
    fn machine_code(&mut self, check: &Check, elf: &Path, planted: &[Planted]) -> Result<Outcome> {
        let verdict = match check {
            Check::Leaf { leaf, .. } => {
                if self.leaves.is_none() {
                    self.leaves = Some(solver::leaves(elf, None)?);
                }
                let Some(verdicts) = self.leaves.as_ref().context("just run")? else {
                    return Ok((Status::NotRun, format!("no angr: {}", toolbox::ADVICE)));
                };
                verdicts.get(leaf).with_context(|| format!("no leaf {leaf}"))?.clone()
            }
            _ => {
                if self.code.is_none() {
                    self.code = Some(Code::read(elf)?);
                }
                self.code.as_ref().context("just read")?.judge(check, self.ledger)
            }
        };
        let Ok(note) = verdict else { return Ok(outcome(verdict)) };
        if self.bugs == Bugs::OfProofs || planted.is_empty() {
            return Ok((Status::Holds, note));
        }
        let copy = Copy::of_the_tree()?;
        for bug in planted {
            let elf = copy.plant(bug, Artifacts::release_kernel_of)?;
            let verdict = match check {
                Check::Leaf { leaf, .. } => {
                    let verdicts = solver::leaves(&elf, Some(leaf))?.context("angr was there before")?;
                    verdicts.get(leaf).with_context(|| format!("no leaf {leaf}"))?.clone()
                }
                _ => Code::read(&elf)?.judge(check, self.ledger),
            };
            // A list that no longer fits is no sign of the bug.
            match verdict {
                Err(why) if !why.contains("older than the code") => self.found(bug, why),
                _ => return Ok((Status::Fails, format!("planted bug `{}` is not found", bug.why))),
            }
        }
        Ok((Status::Holds, format!("{note}; {} planted bugs found", planted.len())))
    }

    /// The archives of the systems in `places`, by name.
    fn archives(&mut self, places: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>> {
        let artifacts = self.artifacts()?;
        let mut archives = Vec::new();
        for entry in places.iter().map(std::fs::read_dir).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match check_file(&path, artifacts, &Inputs::default())? {
                Checked::Accepted(plan) => archives.push((name, plan.archive().bytes)),
                Checked::Refused(_) => anyhow::bail!("{name} is refused"),
            }
        }
        Ok(archives)
    }

    fn configuration(&mut self) -> Result<Outcome> {
        let (mut systems, mut pairs) = (0, 0);
        for (name, archive) in self.archives(&[systems_dir()])? {
            match configuration::judge(&archive) {
                Ok(compared) => (systems, pairs) = (systems + 1, pairs + compared),
                Err(error) => return Ok((Status::Fails, format!("{name}: {error:#}"))),
            }
        }
        Ok((Status::Holds, format!("{pairs} pairs in {systems} systems")))
    }
}

/// The tests of a package that the ledger names.
fn named(ledger: &Ledger, package: &str, features: &[String]) -> Vec<String> {
    let checks = ledger.obligations.iter().filter_map(|obligation| obligation.check.as_ref());
    let of_package = checks.filter_map(|check| match check {
        Check::Cargo { package: other, features: theirs, tests, .. } => {
            (other == package && theirs == features).then_some(tests)
        }
        _ => None,
    });
    of_package.flatten().cloned().collect()
}

/// Runs tests of a package, those `wanted` at least: of this tree, or of a copy with what was planted in it. A test that
/// ended its process, or is behind one that did, is not among the results.
fn test(package: &str, features: &[String], wanted: &[String], copy: Option<&Path>) -> Result<Passed> {
    let mut command = cargo();
    command.args(["test", "--no-fail-fast", "-p", package, "--features", &features.join(","), "--"]);
    command.args(wanted.iter().map(|name| name.trim_end_matches('*')));
    if let Some(tree) = copy {
        command.current_dir(tree).env("CARGO_TARGET_DIR", skerry_dir()?.join("planted-target"));
    }
    let output = command.output().with_context(|| format!("cannot test {package}"))?;
    let passed = results(&String::from_utf8_lossy(&output.stdout));
    if passed.is_empty() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = errors.lines().rev().take(5).collect::<Vec<_>>();
        anyhow::bail!("no test of {package} ran: {}", last.into_iter().rev().collect::<Vec<_>>().join(" | "));
    }
    Ok(passed)
}

/// The rules that name instructions.
fn rules(ledger: &Ledger) -> impl Iterator<Item = &Rule> {
    ledger.obligations.iter().filter_map(|obligation| match &obligation.check {
        Some(Check::Binary { rule, .. }) if !rule.complete => Some(rule),
        _ => None,
    })
}

/// The results in what Cargo's test binaries print.
fn results(text: &str) -> Passed {
    let mut passed = Passed::new();
    for line in text.lines() {
        let Some((name, word)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
            continue;
        };
        if word != "ignored" {
            // Two binaries of a package may have a test of the same name: both must pass.
            *passed.entry(name.to_owned()).or_insert(true) &= word == "ok";
        }
    }
    passed
}

/// Whether each of `wanted` ran and passed. A name may leave out the modules before it; a `*` at its end stands for
/// anything.
fn judge_tests(passed: &Passed, wanted: &[String]) -> Result<String, String> {
    let mut count = 0;
    for name in wanted {
        let same =
            |found: &str| found.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"));
        let matches = |found: &str| name.strip_suffix('*').map_or(same(found), |prefix| found.starts_with(prefix));
        let found: Vec<_> = passed.iter().filter(|(found, _)| matches(found)).collect();
        if found.is_empty() {
            return Err(format!("{name} did not run"));
        }
        if let Some((failed, _)) = found.iter().find(|(_, passed)| !**passed) {
            return Err(format!("{failed} failed"));
        }
        count += found.len();
    }
    Ok(format!("{count} tests passed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\nrunning 4 tests\ntest a::one ... ok\ntest a::two ... FAILED\ntest slow ... ignored\n\
                          test src/lib.rs - (line 9) - compile fail ... ok\n\ntest result: FAILED. 2 passed\n";

    fn wanted(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[test]
    fn a_claim_holds_if_its_tests_ran_and_passed() {
        let passed = results(OUTPUT);
        assert!(judge_tests(&passed, &wanted("a::one")).is_ok());
        assert!(judge_tests(&passed, &wanted("one")).is_ok());
        assert!(judge_tests(&passed, &wanted("src/lib.rs - *")).is_ok());
    }

    #[test]
    fn a_test_that_failed_was_ignored_or_is_not_there_is_no_pass() {
        let passed = results(OUTPUT);
        for name in ["a::two", "a::*", "slow", "a::three", "ne"] {
            assert!(judge_tests(&passed, &wanted(name)).is_err(), "{name}");
        }
    }
}
