//! `cargo xtask bench`: measure, report, and compare with a baseline.

use super::{BAD, GOOD, PLAIN, QUIET};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use xtask::artifacts::{Artifacts, KERNEL};
use xtask::bench::compare::{compare, compare_exactly};
use xtask::bench::figures::Figure;
use xtask::bench::lockstep::{self, Extent, SETUPS, Setup};
use xtask::bench::reference::REFERENCES;
use xtask::bench::{footprint, hardware, host, machine, publish, report, scaling};
use xtask::parallel::in_parallel;
use xtask::{tools, workspace};

/// How long the measuring system may take: it takes a second where the host is idle.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a machine in lockstep may take: a minute for sixteen cores where the host is idle.
const LOCKSTEP_PATIENCE: Duration = Duration::from_secs(1800);
/// Instances whose start is counted.
const MANY: u32 = 64;
/// Cores of the machines in lockstep.
const CORES: [u32; 5] = [1, 2, 4, 8, 16];
/// Those of a quick run.
const QUICK_CORES: [u32; 3] = [1, 2, 4];

/// Options of `bench`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Leave out what takes minutes: time no rings, boot no 64 instances, and of the scaling scenarios run only message
    /// pairs without think time, on 1, 2 and 4 cores.
    #[arg(long)]
    quick: bool,
    /// Run only what one engine measures.
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Lockstep in these setups only, such as `multikernel,smp-big`.
    #[arg(long, value_delimiter = ',')]
    setups: Vec<String>,
    /// Lockstep on these numbers of cores only, such as `1,4`.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=16))]
    cores: Vec<u32>,
    /// With `--only machine`: what the serial port of a PC said that booted the ISO.
    #[arg(long, value_name = "FILE")]
    serial: Option<PathBuf>,
    /// Measure nothing: write the report of the figures in this `report.json` again.
    #[arg(long, value_name = "REPORT")]
    from: Option<PathBuf>,
    /// Put the tables and charts of what was measured into `docs/performance.md`.
    #[arg(long)]
    publish: bool,
    /// Compare with this `report.json`; fail if a deterministic figure is over 2 % worse.
    #[arg(long, value_name = "BASELINE", conflicts_with = "from")]
    compare: Option<PathBuf>,
    /// With `--compare`: fail if a deterministic figure differs at all.
    #[arg(long, requires = "compare")]
    exact: bool,
}

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Instructions per operation, on one core (QEMU).
    Icount,
    /// Scaling, on several (Bochs).
    Lockstep,
    /// Our rings and others', on this host.
    Host,
    /// Cycles of the machine at hand: under KVM, or from a PC's serial port.
    Machine,
}

/// Measures.
pub fn bench(arguments: &Arguments) -> Result<ExitCode> {
    // Read first: a wrong path should not cost a run.
    let baseline = arguments.compare.as_deref().map(report::read).transpose()?;
    let folder = workspace::target_dir().join("bench");
    if let Some(saved) = &arguments.from {
        let figures = report::read(saved)?;
        report::write(&folder, &figures, &[])?;
        if arguments.publish {
            publish::publish(&workspace::root().join("docs"), &figures)?;
        }
        println!("report: {}", folder.join("report.md").display());
        return Ok(ExitCode::SUCCESS);
    }
    tools::ensure(&[tools::BUILD, tools::QEMU])?;
    let artifacts = Artifacts::build()?;
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    if arguments.only == Some(Only::Machine) {
        figures.extend(at_hand(&artifacts, &folder, arguments)?);
    }
    if wanted(Only::Icount) {
        anstream::println!("{QUIET}measuring: one partition, one core, counted in instructions{PLAIN}");
        figures.extend(machine::run(&artifacts, PATIENCE)?);
        if !arguments.quick {
            anstream::println!("{QUIET}measuring: the start of {MANY} instances{PLAIN}");
            figures.extend(machine::boot(&artifacts, MANY, LOCKSTEP_PATIENCE)?);
        }
        let kernel = artifacts.path(KERNEL).context("the kernel is not built")?;
        let bytes = std::fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
        figures.extend(footprint::of(&bytes)?);
    }
    if wanted(Only::Host) {
        anstream::println!("{QUIET}measuring: rings on the host{PLAIN}");
        let timed = || if arguments.quick { Ok(Vec::new()) } else { host::timed() };
        for rings in [host::counted(), timed()] {
            match rings {
                Ok(rings) => figures.extend(rings),
                Err(error) => failed.push(format!("rings on the host: {error:#}")),
            }
        }
    }
    if wanted(Only::Lockstep) {
        tools::ensure(&[tools::ISO, tools::BOCHS])?;
        let (scaled, problems) = scale(&artifacts, arguments)?;
        figures.extend(scaled);
        failed.extend(problems);
    }
    report::write(&folder, &figures, &failed)?;
    if arguments.publish {
        publish::publish(&workspace::root().join("docs"), &figures)?;
    }

    println!("{:<22}{:>8}{:>10}{:>10}", "instructions", "Skerry", "seL4 MCS", "to reach");
    for row in &REFERENCES {
        let text = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        let ours = report::median(&figures, row.id);
        println!("{:<22}{:>8}{:>10}{:>10}", row.id, text(ours), text(row.sel4_mcs), text(row.target));
    }
    println!("report: {}", folder.join("report.md").display());

    for problem in &failed {
        anstream::eprintln!("{BAD}not measured:{PLAIN} {problem}");
    }
    let outcome = if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let Some(baseline) = baseline else { return Ok(outcome) };
    let comparison = if arguments.exact { compare_exactly(&baseline, &figures) } else { compare(&baseline, &figures) };
    for line in &comparison.better {
        anstream::println!("{GOOD}better:{PLAIN} {line}");
    }
    let word = if arguments.exact { "differs" } else { "worse" };
    for line in &comparison.worse {
        anstream::eprintln!("{BAD}{word}:{PLAIN} {line}");
    }
    if !comparison.worse.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let verdict = match arguments.exact {
        true => "every deterministic figure of the baseline is the same",
        false => "nothing is more than 2 % worse than the baseline",
    };
    anstream::println!("{GOOD}{verdict}{PLAIN}");
    Ok(outcome)
}

