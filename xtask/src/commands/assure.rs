//! `cargo xtask assure`: climbs the assurance ladder and says, level by level, what holds and by which evidence.

use super::{BAD, GOOD, PLAIN, QUIET};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::process::ExitCode;
use std::time::Instant;
use xtask::assurance::evidence::{Kept, caught_path};
use xtask::assurance::html;
use xtask::assurance::ledger::{LEVELS, Ledger};
use xtask::assurance::planted::Caught;
use xtask::assurance::report::{self, Entry, Status};
use xtask::assurance::runner::{Bugs, Extent, Runner};
use xtask::assurance::toolbox;
use xtask::workspace;

/// Options of `assure`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this level, 1 to 7.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=7))]
    level: Option<u32>,
    /// The slow checks too; a claim that was not run is then a failure.
    #[arg(long)]
    full: bool,
    /// Also plant each listed bug in a copy of the tree, and see its check fail: an hour. What was found is kept in
    /// tests/assurance/caught.json, which the report shows.
    #[arg(long)]
    planted: bool,
    /// First fetch the tools that this machine lacks.
    #[arg(long)]
    install: bool,
    /// Only obligations whose id contains one of these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Write docs/assurance.md from this run.
    #[arg(long, conflicts_with_all = ["level", "only"])]
    publish: bool,
}

/// Runs the checks of the ledger.
pub fn assure(arguments: &Arguments) -> Result<ExitCode> {
    let started = Instant::now();
    let ledger = Ledger::load()?;
    if arguments.install {
        toolbox::install()?;
    }
    let extent = if arguments.full { Extent::Full } else { Extent::Quick };
    let bugs = if arguments.planted { Bugs::All } else { Bugs::OfProofs };
    let mut runner = Runner::new(&ledger, extent, bugs);
    let mut entries: Vec<Entry> = Vec::new();
    for obligation in &ledger.obligations {
        let wanted = arguments.only.is_empty() || arguments.only.iter().any(|part| obligation.id.contains(part));
        if wanted && arguments.level.is_none_or(|level| level == obligation.level) {
            let entry = runner.run(obligation);
            announce(&entry);
            entries.push(entry);
            // At once: an end from outside, hours later, must not take it back.
            if arguments.planted {
                keep(&runner)?;
            }
        }
    }
    ensure!(!entries.is_empty(), "no obligation has such an id and level");
    let seconds = started.elapsed().as_secs_f64();
    ladder(&entries, arguments.level);
    let directory = workspace::target_dir().join("assurance");
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut kept = Kept::load()?;
    kept.caught = Caught::merge(kept.caught, runner.caught());
    let page = report::markdown(&entries, seconds, &kept.markdown(&ledger, &entries));
    std::fs::write(directory.join("report.json"), report::json(&entries)?)?;
    std::fs::write(directory.join("report.md"), &page)?;
    std::fs::write(directory.join("index.html"), html::page(&entries, seconds))?;
    println!("{} obligations in {seconds:.0} s; report: {}", entries.len(), directory.join("index.html").display());
    let failed = entries.iter().filter(|entry| entry.status == Status::Fails).count();
    let missed = entries.iter().filter(|entry| entry.status == Status::NotRun).count();
    if arguments.publish {
        ensure!(failed == 0, "{failed} claims do not hold: docs/assurance.md is left as it was");
        std::fs::write(workspace::root().join("docs/assurance.md"), page)?;
    }
    let sound = failed == 0 && (missed == 0 || !arguments.full);
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Adds what was found so far to tests/assurance/caught.json.
fn keep(runner: &Runner<'_>) -> Result<()> {
    let caught = Caught::merge(Kept::load()?.caught, runner.caught());
    workspace::replace(&caught_path(), serde_json::to_string_pretty(&caught)? + "\n")
}

fn announce(entry: &Entry) {
    let style = match entry.status {
        Status::Holds => GOOD,
        Status::Fails => BAD,
        Status::Open | Status::NotRun => QUIET,
    };
    let Entry { id, level, class, status, note, seconds, .. } = entry;
    let remark = if entry.status == Status::Open { &entry.gap } else { note };
    let remark: String = remark.chars().take(100).collect();
    anstream::println!(
        "{level} {style}{status:<7}{PLAIN} {class:<4} {id:<36} {seconds:>6.1} s  {QUIET}{remark}{PLAIN}"
    );
}

fn ladder(entries: &[Entry], only: Option<u32>) {
    println!();
    for level in (1..=LEVELS).rev().filter(|level| only.is_none_or(|only| only == *level)) {
        println!("level {level}  {:<46} {}", report::title(level), report::counts(entries, level));
    }
    println!("P proved on the code · E exhaustive · R sampled · D theorem about a model · open: nothing is claimed");
    match report::first_gap(entries) {
        Some(gap) => println!("first gap: {} (level {}, {}): {}", gap.id, gap.level, gap.status, gap.gap),
        None => println!("no gap"),
    }
    for entry in entries.iter().filter(|entry| entry.status == Status::Fails) {
        anstream::println!("{BAD}fails{PLAIN} {}: {}", entry.id, entry.note);
    }
}
