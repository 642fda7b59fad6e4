//! Ticket and MCS locks: one holder at a time, who sees what the last one left; in order of arrival; and everybody's turn comes.

use crate::{Extent, NO_PROGRESS, State, TORN, explore, must_find, on_cores};
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use sync::CoreIndex;
use sync::smp::explored::Fault;
use sync::smp::explored::pause;
use sync::smp::fair::Fair;
use sync::smp::mcs::Mcs;
use sync::smp::ticket::Ticket;

#[derive(Debug)]
struct World<L: Fair> {
    lock: L,
    nodes: L::Nodes,
    state: State,
    queued: AtomicU32,
}

impl<L: Fair> World<L> {
    fn new() -> Self {
        World { lock: L::FREE, nodes: L::IDLE, state: State::new(), queued: AtomicU32::new(0) }
    }

    fn turn(&self, me: CoreIndex) {
        self.lock.acquire(&self.nodes, me, || ());
        self.state.increment();
        self.lock.release(&self.nodes, me);
    }
}

fn excludes<L: Fair>(fault: Fault, extent: Extent, cores: usize, turns: usize) {
    explore(fault, extent, move || {
        let world = on_cores(cores, World::<L>::new(), move |world, me| (0..turns).for_each(|_| world.turn(me)));
        assert_eq!(world.state.read() as usize, cores * turns, "torn: a turn was lost");
        assert_eq!(world.lock.latest(), None);
    });
}

/// Core 1 queues while core 0 holds; core 2 arrives when core 1 waits, and must come after it.
fn serves_in_order_of_arrival<L: Fair>() {
    explore(Fault::None, Extent::of_three_cores(), || {
        let world = World::<L>::new();
        on_cores(3, world, |world, me| match me.get() {
            0 => world.turn(me),
            1 => {
                world.lock.acquire(&world.nodes, me, || world.queued.store(1, Relaxed));
                world.queued.store(2, Relaxed);
                world.state.increment();
                world.lock.release(&world.nodes, me);
            }
            _ => {
                while world.queued.load(Relaxed) == 0 {
                    pause();
                }
                world.lock.acquire(&world.nodes, me, || ());
                assert_eq!(world.queued.load(Relaxed), 2, "overtaken");
                world.lock.release(&world.nodes, me);
            }
        });
    });
}

#[test]
fn ticket_excludes() {
    excludes::<Ticket>(Fault::None, Extent::All, 2, 2);
    excludes::<Ticket>(Fault::None, Extent::of_three_cores(), 3, 1);
}

#[test]
fn mcs_excludes() {
    excludes::<Mcs>(Fault::None, Extent::All, 2, 1);
    excludes::<Mcs>(Fault::None, Extent::of_three_cores(), 2, 2);
    excludes::<Mcs>(Fault::None, Extent::of_three_cores(), 3, 1);
}

#[test]
fn ticket_serves_in_order_of_arrival() {
    serves_in_order_of_arrival::<Ticket>();
}

#[test]
fn mcs_serves_in_order_of_arrival() {
    serves_in_order_of_arrival::<Mcs>();
}

#[test]
fn a_ticket_that_two_cores_can_take_is_found() {
    must_find(TORN, || excludes::<Ticket>(Fault::SplitUpdate, Extent::All, 2, 1));
}

#[test]
fn a_ticket_lock_without_orderings_is_found() {
    must_find(TORN, || excludes::<Ticket>(Fault::Relaxed, Extent::All, 2, 1));
}

#[test]
fn an_mcs_lock_that_two_cores_can_find_free_is_found() {
    must_find(NO_PROGRESS, || excludes::<Mcs>(Fault::SplitUpdate, Extent::All, 2, 1));
}

#[test]
fn an_mcs_lock_without_orderings_is_found() {
    must_find(TORN, || excludes::<Mcs>(Fault::Relaxed, Extent::All, 2, 1));
}

#[test]
fn an_mcs_release_that_forgets_who_just_arrived_is_found() {
    must_find(NO_PROGRESS, || excludes::<Mcs>(Fault::BlindExchange, Extent::All, 2, 1));
}
