//! Storms: the root task `skerry-stress` on a machine, followed for as long as wanted.
//!
//! It runs in rounds and checks itself at the end of each (`user-libs/stress`); here is judged that it goes on doing so.
//! Tests: `tests/system/modes.rs`.

use crate::artifacts::{Artifacts, STRESS};
use crate::engine::{Engine, Threads};
use crate::form::Form;
use crate::images::{Checked, Inputs, check_text};
use crate::launch::{Start, launch, members};
use crate::session::{End, Until, Work, watch};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// How a line of a finished round begins.
const ROUND: &str = "stress: round ";
/// A storm without a new round for so long has stopped; rounds take a second or two where the host is idle.
const SILENCE: Duration = Duration::from_secs(60);

/// What a storm came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// Rounds that ended well.
    pub rounds: u64,
    /// What was done in them, in words.
    pub counts: String,
}

/// Threads for as much at the same time as the host can do.
pub fn parallel(cores: u32) -> Threads {
    let host = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cores as usize > host { Threads::One } else { Threads::Many }
}

/// Storms a kernel over `cores` cores in the form `form` for `duration`.
///
/// # Errors
/// When something is broken, or stands still; the message has the machine's last words.
pub fn storm(artifacts: &Artifacts, form: Form, cores: u32, threads: Threads, duration: Duration) -> Result<Storm> {
    // On a busy host the first round may take longer than the whole storm was to last.
    let patient = duration.max(SILENCE);
    match rounds(artifacts, form, cores, threads, duration)? {
        Some(storm) => Ok(storm),
        None => {
            rounds(artifacts, form, cores, threads, patient)?.with_context(|| format!("no round ended in {patient:?}"))
        }
    }
}

/// The rounds of `duration`; `None` if none ended.
fn rounds(
    artifacts: &Artifacts,
    form: Form,
    cores: u32,
    threads: Threads,
    duration: Duration,
) -> Result<Option<Storm>> {
    let root_task = artifacts.path(STRESS).context("the stress test is not built")?.display().to_string();
    let list = (0..cores).map(|core| core.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!(
        "[system]\nname = \"stress\"\n[[partition]]\nname = \"stress\"\ncores = [{list}]\nmemory = \"32M\"\nroot-task = {root_task:?}\n"
    );
    let inputs = Inputs { form, ..Inputs::default() };
    let plan = match check_text("stress.toml", &text, Path::new("/"), artifacts, &inputs) {
        Checked::Accepted(plan) => plan,
        Checked::Refused(report) => bail!("the stress test's own system file is refused: {report}"),
    };
    let mut members = members(&plan);
    // It never finishes, except by failing.
    members.iter_mut().for_each(|member| member.work = Work::Finite);
    let start = Start { threads: Some(threads), ..Start::on(Engine::Qemu) };
    let mut started = launch(&plan, artifacts, &start)?;
    let mut latest = Instant::now();
    let report = watch(&mut started.running, &members, &started.consoles, duration, Until::Finished, |_, line| {
        if matches!(line, crate::console::Line::Text(text) if text.starts_with(ROUND)) {
            latest = Instant::now();
        }
    })?;
    let lines = report.partitions.first().map_or(&[][..], |partition| &partition.lines);
    let words = lines.iter().rev().take(5).rev().map(|line| format!("\n  | {line}")).collect::<String>();
    let parked = report.partitions.iter().find_map(|partition| partition.parked.as_deref());
    ensure!(parked.is_none(), "the kernel panicked: {}{words}", parked.unwrap_or(""));
    ensure!(report.end == End::Timeout, "the storm ended by itself ({:?}){words}", report.end);
    let last = lines.iter().rev().find_map(|line| line.strip_prefix(ROUND)?.split_once(", "));
    let Some((rounds, counts)) = last else { return Ok(None) };
    ensure!(latest.elapsed() < SILENCE, "no round ended in the last {:?}{words}", latest.elapsed());
    Ok(Some(Storm { rounds: rounds.parse()?, counts: counts.to_owned() }))
}
