//! [`Ranked`] state, its [`Guard`]s, and the [`Held`] tokens that carry the order in types.

use crate::rank::{Nothing, Rank};
use core::marker::PhantomData;
use core::ops::Deref;

/// Proof that this core holds rank `R` and nothing above it. Cannot be made twice from one guard at a time.
#[derive(Debug)]
pub struct Held<'h, R: Rank>(PhantomData<(&'h mut (), *const R)>);

impl Held<'static, Nothing> {
    /// The token of a core that just entered its kernel. The entry path makes one per entry; no other code should.
    #[inline(always)]
    pub const fn at_kernel_entry() -> Self {
        Held(PhantomData)
    }
}

/// State of rank `R`.
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
    pub fn lock<'g, Q: Rank>(&'g self, _below: &'g mut Held<'_, Q>) -> Guard<'g, R, T> {
        const { assert!(R::LEVEL > Q::LEVEL, "a guard may only be taken above the rank that is held") };
        Guard { value: &self.value, held: Held(PhantomData) }
    }
}

/// Access to state of rank `R`, and the token for taking higher ranks.
#[derive(Debug)]
pub struct Guard<'g, R: Rank, T> {
    value: &'g T,
    held: Held<'g, R>,
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

/// One `T` per core of the instance.
#[derive(Debug, Default)]
pub struct PerCore<T> {
    slots: [T; crate::CORES],
}

impl<T> PerCore<T> {
    /// One value for each core.
    pub const fn new(slots: [T; crate::CORES]) -> Self {
        Self { slots }
    }

    /// The value of core `core`; `None` beyond the instance.
    #[inline(always)]
    pub fn get(&self, core: usize) -> Option<&T> {
        self.slots.get(core)
    }

    /// The value of the only core of this build.
    #[inline(always)]
    pub fn this(&self) -> &T {
        &self.slots[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::{Device, Existence, RunQueue};

    #[test]
    fn guards_and_tokens_have_no_size_beyond_the_reference() {
        assert_eq!(size_of::<Held<'static, Existence>>(), 0);
        assert_eq!(size_of::<Guard<'static, Existence, u64>>(), size_of::<&u64>());
        assert_eq!(size_of::<Ranked<Existence, u64>>(), size_of::<u64>());
    }

    #[test]
    fn ranks_nest_upwards() {
        let existence: Ranked<Existence, u32> = Ranked::new(1);
        let queue: Ranked<RunQueue, u32> = Ranked::new(2);
        let device: Ranked<Device, u32> = Ranked::new(3);
        let mut entry = Held::at_kernel_entry();
        let mut one = existence.lock(&mut entry);
        let mut two = queue.lock(one.held());
        let three = device.lock(two.held());
        assert_eq!(*three, 3);
    }
}
