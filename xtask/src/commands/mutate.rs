//! `cargo xtask mutate`: which small mistakes in the kernel's layers no host test notices.

use anyhow::{Context, Result};
use clap::Args;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use xtask::assurance::mutation::build;
use xtask::assurance::mutation::judge::Judgement;
use xtask::assurance::mutation::report::{Explanations, Outcome};
use xtask::assurance::read_kept;
use xtask::workspace;

/// Options of `mutate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Layers: folders of kernel/.
    #[arg(long, value_delimiter = ',', default_values = ["capability", "thread", "ipc"])]
    layers: Vec<String>,
    /// Judge for so long, then say what is known. All of it takes hours.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    minutes: u64,
    /// Go on with the mutants of the last run: neither compile nor judge them again.
    #[arg(long)]
    again: bool,
    /// Compile anew, and judge only what the last run's tests did not notice.
    #[arg(long, conflicts_with = "again")]
    survivors: bool,
    /// Keep the outcome in tests/assurance/mutation.json, which the assurance report shows; of other layers, what is there
    /// stays.
    #[arg(long)]
    publish: bool,
}

/// Makes, compiles and judges the mutants.
pub fn mutate(arguments: &Arguments) -> Result<ExitCode> {
    let started = Instant::now();
    let folder = workspace::root().join("tests/assurance");
    let explanations = Explanations::load(&folder.join("survivors.toml"))?;
    let reports = workspace::target_dir().join("assurance");
    std::fs::create_dir_all(&reports)?;
    let kept = reports.join("mutants.json");
    // Read first: that there is none should not cost a build.
    let last = (arguments.again || arguments.survivors).then(|| Judgement::load(&kept)).transpose()?;
    let mut judgement = match last {
        Some(last) if arguments.again => last,
        last => {
            println!("compiling …");
            let built = build::build(&arguments.layers)?;
            println!("{} mutants compile ({:.0} s)", built.mutants.len(), started.elapsed().as_secs_f64());
            let mut judgement = Judgement::begin(built)?;
            last.iter().for_each(|last| judgement.take_noticed(last));
            judgement
        }
    };
    judgement.save(&kept)?;
    println!("judging … ({:.0} s)", started.elapsed().as_secs_f64());
    let deadline = Instant::now() + Duration::from_mins(arguments.minutes);
    // In parts, so that an end from outside loses little.
    while judgement.fates.len() < judgement.built.mutants.len() && Instant::now() < deadline {
        judgement.go_on(deadline.min(Instant::now() + Duration::from_mins(2)))?;
        judgement.save(&kept)?;
        let (done, all) = (judgement.fates.len(), judgement.built.mutants.len());
        println!("{done} of {all} ({:.0} s)", started.elapsed().as_secs_f64());
    }
    let mut outcome = Outcome::of(&judgement.built.mutants, &judgement.judged(), &explanations);
    println!("{}\n{}", outcome.scores_markdown(), outcome.survivors_markdown());
    for stale in &outcome.stale {
        println!("explains nothing any more: {stale}");
    }
    let json = |outcome: &Outcome| Ok::<_, serde_json::Error>(serde_json::to_string_pretty(outcome)? + "\n");
    std::fs::write(reports.join("mutation.json"), json(&outcome)?)?;
    if arguments.publish {
        let path = folder.join("mutation.json");
        outcome.add_other_layers(read_kept(&path)?.unwrap_or_default());
        workspace::replace(&path, json(&outcome)?).context("cannot keep the outcome")?;
    }
    Ok(if outcome.stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
