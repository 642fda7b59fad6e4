//! The short cuts of the fast paths against the specification: where one is taken, it leaves what the scheduler would have
//! left, the timer is not late, and the processor has what the thread that runs needs.

use crate::Step;
use crate::random::{SIZE, pass, step};
use crate::world::World;
use machine::Register;
use memory::host::Slice;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;
use thread::spec::{Charged, Id, System};
use thread::{State, Wake};

/// As time that passes: until something is to be looked at.
const AT_THE_NEXT_LOOK: u64 = 12_345;

/// What a fast path does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// The current thread waits, and the next that is ready runs.
    Block,
    /// This thread hears a signal: it runs, or waits for its turn.
    Signal(Id),
    /// The same, but only if it runs at once.
    Preempt(Id),
    /// The current thread waits, and this one, which heard it, runs on its own time.
    Hand(Id),
    Yield,
    /// A yield without equals.
    Renew,
}

/// What was taken, and what was interesting about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Taken {
    Block,
    Queue,
    Switch,
    Preempt,
    Hand,
    Yield,
    Renew,
    /// While somebody waited for time.
    BesideReleases,
    /// Away from a context with refills, after some time.
    FromRefills,
    /// To a context with refills.
    ToRefills,
    ToSporadic,
}

impl Cut {
    /// Takes the short cut `pass` ticks after the last entry, if it is one; says what was taken.
    fn take(self, world: &mut World, pass: u64) -> Option<Taken> {
        let (before, real) = (world.spec.clone(), &world.real);
        let (on, mut spec) = (real.on(), world.spec.clone());
        // Now and then at the very moment at which something ends or begins.
        let next_look = spec.next_look();
        let now =
            if pass == AT_THE_NEXT_LOOK && next_look < u64::MAX { next_look.max(spec.now) } else { spec.now + pass };
        let current = spec.current;
        let (running, idle) = (real.thread(current), current == 0);
        let waits = |thread: Id| thread != current && before.threads[thread].state == State::BLOCKED_ON_NOTIFICATION;
        on.machine.set_now(now);
        (1..before.threads.len()).for_each(|thread| on.refresh(real.thread(thread)));
        let best = before.threads[before.best()].priority;
        for priority in [0, best.saturating_sub(1), best, best.saturating_add(1)] {
            let nobody_better = before.best() == 0 || best <= priority;
            assert_eq!(on.core.is_highest(priority), nobody_better, "{priority} in\n{before:#?}");
        }
        let taken = match self {
            Cut::Block if !idle => on.next_ready().map(|next| {
                running.state.set(State::BLOCKED_ON_NOTIFICATION);
                on.run_ready(next);
                enter(&mut spec, now);
                spec.set_state(current, State::BLOCKED_ON_NOTIFICATION);
                Taken::Block
            }),
            Cut::Signal(thread) if waits(thread) => on.wakes(running, real.thread(thread), None).map(|wake| {
                real.thread(thread).state.set(State::RUNNING);
                on.wake(running, real.thread(thread), wake);
                let queued = matches!(wake, Wake::Queue);
                if !queued {
                    enter(&mut spec, now);
                }
                heard(&mut spec, thread);
                if queued { Taken::Queue } else { Taken::Switch }
            }),
            Cut::Preempt(thread) if waits(thread) && !idle => {
                on.preempts_at_once(running, real.thread(thread)).map(|turn| {
                    real.thread(thread).state.set(State::RUNNING);
                    on.preempt(running, turn);
                    on.run(real.thread(thread));
                    enter(&mut spec, now);
                    heard(&mut spec, thread);
                    Taken::Preempt
                })
            }
            Cut::Hand(thread) if waits(thread) && !idle => {
                let next = real.thread(thread);
                let context = next.sched_context.get().filter(|_| on.can_run(next) && on.runs_next(running, next));
                context.and_then(|context| on.own_turn(context)).map(|turn| {
                    running.state.set(State::BLOCKED_ON_NOTIFICATION);
                    next.state.set(State::RUNNING);
                    on.take_own_turn(turn);
                    on.run(next);
                    enter(&mut spec, now);
                    spec.set_state(current, State::BLOCKED_ON_NOTIFICATION);
                    heard(&mut spec, thread);
                    Taken::Hand
                })
            }
            Cut::Yield if !idle => on.yield_at_once(running).map(|next| {
                on.run(next);
                enter(&mut spec, now);
                spec.yield_slice();
                spec.must_choose();
                Taken::Yield
            }),
            Cut::Renew if !idle => on.yield_alone().then(|| {
                enter(&mut spec, now);
                spec.yield_slice();
                spec.must_choose();
                Taken::Renew
            }),
            _ => None,
        };
        let Some(taken) = taken else {
            on.machine.set_now(before.now);
            assert!(world.real.read() == before, "asking changed something");
            return None;
        };
        spec.leave();
        let read = world.real.read();
        assert!(read == spec, "{self:?} at {now} in\n{before:#?}\nleaves\n{read:#?}\ninstead of\n{spec:#?}");
        let (deadline, look) = (on.machine.deadline(), spec.next_look());
        assert!(deadline <= look, "{self:?}: the timer is late: {deadline} instead of {look}");
        if spec.current != current {
            assert_eq!(on.machine.current(), real.thread(spec.current).word(), "{self:?}");
            let context = &real.thread(spec.current).context;
            assert_eq!(on.machine.bases(), (context.get(Register::FsBase), context.get(Register::GsBase)), "{self:?}");
        }
        world.spec = spec;
        world.audit();
        Some(taken)
    }
}

