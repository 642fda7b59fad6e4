//! Hand-over between cores at an object: a thread that waits is woken exactly once, by whoever comes.

use crate::{Extent, NO_PROGRESS, explore, must_find, on_cores};
use loom::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use sync::rank::Object;
use sync::smp::existence::Existence;
use sync::smp::explored::Fault;
use sync::smp::explored::pause;
use sync::smp::fair::Fair;
use sync::smp::mcs::Mcs;
use sync::smp::striped::Striped;
use sync::smp::ticket::Ticket;
use sync::{CoreIndex, Held, rank};

/// Where the object is.
const ADDRESS: u64 = 0x4_0000;
const SIGNALLED: u32 = 1;
const CANCELLED: u32 = 2;

/// A notification and the thread on core 0 that waits for it.
#[derive(Debug)]
struct World<L: Fair> {
    existence: Existence<L>,
    objects: Striped<Object, L>,
    /// Under the object's lock.
    pending: AtomicU32,
    waiter: AtomicU32,
    /// What the waiting thread is woken with; what its core looks at when idle.
    woken: AtomicU32,
}

impl<L: Fair> World<L> {
    fn new() -> Self {
        World {
            existence: Existence::new(),
            objects: Striped::new(),
            pending: AtomicU32::new(0),
            waiter: AtomicU32::new(0),
            woken: AtomicU32::new(0),
        }
    }

    /// Takes a pending signal, if there is one.
    fn poll(&self) -> bool {
        let pending = self.pending.load(Relaxed) != 0;
        self.pending.store(0, Relaxed);
        pending
    }

    /// Wakes the waiting thread, if there is one.
    fn wake(&self, with: u32) -> bool {
        let waits = self.waiter.load(Relaxed) != 0;
        if waits {
            self.waiter.store(0, Relaxed);
            let before = self.woken.load(Relaxed);
            assert_eq!(before, 0, "woken twice");
            self.woken.store(with, Release);
        }
        waits
    }

    fn signal(&self, me: CoreIndex) {
        let mut shared = self.existence.share(me, || ());
        let _object = self.objects.lock(ADDRESS, shared.held());
        if !self.wake(SIGNALLED) {
            self.pending.store(1, Relaxed);
        }
    }

    /// What deletion does to those that wait.
    fn cancel(&self, me: CoreIndex, cores: usize) {
        let _alone = self.existence.exclude(me, cores, || ());
        self.wake(CANCELLED);
    }

    fn wait(&self, me: CoreIndex, look: impl FnOnce(&Self, &mut Held<'_, rank::Existence>) -> bool) {
        let mut shared = self.existence.share(me, || ());
        if look(self, shared.held()) {
            return;
        }
        drop(shared);
        while self.woken.load(Acquire) == 0 {
            pause();
        }
    }

    /// Looks and queues in one turn.
    fn at_once(&self, held: &mut Held<'_, rank::Existence>) -> bool {
        let _object = self.objects.lock(ADDRESS, held);
        let signalled = self.poll();
        self.waiter.store(u32::from(!signalled), Relaxed);
        signalled
    }

    /// Wrong: looks in one turn, queues in another.
    fn in_two_turns(&self, held: &mut Held<'_, rank::Existence>) -> bool {
        let object = self.objects.lock(ADDRESS, held);
        if self.poll() {
            return true;
        }
        drop(object);
        let _object = self.objects.lock(ADDRESS, held);
        self.waiter.store(1, Relaxed);
        false
    }
}

fn no_signal_is_lost<L: Fair>(fault: Fault) {
    explore(fault, Extent::All, || {
        let world = on_cores(2, World::<L>::new(), |world, me| match me.get() {
            0 => world.wait(me, World::at_once),
            _ => world.signal(me),
        });
        assert_eq!([world.waiter.load(Relaxed), world.pending.load(Relaxed)], [0, 0]);
    });
}

/// Two signals and a wait: one is taken, the other is taken too or stays.
fn no_signal_is_delivered_twice<L: Fair>() {
    explore(Fault::None, Extent::of_three_cores(), || {
        on_cores(3, World::<L>::new(), |world, me| match me.get() {
            0 => world.wait(me, World::at_once),
            _ => world.signal(me),
        });
    });
}

/// A signal, a wait, and the deletion of the object: whichever comes first, the thread goes on.
fn deletion_frees_who_waits<L: Fair>() {
    explore(Fault::None, Extent::of_three_cores(), || {
        let world = on_cores(3, World::<L>::new(), |world, me| match me.get() {
            0 => world.wait(me, World::at_once),
            1 => world.signal(me),
            _ => world.cancel(me, 3),
        });
        assert_eq!(world.waiter.load(Relaxed), 0);
    });
}

#[test]
fn with_ticket_locks() {
    no_signal_is_lost::<Ticket>(Fault::None);
    no_signal_is_delivered_twice::<Ticket>();
    deletion_frees_who_waits::<Ticket>();
}

#[test]
fn with_mcs_locks() {
    no_signal_is_lost::<Mcs>(Fault::None);
    no_signal_is_delivered_twice::<Mcs>();
    deletion_frees_who_waits::<Mcs>();
}

#[test]
fn a_wait_in_two_turns_is_found() {
    must_find(NO_PROGRESS, || {
        explore(Fault::None, Extent::All, || {
            on_cores(2, World::<Ticket>::new(), |world, me| match me.get() {
                0 => world.wait(me, World::in_two_turns),
                _ => world.signal(me),
            });
        });
    });
}

#[test]
fn locks_without_orderings_are_found() {
    must_find(NO_PROGRESS, || no_signal_is_lost::<Ticket>(Fault::Relaxed));
}
