//! Running a package's tests, and telling apart one that failed, one that took its process with it, and one that did not
//! run at all: only the first two say anything about the code. Tests: below.

use crate::artifacts::cargo;
use crate::workspace::skerry_dir;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// Signals that people and the system's memory keeper end a process with: interrupt, kill, terminate.
const FROM_OUTSIDE: [&str; 3] = ["(signal: 2,", "(signal: 9,", "(signal: 15,"];

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It did not come to its end: its process ended before.
    Died,
}

/// What became of tests, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results(BTreeMap<String, Fate>);

impl Results {
    /// Runs tests of a package, those `wanted` at least: of this tree, or of a `copy` with what was planted in it. In a copy
    /// one test runs after the other, so that it is known which one its process died of; those behind it do not run.
    ///
    /// # Errors
    /// When no test ran, or a process was ended from outside.
    pub fn of(package: &str, features: &[String], wanted: &[String], copy: Option<&Path>) -> Result<Self> {
        let mut command = cargo();
        command.args(["test", "--no-fail-fast", "-p", package, "--features", &features.join(","), "--"]);
        command.args(wanted.iter().map(|name| name.trim_end_matches('*')));
        if let Some(tree) = copy {
            command.arg("--test-threads=1");
            command.current_dir(tree).env("CARGO_TARGET_DIR", skerry_dir()?.join("planted-target"));
        }
        let output = command.output().with_context(|| format!("cannot test {package}"))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        Self::read(&String::from_utf8_lossy(&output.stdout), &errors).with_context(|| format!("testing {package}"))
    }

    /// Reads what Cargo and its test programs print.
    fn read(printed: &str, errors: &str) -> Result<Self> {
        if let Some(ended) = errors.lines().find(|line| FROM_OUTSIDE.iter().any(|signal| line.contains(signal))) {
            bail!("ended from outside: {}", ended.trim());
        }
        let mut results = Self::default();
        for line in printed.lines() {
            let Some((name, word)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
                continue;
            };
            match word {
                "ignored" => {}
                "ok" => results.insert(name, Fate::Passed),
                // The name is printed when the test begins, the word when it ends.
                "" => results.insert(name, Fate::Died),
                _ => results.insert(name, Fate::Failed),
            }
        }
        if results.0.is_empty() {
            let last = errors.lines().rev().take(5).collect::<Vec<_>>();
            bail!("no test ran: {}", last.into_iter().rev().collect::<Vec<_>>().join(" | "));
        }
        Ok(results)
    }

    /// Adds what became of the test `name`. Two programs of a package may have a test of the same name: both must pass.
    pub fn insert(&mut self, name: &str, fate: Fate) {
        let known = self.0.entry(name.to_owned()).or_insert(fate);
        *known = fate.max(*known);
    }

    /// Those that `name` means. It may leave out the modules before it; a `*` at its end stands for anything.
    fn named(&self, name: &str) -> impl Iterator<Item = (&String, Fate)> {
        let same =
            move |found: &str| found.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"));
        let matches =
            move |found: &str| name.strip_suffix('*').map_or_else(|| same(found), |prefix| found.starts_with(prefix));
        self.0.iter().filter(move |(found, _)| matches(found)).map(|(found, fate)| (found, *fate))
    }

    /// Whether each of `wanted` ran and passed; if not, why.
    ///
    /// # Errors
    /// Which did not, in words.
    pub fn judge(&self, wanted: &[String]) -> Result<String, String> {
        if let Some(found) = self.notice(wanted) {
            return Err(found);
        }
        let counts = wanted.iter().map(|name| (name, self.named(name).count()));
        let absent = counts.clone().find(|(_, count)| *count == 0);
        absent.map_or_else(
            || Ok(format!("{} tests passed", counts.map(|(_, count)| count).sum::<usize>())),
            |(name, _)| Err(format!("{name} did not run")),
        )
    }

    /// What the first of `wanted` came to that ran and did not pass; nothing if there is none. That a test did not run is
    /// no sign of a mistake in the code.
    pub fn notice(&self, wanted: &[String]) -> Option<String> {
        wanted.iter().flat_map(|name| self.named(name)).find_map(|(name, fate)| match fate {
            Fate::Passed => None,
            Fate::Failed => Some(format!("{name} failed")),
            Fate::Died => Some(format!("{name} ended its process")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\nrunning 4 tests\ntest a::one ... ok\ntest a::two ... FAILED\ntest slow ... ignored\n\
                           test src/lib.rs - (line 9) - compile fail ... ok\n\ntest result: FAILED. 2 passed\n";
    const ABORTED: &str = "error: test failed, to rerun pass `-p p --lib`\n\nCaused by:\n  \
                           process didn't exit successfully: `deps/p-1` (signal: 6, SIGABRT: process abort signal)\n";

    fn wanted(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[test]
    fn a_claim_holds_if_its_tests_ran_and_passed() {
        let results = Results::read(PRINTED, "").unwrap();
        for name in ["a::one", "one", "src/lib.rs - *"] {
            assert!(results.judge(&wanted(name)).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_test_that_failed_was_ignored_or_is_not_there_is_no_pass() {
        let results = Results::read(PRINTED, "").unwrap();
        for name in ["a::two", "a::*", "slow", "a::three", "ne"] {
            assert!(results.judge(&wanted(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_mistake_is_noticed_by_a_test_that_fails_and_not_by_one_that_does_not_run() {
        let results = Results::read(PRINTED, "").unwrap();
        assert_eq!(results.notice(&["slow".into(), "two".into()]).unwrap(), "a::two failed");
        for name in ["a::one", "slow", "a::three"] {
            assert_eq!(results.notice(&wanted(name)), None, "{name}");
        }
    }

    #[test]
    fn a_mistake_is_noticed_by_a_test_whose_process_dies_and_not_by_those_behind_it() {
        // Another program's tests follow: Cargo goes on.
        let printed = "\nrunning 3 tests\ntest a::one ... ok\ntest a::two ... \nrunning 1 test\ntest b ... ok\n";
        let results = Results::read(printed, ABORTED).unwrap();
        assert_eq!(results.notice(&["three".into(), "two".into()]).unwrap(), "a::two ended its process");
        assert_eq!(results.notice(&["a::three".into(), "a::one".into(), "b".into()]), None);
        assert!(results.judge(&wanted("a::three")).is_err());
        // It was the first, or the only one.
        let results = Results::read("\nrunning 1 test\ntest two ... ", ABORTED).unwrap();
        assert!(results.notice(&wanted("two")).is_some());
    }

    #[test]
    fn no_test_at_all_is_an_error_and_so_is_an_end_from_outside() {
        let none = "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed\n";
        assert!(Results::read(none, "").is_err());
        assert!(Results::read("", "error[E0308]: mismatched types").is_err());
        let killed = ABORTED.replace("6, SIGABRT: process abort signal", "9, SIGKILL: kill");
        assert!(Results::read("\nrunning 1 test\ntest two ... ", &killed).is_err());
    }
}