/// On the machine at hand: the ISO for a PC, and figures from its serial port, or from here.
fn at_hand(artifacts: &Artifacts, folder: &Path, arguments: &Arguments) -> Result<Vec<Figure>> {
    tools::ensure(&[tools::ISO])?;
    std::fs::create_dir_all(folder)?;
    let iso = folder.join("machine.iso");
    hardware::image(artifacts, &iso)?;
    println!("for a PC, with its first serial port recorded: {}", iso.display());
    match &arguments.serial {
        Some(serial) => hardware::from_serial(serial),
        None => hardware::under_kvm(artifacts, &std::fs::read_to_string("/proc/cpuinfo")?, PATIENCE),
    }
}

/// Every setup on every number of cores, as many machines at once as the host has processors: lockstep is not disturbed.
/// The figures, and which machines failed.
fn scale(artifacts: &Artifacts, arguments: &Arguments) -> Result<(Vec<Figure>, Vec<String>)> {
    let (usual, extent) = if arguments.quick { (&QUICK_CORES[..], Extent::Quick) } else { (&CORES[..], Extent::Full) };
    let cores = if arguments.cores.is_empty() { usual } else { &arguments.cores };
    let known = |name: &String| SETUPS.iter().any(|setup| setup.name == name);
    if let Some(unknown) = arguments.setups.iter().find(|name| !known(name)) {
        bail!("there is no setup {unknown}; there are {}", SETUPS.map(|setup| setup.name).join(", "));
    }
    let chosen = |setup: &&Setup| arguments.setups.is_empty() || arguments.setups.iter().any(|name| name == setup.name);
    let machines: Vec<_> =
        SETUPS.iter().filter(chosen).flat_map(|&setup| cores.iter().map(move |&cores| (setup, cores))).collect();
    let machines: Vec<_> = machines.into_iter().filter(|(setup, cores)| setup.fits(*cores)).collect();
    ensure!(!machines.is_empty(), "none of these setups has such a number of cores");
    let runs = in_parallel(machines.len(), |place| {
        let (setup, cores) = machines[place];
        let start = Instant::now();
        let run = lockstep::run(artifacts, setup, cores, extent, LOCKSTEP_PATIENCE);
        let seconds = start.elapsed().as_secs();
        let said = if run.is_ok() { "measured" } else { "failed" };
        anstream::println!("{QUIET}{said}: {}, {cores} cores in lockstep, {seconds} s{PLAIN}", setup.name);
        run
    });
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for (run, &(setup, cores)) in runs.into_iter().zip(&machines) {
        match run {
            Ok(run) => {
                figures.extend(run.rounds.iter().flat_map(|round| scaling::figures(setup, cores, round)));
                figures.extend(run.figures);
            }
            Err(error) => failed.push(format!("{error:#}")),
        }
    }
    Ok((figures, failed))
}
