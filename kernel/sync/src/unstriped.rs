//! [`Striped`] where existence, as held by every kernel entry, already keeps other cores away: nothing to lock.

use crate::Held;
use crate::rank::{Above, Rank};
use core::marker::PhantomData;

/// The locks of all objects of rank `R`.
#[derive(Debug, Default)]
pub struct Striped<R: Rank>(PhantomData<fn() -> R>);

impl<R: Rank> Striped<R> {
    /// Free locks.
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Holds the object at `address`, which this core has to itself already.
    #[inline(always)]
    pub fn lock<'g, Q: Rank>(&'g self, _address: u64, below: &'g mut Held<'_, Q>) -> StripeGuard<'g, R>
    where
        R: Above<Q>,
    {
        StripeGuard { held: Held::new(below.core()) }
    }
}

/// An object of rank `R`, held.
#[derive(Debug)]
pub struct StripeGuard<'g, R: Rank> {
    held: Held<'g, R>,
}

impl<'g, R: Rank> StripeGuard<'g, R> {
    /// The token that lets ranks above `R` be taken while this guard lives.
    #[inline(always)]
    pub fn held(&mut self) -> &mut Held<'g, R> {
        &mut self.held
    }
}
