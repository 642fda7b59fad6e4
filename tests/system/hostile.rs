//! Random system calls of several threads: their kernel stands, and the partition beside them does not change by a byte.

use crate::Pace::{Quick, Slow};
use crate::Tests;
use anyhow::{Context, Error, Result, anyhow, ensure};
use partition_config::Plan;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;
use std::time::{Duration, Instant};
use tests::lab::{Lab, PATIENCE, examine};
use xtask::artifacts::HOSTILE;
use xtask::engine::qmp::Inspector;
use xtask::engine::{Engine, Inspection};
use xtask::launch::{Start, members};
use xtask::session::{Member, Report, Until, Work, watch};

/// What at least is made while the emulator is not starved.
const LEAST_CALLS: u64 = 500;

pub fn add(tests: &mut Tests) {
    tests.add("hostile/random_calls", Quick, once);
    tests.add("hostile/random_calls_again", Slow, |lab| {
        // Each boot has other seeds. The long form: SKERRY_HOSTILE_SECONDS.
        let seconds = std::env::var("SKERRY_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            once(lab)?;
        }
        Ok(())
    });
}

fn once(lab: &Lab) -> Result<()> {
    let plan = lab.text(&format!(
        "[[partition]]\nname = \"hostile\"\nmemory = \"16M\"\nroot-task = {:?}\n\
         [[partition]]\nname = \"neighbour\"\nmemory = \"8M\"\nprogram = [{{ image = \"hello\" }}]\n",
        lab.root_task(HOSTILE)?
    ))?;
    let mut started = lab.start(&plan, &Start { inspection: Inspection::On, ..Start::on(Engine::Qemu) })?;
    let mut inspector = started.running.take_inspector().context("the machine has no monitor")?;
    let members = members(&plan).into_iter().map(|member| Member { work: Work::Finite, ..member }).collect::<Vec<_>>();
    let mut follow =
        |patience| watch(&mut started.running, &members, &started.consoles, patience, Until::Finished, |_, _| {});
    let mut reports = Vec::new();
    // Once the neighbour is done, its memory is the same for ever.
    let end = Instant::now() + PATIENCE;
    let done = |reports: &[Report], name: &str| {
        reports.iter().filter_map(|report| report.partition(name)).find_map(|partition| partition.done)
    };
    while done(&reports, "neighbour").is_none() {
        if Instant::now() >= end {
            return Err(stands_still("the neighbour does not finish", &mut inspector, &reports));
        }
        reports.push(follow(Duration::from_millis(300))?);
    }
    let before = neighbour(&mut inspector, &plan)?;
    let found = examine(&mut inspector, &plan, 3)?;
    ensure!(found.violations.is_empty(), "isolation is broken: {:?}", found.violations);
    while done(&reports, "hostile").is_none() {
        let parked = reports.iter().filter_map(|report| report.partition("hostile")?.parked.as_deref()).next();
        ensure!(parked.is_none(), "the kernel parked: {}", parked.unwrap_or_default());
        if Instant::now() >= end {
            return Err(stands_still("the random calls do not end", &mut inspector, &reports));
        }
        ensure!(neighbour(&mut inspector, &plan)? == before, "the neighbour's memory changed");
        reports.push(follow(Duration::from_millis(500))?);
    }
    ensure!(neighbour(&mut inspector, &plan)? == before, "the neighbour's memory changed");
    ensure!(done(&reports, "hostile") == Some(0), "the first thread complains: {:?}", reports.last());
    let lines = reports.iter().filter_map(|report| report.partition("hostile")).flat_map(|partition| &partition.lines);
    let mut calls =
        lines.filter_map(|line| line.strip_prefix("hostile: ")?.strip_suffix(" system calls")?.parse::<u64>().ok());
    let calls = calls.next_back().context("no count of system calls")?;
    eprintln!("{calls} random system calls");
    ensure!(calls >= LEAST_CALLS, "only {calls} system calls");
    Ok(())
}

/// Says of a machine that makes no progress what its processors do, at two moments.
fn stands_still(what: &str, inspector: &mut Inspector, reports: &[Report]) -> Error {
    let mut processors = || {
        thread::sleep(Duration::from_secs(1));
        let mut ask = |what| inspector.human(what).unwrap_or_else(|error| format!("{error:#}"));
        format!("{}{}", ask("info status"), ask("info registers -a"))
    };
    anyhow!("{what}: {:?}\n{}\nlater:\n{}", reports.last(), processors(), processors())
}

/// The neighbour's memory, in a word.
fn neighbour(inspector: &mut Inspector, plan: &Plan) -> Result<u64> {
    let partition = plan.partitions.iter().find(|it| it.name == "neighbour").context("no neighbour")?;
    inspector.stop()?;
    let ram = inspector.ram()?;
    let mut hash = DefaultHasher::new();
    for range in &partition.memory {
        let mut bytes = vec![0; range.size as usize];
        ram.read(range.base, &mut bytes).context("the neighbour's memory cannot be read")?;
        bytes.hash(&mut hash);
    }
    inspector.resume()?;
    Ok(hash.finish())
}
