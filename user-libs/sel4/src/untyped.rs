//! Untyped memory becomes objects.

use crate::cap::Untyped;
use crate::cnode::Slot;
use crate::invoke::act;
use crate::{ObjectType, Result};
use abi::invocation::Invocation;

impl Untyped {
    /// Creates `count` objects and puts their capabilities into the slots from `offset` on of the CNode that `node`
    /// leads to (`UntypedRetype`).
    ///
    /// `size_bits` is the size of an untyped or scheduling context, the slots of a CNode, and ignored for others.
    /// `node` with depth 0 is the root itself; see [`CNode::itself`](crate::CNode::itself).
    ///
    /// # Errors
    /// [`NotEnoughMemory`](crate::Error::NotEnoughMemory); [`DeleteFirst`](crate::Error::DeleteFirst) if a slot is
    /// taken; [`RangeError`](crate::Error::RangeError) for a size, an offset or more than 256 objects that do not fit;
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a type that does not exist or that device memory cannot
    /// become; [`FailedLookup`](crate::Error::FailedLookup) for `node`.
    pub fn retype(self, object: ObjectType, size_bits: u32, node: Slot, offset: u64, count: u64) -> Result<()> {
        act(
            self.cptr(),
            Invocation::UntypedRetype,
            &[node.root.cptr()],
            &[object.word(), size_bits.into(), node.index, node.depth, offset, count],
        )
    }
}
