//! Moving, copying and deleting capabilities: operations on a [`Slot`], the place of one capability.

use crate::cap::CNode;
use crate::invoke::act;
use crate::{CNodeGuard, CapRights, Result};
use abi::invocation::Invocation;

/// The place of a capability: a path of `depth` bits, resolved from a CNode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Where resolving starts.
    pub root: CNode,
    /// The path.
    pub index: u64,
    /// How many low bits of the path are resolved: at most 64.
    pub depth: u64,
}

impl CNode {
    /// The slot that a capability pointer of all 64 bits leads to from here.
    #[inline]
    pub const fn slot(self, index: u64) -> Slot {
        self.slot_at_depth(index, 64)
    }

    /// The slot that `depth` bits lead to from here.
    #[inline]
    pub const fn slot_at_depth(self, index: u64, depth: u64) -> Slot {
        Slot { root: self, index, depth }
    }

    /// This CNode itself, as the node that [`Untyped::retype`](crate::Untyped::retype) puts capabilities into.
    #[inline]
    pub const fn itself(self) -> Slot {
        self.slot_at_depth(0, 0)
    }
}

/// Errors all of these share: [`FailedLookup`](crate::Error::FailedLookup) and [`RangeError`](crate::Error::RangeError)
/// for a path that leads nowhere; those with a destination, [`DeleteFirst`](crate::Error::DeleteFirst) if it is taken.
impl Slot {
    fn words(self) -> [u64; 2] {
        [self.index, self.depth & 0xff]
    }

    /// Deletes everything derived from the capability here; the capability stays (`CNodeRevoke`).
    pub fn revoke(self) -> Result<()> {
        act(self.root.cptr(), Invocation::CNodeRevoke, &[], &self.words())
    }

    /// Deletes the capability here; with the last one goes the object (`CNodeDelete`).
    pub fn delete(self) -> Result<()> {
        act(self.root.cptr(), Invocation::CNodeDelete, &[], &self.words())
    }

    /// Cancels every send that waits on the endpoint with this capability's badge (`CNodeCancelBadgedSends`).
    pub fn cancel_badged_sends(self) -> Result<()> {
        act(self.root.cptr(), Invocation::CNodeCancelBadgedSends, &[], &self.words())
    }

    /// Copies the capability at `source` to here, with at most these rights (`CNodeCopy`).
    ///
    /// # Errors
    /// Also [`RevokeFirst`](crate::Error::RevokeFirst) for an untyped that is in use.
    pub fn copy_from(self, source: Slot, rights: CapRights) -> Result<()> {
        let ([d0, d1], [s0, s1]) = (self.words(), source.words());
        act(self.root.cptr(), Invocation::CNodeCopy, &[source.root.cptr()], &[d0, d1, s0, s1, rights.word()])
    }

    /// Copies with a badge, which must be new (`CNodeMint`). For a CNode capability see [`Slot::mint_guard_from`].
    ///
    /// # Errors
    /// Also [`IllegalOperation`](crate::Error::IllegalOperation) if the capability has a badge or takes none.
    pub fn mint_from(self, source: Slot, rights: CapRights, badge: u64) -> Result<()> {
        let ([d0, d1], [s0, s1]) = (self.words(), source.words());
        act(self.root.cptr(), Invocation::CNodeMint, &[source.root.cptr()], &[d0, d1, s0, s1, rights.word(), badge])
    }

    /// Copies a CNode capability with a guard (`CNodeMint`).
    pub fn mint_guard_from(self, source: Slot, guard: CNodeGuard) -> Result<()> {
        self.mint_from(source, CapRights::ALL, guard.word())
    }

    /// Moves the capability at `source` to here (`CNodeMove`).
    pub fn move_from(self, source: Slot) -> Result<()> {
        let ([d0, d1], [s0, s1]) = (self.words(), source.words());
        act(self.root.cptr(), Invocation::CNodeMove, &[source.root.cptr()], &[d0, d1, s0, s1])
    }

    /// Moves with a badge, or a guard for a CNode (`CNodeMutate`).
    pub fn mutate_from(self, source: Slot, badge: u64) -> Result<()> {
        let ([d0, d1], [s0, s1]) = (self.words(), source.words());
        act(self.root.cptr(), Invocation::CNodeMutate, &[source.root.cptr()], &[d0, d1, s0, s1, badge])
    }

    /// Moves `pivot` to here and `source` to the pivot, in one step, with new badges (0: unchanged) (`CNodeRotate`).
    ///
    /// Here must be empty unless it is the source; the pivot is neither.
    pub fn rotate_from(self, badge: u64, pivot: Slot, pivot_badge: u64, source: Slot) -> Result<()> {
        let ([d0, d1], [p0, p1], [s0, s1]) = (self.words(), pivot.words(), source.words());
        act(
            self.root.cptr(),
            Invocation::CNodeRotate,
            &[pivot.root.cptr(), source.root.cptr()],
            &[d0, d1, badge, p0, p1, pivot_badge, s0, s1],
        )
    }
}
