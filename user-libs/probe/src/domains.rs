//! Two domains take turns, by a schedule that the root task writes; a third does not exist.

use crate::stage::{Stage, step};
use crate::{Complaint, Verdict};
use alloc::format;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use sel4::{BootInfo, Error, initial};

/// What a turn of a domain lasts.
const TURN_US: u64 = 2_000;
const TURNS: u64 = 8;

/// Counts for ever, in the other domain.
static COUNT: AtomicU64 = AtomicU64::new(0);

extern "C" fn count() -> ! {
    loop {
        COUNT.fetch_add(1, Relaxed);
    }
}

/// The other domain's thread runs, again and again, although this one never waits and has the highest priority.
pub fn alternate(stage: &mut Stage, info: &BootInfo<'_>) -> Verdict {
    let turn = TURN_US * u64::from(info.tsc_mhz().unwrap_or(1));
    let actor = stage.start(0, count as *const () as u64)?;
    match initial::DOMAIN.set(2, actor.tcb) {
        Err(Error::InvalidArgument { argument: 0 }) => {}
        other => return Err(Complaint::Saw(format!("a third domain: {other:?}"))),
    }
    step("change a thread's domain", initial::DOMAIN.set(1, actor.tcb))?;
    for domain in [0, 1] {
        step("write the domain schedule", initial::DOMAIN.configure_schedule(domain.into(), domain, turn))?;
    }
    step("start the domain schedule", initial::DOMAIN.set_schedule_start(0))?;
    let mut seen = COUNT.load(Relaxed);
    let (mut turns, mut looks) = (0, 0_u64);
    while turns < TURNS {
        let now = COUNT.load(Relaxed);
        if now != seen {
            // At least a few looks lie between two turns of the other: this domain has its turns too.
            if looks < 2 {
                return Err(Complaint::Saw(format!("no turn of domain 0 before turn {turns} of domain 1")));
            }
            (turns, looks, seen) = (turns + 1, 0, now);
        }
        looks += 1;
    }
    Ok(())
}
