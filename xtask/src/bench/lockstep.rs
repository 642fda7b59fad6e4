//! Runs the scaling programme in lockstep: Bochs, all cores in turn, one tick of the clock for each instruction of each.
//!
//! A [`Setup`] says how the cores are divided into partitions and which kernel they run; everything else is the same
//! binary. Each machine boots once for all scenarios. Tests: below.

use super::figures::Figure;
use super::machine::{check, watch_to_the_end};
use crate::artifacts::{Artifacts, BENCH, Lock};
use crate::engine::Engine;
use crate::form::{Form, Kernel};
use crate::launch::Start;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Engine of these figures.
pub const LOCKSTEP: &str = "bochs-lockstep";
/// Window that rates refer to: operations per so many ticks.
pub const PER_TICKS: u64 = 1_000_000_000;
/// Pages of a link between partitions: one for the rendezvous, one for each scenario.
const LINK: &str = "128K";

/// How a machine's cores are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Name in the report.
    pub name: &'static str,
    /// Cores of each partition; `None`: all of them.
    pub cluster: Option<u32>,
    /// The locks of the kernel; `None`: the kernel without.
    pub lock: Option<Lock>,
}

/// One lock-free kernel per core.
pub const MULTIKERNEL: Setup = Setup { name: "multikernel", cluster: Some(1), lock: None };

/// Every setup that is measured.
pub const SETUPS: [Setup; 5] = [
    MULTIKERNEL,
    Setup { name: "smp-ticket", cluster: None, lock: Some(Lock::Ticket) },
    Setup { name: "smp-mcs", cluster: None, lock: Some(Lock::Mcs) },
    Setup { name: "smp-big", cluster: None, lock: Some(Lock::Big) },
    Setup { name: "clusters of 2", cluster: Some(2), lock: Some(Lock::Ticket) },
];

impl Setup {
    /// Whether so many cores can be used like this: clusters are whole, and more than one.
    pub fn fits(&self, cores: u32) -> bool {
        self.cluster.is_none_or(|cluster| cores.is_multiple_of(cluster) && (cluster == 1 || cores > cluster))
    }

    /// What measures this setup on so many cores.
    pub fn command(&self, cores: u32) -> String {
        format!("cargo xtask bench --only lockstep --setups '{}' --cores {cores}", self.name)
    }

    /// The same in the words of the command line. On one core a kernel with locks has to be asked for.
    fn form(&self) -> Form {
        let kernel = if self.lock.is_some() { Kernel::Smp } else { Kernel::Auto };
        Form { kernel, lock: self.lock.unwrap_or_default(), ..Form::default() }
    }
}

/// Which part of the programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Independent message pairs without think time.
    Quick,
    /// Every scenario.
    Full,
}

/// What the cores did in one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Scenario, as in `ipc.500`.
    pub id: String,
    /// Ticks for which operations were counted.
    pub window: u64,
    /// For each core that counted: operations, and ticks of the longest.
    pub cores: Vec<(u64, u64)>,
}

impl Round {
    /// The round in a line `scale <id> <ticks> <operations>/<longest> …`, or `None` when it is not one.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("scale ")?.split_ascii_whitespace();
        let (id, window) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
        let core = |word: &str| {
            let (operations, longest) = word.split_once('/')?;
            Some((operations.parse().ok()?, longest.parse().ok()?))
        };
        let cores = words.map(core).collect::<Option<Vec<_>>>()?;
        (window > 0 && !cores.is_empty()).then_some(Self { id, window, cores })
    }

    fn rate(&self, operations: u64) -> u64 {
        (u128::from(operations) * u128::from(PER_TICKS) / u128::from(self.window)) as u64
    }

    /// Operations of all cores per [`PER_TICKS`].
    pub fn throughput(&self) -> u64 {
        self.rate(self.cores.iter().map(|(operations, _)| operations).sum())
    }

    /// The least and the greatest rate of a core.
    pub fn extremes(&self) -> (u64, u64) {
        let rates = || self.cores.iter().map(|&(operations, _)| self.rate(operations));
        (rates().min().unwrap_or(0), rates().max().unwrap_or(0))
    }

    /// Ticks of the longest operation of any core.
    pub fn longest(&self) -> u64 {
        self.cores.iter().map(|&(_, longest)| longest).max().unwrap_or(0)
    }
}

