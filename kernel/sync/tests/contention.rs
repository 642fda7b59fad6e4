//! The locks between threads of the host, each thread a core. (`explore.rs` looks at all interleavings of small cases; this
//! looks at many rounds.)
#![cfg(all(feature = "smp", not(feature = "explore")))]

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread::{scope, yield_now};
use sync::smp::fair::Fair;
use sync::smp::mcs::Mcs;
use sync::smp::ticket::Ticket;
use sync::smp::{big, existence, striped};
use sync::{CoreIndex, Held, Recalls, rank};

const THREADS: usize = 3;
const ROUNDS: u64 = 400;

fn core(n: usize) -> CoreIndex {
    CoreIndex::new(n).unwrap()
}

/// Counts in two steps, so that two threads at once lose some.
fn count(counter: &AtomicU64) {
    let before = counter.load(Relaxed);
    if before.is_multiple_of(64) {
        yield_now();
    }
    counter.store(before + 1, Relaxed);
}

/// Runs `body` on every core at once.
fn on_all(body: impl Fn(CoreIndex) + Sync) {
    let body = &body;
    scope(|all| (0..THREADS).for_each(|n| drop(all.spawn(move || body(core(n))))));
}

fn excludes<L: Fair>() {
    let (lock, nodes, counter) = (L::FREE, L::IDLE, AtomicU64::new(0));
    on_all(|me| {
        for _ in 0..ROUNDS {
            lock.acquire(&nodes, me, yield_now);
            count(&counter);
            lock.release(&nodes, me);
        }
    });
    assert_eq!(counter.into_inner(), ROUNDS * THREADS as u64);
    assert_eq!(lock.latest(), None);
}

fn serves_in_order_of_arrival<L: Fair>() {
    let (lock, nodes, order) = (L::FREE, L::IDLE, Mutex::new(Vec::new()));
    lock.acquire(&nodes, core(0), || panic!("the lock is free"));
    scope(|all| {
        for n in [3, 1, 2] {
            let waits = AtomicBool::new(false);
            let (lock, nodes, order) = (&lock, &nodes, &order);
            let waits: &AtomicBool = Box::leak(Box::new(waits));
            all.spawn(move || {
                lock.acquire(nodes, core(n), || {
                    waits.store(true, SeqCst);
                    yield_now();
                });
                order.lock().unwrap().push(n);
                lock.release(nodes, core(n));
            });
            while !waits.load(SeqCst) {
                yield_now();
            }
        }
        lock.release(&nodes, core(0));
    });
    assert_eq!(order.into_inner().unwrap(), [3, 1, 2]);
}

fn separates_readers_and_writers<L: Fair>() {
    let existence = existence::Existence::<L>::new();
    let (readers, writers) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let first = existence.share(core(0), || panic!("nobody else is there"));
    drop(existence.share(core(1), || panic!("readers do not hinder each other")));
    drop(first);
    on_all(|me| {
        for round in 0..ROUNDS {
            if round % 8 == me.get() as u64 {
                let _alone = existence.exclude(me, THREADS, yield_now);
                assert_eq!(writers.fetch_add(1, SeqCst), 0, "another writer");
                assert_eq!(readers.load(SeqCst), 0, "a reader beside a writer");
                yield_now();
                writers.fetch_sub(1, SeqCst);
            } else {
                let _shared = existence.share(me, yield_now);
                readers.fetch_add(1, SeqCst);
                assert_eq!(writers.load(SeqCst), 0, "a writer beside a reader");
                yield_now();
                readers.fetch_sub(1, SeqCst);
            }
        }
    });
}

/// Core 1 wants in while core 0 holds existence and recalls it: from user mode, and from the wait loop of either form.
fn recalls_a_core_that_waits_for_existence<L: Fair>() {
    for share in [true, false] {
        let (existence, recalls) = (existence::Existence::<L>::new(), Recalls::new());
        let (held, waits, put_back) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
        scope(|all| {
            all.spawn(|| {
                let _alone = existence.exclude(core(0), THREADS, || panic!("nobody else is there"));
                held.store(true, SeqCst);
                while !waits.load(SeqCst) {
                    yield_now();
                }
                recalls.request(core(1), || assert_eq!(put_back.load(Relaxed), 0));
                assert_eq!(put_back.load(Relaxed), 1, "answered before it was put back");
            });
            all.spawn(|| {
                while !held.load(SeqCst) {
                    yield_now();
                }
                let waiting = || {
                    waits.store(true, SeqCst);
                    recalls.answer(core(1), || _ = put_back.fetch_add(1, Relaxed));
                    yield_now();
                };
                if share {
                    drop(existence.share(core(1), waiting));
                } else {
                    drop(existence.exclude(core(1), THREADS, waiting));
                }
            });
        });
        assert_eq!(put_back.into_inner(), 1);
        assert!(!recalls.is_requested(core(1)));
    }
}

