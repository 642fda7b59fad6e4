//! Questions for a solver, asked by scripts: leaves of the machine code (angr), and configurations (z3).
//!
//! A script prints a verdict in a line; whatever else happens is no verdict, and so no pass. Tests: below.

use super::ledger::directory;
use super::toolbox;
use crate::workspace::Scratch;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Verdicts by name.
pub type Verdicts = BTreeMap<String, Result<String, String>>;

/// Seconds after which a script has decided nothing.
const PATIENCE_S: &str = "600";

/// What is proved of each leaf, or only of `leaf`, of the kernel in the file `elf`; `None` without angr.
///
/// # Errors
/// When the script cannot be run, or decides nothing.
pub fn leaves(elf: &Path, leaf: Option<&str>) -> Result<Option<Verdicts>> {
    let arguments: Vec<&Path> = [elf].into_iter().chain(leaf.map(Path::new)).collect();
    let Some(text) = run("angr/leaves.py", &arguments)? else { return Ok(None) };
    let verdicts: Verdicts = text.lines().filter_map(|line| line.split_once(' ')).filter_map(named).collect();
    ensure!(!verdicts.is_empty(), "the leaves say nothing");
    Ok(Some(verdicts))
}

fn named((name, rest): (&str, &str)) -> Option<(String, Result<String, String>)> {
    Some((name.to_owned(), verdict(rest)?))
}

fn verdict(line: &str) -> Option<Result<String, String>> {
    match line.split_once(' ')? {
        ("holds", note) => Some(Ok(note.to_owned())),
        ("fails", note) => Some(Err(note.to_owned())),
        _ => None,
    }
}

/// Whether the owners in each of `archives` are separate; `None` without z3.
///
/// # Errors
/// When the script cannot be run, or decides nothing.
pub fn separation(archives: &[Vec<u8>]) -> Result<Option<Result<String, String>>> {
    let scratch = Scratch::new()?;
    let mut paths = Vec::new();
    for (index, archive) in archives.iter().enumerate() {
        let path = scratch.path().join(format!("{index}.archive"));
        std::fs::write(&path, archive)?;
        paths.push(path);
    }
    let paths: Vec<&Path> = paths.iter().map(|path| path.as_path()).collect();
    let Some(text) = run("z3/separation.py", &paths)? else { return Ok(None) };
    text.lines().find_map(verdict).context("the question is not decided").map(Some)
}

fn run(script: &str, arguments: &[&Path]) -> Result<Option<String>> {
    let Some(python) = toolbox::python()? else { return Ok(None) };
    let mut command = Command::new("timeout");
    command.arg(PATIENCE_S).arg(python).arg(directory().join(script)).args(arguments);
    let output = command.output().with_context(|| format!("cannot run {script}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().last().unwrap_or("not in time");
    ensure!(!said.trim().is_empty(), "{script} said nothing: {last}");
    Ok(Some(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_verdict_is_one() {
        assert_eq!(verdict("holds 3 pairs"), Some(Ok("3 pairs".into())));
        assert_eq!(verdict("fails two have port 3"), Some(Err("two have port 3".into())));
        assert_eq!(verdict("Traceback (most recent call last):"), None);
        assert_eq!(named(("mask", "holds all inputs")), Some(("mask".into(), Ok("all inputs".into()))));
        assert_eq!(named(("WARNING", "something is odd")), None);
    }
}
