//! What a thread's roots come to, looked up once: the slots of its CSpace, and its address space with what else it needs of
//! the processor.
//!
//! Invariant T9: where a thread's [`Roots`] carry the instance's [`Epoch`], they say what its CSpace and VSpace slots, the
//! FPU's owner, its GS base and its breakpoints would. Whoever deletes a capability that a root may be, or an ASID, starts a new epoch;
//! whoever writes one of these forgets it. Invariant T10: with one core, the slots of the current thread are right whenever
//! it is left to the user.

use crate::{Core, Tcb, TcbSlot, Threads};
use capability::Slot;
use core::cell::Cell;
use machine::{AddressSpace, Machine, Needs, Register};
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

/// What was looked up, and when. All-zero is nothing.
#[repr(C)]
#[derive(Debug)]
pub struct Roots {
    epoch: Cell<u64>,
    pub(crate) needs: Cell<Needs>,
    slots: Cell<Array<Slot>>,
}

impl Roots {
    /// A root changes, or what else a thread needs of the processor.
    pub fn forget(&self) {
        self.epoch.set(0);
        self.needs.set(Needs::NONE);
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

    /// As [`slots`](Self::slots), of the thread whose entry this is; none if they are not at hand.
    #[inline(always)]
    pub fn slots_at_hand(&self, current: Ref<Tcb>) -> Array<Slot> {
        // With one core, nobody starts an epoch between looking (T10) and here.
        if sync::CORES == 1 || self.is_fresh(current) { current.roots.slots.get() } else { Array::EMPTY }
    }

    /// Whether `thread`, of this core, has a valid address space: then it can be run at once.
    #[inline(always)]
    pub fn can_run(&self, thread: Ref<Tcb>) -> bool {
        self.refresh(thread);
        self.can_run_at_once(thread)
    }

    /// Whether what `thread`, of this core, needs of the processor is at hand.
    #[inline(always)]
    pub fn can_run_at_once(&self, thread: Ref<Tcb>) -> bool {
        self.is_fresh(thread)
    }

    /// Has what `thread`, of this core, is asked for at hand: invariant T10 for the thread that runs next.
    #[inline(always)]
    pub fn refresh(&self, thread: Ref<Tcb>) {
        if !self.is_fresh(thread) {
            look_up(self.epoch, self.asids, self.core, thread);
        }
    }

    #[inline(always)]
    fn is_fresh(&self, thread: Ref<Tcb>) -> bool {
        thread.roots.epoch.get() == self.epoch.0.get()
    }

    /// T9, for the audit. A space that became valid again may be missing.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn roots_are_right(&self, thread: Ref<Tcb>) -> bool {
        let roots = &thread.roots;
        let core = self.home(thread);
        !self.is_fresh(thread)
            || Some(roots.needs.get()) == needs_of(self.asids, core, thread)
                && roots.slots.get() == whole_cspace_of(thread)
    }

    /// T10, for the audit.
    #[cfg(not(target_os = "none"))]
    pub(crate) fn slots_are_at_hand(&self, current: Ref<Tcb>) -> bool {
        sync::CORES > 1 || current.roots.slots.get() == whole_cspace_of(current)
    }

    /// The address space of `thread`, if its root is a valid one.
    pub(crate) fn address_space_of(&self, thread: Ref<Tcb>) -> Option<AddressSpace> {
        address_space_of(self.asids, self.machine, thread)
    }
}

/// Out of line and without `Threads`, which would cost the callers its making.
#[cold]
#[inline(never)]
fn look_up(epoch: &Epoch, asids: &AsidTable, core: &Core, thread: Ref<Tcb>) {
    thread.roots.forget();
    thread.roots.slots.set(whole_cspace_of(thread));
    // Without a valid address space the thread stays unknown: whoever asks asks again.
    if let Some(needs) = needs_of(asids, core, thread) {
        thread.roots.needs.set(needs);
        thread.roots.epoch.set(epoch.0.get());
    }
}

fn whole_cspace_of(thread: Ref<Tcb>) -> Array<Slot> {
    let root = thread.cap(TcbSlot::CSpace);
    if root.is_whole_cnode() { Array::new(root.object(), 1 << root.radix()) } else { Array::EMPTY }
}

fn needs_of(asids: &AsidTable, core: &Core, thread: Ref<Tcb>) -> Option<Needs> {
    let mut needs = Needs::of(address_space_of(asids, &core.machine, thread)?);
    if core.has_fpu(thread) {
        needs = needs.and_fpu();
    }
    if thread.context.get(Register::GsBase) != 0 {
        needs = needs.and_gs_base();
    }
    if thread.debug.is_wanted() {
        needs = needs.and_debugging();
    }
    Some(needs)
}

fn address_space_of(asids: &AsidTable, machine: &Machine, thread: Ref<Tcb>) -> Option<AddressSpace> {
    let root = thread.cap(TcbSlot::VSpace);
    // The slot holds nothing but an address space, and only while that is assigned has it an ASID.
    let (asid, _) = root.mapping()?;
    let valid = asids.root(asid).is_some_and(|found| found.phys() == root.phys());
    valid.then(|| machine.address_space(root.phys().0, asid))
}
