//! Running checks: each package's tests once, the kernel built and disassembled once, whatever the number of
//! obligations that rest on them. Tests: in the modules that judge.

use super::cbmc::{self, Harnesses};
use super::disassembly::{Placed, disassemble};
use super::host_tests::{Fate, Results};
use super::ledger::{Check, Ledger, Obligation, Pace, Rule};
use super::planted::{Caught, Copy, Planted};
use super::report::{Entry, Status};
use super::solver::{self, Verdicts};
use super::stack::{self, Words};
use super::{binary, configuration, coq, spin, toolbox};
use crate::artifacts::{Artifacts, KERNEL, cargo};
use crate::images::{Checked, Inputs, check_file};
use crate::workspace::{root, systems_dir};
use anyhow::{Context, Result};
use manifest::handoff::STACK_BYTES;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

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
    packages: BTreeMap<String, Results>,
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
                let verdict = self.package(package, features)?.judge(tests);
                let Ok(note) = verdict else { return Ok(outcome(verdict)) };
                if self.bugs == Bugs::OfProofs || planted.is_empty() {
                    return Ok((Status::Holds, note));
                }
                let copy = Copy::of_the_tree()?;
                for bug in planted {
                    let results = copy.plant(bug, |tree| Results::of(package, features, tests, Some(tree)))?;
                    let Some(failed) = results.notice(tests) else {
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
                let mut results = Results::default();
                for test in tests {
                    let arguments = ["test", "--quiet", "-p", "skerry-tests", "--test", "system", "--"];
                    let mut command = cargo();
                    command.args(arguments).args(["--exact", "--include-ignored", test]);
                    let output = command.output().context("cannot run the system tests")?;
                    // With one test the exit status says it all, once it is known to have run.
                    let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
                    results.insert(test, if output.status.success() && ran { Fate::Passed } else { Fate::Failed });
                }
                Ok(outcome(results.judge(tests)))
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

    fn package(&mut self, package: &str, features: &[String]) -> Result<&Results> {
        let key = format!("{package} {}", features.join(","));
        if !self.packages.contains_key(&key) {
            let results = Results::of(package, features, &named(self.ledger, package, features), None)?;
            self.packages.insert(key.clone(), results);
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

/// The rules that name instructions.
fn rules(ledger: &Ledger) -> impl Iterator<Item = &Rule> {
    ledger.obligations.iter().filter_map(|obligation| match &obligation.check {
        Some(Check::Binary { rule, .. }) if !rule.complete => Some(rule),
        _ => None,
    })
}
