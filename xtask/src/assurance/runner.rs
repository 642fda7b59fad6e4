//! Running checks: each package's tests once, the kernel built and disassembled once, whatever the number of
//! obligations that rest on them. Tests: below.

use super::cbmc::{self, Harnesses};
use super::disassembly::{Placed, disassemble};
use super::ledger::{Check, Ledger, Obligation, Pace, Rule};
use super::planted::Copy;
use super::report::{Entry, Status};
use super::{binary, configuration, coq, spin, toolbox};
use crate::artifacts::{Artifacts, KERNEL, cargo};
use crate::images::{Checked, Inputs, check_file};
use crate::workspace::{root, systems_dir};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
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

/// Runs checks and remembers what they share.
pub struct Runner<'a> {
    ledger: &'a Ledger,
    extent: Extent,
    packages: BTreeMap<String, Passed>,
    artifacts: Option<Artifacts>,
    code: Option<Vec<Placed>>,
    proofs: Option<(Harnesses, Copy)>,
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
    pub fn new(ledger: &'a Ledger, extent: Extent) -> Self {
        Self { ledger, extent, packages: BTreeMap::new(), artifacts: None, code: None, proofs: None }
    }

    /// Runs the check of one obligation.
    pub fn run(&mut self, obligation: &Obligation) -> Entry {
        let started = Instant::now();
        let (status, note) = match &obligation.check {
            None => (Status::Open, String::new()),
            // A check that could not be carried out shows nothing; it is certainly no pass.
            Some(check) => self.check(check).unwrap_or_else(|error| (Status::Fails, format!("{error:#}"))),
        };
        Entry::new(obligation, status, note, started.elapsed().as_secs_f64())
    }

    fn check(&mut self, check: &Check) -> Result<Outcome> {
        match check {
            Check::Cargo { package, tests } => {
                let passed = self.package(package)?;
                Ok(outcome(judge_tests(passed, tests)))
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
            Check::Binary { rule } => {
                let rules: Vec<&Rule> = rules(self.ledger).collect();
                let code = self.code()?;
                let verdict =
                    if rule.complete { binary::judge_complete(&rules, code) } else { binary::judge(rule, code) };
                Ok(outcome(verdict))
            }
            Check::Proof { .. } if !cbmc::present()? => Ok((Status::NotRun, format!("no CBMC: {}", toolbox::ADVICE))),
            Check::Proof { harness, planted } => {
                if self.proofs.is_none() {
                    self.proofs = Some((Harnesses::build(&root())?, Copy::of_the_tree()?));
                }
                let (harnesses, copy) = self.proofs.as_ref().context("just built")?;
                Ok(outcome(cbmc::judge(harnesses, copy, harness, planted)?))
            }
            Check::Configuration => self.configuration(),
        }
    }

    fn package(&mut self, package: &str) -> Result<&Passed> {
        if !self.packages.contains_key(package) {
            let mut command = cargo();
            command.args(["test", "--no-fail-fast", "-p", package]);
            let output = command.output().with_context(|| format!("cannot test {package}"))?;
            let passed = results(&String::from_utf8_lossy(&output.stdout));
            if passed.is_empty() {
                let errors = String::from_utf8_lossy(&output.stderr).into_owned();
                let last = errors.lines().rev().take(5).collect::<Vec<_>>();
                anyhow::bail!("no test of {package} ran: {}", last.into_iter().rev().collect::<Vec<_>>().join(" | "));
            }
            self.packages.insert(package.to_owned(), passed);
        }
        self.packages.get(package).context("just run")
    }

    fn artifacts(&mut self) -> Result<&Artifacts> {
        if self.artifacts.is_none() {
            self.artifacts = Some(Artifacts::build()?);
        }
        self.artifacts.as_ref().context("just built")
    }

    fn code(&mut self) -> Result<&[Placed]> {
        if self.code.is_none() {
            let release = self.artifacts()?.clone().with_release_kernel()?;
            let path = release.path(KERNEL).context("the kernel is not built")?;
            let elf = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            self.code = Some(disassemble(&elf)?);
        }
        self.code.as_deref().context("just disassembled")
    }

    fn configuration(&mut self) -> Result<Outcome> {
        let artifacts = self.artifacts()?;
        let (mut systems, mut pairs) = (0, 0);
        for entry in std::fs::read_dir(systems_dir())? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let plan = match check_file(&path, artifacts, &Inputs::default())? {
                Checked::Accepted(plan) => plan,
                Checked::Refused(_) => return Ok((Status::Fails, format!("{name} is refused"))),
            };
            match configuration::judge(&plan.archive()) {
                Ok(compared) => (systems, pairs) = (systems + 1, pairs + compared),
                Err(error) => return Ok((Status::Fails, format!("{name}: {error:#}"))),
            }
        }
        Ok((Status::Holds, format!("{pairs} pairs in {systems} systems")))
    }
}

/// The rules that name instructions.
fn rules(ledger: &Ledger) -> impl Iterator<Item = &Rule> {
    ledger.obligations.iter().filter_map(|obligation| match &obligation.check {
        Some(Check::Binary { rule }) if !rule.complete => Some(rule),
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
