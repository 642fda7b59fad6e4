//! `cargo xtask test`: everything that must hold before a change is kept, with one plain last line.

use super::{BAD, GOOD, PLAIN, QUIET};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use xtask::artifacts::{Artifacts, PACKAGES, cargo};
use xtask::engine::{Engine, Threads};
use xtask::form::{ALL_FORMS, FORMS};
use xtask::holds;
use xtask::launch::Start;
use xtask::stress::{Place, storm};
use xtask::tally::Tally;
use xtask::target::Library;
use xtask::tools;

/// Kernels for several cores and the one with the hardware debug API, by the image's features, and which tests of the locks
/// and of whole instances they see on the host.
const KERNELS: [(&str, &[&str]); 4] = [
    ("skerry-image/smp", ALL_TESTS),
    ("skerry-image/lock-mcs", OF_LOCKS),
    ("skerry-image/lock-big", OF_LOCKS),
    ("skerry-image/hardware-debug", ALL_TESTS),
];
const ALL_TESTS: &[&str] = &[];
/// One core alone notices nothing of which lock it takes.
const OF_LOCKS: &[&str] = &["--lib", "--test", "contention", "--test", "order", "--test", "several_cores"];

/// How long each fuzzer runs: about a minute of the host's processors in all.
const FUZZED: Duration = Duration::from_secs(6);

/// Options of `test`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Run only the tests, or storms, whose names contain this (no format check, no lints).
    filter: Option<String>,
    /// Leave out the slow system tests: many cores, firmware, Bochs.
    #[arg(long)]
    quick: bool,
    /// In which forms the system tests run: `some` is the multikernel, one SMP and one clustered form.
    #[arg(long, value_enum, default_value = "some")]
    forms: Forms,
    /// Only storm each kind of kernel for so many seconds: without locks, with each kind of them, clustered.
    #[arg(long, value_name = "SECONDS", conflicts_with = "quick")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    stress: Option<u64>,
    /// Only measure how long each lock is held at most, in instructions.
    #[arg(long, conflicts_with_all = ["filter", "quick", "stress"])]
    hold_times: bool,
    /// With `--stress`: where. Bochs runs all cores in lockstep, up to eight of them.
    #[arg(long, value_enum, default_value = "qemu", requires = "stress")]
    engine: Engine,
    /// With `--stress`, in QEMU: a thread for each core or one for all. Without it, for each if the host has so many to spare.
    #[arg(long, value_enum, requires = "stress")]
    threads: Option<Threads>,
}

/// In how many forms a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Forms {
    /// What can be waited for.
    Some,
    /// All that make sense for it.
    All,
}

/// Runs the tests.
pub fn test(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.hold_times {
        return hold_times();
    }
    if let Some(seconds) = arguments.stress {
        return stress(Duration::from_secs(seconds), arguments);
    }
    tools::ensure(&[tools::BUILD, tools::FUZZ, tools::QEMU, tools::ISO, tools::UEFI, tools::BOCHS])?;
    let library = Library::ensure()?;
    let mut total = Tally::default();
    if arguments.filter.is_none() {
        total += check("format", cargo().args(["fmt", "--all", "--check"]))?;
        let lints = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        total += check("lints, host", cargo().args(lints))?;
        // Not among `--all-targets`, since `cargo test --workspace` leaves it out.
        let lints = ["clippy", "--quiet", "-p", "skerry-tests", "--test", "system", "--", "-D", "warnings"];
        total += check("lints, system tests", cargo().args(lints))?;
        total += check("lints, bare metal", &mut bare_metal_lints(&library))?;
    }
    let filter = arguments.filter.as_deref();
    let mut host = cargo();
    host.args(["test", "--quiet", "--workspace", "--no-fail-fast", "--"]).args(filter);
    total += tests("host tests", &mut host)?;
    for (features, targets) in KERNELS {
        let mut host = cargo();
        host.args(["test", "--quiet", "-p", "skerry-sync", "-p", "skerry-image", "--no-fail-fast"]).args(targets);
        // Several instances in every order take long, and are a matter of the kernel without locks.
        host.args(["--features", features, "--", "--skip", "several::"]).args(filter);
        total += tests(&format!("host tests, {features}"), &mut host)?;
    }
    let mut explore = cargo();
    explore.args(["test", "--quiet", "-p", "skerry-sync", "-p", "skerry-channel", "--no-fail-fast"]);
    explore.args(["--features", "skerry-sync/explore,skerry-channel/explore", "--"]).args(filter);
    total += tests("exploration of locks and rings", &mut explore)?;
    if arguments.filter.is_none() {
        announce("fuzzing");
        let fuzzing = super::fuzz::run_all(None, FUZZED)?;
        println!("fuzzing: {fuzzing}");
        total += fuzzing;
    }
    let mut system = cargo();
    system.args(["test", "--quiet", "-p", "skerry-tests", "--test", "system", "--"]).args(filter);
    system.args((!arguments.quick).then_some("--include-ignored"));
    if arguments.forms == Forms::All {
        system.env(FORMS, ALL_FORMS);
    }
    total += tests("system tests", &mut system)?;
    Ok(verdict(total))
}

