//! Coq files: compiled without an assumption, and mutants of them that must not compile.
//!
//! A mutant counts as caught when a *proof* of it fails: one that Coq cannot even read shows nothing. Tests: below.

use super::ledger::{Mutant, directory};
use crate::tools;
use crate::workspace::Scratch;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Output};

/// A file or mutant that takes longer is taken for one that fails.
const PATIENCE_S: &str = "120";
/// Words by which a file would assume what it should prove.
const ASSUMING: [&str; 6] = ["Admitted", "admit", "Axiom", "Parameter", "Conjecture", "Unset Guard"];
/// What Coq says of a theorem that rests on nothing.
const CLOSED: &str = "Closed under the global context";

/// Makes Coq available if that is possible.
///
/// # Errors
/// Why it is not there.
pub fn ensure() -> Result<()> {
    tools::ensure(&[tools::COQ])
}

/// Compiles `file` and its mutants.
///
/// # Errors
/// Inner: why the claim does not hold. Outer: when nothing could be run.
pub fn judge(file: &str, theorems: &[String], mutants: &[Mutant]) -> Result<Result<String, String>> {
    let path = directory().join("coq").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let scratch = Scratch::new()?;
    if let Some(word) = assumes(&text) {
        return Ok(Err(format!("`{word}` assumes something")));
    }
    let printed: Vec<_> = printed(&text).collect();
    if printed != theorems {
        return Ok(Err(format!("it prints the assumptions of {printed:?}, and the ledger names {theorems:?}")));
    }
    let output = compile(scratch.path(), file, &text)?;
    if !output.status.success() {
        return Ok(Err(reason(&output)));
    }
    let closed = String::from_utf8_lossy(&output.stdout).matches(CLOSED).count();
    if closed != theorems.len() {
        return Ok(Err(format!("{closed} of {} theorems rest on nothing", theorems.len())));
    }
    for mutant in mutants {
        if text.matches(&mutant.from).count() != 1 {
            return Ok(Err(format!("mutant `{}` does not fit the file", mutant.why)));
        }
        let output = compile(scratch.path(), file, &text.replace(&mutant.from, &mutant.to))?;
        if output.status.success() {
            return Ok(Err(format!("mutant `{}` is proved too", mutant.why)));
        }
        let reason = reason(&output);
        if !caught(&reason) {
            return Ok(Err(format!("mutant `{}` cannot even be read: {reason}", mutant.why)));
        }
    }
    let names = theorems.join(", ");
    Ok(Ok(format!("{names}: closed under the global context; {} mutants fail", mutants.len())))
}

fn compile(dir: &Path, file: &str, text: &str) -> Result<Output> {
    std::fs::write(dir.join(file), text)?;
    let mut command = Command::new("timeout");
    command.args([PATIENCE_S, "coqc", "-q", file]).current_dir(dir);
    command.output().context("cannot run coqc")
}

/// Theorems whose assumptions a file prints.
fn printed(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("Print Assumptions ")?.strip_suffix('.'))
}

/// A word of the file that assumes something, outside comments of one line.
fn assumes(text: &str) -> Option<&'static str> {
    let words = |line: &str, word: &str| line.split(|c: char| !c.is_alphanumeric()).any(|found| found == word);
    ASSUMING.into_iter().find(|word| text.lines().any(|line| words(line, word)))
}

/// The error message.
fn reason(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().skip_while(|line| !line.starts_with("Error")).collect::<Vec<_>>().join(" ");
    if line.is_empty() { format!("coqc ended with {}", output.status) } else { line }
}

/// Whether the error is a failed proof rather than a text that means nothing.
fn caught(reason: &str) -> bool {
    reason.starts_with("Error")
        && !["Syntax error", "was not found", "Syntax Error"].iter().any(|it| reason.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_assumes_is_noticed() {
        assert_eq!(assumes("Proof. auto. Qed."), None);
        assert_eq!(assumes("Lemma l : False.\nAdmitted."), Some("Admitted"));
        assert_eq!(assumes("Axiom magic : False."), Some("Axiom"));
        assert_eq!(assumes("Definition parameters := 3."), None);
    }

    #[test]
    fn what_is_printed_is_found() {
        assert_eq!(
            printed("Qed.\nPrint Assumptions one.\nPrint Assumptions two.\n").collect::<Vec<_>>(),
            ["one", "two"]
        );
    }

    #[test]
    fn a_mutant_that_means_nothing_is_not_caught() {
        assert!(caught("Error: Unable to unify"));
        assert!(!caught("Error: Syntax error: [ltac_use_default] expected"));
        assert!(!caught("Error: The reference x was not found in the current environment."));
        assert!(!caught("coqc ended with exit status: 124"));
    }
}
