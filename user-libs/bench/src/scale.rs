//! How work grows with cores: the same scenarios whatever the partitions look like.
//!
//! ```text
//! one core per partition (multikernel): a crew of one in each; what crosses cores, crosses channels and doorbells
//! all cores in one partition (SMP):     a crew at every core;   what crosses cores, crosses endpoints and notifications
//! ```
//!
//! A round: everybody gets ready, all partitions meet, operations are counted for a number of ticks, and the leader
//! collects and prints a line `scale <id> <ticks> <operations>/<longest> …`, one pair for each core that counted.
//! Ticks are those of the time-stamp counter, in lockstep the instructions of one core.

mod crew;
mod cross;
mod latency;
mod links;
mod objects;
mod pairs;
mod post;
mod server;
mod storm;

use crate::run::Out;
use crate::trace::{CLIENT, SERVER};
use alloc::vec::Vec;
use core::ops::Range;
use crew::Crew;
use links::{Links, links};
use manifest::Manifest;
pub use post::Sample;
use post::{POSTS, ROUND};
use root_task::RootError;
use sel4::BootInfo;

/// Whom a round waits for, by post, and whether what they did counts.
#[derive(Clone, Debug)]
struct Cast {
    cores: Range<usize>,
    /// 2 where only every second core has a worker.
    step: usize,
    counts: bool,
}

impl Cast {
    /// They count operations.
    fn counting(cores: Range<usize>) -> Self {
        Self { cores, step: 1, counts: true }
    }

    /// They serve those who count.
    fn serving(cores: Range<usize>) -> Self {
        Self { cores, step: 1, counts: false }
    }

    fn awaited(&self) -> impl Iterator<Item = usize> {
        self.cores.clone().step_by(self.step)
    }

    fn counted(&self) -> impl Iterator<Item = usize> {
        self.awaited().filter(|_| self.counts)
    }
}

type Start = fn(&mut Crew) -> Result<Cast, RootError>;

/// A scenario: id, ticks that count, instructions of thought, how it starts.
type Scenario = (&'static str, u64, u64, Start);

/// All of them; a quick run has the first only.
const SCENARIOS: [Scenario; 15] = [
    ("ipc.0", 1_000_000, 0, pairs::start),
    ("ipc.500", 2_000_000, 500, pairs::start),
    ("ipc.4000", 3_000_000, 4000, pairs::start),
    ("ipc.32000", 7_000_000, 32_000, pairs::start),
    ("server", 1_000_000, 0, server::start),
    ("storm", 1_000_000, 0, storm::start),
    ("map", 1_000_000, 0, objects::start_map),
    ("map.shared", 1_000_000, 0, objects::start_map_shared),
    ("create", 2_000_000, 0, objects::start_create),
    ("lock", 1_000_000, 0, objects::start_lock),
    ("cross.channel", 1_000_000, 0, cross::start_channel),
    ("cross.doorbell", 1_000_000, 0, cross::start_doorbell),
    ("cross.endpoint", 1_000_000, 0, cross::start_endpoint),
    ("cross.notification", 1_000_000, 0, cross::start_notification),
    ("latency", 0, 5_000, latency::start),
];

/// Which of them to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The first.
    Quick,
    /// All.
    Full,
}

/// Runs the scenarios.
///
/// # Errors
/// When the kernel refuses what a scenario needs.
pub fn measure(
    info: &BootInfo<'_>,
    manifest: &Manifest<'_>,
    extent: Extent,
    out: &mut Out<'_>,
) -> Result<(), RootError> {
    let mut crew = Crew::new(info)?;
    Links::join(manifest, &mut crew.objects, &mut crew.own)?;
    let scenarios = if extent == Extent::Quick { &SCENARIOS[..1] } else { &SCENARIOS };
    for (&(id, window, think, start), page) in scenarios.iter().zip(1..) {
        ROUND.prepare(window, think, page);
        let cast = start(&mut crew)?;
        links().assemble();
        ROUND.begin();
        while cast.awaited().any(|core| POSTS[core].sample().is_none()) {
            ROUND.curtain().wait();
        }
        let mut samples: Vec<Sample> = cast.counted().filter_map(|core| POSTS[core].sample()).collect();
        crew.stop()?;
        links().collect(&mut samples);
        if links().leads() && !samples.is_empty() {
            out.scale(id, window, &samples);
        }
    }
    if links().leads() && SERVER.end(0) != 0 {
        out.runs("doorbell.sender", |run| CLIENT.end(run) - CLIENT.start(run));
        out.runs("doorbell.oneway", |run| SERVER.end(run) - SERVER.start(run));
    }
    Ok(())
}