/// The last line, and the exit status. That nothing ran is no success.
fn verdict(total: Tally) -> ExitCode {
    if total == Tally::default() {
        anstream::eprintln!("{BAD}failed:{PLAIN} no test has such a name");
    }
    println!("{total}");
    if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line for each rank: the longest section in the benchmark, and in a storm.
fn hold_times() -> Result<ExitCode> {
    tools::ensure(&[tools::BUILD, tools::QEMU])?;
    let [bench, storm] = holds::measure(&Artifacts::build()?)?;
    println!("| held | instructions at most, benchmark | storm |\n|---|---:|---:|");
    for ((name, bench), storm) in holds::NAMES.iter().zip(bench).zip(storm) {
        println!("| {name} | {bench} | {storm} |");
    }
    Ok(ExitCode::SUCCESS)
}

/// Storms on every kind of kernel, one machine at a time.
fn stress(duration: Duration, arguments: &Arguments) -> Result<ExitCode> {
    let (engine, filter) = (arguments.engine, arguments.filter.as_deref());
    let emulator: &[_] = if engine == Engine::Bochs { &[tools::ISO, tools::BOCHS] } else { &[tools::QEMU] };
    tools::ensure(&[&[tools::BUILD], emulator].concat())?;
    let artifacts = Artifacts::build()?;
    let places = if engine == Engine::Bochs { Place::lockstep() } else { Place::all() };
    let mut total = Tally::default();
    for place in places {
        let name = format!("storm/{place}");
        if filter.is_some_and(|filter| !name.contains(filter)) {
            continue;
        }
        let started = announce(&name);
        let machine = Start { threads: arguments.threads.or(Some(place.threads())), ..Start::on(engine) };
        let outcome = storm(&artifacts, place, &machine, duration);
        match &outcome {
            Ok(storm) => println!("{} rounds: {}", storm.rounds, storm.counts),
            Err(error) => anstream::eprintln!("{BAD}failed:{PLAIN} {error:#}"),
        }
        let tally = Tally::one(outcome.is_ok());
        summary(&name, tally, started);
        total += tally;
    }
    Ok(verdict(total))
}

fn bare_metal_lints(library: &Library) -> Command {
    let mut command = cargo();
    command.args(["clippy", "--quiet", "--release"]);
    library.apply(&mut command);
    for package in PACKAGES {
        command.args(["-p", package]);
    }
    command.args(["--", "-D", "warnings"]);
    command
}

/// A step that passes or fails as a whole.
fn check(name: &str, command: &mut Command) -> Result<Tally> {
    let started = announce(name);
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    let tally = Tally::one(status.success());
    summary(name, tally, started);
    Ok(tally)
}

/// A step made of tests that Cargo runs; what it prints is passed on.
fn tests(name: &str, command: &mut Command) -> Result<Tally> {
    let started = announce(name);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {command:?}"))?;
    let output = child.stdout.take().context("no output pipe")?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        tally += Tally::of_line(&line).unwrap_or_default();
    }
    let status = child.wait()?;
    if !status.success() && tally.failed == 0 {
        // It did not compile, or a test binary died.
        tally += Tally::one(false);
    }
    summary(name, tally, started);
    Ok(tally)
}

fn announce(name: &str) -> Instant {
    anstream::println!("{QUIET}{name} …{PLAIN}");
    Instant::now()
}

fn summary(name: &str, tally: Tally, started: Instant) {
    let style = if tally.failed == 0 { GOOD } else { BAD };
    let seconds = started.elapsed().as_secs_f64();
    anstream::println!("{style}{name}{PLAIN}: {tally} ({seconds:.0} s)");
}
