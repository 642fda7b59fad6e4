//! Storms on each kind of kernel, in QEMU, and in Bochs on eight cores. Here they last a few rounds; `cargo xtask test
//! --stress SECONDS` takes longer.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::Result;
use std::time::Duration;
use tests::lab::Lab;
use xtask::artifacts::Lock;
use xtask::engine::{Engine, Threads};
use xtask::form::Form;
use xtask::launch::Start;
use xtask::stress::{Place, storm};

/// Some rounds.
const STORM: Duration = Duration::from_secs(12);

pub fn add(tests: &mut Tests) {
    // Each kind of lock on several cores; the rest with one of them will do.
    let usual = |place: &Place| place.form.lock == Lock::Ticket || (place.partitions == 1 && place.cores > 1);
    for place in Place::all().into_iter().filter(|place| usual(place) || forms::all_are_wanted()) {
        let pace = if place.cores == 2 && place.partitions == 1 { Quick } else { Slow };
        tests.add(format!("storm/{place}"), pace, move |lab| stormed(lab, place, Engine::Qemu));
    }
    // Rounds of eight cores in lockstep take minutes.
    if forms::all_are_wanted() {
        let lockstep = Place::one(Form::smp(Lock::Ticket), 8);
        tests.add(format!("storm/{lockstep}/bochs"), Slow, move |lab| stormed(lab, lockstep, Engine::Bochs));
    }
}

fn stormed(lab: &Lab, place: Place, engine: Engine) -> Result<()> {
    // Other tests run beside: on a thread of its own, a core that waits would keep the one it waits for from running.
    let machine = Start { threads: Some(Threads::One), ..Start::on(engine) };
    let storm = storm(lab.artifacts(), place, &machine, STORM)?;
    eprintln!("{place}: {} rounds, {}", storm.rounds, storm.counts);
    Ok(())
}
