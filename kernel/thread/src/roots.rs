//! What a thread's roots come to, looked up once: the slots of its CSpace and its address space as the machine loads it.
//!
//! Invariant T9: where a thread's [`Roots`] carry the instance's [`Epoch`], they say what its CSpace and VSpace slots would.
//! Whoever deletes a capability that a root may be, or an ASID, starts a new epoch; whoever writes a root forgets it.

use crate::{Tcb, TcbSlot, Threads};
use capability::Slot;
use core::cell::Cell;
use machine::{AddressSpace, Machine};
use memory::{Array, Ref};
use vspace::AsidTable;

/// How often roots became invalid, from 1 on.
#[derive(Debug)]
pub struct Epoch(Cell<u64>);

impl Epoch {
    /// The first.
    pub const fn new() -> Self {
        Self(Cell::new(1))
    }

    /// Starts the next: what every thread's roots come to must be looked up again.
    #[inline]
    pub fn advance(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::new()
    }
}

/// What was looked up, and when. All-zero is nothing.
#[repr(C)]
#[derive(Debug)]
pub struct Roots {
    epoch: Cell<u64>,
    space: Cell<Option<AddressSpace>>,
    slots: Cell<Array<Slot>>,
}

impl Roots {
    /// The CSpace or VSpace root changes.
    pub fn forget(&self) {
        self.epoch.set(0);
        self.space.set(None);
        self.slots.set(Array::EMPTY);
    }
}

impl Threads<'_> {
    /// The slots that the CPtrs from 0 on name for `thread`, of this core; none if its root CNode does not resolve all of a
    /// CPtr in one step.
    #[inline(always)]
    pub fn slots(&self, thread: Ref<Tcb>) -> Array<Slot> {
        self.refresh(thread);
        thread.roots.slots.get()
    }

    /// As [`slots`](Self::slots), but none if they are not at hand.
    #[inline(always)]
    pub fn slots_at_hand(&self, thread: Ref<Tcb>) -> Array<Slot> {
        if thread.roots.epoch.get() == self.epoch.0.get() { thread.roots.slots.get() } else { Array::EMPTY }
    }

    /// The address space of `thread`, of this core, if it has a valid one.
    #[inline(always)]
    pub fn space(&self, thread: Ref<Tcb>) -> Option<AddressSpace> {
        self.refresh(thread);
        thread.roots.space.get()
    }

    #[inline(always)]
    fn refresh(&self, thread: Ref<Tcb>) {
        if thread.roots.epoch.get() != self.epoch.0.get() {
            look_up(self.epoch, self.asids, self.machine, thread);
        }
    }

    /// T9, for the audit. A space that became valid again may be missing.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn roots_are_right(&self, thread: Ref<Tcb>) -> bool {
        let (space, slots) = (thread.roots.space.get(), thread.roots.slots.get());
        let space_is_right = space.is_none() || space == self.address_space_of(thread);
        thread.roots.epoch.get() != self.epoch.0.get() || space_is_right && slots == whole_cspace_of(thread)
    }

    /// The address space of `thread`, if its root is a valid one.
    pub(crate) fn address_space_of(&self, thread: Ref<Tcb>) -> Option<AddressSpace> {
        address_space_of(self.asids, self.machine, thread)
    }
}

/// Out of line and without `Threads`, which would cost the callers its making.
#[cold]
#[inline(never)]
fn look_up(epoch: &Epoch, asids: &AsidTable, machine: &Machine, thread: Ref<Tcb>) {
    thread.roots.epoch.set(epoch.0.get());
    thread.roots.slots.set(whole_cspace_of(thread));
    thread.roots.space.set(address_space_of(asids, machine, thread));
}

fn whole_cspace_of(thread: Ref<Tcb>) -> Array<Slot> {
    let root = thread.cap(TcbSlot::CSpace);
    if root.is_whole_cnode() { Array::new(root.object(), 1 << root.radix()) } else { Array::EMPTY }
}

fn address_space_of(asids: &AsidTable, machine: &Machine, thread: Ref<Tcb>) -> Option<AddressSpace> {
    let root = thread.cap(TcbSlot::VSpace);
    // The slot holds nothing but an address space, and only while that is assigned has it an ASID.
    let (asid, _) = root.mapping()?;
    let valid = asids.root(asid).is_some_and(|found| found.phys() == root.phys());
    if valid { machine.address_space(root.phys().0, asid) } else { None }
}
