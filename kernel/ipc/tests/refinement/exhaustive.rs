//! All programs of three threads, up to a length. States are told apart by what the specification says of them; the
//! layer's objects are brought to one by running its program again.

use crate::Step;
use crate::world::World;
use memory::host::Slice;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

fn hash(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.spec.hash(&mut hasher);
    hasher.finish()
}

fn after(slice: &Slice, program: &[Step]) -> World {
    let mut world = World::new(slice, 3);
    world.audited = false;
    program.iter().for_each(|&step| world.run(step));
    world
}

#[test]
fn all_short_programs_do_what_the_specification_says() {
    let alphabet = [
        Step::Yield,
        Step::Send(0, 1, 1),
        Step::NbSend(0, 1, 2),
        Step::SendAlong(0, 2, 3),
        Step::Call(0, 2, 4),
        Step::CallInVain(0),
        Step::Receive(0, Some(0)),
        Step::Receive(0, Some(1)),
        Step::Receive(1, Some(1)),
        Step::NbReceive(0, None),
        Step::Reply(0, 1),
        Step::ReplyReceive(0, 0),
        Step::Signal(0, 1),
        Step::Signal(0, 2),
        Step::Wait(0),
        Step::NbWait(0),
        Step::Fault,
        Step::BindNotification(0, 2),
        Step::Lend(0, 2),
        Step::CancelAll(0, 1),
        Step::CancelBadged(0, 1),
        Step::Suspend(1),
        Step::Resume(1),
        Step::Priority(2, 7),
    ];
    let more: usize = std::env::var("SKERRY_DEPTH").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let slice = Slice::new(2 << 20);
    let mut seen = HashSet::from([hash(&after(&slice, &[]))]);
    let mut frontier = vec![Vec::new()];
    let mut transitions = 0;
    for _ in 0..3 + more {
        let mut next = Vec::new();
        for program in frontier {
            for step in alphabet {
                let longer = [program.as_slice(), &[step]].concat();
                transitions += 1;
                if seen.insert(hash(&after(&slice, &longer))) {
                    next.push(longer);
                }
            }
        }
        frontier = next;
    }
    println!("{} states, {transitions} transitions", seen.len());
    assert!(seen.len() > 1_000, "{} states", seen.len());
}
