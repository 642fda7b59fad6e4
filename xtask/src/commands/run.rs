//! `cargo xtask run`: boot a system, show it, judge it.

use super::show::Show;
use super::{BAD, GOOD, PLAIN, QUIET, print_refusal};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use xtask::artifacts::Artifacts;
use xtask::console::Line;
use xtask::engine::{Engine, Inspection};
use xtask::images::{Checked, Inputs, check_file};
use xtask::launch::{Start, launch};
use xtask::session::{Report, Until, watch};
use xtask::words::{WordCounts, result_line};
use xtask::{launch, tools, workspace};

/// Options of `run`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The system file; without one: the four-core word-count pipeline.
    file: Option<PathBuf>,
    /// A file to hand to the programs that are granted one as `input`.
    #[arg(long)]
    input: Option<PathBuf>,
    /// The emulator.
    #[arg(long, value_enum, default_value = "qemu")]
    engine: Engine,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 600)]
    timeout: u64,
    /// Give the machine so many cores instead of as many as the system needs.
    #[arg(long)]
    cores: Option<u32>,
    /// Show so many lines of a word count.
    #[arg(long, default_value_t = 20)]
    top: usize,
    /// How the kernel runs on several cores.
    #[arg(long, value_enum, default_value = "multikernel")]
    mode: Mode,
}

/// How the kernel runs on several cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// One instance of the lock-free kernel per core.
    Multikernel,
    /// One kernel with locks on all cores (does not exist yet).
    Smp,
}

/// Boots a system.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.mode == Mode::Smp {
        bail!("--mode smp does not exist yet: there is no SMP kernel, only the multikernel");
    }
    match arguments.engine {
        Engine::Qemu => tools::ensure(&[tools::BUILD, tools::QEMU])?,
        Engine::Bochs => tools::ensure(&[tools::BUILD, tools::ISO, tools::BOCHS])?,
    }
    let artifacts = Artifacts::build()?;
    let file = arguments.file.clone().unwrap_or_else(|| workspace::systems_dir().join("pipeline.toml"));
    let plan = match check_file(&file, &artifacts, &Inputs { input: arguments.input.clone() })? {
        Checked::Refused(report) => return Ok(print_refusal(report)),
        Checked::Accepted(plan) => plan,
    };
    let members = launch::members(&plan);
    let start = Start { cores: arguments.cores, inspection: Inspection::Off, ..Start::on(arguments.engine) };
    let mut started = launch(&plan, &artifacts, &start)?;
    let cores = arguments.cores.unwrap_or_else(|| plan.core_count());
    let count = members.len();
    anstream::println!("{QUIET}booting {}: {count} partitions, {cores} cores{PLAIN}", plan.name);
    let mut show = Show::new(&members, arguments.top);
    let patience = Duration::from_secs(arguments.timeout);
    let show = |owner: Option<usize>, line: &Line| show.line(owner, line);
    let report = watch(&mut started.running, &members, &started.consoles, patience, Until::Finished, show)?;
    drop(started);

    let mut problems = report.problems(&members);
    if problems.is_empty()
        && let Some(input) = launch::granted_file(&plan, "input")
    {
        problems.extend(judge_words(&input, &report));
    }
    let seconds = report.elapsed.as_secs_f64();
    if problems.is_empty() {
        anstream::println!("{GOOD}success{PLAIN} after {seconds:.1} s");
        return Ok(ExitCode::SUCCESS);
    }
    for problem in problems {
        anstream::eprintln!("{BAD}failed:{PLAIN} {problem}");
    }
    Ok(ExitCode::FAILURE)
}

/// Compares printed word counts with the host's own. `None`: they agree, or no partition printed any.
fn judge_words(input: &[u8], report: &Report) -> Option<String> {
    let results = report
        .partitions
        .iter()
        .map(|partition| partition.lines.iter().filter_map(|line| result_line(line)).collect::<Vec<_>>());
    let guest = results.max_by_key(Vec::len).filter(|results| !results.is_empty())?;
    let host = WordCounts::of(input);
    match host.judge(&guest) {
        Err(difference) => Some(format!("the host's count differs: {difference}")),
        Ok(()) => {
            anstream::println!("{GOOD}host agrees:{PLAIN} {} words, {} distinct", host.total(), host.distinct());
            None
        }
    }
}
