//! The recall: whoever holds existence alone gets what another core has, from wherever that core is, and both go on.

use crate::{Extent, NO_PROGRESS, State, TORN, explore, must_find, on_cores};
use loom::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Release};
use sync::smp::existence::Existence;
use sync::smp::explored::Fault;
use sync::smp::explored::pause;
use sync::smp::fair::Fair;
use sync::smp::mcs::Mcs;
use sync::smp::ticket::Ticket;
use sync::{CoreIndex, Recalls};

/// How a core behaves.
#[derive(Clone, Copy)]
enum Behaviour {
    Right,
    /// Says that it has put back before it does.
    AnswersTooEarly,
    /// Does not look for a request while it waits for existence.
    Deaf,
}

/// Each core runs a thread of its own, which another may take from it after a recall.
#[derive(Debug)]
struct World<L: Fair> {
    existence: Existence<L>,
    recalls: Recalls,
    /// How often each core was kicked.
    interrupts: [AtomicU32; 3],
    /// Runs of the thread of each core, which are lost if two cores run it at once.
    threads: [State; 3],
}

impl<L: Fair> World<L> {
    fn new() -> Self {
        World {
            existence: Existence::new(),
            recalls: Recalls::new(),
            interrupts: CORES.map(|_| AtomicU32::new(0)),
            threads: CORES.map(|_| State::new()),
        }
    }

    /// The run of this core's thread is committed to it.
    fn put_back(&self, me: CoreIndex) {
        self.threads[me.get()].increment();
    }

    fn answer(&self, me: CoreIndex, how: Behaviour) {
        match how {
            Behaviour::Right => self.recalls.answer(me, || self.put_back(me)),
            Behaviour::AnswersTooEarly => {
                let asked = self.recalls.is_requested(me);
                self.recalls.answer(me, || ());
                if asked {
                    self.put_back(me);
                }
            }
            Behaviour::Deaf => {}
        }
    }

    /// Changes the thread of core `target`, takes it away, and runs it once: two more runs, beside that which is put back.
    fn take(&self, me: CoreIndex, target: CoreIndex, how: Behaviour) {
        let _alone = self.existence.exclude(me, CORES.len(), || self.answer(me, how));
        let thread = &self.threads[target.get()];
        thread.increment();
        let before = thread.read();
        self.recalls.request(target, || _ = self.interrupts[target.get()].fetch_add(1, Release));
        assert_eq!(thread.read(), before + 1, "torn: it was not put back");
        thread.increment();
    }

    /// In user mode until the `count`th interrupt since the start.
    fn run_user(&self, me: CoreIndex, how: Behaviour, count: u32) {
        let how = if matches!(how, Behaviour::Deaf) { Behaviour::Right } else { how };
        let mut seen = 0;
        while seen < count {
            if self.interrupts[me.get()].load(Acquire) == seen {
                pause();
            } else {
                seen += 1;
                self.answer(me, how);
            }
        }
    }
}

const CORES: [CoreIndex; 3] = [CoreIndex::FIRST, CoreIndex::new(1).unwrap(), CoreIndex::new(2).unwrap()];

/// Core 0 takes from core 1, which is in user mode.
fn from_user_mode<L: Fair>(how: Behaviour) {
    explore(Fault::None, Extent::All, move || {
        let world = on_cores(2, World::<L>::new(), move |world, me| match me.get() {
            0 => world.take(me, CORES[1], how),
            _ => world.run_user(me, how, 1),
        });
        assert_eq!(world.threads[1].read(), 3);
    });
}

/// Core 0 takes from core 1, which makes a system call meanwhile.
fn from_a_reader<L: Fair>(how: Behaviour) {
    explore(Fault::None, Extent::All, move || {
        let world = on_cores(2, World::<L>::new(), move |world, me| match me.get() {
            0 => world.take(me, CORES[1], how),
            _ => {
                drop(world.existence.share(me, || world.answer(me, how)));
                world.run_user(me, how, 1);
            }
        });
        assert_eq!(world.threads[1].read(), 3);
    });
}

/// Both cores take from each other.
fn from_a_writer<L: Fair>(how: Behaviour) {
    explore(Fault::None, Extent::All, move || {
        let world = on_cores(2, World::<L>::new(), move |world, me| {
            world.take(me, CORES[1 - me.get()], how);
            world.run_user(me, how, 1);
        });
        assert_eq!([world.threads[0].read(), world.threads[1].read()], [3, 3]);
    });
}

/// Cores 0 and 1 take from core 2, one after the other.
fn twice_from_user_mode<L: Fair>() {
    explore(Fault::None, Extent::of_three_cores(), || {
        let world = on_cores(3, World::<L>::new(), |world, me| match me.get() {
            2 => world.run_user(me, Behaviour::Right, 2),
            _ => world.take(me, CORES[2], Behaviour::Right),
        });
        assert_eq!(world.threads[2].read(), 6);
    });
}

#[test]
fn a_core_is_recalled_by_two_others() {
    twice_from_user_mode::<Ticket>();
    twice_from_user_mode::<Mcs>();
}

#[test]
fn a_core_in_user_mode_is_recalled() {
    from_user_mode::<Ticket>(Behaviour::Right);
}

#[test]
fn a_core_that_wants_to_share_is_recalled() {
    from_a_reader::<Ticket>(Behaviour::Right);
    from_a_reader::<Mcs>(Behaviour::Right);
}

#[test]
fn cores_that_recall_each_other_both_succeed() {
    from_a_writer::<Ticket>(Behaviour::Right);
    from_a_writer::<Mcs>(Behaviour::Right);
}

#[test]
fn an_answer_before_the_deed_is_found() {
    must_find(TORN, || from_user_mode::<Ticket>(Behaviour::AnswersTooEarly));
    must_find(TORN, || from_a_reader::<Ticket>(Behaviour::AnswersTooEarly));
}

#[test]
fn a_core_that_waits_without_listening_is_found() {
    must_find(NO_PROGRESS, || from_a_reader::<Ticket>(Behaviour::Deaf));
    must_find(NO_PROGRESS, || from_a_writer::<Mcs>(Behaviour::Deaf));
}
