//! The storms. A worker's function gets its number; it counts what it did in the ledger, and rests between rounds unless
//! it serves others.

pub mod calls;
pub mod faults;
pub mod mappings;
pub mod migration;
pub mod objects;
pub mod revocation;
pub mod signals;

use runtime::rdtsc;
use sel4::yield_now;

/// Turns that [`linger`] leaves to others, at most …
const TURNS: u32 = 20;
/// … and how long it lasts, at most: about 2 ms. Where all workers share one core, each turn lasts as long as all their
/// slices together.
const LINGER_TICKS: u64 = 1 << 22;

/// Lets others run for a while, on this core and elsewhere.
pub fn linger() {
    let start = rdtsc();
    for _ in 0..TURNS {
        yield_now();
        if rdtsc().wrapping_sub(start) > LINGER_TICKS {
            return;
        }
    }
}

/// A cheap source of differing numbers.
#[derive(Clone, Copy, Debug)]
pub struct Dice(u64);

impl Dice {
    /// One for worker `index`.
    pub fn of(index: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(index as u64 + 1))
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}
