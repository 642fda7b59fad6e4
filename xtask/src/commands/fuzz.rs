//! `cargo xtask fuzz`: fuzzers that are guided by coverage, as many at a time as the host has processors.

use super::{BAD, PLAIN, QUIET};
use anyhow::{Result, bail};
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;
use xtask::fuzz::{Fuzzer, targets};
use xtask::parallel::in_parallel;
use xtask::tally::Tally;
use xtask::tools;

/// Options of `fuzz`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to fuzz: the name of a folder in `tests/fuzz/corpus` (without it: all of them).
    target: Option<String>,
    /// How long each runs.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seconds: u64,
    /// Instead, make the corpora in the tree as small as can be without reaching less, with what earlier runs found.
    #[arg(long, conflicts_with = "seconds")]
    minimise: bool,
}

/// Fuzzes, or minimises corpora.
pub fn fuzz(arguments: &Arguments) -> Result<ExitCode> {
    tools::ensure(&[tools::BUILD, tools::FUZZ])?;
    let target = arguments.target.as_deref();
    if arguments.minimise {
        let fuzzer = Fuzzer::build()?;
        for name in chosen(target)? {
            fuzzer.minimise(&name)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let total = run_all(target, Duration::from_secs(arguments.seconds))?;
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fuzzes `target`, or all, each for `duration`.
pub fn run_all(target: Option<&str>, duration: Duration) -> Result<Tally> {
    let fuzzer = Fuzzer::build()?;
    let names = chosen(target)?;
    let outcomes = in_parallel(names.len(), |index| {
        let (name, outcome) = (&names[index], fuzzer.run(&names[index], duration)?);
        let tried = outcome.tried.map_or_else(|| "an unknown number of".into(), |tried| tried.to_string());
        anstream::println!("{QUIET}fuzz {name}: {tried} inputs{PLAIN}");
        if let Some(failure) = &outcome.failure {
            anstream::eprintln!("{BAD}{name} fails:{PLAIN}\n{failure}");
        }
        anyhow::Ok(Tally::one(outcome.failure.is_none()))
    });
    let mut total = Tally::default();
    for outcome in outcomes {
        total += outcome?;
    }
    Ok(total)
}

fn chosen(target: Option<&str>) -> Result<Vec<String>> {
    let all = targets()?;
    match target {
        None => Ok(all),
        Some(name) if all.iter().any(|it| it == name) => Ok(vec![name.to_owned()]),
        Some(name) => bail!("there is no fuzzer {name}; there are {}", all.join(", ")),
    }
}