/// What one machine brought.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The scenarios, in their order.
    pub rounds: Vec<Round>,
    /// Figures of single operations (`doorbell.*`).
    pub figures: Vec<Figure>,
}

/// Boots a machine of `cores` cores in this setup and runs the programme.
///
/// # Errors
/// When the system is refused, or does not finish in `patience`.
pub fn run(artifacts: &Artifacts, setup: Setup, cores: u32, extent: Extent, patience: Duration) -> Result<Run> {
    let root_task = artifacts.path(BENCH).context("the benchmark is not built")?;
    let plan = check(artifacts, &system(setup, cores, extent, root_task), setup.form())?;
    let lines = watch_to_the_end(&plan, artifacts, &Start::on(Engine::Bochs), patience)
        .with_context(|| format!("{} on {cores} cores", setup.name))?;
    let rounds: Vec<_> = lines.iter().filter_map(|line| Round::parse(line)).collect();
    ensure!(!rounds.is_empty(), "{} on {cores} cores printed no figure", setup.name);
    let own = |figure| Figure {
        configuration: setup.name.to_owned(),
        engine: LOCKSTEP.to_owned(),
        cores,
        command: setup.command(cores),
        ..figure
    };
    let figures = Figure::of_lines(&lines).into_iter().map(own).collect();
    Ok(Run { rounds, figures })
}

/// The system file of this setup on so many cores.
fn system(setup: Setup, cores: u32, extent: Extent, root_task: &Path) -> String {
    let cluster = setup.cluster.unwrap_or(cores).min(cores);
    let partitions = cores / cluster;
    let name = if extent == Extent::Quick { "scale-quick" } else { "scale" };
    let mut text = format!("[system]\nname = \"{name}\"\ndefaults.mitigations = \"none\"\n");
    for partition in 0..partitions {
        let own: Vec<_> = (partition * cluster..(partition + 1) * cluster).collect();
        let console = if partition == 0 { "com1" } else { "none" };
        let _ = write!(
            text,
            "[[partition]]\nname = \"p{partition}\"\ncores = {own:?}\nmemory = \"{}M\"\nconsole = \"{console}\"\n\
             root-task = {:?}\n",
            16 * cluster.max(1),
            root_task.display().to_string()
        );
    }
    let mut link = |name: &str, first: u32, second: u32| {
        let _ = write!(
            text,
            "[[channel]]\nname = \"{name}-{second}\"\nends = [\"p{first}\", \"p{second}\"]\nsize = \"{LINK}\"\n"
        );
    };
    (1..partitions).for_each(|other| link("star", 0, other));
    (1..partitions).step_by(2).for_each(|second| link("pair", second - 1, second));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_root_task_is_a_round() {
        let round = Round::parse("scale ipc.0 1000000 1500/700 1000/900").unwrap();
        assert_eq!((round.id.as_str(), round.throughput()), ("ipc.0", 2_500_000));
        assert_eq!((round.extremes(), round.longest()), ((1_000_000, 1_500_000), 900));
        for line in ["scale", "scale x", "scale x 10", "scale x 0 1/1", "scale x 10 1", "scale x 10 1/b", "bench x 1/1"]
        {
            assert_eq!(Round::parse(line), None, "{line}");
        }
    }

    #[test]
    fn partitions_of_one_core_are_joined_to_the_first_and_in_pairs() {
        let text = system(MULTIKERNEL, 4, Extent::Full, Path::new("/bench"));
        for name in ["star-1", "star-2", "star-3", "pair-1", "pair-3"] {
            assert!(text.contains(&format!("name = \"{name}\"")), "{text}");
        }
        assert_eq!(text.matches("[[partition]]").count(), 4);
        assert!(!system(MULTIKERNEL, 1, Extent::Full, Path::new("/bench")).contains("channel"));
    }

    #[test]
    fn a_cluster_takes_neighbouring_cores() {
        let clustered = SETUPS[4];
        let text = system(clustered, 4, Extent::Full, Path::new("/bench"));
        assert!(clustered.fits(4) && !clustered.fits(2) && !clustered.fits(9));
        assert!(text.contains("cores = [0, 1]") && text.contains("cores = [2, 3]"), "{text}");
    }
}