/// The entry that a short cut stands for; one with a decision about time is none.
fn enter(spec: &mut System, now: u64) {
    spec.enter(now);
    assert_eq!(spec.check_budget(), Charged::Left, "a short cut has time left");
}

fn heard(spec: &mut System, thread: Id) {
    spec.set_state(thread, State::RUNNING);
    spec.became_ready(thread);
}

fn cut() -> impl Strategy<Value = Cut> {
    let thread = || 1..=SIZE.threads;
    prop_oneof![
        2 => Just(Cut::Block),
        3 => thread().prop_map(Cut::Signal),
        4 => thread().prop_map(Cut::Preempt),
        2 => thread().prop_map(Cut::Hand),
        1 => Just(Cut::Yield),
        1 => Just(Cut::Renew),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    Long(Step),
    Short(Cut),
}

#[test]
fn short_cuts_leave_what_the_scheduler_would() {
    let counts: RefCell<BTreeMap<Taken, usize>> = RefCell::default();
    let count = |what: Taken| *counts.borrow_mut().entry(what).or_default() += 1;
    let entry = prop_oneof![2 => step().prop_map(Entry::Long), 3 => cut().prop_map(Entry::Short)];
    let pass = prop_oneof![5 => pass(), 1 => Just(AT_THE_NEXT_LOOK)];
    let domains = prop_oneof![3 => Just(false), 1 => Just(true)];
    let programs = (any::<bool>(), domains, prop::collection::vec((entry, pass), 1..80));
    // Always the same programs: what is taken is counted.
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let result = runner.run(&programs, |(is_better, has_domains, program)| {
        let slice = Slice::new(2 << 20);
        let mut world = World::populated(&slice, SIZE);
        // Two more threads that run on time of their own, in slices and as a sporadic server.
        for (context, thread, budget) in [(3, 5, 0), (4, 4, 1)] {
            let steps = [Step::Configure(context, budget), Step::Bind(context, thread), Step::Resume(thread)];
            steps.into_iter().for_each(|step| world.run(step, 0));
        }
        if is_better {
            world.run(Step::Priority(5, 8), 0);
        }
        if has_domains {
            // Domains' time is the scheduler's to keep: no short cut may let it pass unseen.
            let schedule = [Step::Schedule(0, 0, 400_000), Step::Schedule(1, 1, 90_000), Step::Start(0)];
            schedule.into_iter().for_each(|step| world.run(step, 0));
        }
        world.give_spaces();
        for (entry, pass) in program {
            match entry {
                Entry::Long(step) => world.run(step, pass),
                Entry::Short(cut) => {
                    let before = world.spec.clone();
                    let Some(taken) = cut.take(&mut world, pass) else { continue };
                    count(taken);
                    let is_round_robin = |context: Id| {
                        before.contexts[context].budget.as_ref().is_none_or(|budget| budget.is_round_robin())
                    };
                    let (from, to) = (before.charged, world.spec.charged);
                    let cases = [
                        (taken != Taken::Queue && !before.release.is_empty(), Taken::BesideReleases),
                        (from != to && from != 0 && !is_round_robin(from) && pass > 0, Taken::FromRefills),
                        (from != to && to != 0 && !is_round_robin(to), Taken::ToRefills),
                        (from != to && to != 0 && before.contexts[to].sporadic, Taken::ToSporadic),
                    ];
                    cases.into_iter().filter(|(is_so, _)| *is_so).for_each(|(_, what)| count(what));
                }
            }
        }
        Ok(())
    });
    result.expect("no program differs");
    let counts = counts.take();
    println!("{counts:?}");
    let wanted = [
        Taken::Block,
        Taken::Queue,
        Taken::Switch,
        Taken::Preempt,
        Taken::Hand,
        Taken::Yield,
        Taken::Renew,
        Taken::BesideReleases,
        Taken::FromRefills,
        Taken::ToRefills,
        Taken::ToSporadic,
    ];
    for what in wanted {
        assert!(counts.get(&what).is_some_and(|&count| count > 2), "{what:?} is hardly ever taken: {counts:?}");
    }
}

#[test]
fn who_waited_with_refills_finds_them_put_off_however_it_is_woken() {
    let slice = Slice::new(2 << 20);
    let mut world = World::populated(&slice, SIZE);
    // The more important thread 2 waits; what is left of its budget outlasts what is left of thread 1's slice.
    world.run(Step::Priority(2, 8), 0);
    world.run(Step::Wait, 1_000);
    world.give_spaces();
    assert_eq!(world.spec.current, 1);
    if Cut::Preempt(2).take(&mut world, 60_000).is_none() {
        world.run(Step::Signal(2), 60_000);
    }
    assert_eq!(world.spec.current, 2);
}
