//! Random system calls of several threads: their kernel stands, and the partition beside them does not change by a byte.

use crate::Pace::{Quick, Slow};
use crate::Tests;
use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use partition_config::Plan;
use partition_config::size::Extent;
use std::thread;
use std::time::{Duration, Instant};
use tests::lab::{Lab, PATIENCE, examine};
use xtask::artifacts::HOSTILE;
use xtask::engine::qmp::Inspector;
use xtask::engine::{Engine, Inspection};
use xtask::launch::{Start, finite_members};
use xtask::session::{Report, Session, Until};

/// Number of the second partition, and of its core.
const NEIGHBOUR: usize = 1;
/// How long the machine runs between two looks at it.
const PIECE: Duration = Duration::from_millis(400);
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
    let members = finite_members(&plan);
    let mut session = Session::new(&members, &started.consoles);
    let done = |report: &Report, name: &str| report.partition(name)?.done;
    // Once the neighbour is done and waits for ever, its memory is the same for ever. Having said that it is done, it has
    // still to go and wait.
    let end = Instant::now() + PATIENCE;
    let mut report = session.follow(&mut started.running, PIECE, Until::Finished, |_, _| {})?;
    while done(report, "neighbour").is_none() || !inspector.halted()?.get(NEIGHBOUR).is_some_and(|&halted| halted) {
        ensure!(report.status.is_none(), "the machine ended: {report:?}");
        if Instant::now() >= end {
            return Err(stands_still("the neighbour does not finish", &mut inspector, report));
        }
        report = session.follow(&mut started.running, PIECE, Until::Finished, |_, _| {})?;
    }
    let before = neighbour(&mut inspector, &plan)?;
    let found = examine(&mut inspector, &plan, 3)?;
    ensure!(found.violations.is_empty(), "isolation is broken: {:?}", found.violations);
    while done(report, "hostile").is_none() {
        let parked = report.partition("hostile").and_then(|partition| partition.parked.as_deref());
        ensure!(parked.is_none(), "the kernel parked: {}", parked.unwrap_or_default());
        ensure!(report.status.is_none(), "the machine ended: {report:?}");
        if Instant::now() >= end {
            return Err(stands_still("the random calls do not end", &mut inspector, report));
        }
        unchanged(&before, &neighbour(&mut inspector, &plan)?)?;
        report = session.follow(&mut started.running, PIECE, Until::Finished, |_, _| {})?;
    }
    unchanged(&before, &neighbour(&mut inspector, &plan)?)?;
    ensure!(done(report, "hostile") == Some(0), "the first thread complains: {report:?}");
    let lines = report.partition("hostile").map(|partition| partition.lines.as_slice()).unwrap_or_default();
    let calls = lines.iter().rev().find_map(|line| line.strip_prefix("hostile: ")?.strip_suffix(" system calls"));
    let calls: u64 = calls.context("no count of system calls")?.parse()?;
    eprintln!("{calls} random system calls");
    ensure!(calls >= LEAST_CALLS, "only {calls} system calls");
    Ok(())
}

/// Says of a machine that makes no progress what its processors do, at two moments.
fn stands_still(what: &str, inspector: &mut Inspector, report: &Report) -> Error {
    let mut processors = || {
        thread::sleep(Duration::from_secs(1));
        let mut ask = |what| inspector.human(what).unwrap_or_else(|error| format!("{error:#}"));
        format!("{}{}", ask("info status"), ask("info registers -a"))
    };
    anyhow!("{what}: {report:?}\n{}\nlater:\n{}", processors(), processors())
}

/// The neighbour's memory: physical address and content of each range.
fn neighbour(inspector: &mut Inspector, plan: &Plan) -> Result<Vec<(u64, Vec<u8>)>> {
    let partition = plan.partitions.get(NEIGHBOUR).context("no neighbour")?;
    inspector.stop()?;
    let ram = inspector.ram()?;
    let read = |range: &Extent| {
        let mut bytes = vec![0; range.size as usize];
        ram.read(range.base, &mut bytes).context("the neighbour's memory cannot be read")?;
        Ok((range.base, bytes))
    };
    let content = partition.memory.iter().map(read).collect();
    inspector.resume()?;
    content
}

/// Complains of the first words that differ.
fn unchanged(before: &[(u64, Vec<u8>)], after: &[(u64, Vec<u8>)]) -> Result<()> {
    if before == after {
        return Ok(());
    }
    let words = |(base, bytes): &(u64, Vec<u8>)| {
        let numbered = (*base..).step_by(size_of::<u64>()).zip(bytes.chunks(size_of::<u64>()));
        numbered.map(|(address, word)| (address, word.to_vec())).collect::<Vec<_>>()
    };
    let pairs = before.iter().flat_map(words).zip(after.iter().flat_map(words));
    let changed = pairs.filter(|(old, new)| old != new).take(64).collect::<Vec<_>>();
    bail!("the neighbour's memory changed: {changed:x?}")
}
