//! `doorbell.sender` and `doorbell.oneway`: what waking a thread at another, idle core costs the one who wakes, and when
//! it runs there. Between partitions by doorbell, within one by signal. Both read the same clock, as lockstep engines
//! have it.

use super::Cast;
use super::crew::{Crew, Part};
use super::links::links;
use super::pairs::EVEN;
use super::post::{POSTS, ROUND, Sample};
use crate::trace::{CLIENT, RUNS, SERVER, Stamps};
use channel::Side;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};
use root_task::RootError;
use runtime::rdtsc;
use sel4::ObjectType;

/// When the woken thread ran, by run; used within a partition. Between partitions a page of the link takes its place.
static WOKEN: [AtomicU64; RUNS] = [const { AtomicU64::new(0) }; RUNS];

/// From the first partition to its neighbour, or from the first core to the second.
pub fn start(crew: &mut Crew) -> Result<Cast, RootError> {
    if crew.cores() > 1 {
        for post in &POSTS[..2] {
            crew.renew(&post.notification, ObjectType::Notification)?;
        }
        crew.start(1, Part::Worker, EVEN, wake_here)?;
        crew.start(0, Part::Worker, EVEN, signal)?;
        return Ok(Cast::serving(0..2));
    }
    let Some(link) = links().pair else { return Ok(Cast::counting(0..0)) };
    crew.start(0, Part::Worker, EVEN, if link.side == Side::First { ring } else { wake_across })?;
    Ok(Cast::serving(0..1))
}

extern "C" fn signal(core: usize) -> ! {
    let target = POSTS[1].notification();
    send(&WOKEN, || target.signal());
    POSTS[core].finish(Sample::default())
}

extern "C" fn wake_here(core: usize) -> ! {
    let own = POSTS[1].notification();
    wake(&WOKEN, || own.wait());
    POSTS[core].finish(Sample::default())
}

extern "C" fn ring(core: usize) -> ! {
    if let Some(link) = links().pair {
        send(link.page(ROUND.page()), || link.doorbell.ring());
    }
    POSTS[core].finish(Sample::default())
}

extern "C" fn wake_across(core: usize) -> ! {
    if let Some(link) = links().pair {
        wake(link.page(ROUND.page()), || link.heard.wait());
    }
    POSTS[core].finish(Sample::default())
}

fn send(woken: &[AtomicU64], ring: impl Fn()) {
    ROUND.wait();
    for (run, woken) in woken.iter().enumerate().take(RUNS) {
        // Long enough for the other core to be idle again.
        ROUND.think();
        let start = rdtsc();
        ring();
        let end = rdtsc();
        let there = loop {
            match woken.load(Acquire) {
                0 => core::hint::spin_loop(),
                there => break there,
            }
        };
        CLIENT.set(run, Stamps { start, end });
        SERVER.set(run, Stamps { start, end: there });
    }
}

fn wake(woken: &[AtomicU64], wait: impl Fn() -> u64) {
    for woken in &woken[..RUNS] {
        wait();
        woken.store(rdtsc(), Release);
    }
}
