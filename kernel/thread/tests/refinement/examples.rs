//! What random programs do not come by: the account of a thread that is gone when its long operation is stopped.

use crate::random::SIZE;
use crate::world::World;
use memory::host::Slice;
use thread::{Budget, State};

/// Thread 1 runs on context 1, and has used `used` ticks of its 100,000.
fn after(slice: &Slice, used: u64) -> World {
    let world = World::populated(slice, SIZE);
    world.real.on().machine.set_now(world.spec.now + used);
    world.real.on().update_time();
    world
}

#[test]
fn budget_is_left_as_long_as_another_entry_fits() {
    let slice = Slice::new(2 << 20);
    assert!(after(&slice, 50_000).real.on().has_budget_left());
    assert!(!after(&slice, 99_999).real.on().has_budget_left());
    let world = after(&slice, 10);
    world.real.context(1).deactivate();
    assert!(!world.real.on().has_budget_left());
}

#[test]
fn a_thread_that_was_stopped_and_goes_on_keeps_its_slice() {
    let slice = Slice::new(2 << 20);
    let world = after(&slice, 50_000);
    let before = world.real.read();
    assert_eq!(world.real.on().settle_after_preemption(), Budget::Left);
    assert!(world.real.read() == before, "nothing is charged yet");
}

#[test]
fn a_thread_that_ended_itself_is_charged_for_what_it_used() {
    let slice = Slice::new(2 << 20);
    let world = after(&slice, 50_000);
    let (context, consumed) = (world.real.context(1), world.real.context(1).consumed.get());
    world.real.thread(1).state.set(State::INACTIVE);
    assert_eq!(world.real.on().settle_after_preemption(), Budget::Exhausted);
    assert_eq!((context.consumed.get() - consumed, world.real.read().used), (50_000, 0));
}

#[test]
fn nobody_is_charged_when_the_context_went_with_its_thread() {
    let slice = Slice::new(2 << 20);
    let world = after(&slice, 50_000);
    let (context, consumed) = (world.real.context(1), world.real.context(1).consumed.get());
    context.deactivate();
    assert_eq!(world.real.on().settle_after_preemption(), Budget::Exhausted);
    assert_eq!((context.consumed.get(), world.real.read().used), (consumed, 0));
}
