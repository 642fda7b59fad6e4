//! Existence: no reader beside a writer, no writer beside another, all see what the last writer left, and all get their turn.

use crate::{Extent, State, TORN, explore, must_find, on_cores};
use sync::smp::existence::Existence;
use sync::smp::explored::Fault;
use sync::smp::fair::Fair;
use sync::smp::mcs::Mcs;
use sync::smp::ticket::Ticket;

#[derive(Debug)]
struct World<L: Fair> {
    existence: Existence<L>,
    state: State,
}

/// Cores 0 to `writers` − 1 write, once each; the others read, `reads` times each.
fn keeps_apart<L: Fair>(fault: Fault, extent: Extent, writers: usize, readers: usize, reads: usize) {
    let cores = writers + readers;
    explore(fault, extent, move || {
        let world = World { existence: Existence::<L>::new(), state: State::new() };
        let world = on_cores(cores, world, move |world, me| {
            if me.get() < writers {
                let _alone = world.existence.exclude(me, cores, || ());
                world.state.increment();
            } else {
                for _ in 0..reads {
                    let _shared = world.existence.share(me, || ());
                    world.state.read();
                }
            }
        });
        assert_eq!(world.state.read() as usize, writers, "torn: a write was lost");
    });
}

macro_rules! for_both_locks {
    ($($name:ident: $fault:ident $extent:expr, $writers:literal writers $readers:literal readers $reads:literal reads;)+) => {
        mod ticket {
            use super::*;
            $(#[test] fn $name() { keeps_apart::<Ticket>(Fault::$fault, $extent, $writers, $readers, $reads); })+
        }
        mod mcs {
            use super::*;
            $(#[test] fn $name() { keeps_apart::<Mcs>(Fault::$fault, $extent, $writers, $readers, $reads); })+
        }
    };
}

for_both_locks! {
    a_writer_and_a_reader: None Extent::All, 1 writers 1 readers 2 reads;
    a_writer_and_two_readers: None Extent::of_three_cores(), 1 writers 2 readers 1 reads;
    two_writers_and_a_reader: None Extent::of_three_cores(), 2 writers 1 readers 1 reads;
}

#[test]
fn a_reader_that_looks_before_its_line_is_written_is_found() {
    must_find(TORN, || keeps_apart::<Ticket>(Fault::NoFence, Extent::All, 1, 1, 1));
    must_find(TORN, || keeps_apart::<Mcs>(Fault::NoFence, Extent::All, 1, 1, 1));
}

#[test]
fn existence_without_orderings_is_found() {
    must_find(TORN, || keeps_apart::<Ticket>(Fault::Relaxed, Extent::All, 1, 1, 1));
}
