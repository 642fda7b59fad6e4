//! All programs of a small system: up to a depth where time passes, to the fixpoint where it stands still.
//!
//! States are told apart by what the specification says of them; the layer's objects are brought back to one by placing
//! it, which the comparison after the next operation would notice if it were wrong.

use crate::Step;
use crate::world::{Size, World};
use memory::host::Slice;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use thread::spec::System;

/// What was reached.
#[derive(Debug)]
struct Explored {
    states: usize,
    transitions: usize,
    /// Length of the longest program that reached something new.
    depth: usize,
    /// Whether every program of any length ends in one of the states.
    is_complete: bool,
}

fn explore(mut world: World, alphabet: &[(Step, u64)], most_depth: usize) -> Explored {
    world.audited = false;
    let mut seen = HashSet::from([hash(&world.spec)]);
    let mut frontier = vec![(world.spec.clone(), Vec::new())];
    let mut explored = Explored { states: 1, transitions: 0, depth: 0, is_complete: false };
    while !frontier.is_empty() && explored.depth < most_depth {
        let mut next = Vec::new();
        for (state, program) in &frontier {
            for &(step, pass) in alphabet {
                world.place(state, program.clone());
                world.run(step, pass);
                explored.transitions += 1;
                if seen.insert(hash(&world.spec)) {
                    next.push((world.spec.clone(), [program.as_slice(), &[step]].concat()));
                }
            }
        }
        explored.depth += 1;
        explored.is_complete = next.is_empty();
        frontier = next;
    }
    explored.states = seen.len();
    explored
}

fn hash(state: &System) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

fn depth(usual: usize) -> usize {
    let more: usize = std::env::var("SKERRY_DEPTH").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    usual + more
}

#[test]
fn all_short_programs_do_what_the_specification_says() {
    let size = Size { threads: 3, contexts: 3, replies: 2 };
    let steps = [
        Step::Pass,
        Step::Yield,
        Step::Wait,
        Step::Receive(0),
        Step::Call(3),
        Step::Reply(0),
        Step::Signal(1),
        Step::Suspend(2),
        Step::Resume(2),
        Step::Configure(1, 1),
        Step::Configure(2, 2),
        Step::Unbind(2),
        Step::Bind(2, 2),
        Step::YieldTo(2),
        Step::Domain(2, 1),
        Step::Schedule(0, 0, 60_000),
        Step::Schedule(1, 1, 60_000),
        Step::Start(0),
    ];
    let alphabet: Vec<_> = steps.into_iter().flat_map(|step| [(step, 0), (step, 40_000)]).collect();
    let slice = Slice::new(2 << 20);
    let explored = explore(World::populated(&slice, size), &alphabet, depth(4));
    println!("{explored:?}");
    assert!(explored.states > 5_000, "{explored:?}");
}

#[test]
fn all_programs_that_take_no_time_do_what_the_specification_says() {
    let size = Size { threads: 3, contexts: 2, replies: 2 };
    let threads = 1..=size.threads;
    let of_threads = threads.flat_map(|it| [Step::Call(it), Step::Signal(it), Step::Suspend(it), Step::Resume(it)]);
    let of_replies = (0..size.replies).flat_map(|it| [Step::Receive(it), Step::Reply(it)]);
    let others = [
        Step::Yield,
        Step::Wait,
        Step::Priority(2, 5),
        Step::Priority(2, 7),
        Step::Unbind(1),
        Step::UnbindReply(1),
        Step::Bind(1, 1),
        Step::Bind(1, 3),
        Step::YieldTo(1),
        Step::YieldTo(2),
    ];
    let alphabet: Vec<_> = of_threads.chain(of_replies).chain(others).map(|step| (step, 0)).collect();
    let slice = Slice::new(2 << 20);
    let explored = explore(World::populated(&slice, size), &alphabet, usize::MAX);
    println!("{explored:?}");
    assert!(explored.is_complete && explored.states > 2_000, "{explored:?}");
}
