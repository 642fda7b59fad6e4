//! `cargo xtask run`: boot a system, show it, judge it.

use super::show::Show;
use super::{BAD, GOOD, PLAIN, QUIET, print_refusal};
use anyhow::{Result, bail, ensure};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use xtask::artifacts::Artifacts;
use xtask::console::Line;
use xtask::engine::{Engine, Inspection};
use xtask::form::Form;
use xtask::images::{Checked, Inputs, check_file};
use xtask::launch::{Start, launch};
use xtask::session::{Report, Until, watch};
use xtask::words::{Printed, WordCounts};
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
    /// Give up after so many seconds, or, if no partition says when it is finished, end.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    timeout: u64,
    /// Give the machine so many cores instead of as many as the system needs.
    #[arg(long)]
    cores: Option<u32>,
    /// Have the program `reporter` print so many words (its argument in the system file, else 20).
    #[arg(long)]
    top: Option<u32>,
    /// Count time in executed instructions (QEMU `-icount shift=0,sleep=off`): slower, and repeats exactly.
    #[arg(long)]
    icount: bool,
    /// Take the kernel without debug system calls (for partitions of one core).
    #[arg(long)]
    release_kernel: bool,
    /// Take kernel and programs with seL4's hardware debug API: breakpoints and single-stepping (for partitions of one core;
    /// root tasks of others must be built for it too).
    #[arg(long, conflicts_with = "release_kernel")]
    hardware_debug: bool,
    #[command(flatten)]
    form: Form,
}

/// Boots a system.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match arguments.engine {
        Engine::Qemu => tools::ensure(&[tools::BUILD, tools::QEMU])?,
        Engine::Bochs => tools::ensure(&[tools::BUILD, tools::ISO, tools::BOCHS])?,
    }
    let mut artifacts = Artifacts::build()?;
    if arguments.release_kernel {
        artifacts = artifacts.with_release_kernel()?;
    }
    if arguments.hardware_debug {
        artifacts = artifacts.with_hardware_debug()?;
    }
    let file = arguments.file.clone().unwrap_or_else(|| workspace::systems_dir().join("pipeline.toml"));
    let inputs = Inputs { input: arguments.input.clone(), form: arguments.form };
    let mut plan = match check_file(&file, &artifacts, &inputs)? {
        Checked::Refused(report) => return Ok(print_refusal(report)),
        Checked::Accepted(plan) => arguments.form.apply(*plan, &artifacts)?,
    };
    let options = [(arguments.release_kernel, "release-kernel"), (arguments.hardware_debug, "hardware-debug")];
    if let Some((_, option)) = options.into_iter().find(|(wanted, _)| *wanted) {
        // Any other form takes kernels with locks, of which there is none of the kind.
        ensure!(arguments.form == Form::default(), "--{option} is for partitions of one core, in no other form");
        if let Some(partition) = plan.partitions.iter().find(|partition| partition.cores.len() > 1) {
            let (name, cores) = (&partition.name, partition.cores.len());
            bail!("--{option} is for partitions of one core; `{name}` has {cores}");
        }
    }
    if let Some(top) = arguments.top {
        launch::set_arguments(&mut plan, "reporter", &[top.to_string()]);
    }
    let members = launch::members(&plan);
    let extra = match (arguments.icount, arguments.engine) {
        (true, Engine::Qemu) => vec!["-icount".to_owned(), "shift=0,sleep=off".to_owned()],
        (true, Engine::Bochs) => bail!("--icount is QEMU's; Bochs counts instructions anyway"),
        (false, _) => Vec::new(),
    };
    let start = Start { cores: arguments.cores, inspection: Inspection::Off, extra, ..Start::on(arguments.engine) };
    let mut started = launch(&plan, &artifacts, &start)?;
    let plural = |count: usize, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let cores = arguments.cores.unwrap_or_else(|| plan.core_count()) as usize;
    let (kernels, cores) = (plural(plan.partitions.len(), "kernel"), plural(cores, "core"));
    anstream::println!("{QUIET}booting {}: {}, {kernels}, {cores}{PLAIN}", plan.name, arguments.form);
    let show = Show::new(&members);
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
        // Of partitions that run for ever, or do not say when they are finished, more cannot be said.
        let (judgement, when) = if report.elapsed < patience { ("success", "after") } else { ("nothing failed", "in") };
        anstream::println!("{GOOD}{judgement}{PLAIN} {when} {seconds:.1} s");
        return Ok(ExitCode::SUCCESS);
    }
    for problem in problems {
        anstream::eprintln!("{BAD}failed:{PLAIN} {problem}");
    }
    Ok(ExitCode::from(report.status_code(&members).max(1)))
}

/// Compares printed word counts with the host's own. `None`: they agree, or no partition printed any.
fn judge_words(input: &[u8], report: &Report) -> Option<String> {
    let mut results = report.partitions.iter().map(|partition| Printed::of(&partition.lines));
    let guest = results.find(|result| !result.is_empty())?;
    let host = WordCounts::of(input);
    match host.judge(&guest) {
        Err(difference) => Some(format!("the host's count differs: {difference}")),
        Ok(()) => {
            anstream::println!("{GOOD}host agrees:{PLAIN} {} words, {} distinct", host.total(), host.distinct());
            None
        }
    }
}
