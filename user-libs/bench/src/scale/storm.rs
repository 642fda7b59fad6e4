//! `scale.storm`: everybody signals one waiter at the first core as fast as possible, from cores of their own.
//!
//! Within a partition that is one notification; between partitions a doorbell to the leader for each of the others. What
//! counts is what the senders get done: signals that find the flag set already are merged, as everywhere.

use super::Cast;
use super::crew::{Crew, Part};
use super::links::links;
use super::pairs::EVEN;
use super::post::{POSTS, ROUND, Sample, count};
use core::sync::atomic::Ordering::{Acquire, Release};
use root_task::RootError;
use sel4::ObjectType;

/// Priority of the waiter.
const HIGH: u8 = 101;

/// One waiter, and a sender at every other core. A single core has both.
pub fn start(crew: &mut Crew) -> Result<Cast, RootError> {
    let cores = crew.cores();
    match (cores, links().star.len()) {
        (1, 1..) if links().leads() => {
            crew.start(0, Part::Worker, HIGH, hear)?;
            Ok(Cast::serving(0..1))
        }
        (1, 1..) => {
            crew.start(0, Part::Worker, EVEN, ring)?;
            Ok(Cast::counting(0..1))
        }
        _ => {
            crew.renew(&POSTS[0].notification, ObjectType::Notification)?;
            crew.start(0, Part::Helper, HIGH, wait)?;
            let senders = if cores == 1 { 0..1 } else { 1..cores };
            senders.clone().try_for_each(|core| crew.start(core, Part::Worker, EVEN, signal))?;
            Ok(Cast::counting(senders))
        }
    }
}

extern "C" fn signal(core: usize) -> ! {
    let target = POSTS[0].notification();
    POSTS[core].finish(count(|| target.signal()))
}

extern "C" fn wait(core: usize) -> ! {
    let own = POSTS[core].notification();
    loop {
        own.wait();
    }
}

extern "C" fn ring(core: usize) -> ! {
    let link = &links().star[0];
    let sample = count(|| link.doorbell.ring());
    // The last ring tells that it was the last.
    link.page(ROUND.page())[0].store(1, Release);
    link.doorbell.ring();
    POSTS[core].finish(sample)
}

extern "C" fn hear(core: usize) -> ! {
    let links = links();
    while links.star.iter().any(|link| link.page(ROUND.page())[0].load(Acquire) == 0) {
        links.star[0].heard.wait();
    }
    POSTS[core].finish(Sample::default())
}
