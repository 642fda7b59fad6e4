//! Changes of the derivation tree: insert, move, swap, remove. Each keeps invariant C1 (the list is well-formed).

use crate::{Cap, Kind, Slot, derive};
use memory::Ref;

impl Slot {
    /// Whether a capability was derived from the one in this slot.
    pub fn has_children(&self) -> bool {
        self.next().is_some_and(|next| derive::is_parent(self, &next))
    }

    /// Puts the first capability of an object into an empty slot, outside every tree: boot only.
    pub fn insert_root(&self, cap: Cap) {
        self.reset();
        self.set_cap(cap);
        self.set_flags(true, true);
    }

    /// Puts `cap`, a new object's first capability, into the empty slot `target` as a child of untyped memory in `parent`.
    pub fn insert_child(parent: Ref<Slot>, target: Ref<Slot>, cap: Cap) {
        link_behind(parent, target, cap);
        target.set_flags(true, true);
    }

    /// Puts `cap`, derived from the capability in `source`, into the empty slot `target`.
    pub fn insert_derived(source: Ref<Slot>, target: Ref<Slot>, cap: Cap) {
        let origin = source.cap();
        let revocable = revocable(cap, origin);
        // A copy of untyped memory may not allocate behind the original's back: both count as full.
        if origin.kind() == Kind::Untyped
            && cap.kind() == Kind::Untyped
            && origin.phys() == cap.phys()
            && origin.size_bits() == cap.size_bits()
        {
            source.set_cap(origin.with_used(1 << origin.size_bits()));
        }
        link_behind(source, target, cap);
        target.set_flags(revocable, revocable);
    }

    /// Moves the capability of `source` to the empty slot `target` as `cap` (itself, or with changed data).
    pub fn move_to(source: Ref<Slot>, target: Ref<Slot>, cap: Cap) {
        let (revocable, first_badged) = source.flags();
        let (previous, next) = (source.previous(), source.next());
        source.reset();
        target.set_cap(cap);
        target.set_previous(previous);
        target.set_next(next);
        target.set_flags(revocable, first_badged);
        relink_neighbours(target);
    }

    /// Exchanges the capabilities of two slots and their places in the tree, writing `cap_a` and `cap_b` (what was in `a`
    /// and `b`, or that with changed data) into `b` and `a`.
    pub fn swap(a: Ref<Slot>, cap_a: Cap, b: Ref<Slot>, cap_b: Cap) {
        if a == b {
            return;
        }
        let links_a = (a.previous(), a.next(), a.flags());
        let links_b = (b.previous(), b.next(), b.flags());
        a.set_cap(cap_b);
        b.set_cap(cap_a);
        // A link that names the partner must name the slot the partner's capability moved from.
        let through = |link: Option<Ref<Slot>>, own: Ref<Slot>, partner: Ref<Slot>| {
            if link == Some(partner) { Some(own) } else { link }
        };
        b.set_previous(through(links_a.0, a, b));
        b.set_next(through(links_a.1, a, b));
        b.set_flags(links_a.2.0, links_a.2.1);
        a.set_previous(through(links_b.0, b, a));
        a.set_next(through(links_b.1, b, a));
        a.set_flags(links_b.2.0, links_b.2.1);
        relink_neighbours(a);
        relink_neighbours(b);
    }

    /// Takes the capability out of the slot and the tree. Children of it become children of its parent.
    pub fn clear(&self) {
        let (previous, next) = (self.previous(), self.next());
        if let Some(previous) = previous {
            previous.set_next(next);
        }
        if let Some(next) = next {
            next.set_previous(previous);
            let (revocable, first_badged) = next.flags();
            next.set_flags(revocable, first_badged || self.is_first_badged());
        }
        self.reset();
    }
}

/// Whether capabilities derived from `new`, itself derived from `origin`, are its children.
fn revocable(new: Cap, origin: Cap) -> bool {
    match new.kind() {
        Kind::Endpoint | Kind::Notification => new.badge() != origin.badge(),
        Kind::IrqHandler | Kind::Doorbell => origin.kind() == Kind::IrqControl,
        Kind::IoPort => origin.kind() == Kind::IoPortControl,
        Kind::Untyped => true,
        _ => false,
    }
}

fn link_behind(source: Ref<Slot>, target: Ref<Slot>, cap: Cap) {
    let next = source.next();
    target.reset();
    target.set_cap(cap);
    target.set_previous(Some(source));
    target.set_next(next);
    source.set_next(Some(target));
    if let Some(next) = next {
        next.set_previous(Some(target));
    }
}

fn relink_neighbours(slot: Ref<Slot>) {
    if let Some(previous) = slot.previous() {
        previous.set_next(Some(slot));
    }
    if let Some(next) = slot.next() {
        next.set_previous(Some(slot));
    }
}
