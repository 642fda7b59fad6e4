//! Spin models: safety and liveness of the locks under weak fairness, every state of a small number of cores; and mutants of
//! each model that must fail.
//!
//! A model that was not searched to the end shows nothing. Tests: below.

use super::ledger::{Mutant, directory};
use crate::tools;
use crate::workspace::Scratch;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// A search that takes longer is not decided.
const PATIENCE_S: &str = "120";
/// Deepest path, in steps; reaching it means that the search was cut short.
const DEPTH: &str = "-m2000000";

/// What a search said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// No error, among so many states.
    Holds(u64),
    Fails(String),
    Undecided(String),
}

/// Makes Spin available if that is possible.
///
/// # Errors
/// Why it is not there.
pub fn ensure_there() -> Result<()> {
    tools::ensure(&[tools::SPIN, tools::BUILD])
}

/// Searches the model `file` for each of its claims, and its mutants for a claim that fails.
///
/// # Errors
/// Inner: why the claim does not hold. Outer: when nothing could be run.
pub fn judge(file: &str, mutants: &[Mutant]) -> Result<Result<String, String>> {
    let path = directory().join("spin").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let claims: Vec<&str> = claims(&text).collect();
    ensure!(!claims.is_empty(), "{file} claims nothing");
    let scratch = Scratch::new()?;
    let mut states = 0;
    compile(scratch.path(), &text)?;
    for claim in &claims {
        match search(scratch.path(), claim, claims.len())? {
            Answer::Holds(count) => states += count,
            Answer::Fails(why) => return Ok(Err(format!("{claim}: {why}"))),
            Answer::Undecided(why) => return Ok(Err(format!("{claim} is not decided: {why}"))),
        }
    }
    for mutant in mutants {
        if text.matches(&mutant.from).count() != 1 {
            return Ok(Err(format!("mutant `{}` does not fit the file", mutant.why)));
        }
        compile(scratch.path(), &text.replace(&mutant.from, &mutant.to))?;
        let mut caught = false;
        for claim in &claims {
            caught = caught || matches!(search(scratch.path(), claim, claims.len())?, Answer::Fails(_));
        }
        if !caught {
            return Ok(Err(format!("mutant `{}` meets every claim too", mutant.why)));
        }
    }
    Ok(Ok(format!("{}: {states} states; {} mutants fail", claims.join(", "), mutants.len())))
}

/// The claims that a model states.
fn claims(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("ltl ")?.split_whitespace().next())
}

/// Makes the searcher of a model.
fn compile(dir: &Path, text: &str) -> Result<()> {
    std::fs::write(dir.join("model.pml"), text)?;
    let compiler = ["-O1", "-w", "-DNFAIR=3", "-DCOLLAPSE", "-o", "search", "pan.c"];
    for (program, arguments) in [("spin", &["-a", "model.pml"][..]), ("cc", &compiler[..])] {
        let mut command = Command::new(program);
        let output = command.args(arguments).current_dir(dir).output().with_context(|| format!("no {program}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{program} refuses the model: {}", said.trim());
    }
    Ok(())
}

fn search(dir: &Path, claim: &str, of: usize) -> Result<Answer> {
    let mut command = Command::new("timeout");
    command.args([PATIENCE_S, "./search", "-a", "-f", DEPTH]).current_dir(dir);
    if of > 1 {
        command.args(["-N", claim]);
    }
    let output = command.output().context("cannot run the searcher")?;
    Ok(read(&String::from_utf8_lossy(&output.stdout)))
}

/// What the searcher's report says.
fn read(report: &str) -> Answer {
    let Some(errors) = report.split("errors: ").nth(1).and_then(|rest| rest.split_whitespace().next()) else {
        return Answer::Undecided(report.lines().last().unwrap_or("it said nothing, or not in time").to_owned());
    };
    let found = report.lines().find(|line| line.starts_with("pan:1:"));
    let stored = report.lines().find(|line| line.contains("states, stored"));
    // Large counts are printed as 1.2e+07.
    let states = stored.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    match (errors, found, states) {
        _ if report.contains("max search depth too small") => Answer::Undecided("the search was cut short".into()),
        ("0", None, Some(states)) if states > 1.0 => Answer::Holds(states as u64),
        (_, Some(line), _) => Answer::Fails(line.to_owned()),
        _ => Answer::Undecided(format!("errors: {errors}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str =
        "State-vector 60 byte, depth reached 2139, errors: 0\n   655050 states, stored (1.9e+06 visited)\n";

    #[test]
    fn a_full_search_without_an_error_holds() {
        assert_eq!(read(REPORT), Answer::Holds(655_050));
        let found = format!("pan:1: acceptance cycle (at depth 57)\n{}", REPORT.replace("errors: 0", "errors: 1"));
        assert_eq!(read(&found), Answer::Fails("pan:1: acceptance cycle (at depth 57)".into()));
    }

    #[test]
    fn a_search_cut_short_shows_nothing() {
        assert!(matches!(read(""), Answer::Undecided(_)));
        assert!(matches!(read(&format!("error: max search depth too small\n{REPORT}")), Answer::Undecided(_)));
    }

    #[test]
    fn claims_are_found_by_name() {
        assert_eq!(claims("byte n;\nltl a { [] p }\nltl b { <> q }\n").collect::<Vec<_>>(), ["a", "b"]);
    }
}
