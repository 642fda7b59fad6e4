//! Hand-over from a core's queue to the core: a thread that was chosen to run is run by one core, whoever moves it meanwhile.

use crate::{Extent, State, TORN, explore, must_find, on_cores};
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use sync::smp::existence::Existence;
use sync::smp::explored::Fault;
use sync::smp::fair::Fair;
use sync::smp::mcs::Mcs;
use sync::smp::ticket::Ticket;
use sync::{CoreIndex, Recalls};

/// When a core that shares existence gives it back.
#[derive(Clone, Copy)]
enum Given {
    /// When the thread it chose is current.
    Behind,
    /// Wrong: when it is in no queue any more, and not current yet.
    Between,
}

/// One thread, which is at home on core 1 until core 0 takes it.
#[derive(Debug)]
struct World<L: Fair> {
    existence: Existence<L>,
    recalls: Recalls,
    /// Whether it is in the queue of core 1, and whether it is current there. Under existence, or core 1's own.
    queued: AtomicU32,
    current: AtomicU32,
    /// Runs of the thread, of which some are lost if two cores run it at once.
    thread: State,
}

impl<L: Fair> World<L> {
    fn new() -> Self {
        World {
            existence: Existence::new(),
            recalls: Recalls::new(),
            queued: AtomicU32::new(1),
            current: AtomicU32::new(0),
            thread: State::new(),
        }
    }

    /// Core 1 looks for a recall while it waits.
    fn answer(&self, me: CoreIndex) {
        self.recalls.answer(me, || self.put_back());
    }

    fn put_back(&self) {
        if self.current.load(Relaxed) != 0 {
            self.current.store(0, Relaxed);
            self.queued.store(1, Relaxed);
        }
    }

    /// Core 1 chooses the thread, if it is still there, runs it, and puts it back at its next entry.
    fn choose(&self, me: CoreIndex, given: Given) {
        let shared = self.existence.share(me, || self.answer(me));
        if self.queued.load(Relaxed) == 0 {
            return;
        }
        self.queued.store(0, Relaxed);
        match given {
            Given::Behind => {
                self.current.store(1, Relaxed);
                drop(shared);
            }
            Given::Between => {
                drop(shared);
                self.current.store(1, Relaxed);
            }
        }
        self.thread.increment();
        let _shared = self.existence.share(me, || self.answer(me));
        self.put_back();
    }

    /// Core 0 takes the thread and runs it: what migration does.
    fn take(&self, me: CoreIndex) {
        let alone = self.existence.exclude(me, 2, || ());
        if self.current.load(Relaxed) != 0 {
            // Its next entry is the kick.
            self.recalls.request(CoreIndex::new(1).unwrap(), || ());
        }
        self.queued.store(0, Relaxed);
        drop(alone);
        self.thread.increment();
    }
}

fn one_core_runs_it<L: Fair>(given: Given) {
    explore(Fault::None, Extent::All, move || {
        on_cores(2, World::<L>::new(), move |world, me| match me.get() {
            0 => world.take(me),
            _ => world.choose(me, given),
        });
    });
}

#[test]
fn a_thread_that_was_chosen_is_run_by_one_core() {
    one_core_runs_it::<Ticket>(Given::Behind);
    one_core_runs_it::<Mcs>(Given::Behind);
}

#[test]
fn existence_given_back_before_the_thread_is_current_is_found() {
    must_find(TORN, || one_core_runs_it::<Ticket>(Given::Between));
    must_find(TORN, || one_core_runs_it::<Mcs>(Given::Between));
}
