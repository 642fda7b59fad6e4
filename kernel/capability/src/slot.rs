//! The slot: one capability and its place in the derivation tree.

use crate::Cap;
use core::cell::Cell;
use memory::{Object, Phys, Ref};

/// A capability slot, 32 bytes.
#[repr(C)]
#[derive(Debug)]
pub struct Slot {
    cap: Cell<Cap>,
    previous: Cell<Option<Ref<Slot>>>,
    /// Physical address of the next slot (0: none), and two flags in the low bits.
    next: Cell<u64>,
}

const _: () = assert!(size_of::<Slot>() == 1 << abi::object::SLOT_BITS);

memory::object!(Slot);

const REVOCABLE: u64 = 1;
const FIRST_BADGED: u64 = 2;

impl Slot {
    /// The capability in the slot.
    #[inline(always)]
    pub fn cap(&self) -> Cap {
        self.cap.get()
    }

    /// Replaces the capability and leaves the tree alone: for changes of the same capability (mapping, free offset).
    #[inline(always)]
    pub fn set_cap(&self, cap: Cap) {
        self.cap.set(cap);
    }

    /// Whether the slot holds no capability.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.cap.get().is_null()
    }

    /// The slot before this one in the tree's depth-first order.
    #[inline(always)]
    pub fn previous(&self) -> Option<Ref<Slot>> {
        self.previous.get()
    }

    /// The slot after this one.
    #[inline(always)]
    pub fn next(&self) -> Option<Ref<Slot>> {
        let address = self.next.get() & !3;
        (address != 0).then(|| Ref::at(Phys(address)))
    }

    pub(crate) fn set_previous(&self, previous: Option<Ref<Slot>>) {
        self.previous.set(previous);
    }

    pub(crate) fn set_next(&self, next: Option<Ref<Slot>>) {
        self.next.set(self.next.get() & 3 | next.map_or(0, |slot| slot.phys().0));
    }

    /// Whether capabilities derived from this one can be revoked through it.
    #[inline(always)]
    pub fn is_revocable(&self) -> bool {
        self.next.get() & REVOCABLE != 0
    }

    /// Whether this is the first capability of its badge, derived from an unbadged one.
    #[inline(always)]
    pub fn is_first_badged(&self) -> bool {
        self.next.get() & FIRST_BADGED != 0
    }

    pub(crate) fn set_flags(&self, revocable: bool, first_badged: bool) {
        let flags = (u64::from(revocable) * REVOCABLE) | (u64::from(first_badged) * FIRST_BADGED);
        self.next.set(self.next.get() & !3 | flags);
    }

    pub(crate) fn flags(&self) -> (bool, bool) {
        (self.is_revocable(), self.is_first_badged())
    }

    /// Empties the slot and its links.
    pub(crate) fn reset(&self) {
        self.cap.set(Cap::NULL);
        self.previous.set(None);
        self.next.set(0);
    }

    /// The slot `index` places behind `self` in the same object.
    #[inline(always)]
    pub fn neighbour(slot: Ref<Slot>, index: u64) -> Ref<Slot> {
        Ref::at(Phys(slot.phys().0 + index * size_of::<Slot>() as u64))
    }
}

const _: fn() = || {
    fn is_object<T: Object>() {}
    is_object::<Slot>();
};
