//! Rounds: everybody storms, everybody rests, the sums are checked, a line is printed.

use crate::crew::{self, Home, PRIORITY, Work, step, wake};
use crate::ledger::{self, MAX_WORKERS, counted, rests, set_stopping};
use crate::props::{MAX_CORES, PROPS};
use crate::storms::{calls, faults, mappings, migration, objects, revocation, signals};
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::Ordering::Relaxed;
use root_task::RootError;
use root_task::console::{Console, Record};
use root_task::objects::Objects;
use root_task::vspace::VSpace;
use runtime::rdtsc;
use sel4::{BootInfo, SchedControl, initial, yield_now};

/// How long a round storms at least; it goes on until every storm has done something.
const ROUND_US: u64 = 300_000;
/// How long its workers may take to come to rest: much more than an emulator on a busy host needs.
const PATIENCE_US: u64 = 150_000_000;

/// What a worker is part of, and how it ends a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It comes to rest.
    Stormer(&'static str),
    /// It serves others, and waits when nobody needs it.
    Servant(&'static str),
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Stormer(name) | Self::Servant(name) => name,
        }
    }
}

/// Storms until the machine is stopped, or something is broken.
pub fn run(info: &BootInfo<'_>, console: &mut Console) -> ! {
    let instance = info.instance().unwrap_or_default();
    let controls: Vec<SchedControl> = (0..).map_while(|core| info.sched_control(core)).take(MAX_CORES).collect();
    let _ = writeln!(console, "stress: {} cores", controls.len());
    let ticks = rdtsc().wrapping_sub(instance.loader_start_tsc);
    console.record(Record::Ready { ticks, mhz: instance.tsc_mhz });
    match gather(info, &controls) {
        Ok(crew) => rounds(&crew, instance.tsc_mhz.max(1), console),
        Err(error) => drop(writeln!(console, "stress: {error}")),
    }
    console.record(Record::Done { code: 1 });
    loop {
        let _ = initial::TCB.suspend();
    }
}

/// Starts everybody: each storm on all cores, as far as it goes.
fn gather(info: &BootInfo<'_>, controls: &[SchedControl]) -> Result<Vec<Part>, RootError> {
    let mut objects = Objects::new(info);
    let image = info.page().user_image_frames.start;
    let cores = controls.len().max(1);
    PROPS.fill(&mut objects, &mut VSpace::own(), controls)?;
    migration::CORES.store(cores as u64, Relaxed);
    // Above all until everybody is there, then one of them.
    let mut crew = Vec::new();
    let mut start = |part: Part, core: usize, home: Home, work: Work| {
        if crew.len() < MAX_WORKERS {
            crew::start(&mut objects, image, crew.len(), core % cores, home, work)?;
            crew.push(part);
        }
        Ok::<_, RootError>(())
    };
    let (stormer, servant) = (Part::Stormer, Part::Servant);
    start(servant("faults"), cores / 2, Home::Fixed, faults::handler)?;
    for core in 0..cores {
        start(stormer("calls"), core, if core % 2 == 0 { Home::Fixed } else { Home::Nomad }, calls::caller)?;
        if core % 2 == 0 {
            start(servant("served"), core + 1, Home::Nomad, calls::server)?;
        }
    }
    start(stormer("calls"), 0, Home::Nomad, calls::caller)?;
    start(stormer("signals"), 0, Home::Nomad, signals::sender)?;
    start(stormer("heard"), cores - 1, Home::Nomad, signals::waiter)?;
    start(stormer("objects"), 0, Home::Fixed, objects::maker)?;
    start(stormer("objects"), cores - 1, Home::Nomad, objects::maker)?;
    start(stormer("revocations"), cores / 2, Home::Fixed, revocation::revoker)?;
    start(stormer("revoked-calls"), cores - 1, Home::Nomad, revocation::caller)?;
    start(servant("revoked-served"), 1, Home::Nomad, revocation::server)?;
    start(stormer("mappings"), 0, Home::Fixed, mappings::mapper)?;
    start(stormer("reads"), cores - 1, Home::Fixed, mappings::reader)?;
    start(stormer("reads"), cores / 2, Home::Nomad, mappings::reader)?;
    start(stormer("migrations"), cores - 1, Home::Fixed, migration::drover)?;
    step("join the workers", initial::TCB.set_priority(initial::TCB, PRIORITY))?;
    Ok(crew)
}

fn rounds(crew: &[Part], tsc_mhz: u64, console: &mut Console) {
    for round in 1_u64.. {
        let before = sums(crew);
        let start = rdtsc();
        while rdtsc().wrapping_sub(start) < ROUND_US * tsc_mhz && ledger::failure().is_none() {
            yield_now();
        }
        while let Some(name) = idle(&before, &sums(crew)).filter(|_| ledger::failure().is_none()) {
            if rdtsc().wrapping_sub(start) > PATIENCE_US * tsc_mhz {
                let _ = writeln!(console, "stress: nothing happened in round {round}: {name}");
                return;
            }
            yield_now();
        }
        set_stopping(true);
        let start = rdtsc();
        let tired = |index: &usize| matches!(crew[*index], Part::Stormer(_)) && !rests(*index);
        while let Some(index) = (0..crew.len()).find(tired) {
            if rdtsc().wrapping_sub(start) > PATIENCE_US * tsc_mhz {
                let _ = writeln!(console, "stress: worker {index} ({}) never came to rest", crew[index].name());
                return;
            }
            yield_now();
        }
        if let Some((kind, a, b)) = ledger::failure() {
            let _ = writeln!(console, "stress: broken: {kind:?} {a:#x} {b:#x}");
            return;
        }
        let after = sums(crew);
        let sum = |name: &str| after.iter().find(|(known, _)| *known == name).map_or(0, |(_, sum)| *sum);
        for (called, served) in [("calls", "served")] {
            if sum(called) != sum(served) {
                let _ = writeln!(console, "stress: {} {called}, {} {served}", sum(called), sum(served));
                return;
            }
        }
        let _ = write!(console, "stress: round {round}");
        for (name, sum) in &after {
            let _ = write!(console, ", {sum} {name}");
        }
        let _ = writeln!(console);
        set_stopping(false);
        (0..crew.len()).filter(|index| matches!(crew[*index], Part::Stormer(_))).for_each(wake);
    }
}

/// A storm that did nothing in between.
fn idle(before: &[(&'static str, u64)], after: &[(&'static str, u64)]) -> Option<&'static str> {
    after.iter().zip(before).find(|(after, before)| after.1 == before.1).map(|(after, _)| after.0)
}

/// What each storm has done so far.
fn sums(crew: &[Part]) -> Vec<(&'static str, u64)> {
    let mut sums: Vec<(&'static str, u64)> = Vec::new();
    for (index, part) in crew.iter().enumerate() {
        match sums.iter_mut().find(|(known, _)| *known == part.name()) {
            Some((_, sum)) => *sum += counted(index),
            None => sums.push((part.name(), counted(index))),
        }
    }
    sums
}
