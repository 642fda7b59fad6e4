//! What the layer asks of a lock: turns in the order of arrival.

use crate::CoreIndex;
use core::fmt::Debug;

/// A fair lock between cores.
///
/// `Nodes` is memory of the waiting cores that any number of locks may use together, as long as a core holds or awaits at
/// most one of them: ranks are taken strictly upwards, so one set of nodes per rank is enough, and nothing is allocated.
pub trait Fair: Debug + Send + Sync + 'static {
    /// See above.
    type Nodes: Debug + Send + Sync + 'static;

    /// A free lock.
    const FREE: Self;
    /// The memory of waiting cores, none of which waits.
    const IDLE: Self::Nodes;

    /// Waits for the turn of core `me`, which does not hold or await a lock with these nodes. Cores that arrive later have
    /// later turns. Calls `waiting` on each turn of the wait loop, and not at all if the lock is free.
    ///
    /// All that earlier holders did happens before it returns; the arrival itself is sequentially consistent.
    fn acquire(&self, nodes: &Self::Nodes, me: CoreIndex, waiting: impl FnMut());

    /// Takes the turn of core `me` if nobody has or awaits one; says whether it did. Otherwise as [`acquire`](Self::acquire).
    fn try_acquire(&self, nodes: &Self::Nodes, me: CoreIndex) -> bool;

    /// Ends the turn of core `me`, which is the holder, and begins the next one, if any.
    fn release(&self, nodes: &Self::Nodes, me: CoreIndex);

    /// Whether some core awaits the turn of core `me`, which is the holder, to end.
    fn is_awaited(&self, me: CoreIndex) -> bool;

    /// Whose turn is the last so far: a name that differs from that of another core. `None` if no core has the turn or awaits
    /// it; then all that earlier holders did happens before it returns. The look is sequentially consistent.
    fn latest(&self) -> Option<u64>;
}
