//! ASIDs: 12-bit names of address spaces, in pools of 512 that user capabilities hand out.
//!
//! Invariant V3: an ASID names at most one root, that root is live, and its capability carries the ASID. A capability may
//! still carry an ASID that no longer names its root (the pool was deleted), so every use compares.

use crate::Table;
use core::cell::Cell;
use memory::{Phys, Ref};

/// ASIDs of one pool.
pub const POOL_ENTRIES: usize = 512;
const POOLS: usize = 1 << abi::object::NUM_ASID_POOLS_BITS;

/// 512 address spaces; ASID 0 of pool 0 stays unused.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct AsidPool {
    roots: [Cell<Option<Ref<Table>>>; POOL_ENTRIES],
}

memory::object!(AsidPool);

impl AsidPool {
    /// A free place in the pool whose first ASID is `base`, as an ASID.
    pub fn free(&self, base: u16) -> Option<u16> {
        let first = usize::from(base == 0);
        (first..POOL_ENTRIES).find(|&index| self.roots[index].get().is_none()).map(|index| base + index as u16)
    }

    /// Names `root` with `asid` (taken modulo the pool's size).
    pub fn assign(&self, asid: u16, root: Ref<Table>) {
        self.roots[usize::from(asid) % POOL_ENTRIES].set(Some(root));
    }

    fn root(&self, asid: u16) -> Option<Ref<Table>> {
        self.roots[usize::from(asid) % POOL_ENTRIES].get()
    }

    fn release(&self, asid: u16) {
        self.roots[usize::from(asid) % POOL_ENTRIES].set(None);
    }
}

/// The instance's pools.
#[derive(Debug, Default)]
pub struct AsidTable {
    pools: [Cell<Option<Ref<AsidPool>>>; POOLS],
}

impl AsidTable {
    /// First ASID of a pool number that is free.
    pub fn free_pool(&self) -> Option<u16> {
        (0..POOLS).find(|&number| self.pools[number].get().is_none()).map(|number| (number * POOL_ENTRIES) as u16)
    }

    /// Puts `pool` in place as the one whose first ASID is `base`.
    pub fn install(&self, base: u16, pool: Ref<AsidPool>) {
        self.pools[usize::from(base) / POOL_ENTRIES % POOLS].set(Some(pool));
    }

    /// The pool that holds `asid`.
    #[inline(always)]
    pub fn pool(&self, asid: u16) -> Option<Ref<AsidPool>> {
        self.pools[usize::from(asid) / POOL_ENTRIES % POOLS].get()
    }

    /// The address space that `asid` names.
    #[inline(always)]
    pub fn root(&self, asid: u16) -> Option<Ref<Table>> {
        self.pool(asid)?.root(asid)
    }

    /// Frees `asid` if it still names the root at `root`; says whether it did.
    pub fn release(&self, asid: u16, root: Phys) -> bool {
        let Some(pool) = self.pool(asid) else { return false };
        let named = pool.root(asid).is_some_and(|found| found.phys() == root);
        if named {
            pool.release(asid);
        }
        named
    }

    /// Removes the pool at `pool` if it is in place with first ASID `base`; calls `each` with every ASID it named.
    pub fn remove_pool(&self, base: u16, pool: Ref<AsidPool>, mut each: impl FnMut(u16, Ref<Table>)) {
        let place = &self.pools[usize::from(base) / POOL_ENTRIES % POOLS];
        if place.get() != Some(pool) {
            return;
        }
        for index in 0..POOL_ENTRIES {
            if let Some(root) = pool.roots[index].get() {
                each(base + index as u16, root);
            }
        }
        place.set(None);
    }
}