fn counts_under_stripes<L: Fair>() {
    let existence = existence::Existence::<L>::new();
    let objects = striped::Striped::<rank::Object, L>::new();
    let replies = striped::Striped::<rank::Reply, L>::new();
    let counters: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
    on_all(|me| {
        for round in 0..ROUNDS {
            let mut shared = existence.share(me, yield_now);
            let mut object = objects.lock(0x1000 + 16 * (round & 1), shared.held());
            count(&counters[(round & 1) as usize]);
            let reply = replies.lock(0x1000, object.held());
            drop(reply);
        }
    });
    assert!(counters.iter().all(|counter| counter.load(Relaxed) == ROUNDS / 2 * THREADS as u64));
}

fn is_one_lock<L: Fair>() {
    let (lock, counter) = (big::Existence::<L>::new(), AtomicU64::new(0));
    on_all(|me| {
        for round in 0..ROUNDS {
            let _held = if round & 1 == 0 { lock.share(me, yield_now) } else { lock.exclude(me, THREADS, yield_now) };
            count(&counter);
        }
    });
    assert_eq!(counter.into_inner(), ROUNDS * THREADS as u64);
}

fn needs_no_other_core<L: Fair>() {
    let existence = existence::Existence::<L>::new();
    for _ in 0..3 {
        drop(existence.share(CoreIndex::FIRST, || panic!("the only core waits")));
        drop(existence.exclude(CoreIndex::FIRST, 1, || panic!("the only core waits")));
    }
}

fn says_who_would_have_to_wait<L: Fair>() {
    let existence = existence::Existence::<L>::new();
    let alone = existence.exclude(core(0), THREADS, || panic!("nobody else is there"));
    assert!(existence.share_at_once(core(1)).is_none());
    drop(alone);
    let shared = existence.share_at_once(core(1)).expect("nobody is alone");
    drop(existence.share_at_once(core(2)).expect("sharing hinders nobody"));
    drop(shared);
    drop(existence.exclude(core(2), THREADS, || panic!("everybody left")));

    let big = big::Existence::<L>::new();
    let turn = big.share_at_once(core(0)).expect("it is free");
    assert!(big.share_at_once(core(1)).is_none());
    drop(turn);
    drop(big.share_at_once(core(1)).expect("it is free again"));
}

/// Core 1 wants to share what core 0 has alone: that is told, and core 1 does not queue while it lasts.
fn a_reader_watches_the_turn_it_finds<L: Fair>() {
    let existence = existence::Existence::<L>::new();
    let alone = Cell::new(Some(existence.exclude(core(0), THREADS, || panic!("nobody else is there"))));
    let looks = Cell::new(0);
    drop(existence.share(core(1), || {
        looks.set(looks.get() + 1);
        let guard = alone.take().expect("it queued after the turn's end");
        assert!(guard.is_awaited());
        if looks.get() < 1_000 {
            alone.set(Some(guard));
        } else {
            drop(guard);
            drop(existence.exclude(core(2), THREADS, || panic!("core 1 queued")));
        }
    }));
    assert_eq!(looks.get(), 1_000);
    assert!(!existence.exclude(core(0), THREADS, || panic!("nobody else is there")).is_awaited());
}

/// Whenever core 1 looks another has it, 0 and 2 in turns: that is overtaken a few times and then queues.
fn a_reader_is_overtaken_a_few_times<L: Fair>() {
    let existence = existence::Existence::<L>::new();
    let enter = |n: usize| existence.exclude(core(n), THREADS, || panic!("nobody else is there"));
    let (mut alone, mut turns) = (Some(enter(0)), 0);
    drop(existence.share(core(1), || {
        drop(alone.take());
        if existence.share_at_once(core(3)).is_some() {
            turns += 1;
            alone = Some(enter(turns % 2 * 2));
        }
    }));
    assert_eq!(turns, 4);
}

/// Fair locks crawl where threads outnumber processors, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

macro_rules! for_both_locks {
    ($($name:ident)+) => {$(
        #[test]
        fn $name() {
            let _turn = TURN.lock();
            super::$name::<Ticket>();
            super::$name::<Mcs>();
        }
    )+};
}

mod both_locks {
    use super::*;
    for_both_locks! {
        excludes
        serves_in_order_of_arrival
        separates_readers_and_writers
        recalls_a_core_that_waits_for_existence
        counts_under_stripes
        is_one_lock
        needs_no_other_core
        says_who_would_have_to_wait
        a_reader_watches_the_turn_it_finds
        a_reader_is_overtaken_a_few_times
    }
}

#[test]
fn the_build_says_what_it_is() {
    let expected = match (cfg!(feature = "lock-big"), cfg!(feature = "lock-mcs")) {
        (true, _) => "smp-big",
        (false, true) => "smp-mcs",
        (false, false) => "smp-ticket",
    };
    assert_eq!(sync::MODE, expected);
    static EXISTENCE: sync::Existence = sync::Existence::new();
    static OBJECTS: sync::Striped<rank::Object> = sync::Striped::new();
    let mut entry = EXISTENCE.share(CoreIndex::FIRST, || ());
    let mut object = OBJECTS.lock(0x40, entry.held());
    assert_eq!(object.held().core(), CoreIndex::FIRST);
    assert_eq!(Held::at_kernel_entry(core(5)).core(), core(5));
}
