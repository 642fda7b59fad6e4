//! Exploration of the kernel's own locks: every interleaving and every permitted reordering of small cases.
//!
//! `cargo test -p skerry-sync --features explore`
//!
//! A model is what each of two or three cores does with a lock. The explorer ([`loom`]) runs it in all ways there are (in all
//! with a bounded number of involuntary switches, where three cores spin), and finds: state that is not kept apart, writes
//! that are not seen, and waits that do not end although every core gets its turns. Each model is explored a second time with
//! something broken, and that must be found. What is not modelled: interrupts other than the recall's, and user code.

mod choice;
mod existence;
mod fair;
mod messages;
mod recall;

use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use sync::CoreIndex;
use sync::smp::explored::{Fault, prepare, settle};

/// How much of a model is explored.
#[derive(Clone, Copy)]
enum Extent {
    /// All executions. For two cores.
    All,
    /// Those with at most so many involuntary switches between cores (a core that waits switches voluntarily), and where cores
    /// look in vain at most [`PATIENCE`] times, the rest being fair.
    Preemptions(usize),
}

const PATIENCE: u32 = 4;

impl Extent {
    /// `SKERRY_PREEMPTIONS` asks for more than the default: 3 take three minutes, 2 some ten seconds.
    fn of_three_cores() -> Self {
        Extent::Preemptions(std::env::var("SKERRY_PREEMPTIONS").map_or(2, |bound| bound.parse().unwrap()))
    }
}

/// Explores a model and panics with what is wrong with it, if anything is.
fn explore(fault: Fault, extent: Extent, model: impl Fn() + Send + Sync + 'static) {
    let mut explorer = loom::model::Builder::new();
    explorer.max_branches = 3_000;
    match extent {
        Extent::All => prepare(fault, None),
        Extent::Preemptions(bound) => {
            explorer.preemption_bound = Some(bound);
            prepare(fault, Some(PATIENCE));
        }
    }
    explorer.check(model);
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

/// A wait that does not end.
const NO_PROGRESS: &str = "exceeded maximum number of branches";
/// State that two cores had at once, or that one left and the next did not see.
const TORN: &str = "torn";

/// Runs `body` as cores 0 to `cores` − 1 with `world` between them, and gives it back.
fn on_cores<W: std::fmt::Debug + Send + Sync + 'static>(
    cores: usize,
    world: W,
    body: impl Fn(&W, CoreIndex) + Send + Sync + Copy + 'static,
) -> Arc<W> {
    let world = Arc::new(settle(world));
    let others: Vec<_> = (1..cores)
        .map(|core| {
            let world = world.clone();
            loom::thread::spawn(move || body(&world, CoreIndex::new(core).unwrap()))
        })
        .collect();
    body(&world, CoreIndex::FIRST);
    for other in others {
        other.join().unwrap();
    }
    world
}

/// State that a lock protects: two words that are equal whenever it is free. Nothing about them is atomic or ordered but
/// what the lock makes so.
#[derive(Debug)]
struct State([AtomicU32; 2]);

impl State {
    fn new() -> Self {
        Self([AtomicU32::new(0), AtomicU32::new(0)])
    }

    fn read(&self) -> u32 {
        let [first, second] = self.0.each_ref().map(|word| word.load(Relaxed));
        assert_eq!(first, second, "torn");
        first
    }

    fn write(&self, value: u32) {
        for word in &self.0 {
            word.store(value, Relaxed);
        }
    }

    fn increment(&self) {
        self.write(self.read() + 1);
    }
}
