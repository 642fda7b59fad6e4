//! [`Ranked`] state, its [`Guard`]s, and the [`Held`] tokens that carry the order in types.

use crate::CoreIndex;
use crate::meter::Stopwatch;
use crate::rank::{Above, Nothing, Rank};
use core::marker::PhantomData;
use core::ops::Deref;

/// Proof that this core holds rank `R` and nothing above it. Cannot be made twice from one guard at a time, and cannot
/// leave its core. It knows that core, so that locks need not be told.
#[derive(Debug)]
pub struct Held<'h, R: Rank> {
    core: CoreIndex,
    order: PhantomData<(&'h mut (), *const R)>,
}

impl Held<'static, Nothing> {
    /// The token of core `me`, which holds nothing. Not for the kernel, where each entry gets its token from
    /// [`Existence`](crate::Existence) (`tests/secret.rs` looks): for tests of the order.
    #[inline(always)]
    pub const fn at_kernel_entry(me: CoreIndex) -> Self {
        Held::new(me)
    }
}

impl<R: Rank> Held<'_, R> {
    #[inline(always)]
    pub(crate) const fn new(core: CoreIndex) -> Self {
        Held { core, order: PhantomData }
    }

    /// The core that holds it: the one that runs this code.
    #[inline(always)]
    pub const fn core(&self) -> CoreIndex {
        self.core
    }
}

/// State of rank `R` that needs no lock of its own, because all who touch it hold existence exclusively or are the only
/// core. The guard keeps its users in the lock order.
#[derive(Debug, Default)]
pub struct Ranked<R: Rank, T> {
    value: T,
    rank: PhantomData<fn() -> R>,
}

impl<R: Rank, T> Ranked<R, T> {
    /// Puts `value` under rank `R`.
    pub const fn new(value: T) -> Self {
        Self { value, rank: PhantomData }
    }

    /// Takes the guard. While it lives the lower token cannot be used, so ranks are taken strictly upwards.
    #[inline(always)]
    pub fn lock<'g, Q: Rank>(&'g self, below: &'g mut Held<'_, Q>) -> Guard<'g, R, T>
    where
        R: Above<Q>,
    {
        Guard { value: &self.value, held: Held::new(below.core), _held_for: Stopwatch::start(R::NUMBER) }
    }
}

/// Access to state of rank `R`, and the token for taking higher ranks.
#[derive(Debug)]
pub struct Guard<'g, R: Rank, T> {
    value: &'g T,
    held: Held<'g, R>,
    _held_for: Stopwatch,
}

impl<'g, R: Rank, T> Guard<'g, R, T> {
    /// The token that lets ranks above `R` be taken while this guard lives.
    #[inline(always)]
    pub fn held(&mut self) -> &mut Held<'g, R> {
        &mut self.held
    }
}

impl<R: Rank, T> Deref for Guard<'_, R, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::{Derivation, Device, RunQueue};

    #[test]
    fn ranks_nest_upwards() {
        let derivation: Ranked<Derivation, u32> = Ranked::new(1);
        let queue: Ranked<RunQueue, u32> = Ranked::new(2);
        let device: Ranked<Device, u32> = Ranked::new(3);
        let mut entry = Held::at_kernel_entry(CoreIndex::FIRST);
        let mut one = derivation.lock(&mut entry);
        let mut two = queue.lock(one.held());
        let three = device.lock(two.held());
        assert_eq!((*three, three.held.core()), (3, CoreIndex::FIRST));
    }
}
