//! The atomics of exploration: [`loom`]'s, which try every interleaving and every reordering that the memory model permits,
//! behind the interface of `core`'s, so that the locks under test are the locks of the kernel, line by line.
//!
//! Three additions. A [`Fault`] makes the same operations wrong in one respect, to show that the explorer would notice. And
//! loom's atomics must be made at run time while ours are constants: they are made at first use, which must be before the
//! model's threads start ([`settle`]; loom objects if it is forgotten). And waiting is *bounded*: of three cores two can wait
//! in turns for ever while the third is not scheduled, and loom would try ever longer such executions. After a number of
//! futile looks in one execution its rest is scheduled fairly and not varied, so that every wait that can end does end, and
//! one that cannot is found.

use loom::sync::atomic as loom_atomic;
use std::cell::Cell;
use std::fmt::{self, Debug};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// What is wrong with the atomics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// The full fence between a core's own line and its look at those of others is missing.
    NoFence,
    /// A read-modify-write is a load and a store.
    SplitUpdate,
    /// A compare-and-exchange does not compare.
    BlindExchange,
    /// Every ordering is relaxed.
    Relaxed,
}

thread_local! {
    // Loom runs all threads of a model on one.
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
    static PATIENCE: Cell<Option<u32>> = const { Cell::new(None) };
    static FUTILE_LOOKS: Cell<u32> = const { Cell::new(0) };
}

/// For the models that this thread runs from now on: what is wrong with the atomics, and after how many futile looks an
/// execution becomes fair (`None`: never, for two cores).
pub fn prepare(fault: Fault, patience: Option<u32>) {
    FAULT.set(fault);
    PATIENCE.set(patience);
}

fn is_set(fault: Fault) -> bool {
    FAULT.get() == fault
}

/// Makes all atomics in `value`. Called once, at the start of a model.
pub fn settle<T: Debug>(value: T) -> T {
    FUTILE_LOOKS.set(0);
    let _: String = format!("{value:?}");
    value
}

fn actual(ordering: Ordering) -> Ordering {
    if is_set(Fault::Relaxed) { Ordering::Relaxed } else { ordering }
}

/// Loom takes sequentially consistent operations for acquire and release, but knows the fence.
pub(crate) fn fence_after_rmw() {
    if !is_set(Fault::NoFence) {
        loom_atomic::fence(Ordering::SeqCst);
    }
}

/// One turn of a wait loop.
pub fn pause() {
    FUTILE_LOOKS.set(FUTILE_LOOKS.get() + 1);
    if Some(FUTILE_LOOKS.get()) == PATIENCE.get() {
        loom::skip_branch();
    }
    loom::thread::yield_now();
}

macro_rules! explored {
    ($($name:ident of $word:ty)+) => {$(
        pub(crate) struct $name {
            initial: $word,
            made: OnceLock<loom_atomic::$name>,
        }

        impl Debug for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.inner();
                to.write_str(stringify!($name))
            }
        }

        #[allow(dead_code, reason = "the words have the same operations, of which each lock uses some")]
        impl $name {
            pub(crate) const fn new(initial: $word) -> Self {
                Self { initial, made: OnceLock::new() }
            }

            fn inner(&self) -> &loom_atomic::$name {
                self.made.get_or_init(|| loom_atomic::$name::new(self.initial))
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $word {
                self.inner().load(actual(ordering))
            }

            pub(crate) fn store(&self, value: $word, ordering: Ordering) {
                self.inner().store(value, actual(ordering));
            }

            pub(crate) fn swap(&self, value: $word, ordering: Ordering) -> $word {
                if is_set(Fault::SplitUpdate) {
                    let before = self.load(Ordering::Acquire);
                    self.store(value, Ordering::Release);
                    return before;
                }
                self.inner().swap(value, actual(ordering))
            }

            pub(crate) fn fetch_add(&self, more: $word, ordering: Ordering) -> $word {
                if is_set(Fault::SplitUpdate) {
                    let before = self.load(Ordering::Acquire);
                    self.store(before.wrapping_add(more), Ordering::Release);
                    return before;
                }
                self.inner().fetch_add(more, actual(ordering))
            }

            pub(crate) fn compare_exchange(
                &self,
                old: $word,
                new: $word,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$word, $word> {
                if is_set(Fault::BlindExchange) {
                    return Ok(self.swap(new, success));
                }
                self.inner().compare_exchange(old, new, actual(success), actual(failure))
            }
        }
    )+};
}

explored! {
    AtomicU32 of u32
    AtomicU64 of u64
}
