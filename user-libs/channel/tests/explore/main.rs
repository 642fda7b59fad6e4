//! Exploration of the rings: every interleaving and every permitted reordering of small cases.
//!
//! `cargo test -p skerry-channel --features explore`
//!
//! A model is what each of two ends does with a channel whose rings have eight words. The explorer ([`loom`]) runs it in all
//! ways there are, and finds: messages that are not as they were sent, accesses to records that are not ordered with those of
//! the other end, and sleepers whom nobody wakes. Each property is explored again with something broken, and that must be
//! found. What is not modelled: a peer that breaks the rules (`tests/malice.rs`), and kernels; a bell is a flag that is kept.

mod bells;
mod broadcast;
mod messages;
mod waking;

use channel::explored::{AtomicU64, leave_out_fences};
use channel::{Bell, Duplex, Region, Side};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Accesses to this word of the region are relaxed.
    Relaxed(usize),
    /// The first end leaves out its fences.
    FirstUnfenced,
    /// The second end does.
    SecondUnfenced,
}

/// Words of ring 0 in a region: see the crate's documentation.
const TAIL: usize = 0;
const HEAD: usize = 16;
const POSITIONS_AND_GREETINGS: [usize; 4] = [TAIL, 1, HEAD, 17];
const SLEEPERS: [usize; 2] = [32, 48];
const CONTROL_WORDS: usize = 64;
const CAPACITY: usize = 8;

/// How much of a model is explored.
#[derive(Clone, Copy)]
enum Extent {
    /// All executions.
    All,
    /// Those with at most so many involuntary switches between the ends.
    Preemptions(usize),
}

/// Explores a model and panics with what is wrong with it, if anything is.
fn explore(extent: Extent, model: impl Fn() + Send + Sync + 'static) {
    let mut explorer = loom::model::Builder::new();
    explorer.max_branches = 3_000;
    if let Extent::Preemptions(bound) = extent {
        explorer.preemption_bound = Some(bound);
    }
    explorer.check(model);
}

/// Explores what two threads do, with a region and a thing for each of them.
fn on_threads<T: Send + 'static>(
    extent: Extent,
    fault: Fault,
    world: impl Fn() -> (Vec<AtomicU64>, [T; 2]) + Send + Sync + 'static,
    first: impl Fn(Region<'_>, T) + Send + Sync + Copy + 'static,
    second: impl Fn(Region<'_>, T) + Send + Sync + Copy + 'static,
) {
    explore(extent, move || {
        let (memory, [mine, theirs]) = world();
        let memory = Arc::new(memory);
        let shared = Arc::clone(&memory);
        let other = loom::thread::spawn(move || {
            if fault == Fault::SecondUnfenced {
                leave_out_fences();
            }
            second(Region::from_words(&shared), theirs);
        });
        if fault == Fault::FirstUnfenced {
            leave_out_fences();
        }
        first(Region::from_words(&memory), mine);
        other.join().unwrap();
    });
}

/// Explores what the two ends of a channel do, each of which knows its bell.
fn on_ends<B: Bell + Clone + Send + 'static>(
    extent: Extent,
    fault: Fault,
    bells: impl Fn() -> [B; 2] + Send + Sync + 'static,
    first: impl Fn(Duplex<'_, B>, &B) + Send + Sync + Copy + 'static,
    second: impl Fn(Duplex<'_, B>, &B) + Send + Sync + Copy + 'static,
) {
    on_threads(
        extent,
        fault,
        move || (region(fault), bells()),
        move |region, bell| first(Duplex::open(region, Side::First, bell.clone()).unwrap(), &bell),
        move |region, bell| second(Duplex::open(region, Side::Second, bell.clone()).unwrap(), &bell),
    );
}

/// The smallest region there is. Its records are plain memory; nobody touches what the layout does not name.
fn region(fault: Fault) -> Vec<AtomicU64> {
    let word = |index: usize| match index {
        _ if fault == Fault::Relaxed(index) => AtomicU64::relaxed(0),
        _ if index >= 2 * CONTROL_WORDS => AtomicU64::plain(0),
        _ if POSITIONS_AND_GREETINGS.contains(&(index % CONTROL_WORDS)) => AtomicU64::new(0),
        _ if SLEEPERS.contains(&(index % CONTROL_WORDS)) => AtomicU64::exchanged(0),
        _ => AtomicU64::absent(),
    };
    (0..2 * CONTROL_WORDS + 2 * CAPACITY).map(word).collect()
}

/// The explorer must object to a model, with words that say `what`.
fn must_find(what: &str, exploration: impl FnOnce()) {
    let Err(found) = catch_unwind(AssertUnwindSafe(exploration)) else {
        panic!("the explorer did not notice: {what}");
    };
    let said = found.downcast_ref::<String>().cloned();
    let said = said.or_else(|| found.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
    assert!(said.contains(what), "the explorer objected to something else: {said}");
}

/// An end that sleeps, and nobody to wake it.
const ASLEEP: &str = "deadlock";
/// A message whose sender's greeting is not to be seen.
const UNGREETED: &str = "Version";
/// Two ends at one record without an order between them.
const UNORDERED: &str = "Causality violation";
