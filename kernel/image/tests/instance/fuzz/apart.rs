//! Instances beside each other: random steps of two, interleaved, against the same steps of each alone; and of a bystander
//! beside two that differ in a secret only. What an instance holds must depend on its own steps and on nothing else.

use super::run::{Random, Run};

const STEPS: u64 = 200;

/// What must not depend on others: memory, who runs, what the machine was told, and what the run will do next.
#[track_caller]
fn same(one: &Run, other: &Run, what: &str) {
    let at = |run: &Run| run.system.current().phys().0.wrapping_sub(run.system.slice.range().base.0);
    assert_eq!(one.random, other.random, "{what}: the next step");
    assert_eq!(at(one), at(other), "{what}: who runs");
    assert_eq!(one.system.machine().deadline(), other.system.machine().deadline(), "{what}: the timer");
    let events = [one, other].map(|run| run.system.take_events().len());
    assert_eq!(events[0], events[1], "{what}: effects on the machine");
    assert_eq!(one.system.differences(&other.system), [""; 0], "{what}: memory");
}

fn alone(seed: u64, steps: u64) -> Run {
    let mut run = Run::new(Random::of_seed(seed));
    go(&mut run, steps);
    run
}

fn go(run: &mut Run, steps: u64) {
    for _ in 0..steps {
        if run.is_over() {
            return;
        }
        run.step();
    }
}

/// `STEPS` steps of each, in an order that `order` draws.
fn interleaved(seeds: [u64; 2], order: u64) -> [Run; 2] {
    let mut runs = seeds.map(|seed| Run::new(Random::of_seed(seed)));
    let mut left = [STEPS; 2];
    let mut order = Random::of_seed(order);
    while left != [0, 0] {
        let who = order.below(2) as usize;
        if left[who] > 0 {
            left[who] -= 1;
            go(&mut runs[who], 1);
        }
    }
    runs
}

#[test]
fn interleaved_instances_end_as_each_does_alone() {
    for seed in 1..5 {
        let seeds = [seed, seed + 100];
        let together = interleaved(seeds, seed);
        for (run, seed) in together.iter().zip(seeds) {
            run.system.audit_now();
            same(run, &alone(seed, STEPS), &format!("seed {seed}"));
        }
    }
}

#[test]
fn a_bystander_sees_nothing_of_a_secret() {
    let with_secret = |secret| interleaved([secret, 77], 5);
    let ([one, bystander], [other, same_bystander]) = (with_secret(1001), with_secret(2002));
    assert_ne!(one.system.differences(&other.system), [""; 0], "the secret changes nothing, so this shows nothing");
    same(&bystander, &same_bystander, "bystander");
}
