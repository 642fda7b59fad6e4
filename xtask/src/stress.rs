//! Storms: the root task `skerry-stress` in every partition of a machine, followed for as long as wanted.
//!
//! It runs in rounds and checks itself at the end of each (`user-libs/stress`); here is judged that each instance goes on
//! doing so. A storm's name says what is stormed: `4_cores/smp-mcs`, `2x2_cores/clustered-ticket`.
//! Tests: `tests/system/storms.rs`.

use crate::artifacts::{Artifacts, Lock, STRESS};
use crate::console::Line;
use crate::engine::{Engine, Threads};
use crate::form::{Form, Kernel};
use crate::images::{Checked, Inputs, check_text};
use crate::launch::{Start, finite_members, launch};
use crate::session::{End, Report, Session, Until};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::{Display, Formatter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How a line of a finished round begins.
pub const ROUND: &str = "stress: round ";

/// What is stormed: a kernel instance in each of `partitions` partitions, over `cores` cores each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which kernels.
    pub form: Form,
    /// Kernel instances.
    pub partitions: u32,
    /// Cores of each instance.
    pub cores: u32,
}

impl Place {
    /// One instance.
    pub fn one(form: Form, cores: u32) -> Self {
        Self { form, partitions: 1, cores }
    }

    /// Every kind of kernel: without locks alone and beside others; with each kind of lock on one core, on two (which
    /// most hosts can run in parallel), on four, and clustered.
    pub fn all() -> Vec<Self> {
        let multikernel = [1, 4].map(|partitions| Self { partitions, ..Self::one(Form::default(), 1) });
        let smp = Lock::ALL.into_iter().flat_map(|lock| {
            let alone = Self::one(Form { kernel: Kernel::Smp, lock, ..Form::default() }, 1);
            let clustered = Self { form: Form::clustered(lock), partitions: 2, cores: 2 };
            [alone, Self::one(Form::smp(lock), 2), Self::one(Form::smp(lock), 4), clustered]
        });
        multikernel.into_iter().chain(smp).collect()
    }

    /// For an engine in lockstep, where every core always makes progress: up to eight cores.
    pub fn lockstep() -> Vec<Self> {
        let multikernel = Self { partitions: 4, ..Self::one(Form::default(), 1) };
        let smp = Lock::ALL.into_iter().flat_map(|lock| {
            let clustered = Self { form: Form::clustered(lock), partitions: 2, cores: 4 };
            [Self::one(Form::smp(lock), 4), Self::one(Form::smp(lock), 8), clustered]
        });
        std::iter::once(multikernel).chain(smp).collect()
    }

    /// A thread for each core, if the host has a processor free for each that waits for others; else one for all: a core
    /// that waits would keep the one it waits for from running.
    pub fn threads(self) -> Threads {
        let host = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        let load: Option<f64> = load.and_then(|text| text.split_ascii_whitespace().next()?.parse().ok());
        let free = host as f64 - load.unwrap_or(0.0).round();
        if self.cores > 1 && f64::from(self.partitions * self.cores) > free { Threads::One } else { Threads::Many }
    }

    fn system(self, root_task: &str) -> String {
        let mut text = String::from("[system]\nname = \"stress\"\n");
        for partition in 0..self.partitions {
            let cores: Vec<u32> = (partition * self.cores..).take(self.cores as usize).collect();
            // A string takes any write.
            let _ = write!(
                text,
                "[[partition]]\nname = \"stress-{partition}\"\ncores = {cores:?}\nmemory = \"32M\"\nroot-task = {root_task:?}\n"
            );
        }
        text
    }
}

impl Display for Place {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match (self.partitions, self.cores) {
            (1, 1) => write!(out, "1_core/{}", self.form),
            (1, cores) => write!(out, "{cores}_cores/{}", self.form),
            (partitions, cores) => write!(out, "{partitions}x{cores}_cores/{}", self.form),
        }
    }
}

/// What a storm came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// Rounds that ended well, in the instance with the fewest.
    pub rounds: u64,
    /// What was done in them, in words.
    pub counts: String,
}

/// Storms `place` for `duration` on such a machine; longer if no round has ended by then, as may be on a busy host.
///
/// # Errors
/// When something is broken, or stands still; the message has the machine's last words.
pub fn storm(artifacts: &Artifacts, place: Place, machine: &Start, duration: Duration) -> Result<Storm> {
    let root_task = artifacts.path(STRESS).context("the stress test is not built")?.display().to_string();
    let inputs = Inputs { form: place.form, ..Inputs::default() };
    let plan = match check_text("stress.toml", &place.system(&root_task), Path::new("/"), artifacts, &inputs) {
        Checked::Accepted(plan) => plan,
        Checked::Refused(report) => bail!("the stress test's own system file is refused: {report}"),
    };
    // It never finishes, except by failing.
    let members = finite_members(&plan);
    let mut started = launch(&plan, artifacts, machine)?;
    let patience = duration.max(silence(machine.engine));
    let begin = Instant::now();
    let mut latest = vec![begin; members.len()];
    let mut rest = duration;
    let mut session = Session::new(&members, &started.consoles);
    loop {
        let report = session.follow(&mut started.running, rest, Until::Finished, |owner, line| {
            if let (Some(latest), Line::Text(text)) = (owner.and_then(|owner| latest.get_mut(owner)), line)
                && text.starts_with(ROUND)
            {
                *latest = Instant::now();
            }
        })?;
        if let Some(storm) = judge(report, &latest, silence(machine.engine))? {
            return Ok(storm);
        }
        rest = patience.saturating_sub(begin.elapsed());
        ensure!(!rest.is_zero(), "no round ended in {patience:?}");
    }
}

/// A storm without a new round for so long has stopped; rounds take a second or two where the host is idle.
fn silence(engine: Engine) -> Duration {
    Duration::from_secs(if engine == Engine::Bochs { 600 } else { 180 })
}

/// What the instance with the fewest rounds has done; `None` if in some instance none ended. `latest` is when each said
/// something of the kind.
fn judge(report: &Report, latest: &[Instant], silence: Duration) -> Result<Option<Storm>> {
    let mut least: Option<Storm> = None;
    for (partition, latest) in report.partitions.iter().zip(latest) {
        let (name, lines) = (&partition.name, &partition.lines);
        let words = lines.iter().rev().take(5).rev().map(|line| format!("\n  | {line}")).collect::<String>();
        ensure!(partition.parked.is_none(), "{name}: the kernel panicked: {:?}{words}", partition.parked);
        ensure!(partition.done.is_none(), "{name}: the storm ended by itself{words}");
        ensure!(report.end == End::Timeout, "the machine ended by itself ({:?}); {name} said{words}", report.end);
        let last = lines.iter().rev().find_map(|line| line.strip_prefix(ROUND)?.split_once(", "));
        let Some((rounds, counts)) = last else { return Ok(None) };
        ensure!(latest.elapsed() < silence, "{name}: no round ended in the last {:?}{words}", latest.elapsed());
        let storm = Storm { rounds: rounds.parse()?, counts: counts.to_owned() };
        least = least.filter(|least| least.rounds <= storm.rounds).or(Some(storm));
    }
    Ok(least)
}
