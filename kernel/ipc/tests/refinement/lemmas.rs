//! What CertiKOS specifies of thread queues, sleep and wakeup, and condition variables, as consequences of this layer's
//! specification. [`World`] runs each program on the specification and on the layer, so a lemma here is one of both.
//!
//! | CertiKOS | here |
//! |---|---|
//! | thread queue | the queue of an endpoint or notification |
//! | sleep (channel) | Wait (notification) |
//! | wakeup (channel) | Signal (notification), which is remembered if nobody sleeps |
//! | condition variable and its lock | a notification, and another that holds one signal while the lock is free |

use crate::Step;
use crate::world::World;
use ipc::spec::Id;
use memory::host::Slice;
use proptest::prelude::*;
use thread::State;

/// Threads of these priorities, each of which runs and sleeps on notification 0 in the order of `turns`.
fn asleep(slice: &Slice, priorities: &[u8], turns: &[Id]) -> World {
    let mut world = World::new(slice, priorities.len());
    let threads = 1..=priorities.len();
    threads.clone().for_each(|id| world.run(Step::Suspend(id)));
    for &id in turns {
        world.run(Step::Priority(id, priorities[id - 1]));
        world.run(Step::Resume(id));
        // The last has no time of its own.
        if world.current() == Some(id) {
            world.run(Step::Wait(0));
        }
    }
    world
}

fn first_by_priority(priorities: &[u8], order: &[Id]) -> Vec<Id> {
    let mut sorted = order.to_vec();
    sorted.sort_by_key(|&id| std::cmp::Reverse(priorities[id - 1]));
    sorted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Thread queue: who is taken out next is the one that comes first in a stable sort by priority of those who were put
    /// in. Wakeup: each signal wakes that one and changes nothing for the other sleepers.
    #[test]
    fn sleepers_wake_one_by_one_by_priority_then_arrival(
        priorities in prop::collection::vec(2..5u8, 3),
        turns in Just(vec![1usize, 2]).prop_shuffle(),
    ) {
        let slice = Slice::new(2 << 20);
        let mut world = asleep(&slice, &priorities, &turns);
        let mut expected = first_by_priority(&priorities, &turns);
        prop_assert_eq!(&world.spec.notifications[0].waiters, &expected);
        while !expected.is_empty() {
            let woken = expected.remove(0);
            world.run(Step::Signal(0, 1));
            prop_assert!(world.state(woken).is_runnable());
            prop_assert_eq!(&world.spec.notifications[0].waiters, &expected);
            for &id in &expected {
                prop_assert_eq!(world.state(id), State::BLOCKED_ON_NOTIFICATION);
            }
        }
    }

    /// Sleep and wakeup: no wakeup is lost. Whoever sleeps after signals hears all their bits at once, and whether it slept
    /// before or after the only signal makes no difference to what it hears.
    #[test]
    fn no_wakeup_is_lost(badges in prop::collection::vec(1..16u64, 1..5)) {
        let slice = Slice::new(2 << 20);
        let mut world = World::new(&slice, 3);
        badges.iter().for_each(|&badge| world.run(Step::Signal(0, badge)));
        let sleeper = world.current().expect("somebody runs");
        world.run(Step::Wait(0));
        prop_assert_eq!(world.current(), Some(sleeper), "it did not have to sleep");
        prop_assert_eq!(world.spec.registers[sleeper].badge, badges.iter().fold(0, |all, badge| all | badge));
        prop_assert_eq!(world.spec.notifications[0].signal, None);

        world.run(Step::Wait(0));
        prop_assert_eq!(world.state(sleeper), State::BLOCKED_ON_NOTIFICATION);
        world.run(Step::Signal(0, badges[0]));
        prop_assert!(world.state(sleeper).is_runnable());
        prop_assert_eq!(world.spec.registers[sleeper].badge, badges[0]);
    }
}

/// Where a thread of the monitor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Outside,
    /// It asked for the lock.
    Entering,
    Inside,
    /// It gave the lock back and is about to sleep.
    Leaving,
    /// It sleeps on the condition, or was woken and is about to ask for the lock again.
    Sleeping,
}

const CONDITION: Id = 0;
const LOCK: Id = 1;

/// A condition variable made of two notifications: whatever the threads of a monitor do, and whoever is preempted when, at
/// most one is inside; and whoever slept when the condition was signalled gets inside again.
#[test]
fn a_monitor_of_two_notifications_admits_one_at_a_time() {
    for choices in 0..3u32.pow(8) {
        let slice = Slice::new(2 << 20);
        let mut world = World::new(&slice, 3);
        world.audited = false;
        (1..=3).for_each(|id| world.run(Step::Priority(id, 5)));
        world.run(Step::Signal(LOCK, 1));
        let mut at = [At::Outside; 4];
        for turn in 0..8 {
            let Some(thread) = world.current() else { break };
            match choices / 3u32.pow(turn) % 3 {
                // Preempted wherever it is.
                0 => world.run(Step::Yield),
                choice => advance(&mut world, &mut at, thread, choice == 1),
            }
            // Whoever waited for the lock and runs has it.
            for (id, at) in at.iter_mut().enumerate().skip(1) {
                if *at == At::Entering && world.state(id) != State::BLOCKED_ON_NOTIFICATION {
                    *at = At::Inside;
                }
            }
            let inside = at.iter().filter(|&&at| at == At::Inside).count();
            let free = usize::from(world.spec.notifications[LOCK].signal.is_some());
            assert!(inside + free <= 1, "{at:?} with the lock {free}");
        }
    }
}

/// The running thread does its next step; inside, it either sleeps on the condition or signals it and leaves.
fn advance(world: &mut World, at: &mut [At; 4], thread: Id, sleeps: bool) {
    match at[thread] {
        At::Outside | At::Sleeping => {
            at[thread] = At::Entering;
            world.run(Step::Wait(LOCK));
        }
        At::Inside if sleeps => {
            at[thread] = At::Leaving;
            world.run(Step::Signal(LOCK, 1));
        }
        At::Inside => {
            at[thread] = At::Outside;
            let sleeper = world.spec.notifications[CONDITION].waiters.first().copied();
            world.run(Step::Signal(CONDITION, 1));
            assert!(sleeper.is_none_or(|sleeper| world.state(sleeper).is_runnable()), "a wakeup was lost");
            world.run(Step::Signal(LOCK, 1));
        }
        At::Leaving => {
            at[thread] = At::Sleeping;
            world.run(Step::Wait(CONDITION));
        }
        At::Entering => {}
    }
}
