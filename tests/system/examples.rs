//! The systems that come with the tree do what they promise.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::{Context, Result, ensure};
use manifest::mitigations;
use partition_config::Plan;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;
use tests::lab::{Lab, PATIENCE, Run, with_mitigations};
use xtask::engine::Engine;
use xtask::launch::{Start, granted_file};
use xtask::words::{Printed, WordCounts};
use xtask::workspace::{Scratch, systems_dir};

pub fn add(tests: &mut Tests) {
    tests.add_in(forms::ONE_PARTITION, "examples/one_core", Quick, |lab| {
        let run = lab.boot(&lab.file(systems_dir().join("one-core.toml"), None)?)?;
        run.succeeded()?;
        let greeted = run.lines("solo")?.iter().any(|line| line.contains("hello from hello in solo"));
        ensure!(greeted, run.failure("no greeting"));
        Ok(())
    });
    tests.add_in(forms::ALL, "examples/ping_pong", Quick, |lab| {
        let run = lab.boot(&lab.file(systems_dir().join("ping-pong.toml"), None)?)?;
        run.succeeded()?;
        let answers = run.lines("right")?.iter().any(|line| line.contains("answers"));
        ensure!(answers, run.failure("pong did not report"));
        Ok(())
    });
    tests.add_in(forms::ALL, "examples/pipeline", Quick, |lab| pipeline(lab, None, PATIENCE).map(drop));
    for (engine, pace, patience) in [(Engine::Qemu, Quick, PATIENCE), (Engine::Bochs, Slow, Duration::from_secs(600))] {
        tests.add_in(forms::ALL, format!("examples/pipeline_isolated/{engine:?}").to_lowercase(), pace, move |lab| {
            let plan = lab.file(systems_dir().join("pipeline.toml"), None)?;
            counted(lab, &with_mitigations(plan, mitigations::ALL), engine, patience).map(drop)
        });
    }
    tests.add_in(forms::ALL, "examples/pipeline_small_texts", Quick, |lab| {
        for text in ["", "one", "a A a\n", "no-break \u{e9}t\u{e9} r2d2 END"] {
            pipeline_on(lab, text.as_bytes(), PATIENCE)?;
        }
        Ok(())
    });
    tests.add_in(forms::ALL, "examples/pipeline_30_megabytes", Slow, |lab| {
        let run = pipeline_on(lab, long_text(30 << 20).as_bytes(), Duration::from_secs(600))?;
        eprintln!("30 MiB through the pipeline in {:.0} s", run.report.elapsed.as_secs_f64());
        Ok(())
    });
}

fn pipeline_on(lab: &Lab, text: &[u8], patience: Duration) -> Result<Run> {
    let scratch = Scratch::new()?;
    let path = scratch.path().join("input");
    std::fs::write(&path, text)?;
    pipeline(lab, Some(path), patience)
}

/// Runs the word-count pipeline and compares its result with the host's.
fn pipeline(lab: &Lab, input: Option<PathBuf>, patience: Duration) -> Result<Run> {
    counted(lab, &lab.file(systems_dir().join("pipeline.toml"), input)?, Engine::Qemu, patience)
}

fn counted(lab: &Lab, plan: &Plan, engine: Engine, patience: Duration) -> Result<Run> {
    let text = granted_file(plan, "input").context("nobody is granted `input`")?;
    let run = lab.boot_with(plan, &Start::on(engine), patience)?;
    run.succeeded()?;
    WordCounts::of(&text)
        .judge(&Printed::of(run.lines("reporter")?))
        .map_err(|difference| run.failure(&difference.to_string()))?;
    Ok(run)
}

/// A text of about `bytes` bytes: common words often, and thousands of rare ones.
fn long_text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut rank = (state >> 40) % 20_000 * ((state >> 20) % 1000) / 1000;
        loop {
            text.push(char::from(b'a' + (rank % 26) as u8));
            rank /= 26;
            if rank == 0 {
                break;
            }
        }
        // Writing to a string does not fail.
        let _ = match state >> 60 {
            0 => writeln!(text, "."),
            1 => write!(text, ", {} ", state % 1000),
            _ => write!(text, " "),
        };
    }
    text
}
