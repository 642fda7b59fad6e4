//! A table of fair locks for all objects of one rank: which lock, the object's address says. Objects need no room for a lock,
//! and one that dies leaves none behind.

use super::atomic::Line;
use super::fair::Fair;
use crate::Held;
use crate::meter::Stopwatch;
use crate::rank::{Above, Rank};
use core::marker::PhantomData;

/// Locks of a table: 16 KiB. Eight cores that each use one object share a lock in one run of ten.
const STRIPES_BITS: u32 = if cfg!(feature = "explore") { 1 } else { 8 };
const STRIPES: usize = 1 << STRIPES_BITS;

/// The locks of all objects of rank `R`.
#[derive(Debug)]
pub struct Striped<R: Rank, L: Fair> {
    stripes: [Line<L>; STRIPES],
    /// One set for the table: a core holds at most one lock of a rank.
    nodes: L::Nodes,
    rank: PhantomData<fn() -> R>,
}

impl<R: Rank, L: Fair> Striped<R, L> {
    /// Free locks.
    pub const fn new() -> Self {
        Self { stripes: [const { Line(L::FREE) }; STRIPES], nodes: L::IDLE, rank: PhantomData }
    }

    /// Waits for the turn at the object at `address`. Holders do not wait for anything that can last.
    #[inline(always)]
    pub fn lock<'g, Q: Rank>(&'g self, address: u64, below: &'g mut Held<'_, Q>) -> StripeGuard<'g, R, L>
    where
        R: Above<Q>,
    {
        let lock = &self.stripes[stripe(address)].0;
        let held = Held::new(below.core());
        lock.acquire(&self.nodes, held.core(), || ());
        StripeGuard { lock, nodes: &self.nodes, held, _held_for: Stopwatch::start(R::NUMBER) }
    }
}

/// Which lock: Fibonacci hashing (Knuth, volume 3, 6.4), which puts neighbours of any distance far apart.
#[inline(always)]
const fn stripe(address: u64) -> usize {
    (address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - STRIPES_BITS)) as usize
}

/// An object of rank `R`, held.
#[derive(Debug)]
pub struct StripeGuard<'g, R: Rank, L: Fair> {
    lock: &'g L,
    nodes: &'g L::Nodes,
    held: Held<'g, R>,
    _held_for: Stopwatch,
}

impl<'g, R: Rank, L: Fair> StripeGuard<'g, R, L> {
    /// The token that lets ranks above `R` be taken while this guard lives.
    #[inline(always)]
    pub fn held(&mut self) -> &mut Held<'g, R> {
        &mut self.held
    }
}

impl<R: Rank, L: Fair> Drop for StripeGuard<'_, R, L> {
    #[inline(always)]
    fn drop(&mut self) {
        self.lock.release(self.nodes, self.held.core());
    }
}

#[cfg(all(test, not(feature = "explore")))]
mod tests {
    use super::*;

    #[test]
    fn neighbours_have_locks_of_their_own() {
        for distance_bits in 4..=21 {
            let base = 0xFFFF_8000_0123_4000;
            let mut seen: Vec<usize> = (0..8).map(|n| stripe(base + (n << distance_bits))).collect();
            seen.sort_unstable();
            seen.dedup();
            assert!(seen.len() >= 7, "objects {distance_bits} bits apart: {seen:?}");
        }
    }
}
